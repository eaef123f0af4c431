#ifndef MRCNN_COCO_CHECK_FILE_HPP
#define MRCNN_COCO_CHECK_FILE_HPP

#include <simdjson.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "mrcnn/coco/annotations.hpp"
#include "mrcnn/coco/check.hpp"
#include "mrcnn/coco/detail/finding_collector.hpp"
#include "mrcnn/coco/detail/read_arrays.hpp"
#include "mrcnn/coco/detail/read_records.hpp"
#include "mrcnn/coco/oddity.hpp"
#include "mrcnn/coco/records.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/io/detail/json_array_reader.hpp"

// Checks of whole files, which tell all that is wrong, where reading stops at the first record that it can not read:
//
//   const auto checked = coco::check_annotations_file("instances_val2017.json");
//   for (const auto& finding : checked.report.findings) ...

namespace mrcnn::coco {

namespace detail {

/// A record does not tell whether its flag was there.
inline void note_crowd_flag(simdjson::dom::element element, const Annotation& annotation, FindingCollector& findings) {
  if (element["iscrowd"].error() != simdjson::SUCCESS)
    findings.add(Oddity::crowd_flag_missing, annotation.id, [&] { return "is in " + image_name(annotation.image_id); });
}

/// What becomes of an array whose malformed elements are left out.
template <class Record>
class LenientArray {
 public:
  LenientArray(const char* record, const char* records, std::size_t examples)
      : record_(record), records_(records), examples_(examples) {}

  /// Reads the elements of a chunk; from several threads.
  void parse(const io::detail::JsonChunk& chunk, const simdjson::dom::array& elements, const std::string& file) {
    Part part{{}, FindingCollector(examples_)};
    std::uint64_t index = chunk.first;
    for (const auto element : elements) {
      Record record;
      try {
        read_record(RecordPlace{file, record_, records_, index++, element}, true, record);
        if constexpr (std::is_same_v<Record, Annotation>) note_crowd_flag(element, record, part.findings);
        part.records.push_back(std::move(record));
      } catch (const FormatError& error) {
        part.findings.add_for_file(Oddity::malformed_record, std::string(error.what()).substr(file.size() + 2));
      }
    }
    const std::lock_guard lock(mutex_);
    parts_.emplace(chunk.first, std::move(part));
  }
  /// The records that could be read, in the order of the file, and why the others could not.
  std::vector<Record> take(FindingCollector& findings) {
    std::size_t size = 0;
    for (const auto& part : parts_) size += part.second.records.size();
    std::vector<Record> all;
    all.reserve(size);
    while (!parts_.empty()) {
      Part& part = parts_.begin()->second;
      for (Record& record : part.records) all.push_back(std::move(record));
      findings.merge(std::move(part.findings));
      parts_.erase(parts_.begin());
    }
    return all;
  }

 private:
  struct Part {
    std::vector<Record> records;
    FindingCollector findings;
  };

  const char* record_;
  const char* records_;
  std::size_t examples_;
  std::mutex mutex_;
  std::map<std::uint64_t, Part> parts_;  // by the first element of their chunk
};

/// Adds what was found while reading.
inline void add_findings(FindingCollector&& reading, CheckReport& report) {
  for (Finding& finding : std::move(reading).take()) report.findings.push_back(std::move(finding));
  sort_findings(report.findings);
}

inline Annotations read_leniently(const io::detail::TextSource& source, const CheckOptions& options,
                                  FindingCollector& found) {
  LenientArray<ImageRecord> images("image", "images", options.examples);
  LenientArray<Annotation> annotations("annotation", "annotations", options.examples);
  LenientArray<CategoryRecord> categories("category", "categories", options.examples);
  const auto reading = reader_options(ReadOptions{.threads = options.threads},
                                      "an object with the arrays images, annotations and categories");
  io::detail::JsonArrayReader reader(source, instances_names, reading);
  const simdjson::dom::element skeleton =
      reader.read([](const auto&, std::uint64_t) {},
                  [&](const io::detail::JsonChunk& chunk, const simdjson::dom::array& elements) {
                    if (chunk.array == 0) images.parse(chunk, elements, source.name());
                    if (chunk.array == 1) annotations.parse(chunk, elements, source.name());
                    if (chunk.array == 2) categories.parse(chunk, elements, source.name());
                  });
  Annotations file;
  file.name = source.name();
  file.extra = other_members(simdjson::dom::object(skeleton), reader, source.name());
  file.images = images.take(found);
  file.categories = categories.take(found);
  file.annotations = annotations.take(found);
  return file;
}

inline std::vector<Result> read_results_leniently(const io::detail::TextSource& source, const CheckOptions& options,
                                                  FindingCollector& found) {
  LenientArray<Result> results("result", "", options.examples);
  const auto reading = reader_options(ReadOptions{.threads = options.threads}, "an array of results");
  io::detail::JsonArrayReader reader(source, {}, reading);
  reader.read([](const auto&, std::uint64_t) {},
              [&](const io::detail::JsonChunk& chunk, const simdjson::dom::array& elements) {
                results.parse(chunk, elements, source.name());
              });
  return results.take(found);
}

}  // namespace detail

/// A file's records, as far as they can be read, and all that is odd about it.
struct CheckedAnnotations {
  Annotations annotations;
  CheckReport report;
};

/// Reads and checks an annotation file: `check_annotations` of its records; all records that are malformed, where
/// `read_annotations` stops at the first one; and annotations without the member `iscrowd`.
///
/// A file of the size of COCO's train2017 (487 MB) takes five seconds of one core and 0.85 GB. Throws: FormatError when
/// the file can not be read, is not JSON or not an object with the arrays images and annotations; ShapeError and
/// Cancelled as `check_annotations`.
inline CheckedAnnotations check_annotations_file(const std::string& path, const CheckOptions& options = {}) {
  detail::check_options(options);
  const io::detail::InputFile file(path);
  detail::FindingCollector found(options.examples);
  CheckedAnnotations checked{detail::read_leniently(io::detail::TextSource(file), options, found), {}};
  checked.report = check_annotations(checked.annotations, options);
  detail::add_findings(std::move(found), checked.report);
  return checked;
}

/// Reads and checks a results file: `check_results` of its records, and all those that are malformed. Where there are
/// such, the positions in the other findings are those among the records that could be read.
/// Throws: FormatError when the file can not be read, is not JSON or not an array; ShapeError as `check_results`.
inline CheckReport check_results_file(const Annotations& annotations, const std::string& path,
                                      const CheckOptions& options = {}) {
  detail::check_options(options);
  const io::detail::InputFile file(path);
  detail::FindingCollector found(options.examples);
  const auto results = detail::read_results_leniently(io::detail::TextSource(file), options, found);
  CheckReport report = check_results(annotations, results, options);
  report.name = path;
  detail::add_findings(std::move(found), report);
  const auto is = [](Oddity kind) { return [kind](const Finding& finding) { return finding.kind == kind; }; };
  // There are results, though perhaps none that can be read.
  if (std::any_of(report.findings.begin(), report.findings.end(), is(Oddity::malformed_record)))
    std::erase_if(report.findings, is(Oddity::no_results));
  return report;
}

}  // namespace mrcnn::coco

#endif
