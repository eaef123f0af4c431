#ifndef MRCNN_COCO_CHECK_HPP
#define MRCNN_COCO_CHECK_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "mrcnn/coco/detail/check_shapes.hpp"
#include "mrcnn/coco/detail/check_tables.hpp"
#include "mrcnn/coco/detail/finding_collector.hpp"
#include "mrcnn/coco/oddity.hpp"
#include "mrcnn/coco/records.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/core/host_backend.hpp"

namespace mrcnn::coco {

/// How many records there are of each form.
struct CheckTotals {
  std::uint64_t images = 0;
  std::uint64_t categories = 0;
  std::uint64_t annotations = 0;
  std::uint64_t results = 0;
  // of the annotations or results:
  std::uint64_t crowds = 0;
  std::uint64_t boxes = 0;
  std::uint64_t polygons = 0;         ///< records whose mask is polygons
  std::uint64_t run_lengths = 0;      ///< whose mask is a list of counts
  std::uint64_t compressed_runs = 0;  ///< whose mask is a compressed string
};

/// What a check found: the severest first, within one severity in the order of `Oddity`.
struct CheckReport {
  std::string name;  ///< of the file
  CheckTotals totals;
  std::vector<Finding> findings;

  /// How many records have findings of this severity; one with two counts twice.
  std::uint64_t count(Severity severity) const {
    std::uint64_t sum = 0;
    for (const Finding& finding : findings)
      if (describe(finding.kind).severity == severity) sum += finding.count;
    return sum;
  }
  /// The finding of this kind; null when there is none.
  const Finding* find(Oddity kind) const {
    for (const Finding& finding : findings)
      if (finding.kind == kind) return &finding;
    return nullptr;
  }
};

namespace detail {

/// The same object twice: image, category, box, and for detections the score.
template <class Records, class Id, class Score>
void check_repetitions(const Records& records, const Id& id, const Score& score, FindingCollector& findings) {
  using Object = std::decay_t<decltype(records[0])>;
  std::vector<const Object*> with_box;
  for (const Object& object : records)
    if (object.bbox && is_finite(*object.bbox) && std::isfinite(score(object))) with_box.push_back(&object);
  find_duplicates(
      with_box,
      [&](const Object* object) {
        const BoxXywh& box = *object->bbox;
        return std::tuple(object->image_id, object->category_id, box.x, box.y, box.width, box.height, score(*object));
      },
      [&](std::size_t later, std::size_t earlier) {
        findings.add(Oddity::repeated_object, id(*with_box[later]),
                     [&] { return "has image, category and box of " + std::to_string(id(*with_box[earlier])); });
      });
}

inline void count_forms(const Segmentation& segmentation, CheckTotals& totals) {
  totals.polygons += std::holds_alternative<Polygons>(segmentation) ? 1 : 0;
  totals.run_lengths += std::holds_alternative<Rle>(segmentation) ? 1 : 0;
  totals.compressed_runs += std::holds_alternative<CompressedRle>(segmentation) ? 1 : 0;
}

/// What records have in common: all boxes, some or none, and the same of masks.
template <class Objects>
Presence count_presence(const Objects& objects, CheckTotals& totals) {
  for (const auto& object : objects) {
    totals.boxes += object.bbox ? 1 : 0;
    count_forms(object.segmentation, totals);
  }
  return {totals.boxes > 0, totals.polygons + totals.run_lengths + totals.compressed_runs > 0};
}

/// Calls check(i, findings) for every i, `step` of them at a time, in parallel; the findings come in the order of i
/// whatever the threads do.
template <class Check>
void check_in_parallel(std::size_t count, std::size_t step, const CheckOptions& options, FindingCollector& findings,
                       const Check& check) {
  constexpr std::size_t parts_at_once = 64;
  const HostBackend backend(count > step ? options.threads : 1);
  for (std::size_t done = 0; done < count;) {
    const std::size_t end = std::min(count, done + parts_at_once * step);
    std::vector<FindingCollector> found((end - done + step - 1) / step, FindingCollector(options.examples));
    backend.parallel_for(
        static_cast<index_t>(found.size()),
        [&](index_t part) {
          const auto p = static_cast<std::size_t>(part);
          const std::size_t last = std::min(end, done + (p + 1) * step);
          for (std::size_t i = done + p * step; i < last; ++i) check(i, found[p]);
        },
        1);
    for (FindingCollector& part : found) findings.merge(std::move(part));
    done = end;
    if (options.progress && !options.progress(static_cast<index_t>(done), static_cast<index_t>(count)))
      throw Cancelled("check: was cancelled after " + std::to_string(done) + " of " + std::to_string(count) +
                      " records");
  }
}

inline void check_annotation(const Annotation& object, const ImageRecord* image, bool known_category, Presence presence,
                             const CheckOptions& options, FindingCollector& findings) {
  const std::int64_t id = object.id;
  if (id == 0) findings.add(Oddity::annotation_id_zero, id, [&] { return "is in " + image_name(object.image_id); });
  if (image == nullptr)
    findings.add(Oddity::unknown_image, id, [&] { return "image_id is " + std::to_string(object.image_id); });
  if (!known_category)
    findings.add(Oddity::unknown_category, id, [&] { return "category_id is " + std::to_string(object.category_id); });
  const ShapeChecker shape(id, object.image_id, image, options, findings);
  shape.check_box(object.bbox, presence);
  const std::optional<Rle> mask = shape.check_mask(object.segmentation, presence);
  if (mask) shape.check_box_of_mask(object.bbox, *mask);
  shape.check_area(object.area, object.bbox, mask);
  const bool polygons = std::holds_alternative<Polygons>(object.segmentation);
  const bool none = std::holds_alternative<std::monostate>(object.segmentation);
  if (object.is_crowd && polygons)
    findings.add(Oddity::crowd_polygons, id, [&] { return "is in " + image_name(object.image_id); });
  if (!object.is_crowd && !polygons && !none)
    findings.add(Oddity::object_rle, id, [&] { return "is in " + image_name(object.image_id); });
}

inline void check_result(const Result& result, std::int64_t position, const ImageRecord* image, bool known_category,
                         Presence presence, const CheckOptions& options, FindingCollector& findings) {
  if (image == nullptr)
    findings.add(Oddity::result_unknown_image, position,
                 [&] { return "image_id is " + std::to_string(result.image_id); });
  if (!known_category)
    findings.add(Oddity::result_unknown_category, position,
                 [&] { return "category_id is " + std::to_string(result.category_id); });
  if (!std::isfinite(result.score))
    findings.add(Oddity::score_not_finite, position, [&] { return "its score is " + number_text(result.score); });
  else if (result.score < 0 || result.score > 1)
    findings.add(Oddity::score_range, position, [&] { return "its score is " + number_text(result.score); });
  if (!result.bbox && std::holds_alternative<std::monostate>(result.segmentation)) {
    findings.add(Oddity::result_empty, position, [&] { return "is for " + image_name(result.image_id); });
    return;
  }
  const ShapeChecker shape(position, result.image_id, image, options, findings);
  shape.check_box(result.bbox, presence, Oddity::result_box_empty);
  const std::optional<Rle> mask = shape.check_mask(result.segmentation, presence, Oddity::result_mask_empty);
  if (mask) shape.check_box_of_mask(result.bbox, *mask);
}

inline void check_image_file(const ImageRecord& image, const std::string& directory,
                             const std::function<std::pair<index_t, index_t>(const std::string&)>& picture_size,
                             FindingCollector& findings) {
  if (image.file_name.empty()) return;  // a finding of its own
  const std::string path = (std::filesystem::path(directory) / image.file_name).string();
  std::error_code error;
  if (image.file_name.find('\0') != std::string::npos || !std::filesystem::is_regular_file(path, error)) {
    findings.add(Oddity::image_file_missing, image.id, [&] { return "there is no file '" + path + "'"; });
    return;
  }
  if (!picture_size) return;
  try {
    const auto [height, width] = picture_size(path);
    if (height == image.height && width == image.width) return;
    const std::string size = std::to_string(height) + " x " + std::to_string(width);
    findings.add(Oddity::image_file_size, image.id, [&] {
      return "'" + path + "' is " + size + " (height x width); its record says " + std::to_string(image.height) +
             " x " + std::to_string(image.width);
    });
  } catch (const FormatError& unreadable) {
    const std::string message = unreadable.what();
    findings.add(Oddity::image_file_unreadable, image.id, [&] { return message; });
  }
}

/// The ids that no object has.
template <class Records, class Objects, class Id>
void check_unused(const Records& records, const Objects& objects, const Id& id, Oddity kind, const char* text,
                  FindingCollector& findings) {
  std::vector<std::int64_t> used;
  used.reserve(objects.size());
  for (const auto& object : objects) used.push_back(id(object));
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  for (const auto& record : records)
    if (!std::binary_search(used.begin(), used.end(), record.id))
      findings.add(kind, record.id, [&] { return std::string(text); });
}

/// How many results an image, and an image and a category have.
inline void check_result_counts(std::span<const Result> results, FindingCollector& findings) {
  constexpr std::size_t limit = 100;
  std::vector<std::pair<std::int64_t, std::int64_t>> groups;
  groups.reserve(results.size());
  for (const Result& result : results) groups.emplace_back(result.image_id, result.category_id);
  std::sort(groups.begin(), groups.end());
  const auto each_run = [&](const auto& same, const auto& found) {
    for (std::size_t i = 0, end = 0; i < groups.size(); i = end) {
      for (end = i; end < groups.size() && same(groups[i], groups[end]);) ++end;
      if (end - i > limit) found(groups[i], end - i);
    }
  };
  each_run([](const auto& a, const auto& b) { return a == b; },
           [&](const auto& group, std::size_t count) {
             findings.add(Oddity::results_cut, group.first, [&] {
               return std::to_string(count) + " results of category " + std::to_string(group.second);
             });
           });
  each_run([](const auto& a, const auto& b) { return a.first == b.first; },
           [&](const auto& group, std::size_t count) {
             findings.add(Oddity::many_results, group.first, [&] { return std::to_string(count) + " results"; });
           });
}

}  // namespace detail

/// Finds and explains everything that is odd about an annotation file: ids, sizes, names, boxes, areas and masks; see
/// `Oddity` for the list and `describe` for what each means.
///
/// Masks are made of all polygons and run lengths, so this takes about as long as evaluating them. The report is the
/// same for any number of threads. O(N log N) for N records, and the masks. Throws: ShapeError when a tolerance
/// is negative or NaN; Cancelled. Nothing in the records makes it throw.
inline CheckReport check_annotations(const Annotations& file, const CheckOptions& options = {}) {
  detail::check_options(options);
  CheckReport report{file.name, {}, {}};
  detail::FindingCollector findings(options.examples);
  report.totals.images = file.images.size();
  report.totals.categories = file.categories.size();
  report.totals.annotations = file.annotations.size();
  const detail::Presence presence = detail::count_presence(file.annotations, report.totals);
  for (const Annotation& object : file.annotations) report.totals.crowds += object.is_crowd ? 1 : 0;
  detail::check_images(file, findings);
  detail::check_categories(file, findings);
  if (file.annotations.empty()) {
    findings.add_for_file(Oddity::no_annotations, "'annotations' is empty or missing");
  } else {
    if (!presence.boxes) findings.add_for_file(Oddity::no_boxes, "no annotation has a bbox");
    if (!presence.masks) findings.add_for_file(Oddity::no_masks, "no annotation has a segmentation");
    const auto id = [](const Annotation& object) { return object.id; };
    detail::find_duplicates(file.annotations, id, [&](std::size_t later, std::size_t earlier) {
      findings.add(Oddity::duplicate_annotation_id, file.annotations[later].id, [&] {
        return "annotations[" + std::to_string(later) + "] has the id of annotations[" + std::to_string(earlier) + "]";
      });
    });
    detail::check_repetitions(
        file.annotations, id, [](const Annotation&) { return 0.0; }, findings);
    detail::check_unused(
        file.images, file.annotations, [](const Annotation& object) { return object.image_id; },
        Oddity::image_without_annotations, "has no annotation", findings);
    detail::check_unused(
        file.categories, file.annotations, [](const Annotation& object) { return object.category_id; },
        Oddity::category_without_annotations, "has no annotation", findings);
  }
  const detail::RecordIndex index(file);
  detail::check_in_parallel(file.annotations.size(), 256, options, findings, [&](std::size_t i, auto& found) {
    const Annotation& object = file.annotations[i];
    detail::check_annotation(object, index.image(file, object.image_id), index.categories.count(object.category_id) > 0,
                             presence, options, found);
  });
  report.findings = std::move(findings).take();
  return report;
}

/// Finds and explains everything that is odd about results: unknown ids, scores, boxes and masks, and how many there
/// are. Results have no ids: the examples give their positions in the file, from 0.
/// As `check_annotations` otherwise; the annotations themselves are not checked.
inline CheckReport check_results(const Annotations& annotations, std::span<const Result> results,
                                 const CheckOptions& options = {}) {
  detail::check_options(options);
  CheckReport report;
  detail::FindingCollector findings(options.examples);
  report.totals.results = results.size();
  const detail::Presence presence = detail::count_presence(results, report.totals);
  if (results.empty()) {
    findings.add_for_file(Oddity::no_results, "the list is empty");
  } else {
    if (!presence.boxes && presence.masks) findings.add_for_file(Oddity::no_boxes, "no result has a bbox");
    if (presence.boxes && !presence.masks) findings.add_for_file(Oddity::no_masks, "no result has a segmentation");
    const auto position = [&](const Result& result) { return static_cast<std::int64_t>(&result - results.data()); };
    detail::check_repetitions(
        results, position, [](const Result& result) { return result.score; }, findings);
    detail::check_result_counts(results, findings);
    detail::check_unused(
        annotations.images, results, [](const Result& result) { return result.image_id; },
        Oddity::image_without_results, "has no result", findings);
  }
  const detail::RecordIndex index(annotations);
  detail::check_in_parallel(results.size(), 256, options, findings, [&](std::size_t i, auto& found) {
    const Result& result = results[i];
    detail::check_result(result, static_cast<std::int64_t>(i), index.image(annotations, result.image_id),
                         index.categories.count(result.category_id) > 0, presence, options, found);
  });
  report.findings = std::move(findings).take();
  return report;
}

/// Height and width of a picture in a file. Throws FormatError when it can not be read.
using PictureSize = std::function<std::pair<index_t, index_t>(const std::string& path)>;

/// Whether the pictures of an annotation file are there, and, with `picture_size`, whether they have the sizes of their
/// records. `picture_size` is called from several threads at a time.
inline CheckReport check_image_files(const Annotations& file, const std::string& directory,
                                     const PictureSize& picture_size = {}, const CheckOptions& options = {}) {
  detail::check_options(options);
  CheckReport report{directory, {}, {}};
  report.totals.images = file.images.size();
  detail::FindingCollector findings(options.examples);
  detail::check_in_parallel(file.images.size(), 4, options, findings, [&](std::size_t i, auto& found) {
    detail::check_image_file(file.images[i], directory, picture_size, found);
  });
  report.findings = std::move(findings).take();
  return report;
}

}  // namespace mrcnn::coco

#endif
