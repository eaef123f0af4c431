#ifndef MRCNN_COCO_ANNOTATIONS_HPP
#define MRCNN_COCO_ANNOTATIONS_HPP

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mrcnn/coco/detail/read_arrays.hpp"
#include "mrcnn/coco/detail/write_records.hpp"
#include "mrcnn/coco/records.hpp"
#include "mrcnn/io/json_writer.hpp"
#include "mrcnn/io/output_file.hpp"

// COCO's files:
//
//   const auto annotations = coco::read_annotations("instances_val2017.json");
//   const auto results = coco::read_results("detections.json");
//   coco::write_annotations("subset.json", annotations);

namespace mrcnn::coco {

struct ReadOptions {
  int threads = 0;  ///< 0: as many as the process may use
  /// Called now and then with the bytes that are done and those of the file; returns false to stop, which throws
  /// Cancelled.
  std::function<bool(std::uint64_t bytes_done, std::uint64_t bytes)> progress = {};
  /// False: `segmentation` stays empty and is not looked at, which saves time and memory where only boxes matter.
  bool segmentations = true;
};

/// Reads an instances file: an object with the arrays `images`, `annotations` and, optional, `categories`.
///
/// Members that must be there: an image's and a category's `id`; an annotation's `id`, `image_id` and `category_id`.
/// All others may be missing; `bbox` as [] or null, `area` and `segmentation` as null count as missing, a segmentation
/// as [] is one without polygons. An id is an integer of 64 bits, `iscrowd` is 0, 1, false or true. Of several members
/// with one name in a record the last counts, as in Python; two arrays of one name are an error. Other members are kept
/// as JSON in `extra`. The order is that of the file. A byte-order mark is skipped. Nothing is checked across records:
/// ids may occur twice, or refer to nothing.
///
/// Throws: FormatError when the file can not be read, is not JSON (with line and column), when a member is missing or
/// wrong (with the record's id and the member's name), or a number is larger than 64 bits can hold; of several problems
/// the first in the file. Cancelled.
///
/// Files of any size are read in pieces: memory for the records and a few megabytes. Results are the same for any number
/// of threads.
inline Annotations read_annotations(const std::string& path, const ReadOptions& options = {}) {
  const io::detail::InputFile file(path);
  return detail::read_instances(io::detail::TextSource(file), options);
}
/// As `read_annotations`, for a text in memory; `name` stands for the file in messages.
inline Annotations parse_annotations(std::string_view text, std::string name, const ReadOptions& options = {}) {
  return detail::read_instances(io::detail::TextSource(text, std::move(name)), options);
}

/// Reads a results file: an array, which may be empty, of objects with `image_id`, `category_id`, `score` and a `bbox`, a
/// `segmentation` or both. Other members are ignored. Otherwise as `read_annotations`; messages have the result's
/// position in the array, from 0.
inline std::vector<Result> read_results(const std::string& path, const ReadOptions& options = {}) {
  const io::detail::InputFile file(path);
  return detail::read_result_array(io::detail::TextSource(file), options);
}
/// As `read_results`, for a text in memory; `name` stands for the file in messages.
inline std::vector<Result> parse_results(std::string_view text, std::string name, const ReadOptions& options = {}) {
  return detail::read_result_array(io::detail::TextSource(text, std::move(name)), options);
}

/// Appends a result as an object, the way pycocotools reads it.
/// Throws: Error when a number is NaN or infinite, which JSON does not have.
inline void append_result(io::JsonWriter& writer, const Result& result) { detail::append_record(writer, result); }

/// The instances file of these records, on one line. What is absent is left out; reading the text gives equal records, if texts are UTF-8 and `extra` holds members of other names.
/// Throws: Error, with the record's id, when a number is NaN or infinite or rings do not end inside their coordinates.
inline std::string to_json(const Annotations& annotations) {
  std::string text;
  detail::write_instances(annotations, [&](std::string_view piece) { text += piece; });
  return text;
}
/// The results file of these records, on one line.
inline std::string to_json(std::span<const Result> results) {
  std::string text;
  detail::write_array(results, [&](std::string_view piece) { text += piece; });
  return text;
}

/// Writes `to_json(annotations)` piece by piece; the file appears whole or not at all, see io::OutputFile.
inline void write_annotations(const std::string& path, const Annotations& annotations) {
  io::OutputFile file(path);
  detail::write_instances(annotations, [&](std::string_view piece) { file.write(piece); });
  file.commit();
}
/// Writes `to_json(results)` piece by piece; the file appears whole or not at all, see io::OutputFile.
inline void write_results(const std::string& path, std::span<const Result> results) {
  io::OutputFile file(path);
  detail::write_array(results, [&](std::string_view piece) { file.write(piece); });
  file.commit();
}

}  // namespace mrcnn::coco

#endif
