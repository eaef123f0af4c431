#ifndef MRCNN_COCO_CURVES_HPP
#define MRCNN_COCO_CURVES_HPP

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/coco/detail/numpy_mean.hpp"
#include "mrcnn/coco/evaluation.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/vis/curves.hpp"

// Precision over recall, from an evaluation to a picture. Link mrcnn::image_io.
//
//   const coco::Evaluation evaluation = coco::evaluate(annotations, results, {.iou_type = coco::IouType::segm});
//   io::write_image("curves.png", vis::draw_curves(coco::precision_recall_curves(evaluation), {.title = "segm"}));
//   const vis::Curve dogs = coco::precision_recall_curve(evaluation, {.category_id = 18, .iou_threshold = 0.5}, "dog");

namespace mrcnn::coco {

/// Which entries of an evaluation a curve shows.
struct CurveSelection {
  /// One category; absent: the mean over the categories that have objects.
  std::optional<std::int64_t> category_id = {};
  double iou_threshold = 0.5;  ///< one of the evaluation's
  std::string area = "all";    ///< the name of one of the evaluation's
  /// One of the evaluation's; absent: the largest.
  std::optional<std::int64_t> max_detections = {};
};

namespace detail {

/// Where the entries of a selection lie in [T, R, K, A, M].
struct CurveEntries {
  std::size_t threshold = 0;
  std::size_t first_category = 0;
  std::size_t last_category = 0;  ///< exclusive
  std::size_t area = 0;
  std::size_t max_detections = 0;
};

template <class Values, class Matches, class Name>
std::size_t curve_index(const Values& values, const Matches& matches, const char* what, const std::string& wanted,
                        const Name& name) {
  std::string known;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (matches(values[i])) return i;
    if (i < 20) known += std::string(i > 0 ? ", " : "") + name(values[i]);
  }
  throw ShapeError("precision_recall_curve: the evaluation has no " + std::string(what) + ' ' + wanted +
                   ", expected one of " + known + (values.size() > 20 ? ", ..." : ""));
}

inline std::string curve_number(double value, int decimals) {
  std::array<char, 400> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed, decimals);
  return {digits.data(), end.ptr};
}

/// 0.5 is "0.50", 0.955 stays.
inline std::string threshold_text(double threshold) {
  const std::string text = curve_number(threshold, 4);
  return text.substr(0, std::max(text.find_last_not_of('0') + 1, text.size() - 2));
}

inline CurveEntries curve_entries(const Evaluation& evaluation, const CurveSelection& selection) {
  const std::size_t expected = evaluation.iou_thresholds.size() * evaluation.recall_thresholds.size() *
                               evaluation.category_ids.size() * evaluation.areas.size() *
                               evaluation.max_detections.size();
  if (evaluation.precision.size() != expected)
    throw ShapeError("precision_recall_curve: precision has " + std::to_string(evaluation.precision.size()) +
                     " entries, expected " + std::to_string(expected) + " as the evaluation's thresholds say");
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  CurveEntries entries;
  entries.threshold = curve_index(
      evaluation.iou_thresholds, [&](double t) { return std::abs(t - selection.iou_threshold) < 1e-6; },
      "IoU threshold", threshold_text(selection.iou_threshold), threshold_text);
  entries.area = curve_index(
      evaluation.areas, [&](const AreaRange& area) { return area.name == selection.area; }, "area", selection.area,
      [](const AreaRange& area) { return area.name; });
  if (evaluation.max_detections.empty())
    throw ShapeError("precision_recall_curve: the evaluation has no max_detections, expected at least one");
  entries.max_detections = evaluation.max_detections.size() - 1;
  if (selection.max_detections)
    entries.max_detections = curve_index(
        evaluation.max_detections, [&](std::int64_t most) { return most == *selection.max_detections; },
        "max_detections", number(*selection.max_detections), number);
  entries.last_category = evaluation.category_ids.size();
  if (selection.category_id) {
    entries.first_category = curve_index(
        evaluation.category_ids, [&](std::int64_t id) { return id == *selection.category_id; }, "category",
        number(*selection.category_id), number);
    entries.last_category = entries.first_category + 1;
  }
  return entries;
}

}  // namespace detail

/// Precision over recall as the evaluation has it: for each of its recall thresholds the highest precision that is
/// reached at this recall or a larger one.
///
/// @param name  for the legend
///
/// The curve's `value` is its average precision with three decimals: the mean that pycocotools prints for these entries,
/// "-" when no category has an object, and then the curve is empty. Behind its last point above 0 the curve goes down
/// to 0 and ends there. Throws: ShapeError for a threshold, area, category or number of detections that the evaluation
/// does not have, naming those that it has. O(entries).
inline vis::Curve precision_recall_curve(const Evaluation& evaluation, const CurveSelection& selection,
                                         std::string name) {
  const detail::CurveEntries entries = detail::curve_entries(evaluation, selection);
  const std::size_t recalls = evaluation.recall_thresholds.size();
  vis::Curve curve;
  curve.name = std::move(name);
  std::vector<double> all;
  std::size_t kept = 0;
  for (std::size_t r = 0; r < recalls; ++r) {
    std::vector<double> found;
    for (std::size_t k = entries.first_category; k < entries.last_category; ++k) {
      const double precision =
          evaluation
              .precision[evaluation.precision_place(entries.threshold, r, k, entries.area, entries.max_detections)];
      if (precision > -1.0) found.push_back(precision);
    }
    if (found.empty()) continue;
    curve.x.push_back(evaluation.recall_thresholds[r]);
    curve.y.push_back(detail::numpy_mean(found));
    if (curve.y.back() > 0.0) kept = curve.y.size();
    all.insert(all.end(), found.begin(), found.end());
  }
  curve.value = all.empty() ? "-" : detail::curve_number(detail::numpy_mean(all), 3);
  curve.x.resize(std::min(curve.x.size(), kept + 1));
  curve.y.resize(curve.x.size());
  return curve;
}

/// A curve for each of the evaluation's IoU thresholds, "IoU 0.50" and so on, coloured from blue to red.
///
/// @param selection  its `iou_threshold` does not count
///
/// Throws: as `precision_recall_curve`.
inline std::vector<vis::Curve> precision_recall_curves(const Evaluation& evaluation, CurveSelection selection = {}) {
  std::vector<vis::Curve> curves;
  const std::size_t count = evaluation.iou_thresholds.size();
  for (const double threshold : evaluation.iou_thresholds) {
    selection.iou_threshold = threshold;
    const double position = count > 1 ? static_cast<double>(curves.size()) / static_cast<double>(count - 1) : 0.0;
    curves.push_back(precision_recall_curve(evaluation, selection, "IoU " + detail::threshold_text(threshold)));
    curves.back().color = vis::scale_color(position);
  }
  return curves;
}

}  // namespace mrcnn::coco

#endif
