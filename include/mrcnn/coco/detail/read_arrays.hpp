#ifndef MRCNN_COCO_DETAIL_READ_ARRAYS_HPP
#define MRCNN_COCO_DETAIL_READ_ARRAYS_HPP

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mrcnn/coco/detail/plain_records.hpp"
#include "mrcnn/coco/detail/read_records.hpp"
#include "mrcnn/coco/records.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/io/detail/json_array_reader.hpp"

namespace mrcnn::coco::detail {

/// What an array of a COCO file becomes.
template <class Record>
struct RecordArray {
  const char* record;  ///< "annotation"
  const char* records;
  std::size_t least_bytes;  ///< that a record can have, with its comma
  std::vector<Record> all = {};
  std::uint64_t bytes = 0;  ///< of the records so far

  /// Makes room for the elements of these chunks. Where there are more than can be valid, one will be refused, and room
  /// for those before it is enough.
  void expect(std::span<const io::detail::JsonChunk> chunks, std::size_t array, std::uint64_t bytes_left) {
    std::size_t size = all.size();
    for (const io::detail::JsonChunk& chunk : chunks) {
      if (chunk.array != array || chunk.repeated > 0) continue;
      const std::uint64_t chunk_bytes = chunk.end - chunk.begin + 1;
      bytes += chunk_bytes;
      size += static_cast<std::size_t>(std::min<std::uint64_t>(chunk.elements, chunk_bytes / least_bytes + 1));
    }
    if (size > all.capacity()) reserve(size, bytes_left);
    all.resize(size);
  }
  /// Room for as many as the rest of the file seems to hold and some more, so that large arrays are not moved; what is
  /// not used stays untouched.
  void reserve(std::size_t size, std::uint64_t bytes_left) {
    const double share = static_cast<double>(bytes_left) / static_cast<double>(bytes);
    const double wanted = static_cast<double>(size) * (1.0 + 1.15 * share) + 16;
    try {
      all.reserve(std::max(static_cast<std::size_t>(wanted), all.capacity() + all.capacity() / 8));
    } catch (const std::bad_alloc&) {  // then it grows as vectors do
    }
  }
  void parse(const io::detail::JsonChunk& chunk, const simdjson::dom::array& elements, const std::string& file,
             bool segmentations) {
    if (chunk.repeated > 0) throw FormatError(file + ": has several members '" + records + "', expected one");
    std::uint64_t index = chunk.first;
    for (const auto element : elements) {
      if (index >= all.size()) return;  // a chunk before this one has an element that is refused
      Record& target = all[static_cast<std::size_t>(index)];
      target = Record{};
      read_record(RecordPlace{file, this->record, records, index++, element}, segmentations, target);
    }
  }
  /// Reads records as most programs write them; false when one of them is not like that.
  bool parse_plain(const io::detail::JsonChunk& chunk, std::string_view text, bool segmentations) {
    if (chunk.repeated > 0) return false;
    PlainRecords plain(text, segmentations);
    std::uint64_t index = chunk.first;
    do {
      if (index >= all.size()) return false;
      Record& target = all[static_cast<std::size_t>(index++)];
      if (!plain.read(target)) return false;
    } while (plain.comma());
    return plain.at_end();
  }
  std::vector<Record> take() {
    if (all.capacity() > all.size() + all.size() / 4) all.shrink_to_fit();
    return std::move(all);
  }
};

template <class Options>
io::detail::JsonArrayReaderOptions reader_options(const Options& options, const char* expected) {
  io::detail::JsonArrayReaderOptions result;
  result.threads = options.threads;
  result.progress = options.progress;
  result.expected = expected;
  if constexpr (requires { options.window_bytes; }) {  // tests read in pieces of a few bytes
    result.chunk_bytes = options.chunk_bytes;
    result.window_bytes = options.window_bytes;
  }
  return result;
}

/// Tests also read without the fast way.
template <class Options>
bool is_plain_tried(const Options& options) {
  if constexpr (requires { options.plain; })
    return options.plain;
  else
    return true;
}

/// The arrays of an instances file.
inline constexpr std::array<std::string_view, 3> instances_names = {"images", "annotations", "categories"};

/// The other members at the top. Throws unless each array was there once; categories may be missing.
inline std::string other_members(const simdjson::dom::object& skeleton, const io::detail::JsonArrayReader& reader,
                                 const std::string& file) {
  std::string others;
  std::array<std::size_t, instances_names.size()> found{};
  for (const auto member : skeleton) {
    const auto name = std::find(instances_names.begin(), instances_names.end(), member.key);
    if (name == instances_names.end()) {
      append_member(others, member.key, member.value);
      continue;
    }
    ++found[static_cast<std::size_t>(name - instances_names.begin())];
    if (!member.value.is_array())
      throw FormatError(file + ": " + std::string(*name) + ": found " + found_text(member.value) +
                        ", expected an array of objects");
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::string name(instances_names[i]);
    if (found[i] == 0 && name != "categories")
      throw FormatError(file + ": has no member '" + name +
                        "', expected an instances file with the arrays images and annotations");
    if (found[i] > 1 || reader.times_seen(i) > 1)
      throw FormatError(file + ": has several members '" + name + "', expected one");
  }
  return others;
}

template <class Options>
std::vector<Result> read_result_array(const io::detail::TextSource& source, const Options& options) {
  RecordArray<Result> results{"result", "", 24};
  const auto reading =
      reader_options(options, "an array of results (if this is an instances file, give it as the annotations)");
  io::detail::JsonArrayReader reader(source, {}, reading);
  reader.read([&](const auto& chunks, std::uint64_t left) { results.expect(chunks, 0, left); },
              [&](const auto& chunk, const simdjson::dom::array& elements) {
                results.parse(chunk, elements, source.name(), options.segmentations);
              },
              [&](const auto& chunk, std::string_view text) {
                return is_plain_tried(options) && results.parse_plain(chunk, text, options.segmentations);
              });
  return results.take();
}

template <class Options>
Annotations read_instances(const io::detail::TextSource& source, const Options& options) {
  RecordArray<ImageRecord> images{"image", "images", 9};
  RecordArray<Annotation> annotations{"annotation", "annotations", 37};
  RecordArray<CategoryRecord> categories{"category", "categories", 9};
  const auto reading = reader_options(options,
                                      "an object with the arrays images, annotations and categories (an array "
                                      "of results goes to read_results)");
  io::detail::JsonArrayReader reader(source, instances_names, reading);
  const simdjson::dom::element skeleton = reader.read(
      [&](const auto& chunks, std::uint64_t left) {
        images.expect(chunks, 0, left);
        annotations.expect(chunks, 1, left);
        categories.expect(chunks, 2, left);
      },
      [&](const auto& chunk, const simdjson::dom::array& elements) {
        if (chunk.array == 0) images.parse(chunk, elements, source.name(), options.segmentations);
        if (chunk.array == 1) annotations.parse(chunk, elements, source.name(), options.segmentations);
        if (chunk.array == 2) categories.parse(chunk, elements, source.name(), options.segmentations);
      },
      [&](const auto& chunk, std::string_view text) {
        if (!is_plain_tried(options)) return false;
        if (chunk.array == 0) return images.parse_plain(chunk, text, options.segmentations);
        return chunk.array == 1 && annotations.parse_plain(chunk, text, options.segmentations);
      });
  Annotations result;
  result.name = source.name();
  result.extra = other_members(simdjson::dom::object(skeleton), reader, source.name());
  result.images = images.take();
  result.annotations = annotations.take();
  result.categories = categories.take();
  return result;
}

}  // namespace mrcnn::coco::detail

#endif
