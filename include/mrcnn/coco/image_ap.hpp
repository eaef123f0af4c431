#ifndef MRCNN_COCO_IMAGE_AP_HPP
#define MRCNN_COCO_IMAGE_AP_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "mrcnn/coco/detail/numpy_mean.hpp"
#include "mrcnn/coco/rle.hpp"
#include "mrcnn/coco/rle_overlap.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/detail/float_ops.hpp"
#include "mrcnn/models/detections.hpp"
#include "mrcnn/ops/boxes.hpp"

// The average precision of one picture in the manner of PASCAL VOC, as Mask R-CNN's notebooks by matterport use it, to
// look at single pictures or to watch a training. For a data set, and for numbers to publish: coco/evaluate.hpp.
//
//   const auto comparison = coco::compare_image(model.detect(image), truths, coco::OverlapOf::masks);
//   const double ap = coco::image_average_precision(comparison).average_precision;
//   const double range = coco::image_average_precision_range(comparison);

namespace mrcnn::coco {

/// The objects that a picture really shows.
struct ImageTruths {
  std::vector<Box> boxes;               ///< (x1, y1, x2, y2), pixels; may be left empty where masks are compared
  std::vector<std::int64_t> class_ids;  ///< one for each object
  std::vector<Rle> masks;               ///< may be left empty where boxes are compared
};

/// What is laid over each other.
enum class OverlapOf : std::uint8_t {
  boxes,  ///< matterport's V1.0 and V2.0
  masks,  ///< matterport's V2.1 and later
};

/// P predictions and G true objects of one picture. `compare_image` fills it; it can also be filled by hand.
struct ImageComparison {
  std::vector<double> overlaps;                   ///< [P, G], predictions first: intersection over union
  std::vector<std::int64_t> predicted_class_ids;  ///< [P]
  std::vector<double> scores;                     ///< [P]
  std::vector<std::int64_t> true_class_ids;       ///< [G]
  /// Which detection, and which true object, each row and column stands for. Not used here; may be left empty.
  std::vector<index_t> detection_indices;
  std::vector<index_t> truth_indices;
};

/// Which prediction found which object.
struct ImageMatches {
  std::vector<index_t> order;          ///< [P] the predictions' rows by descending score
  std::vector<index_t> truth_of;       ///< [P] the object that the prediction of this row found, or -1
  std::vector<index_t> prediction_of;  ///< [G] the row of the prediction that found the object, or -1
};

/// A precision-recall curve and the area under it.
struct ImageAveragePrecision {
  double average_precision = 0;
  std::vector<double> precisions;  ///< [P + 2], non-increasing; the first belongs to a recall of 0, the last is 0
  std::vector<double> recalls;     ///< [P + 2], from 0 to 1
};

namespace detail {

inline std::string rows_of(const char* what, std::size_t found, const char* unit, std::size_t expected) {
  return std::string(what) + " has " + std::to_string(found) + ' ' + unit + ", expected " + std::to_string(expected);
}

inline void check_comparison(const char* function, const ImageComparison& comparison) {
  const auto fail = [&](const std::string& what) { throw ShapeError(std::string(function) + ": " + what); };
  const std::size_t predictions = comparison.scores.size();
  const std::size_t truths = comparison.true_class_ids.size();
  if (comparison.predicted_class_ids.size() != predictions)
    fail(rows_of("predicted_class_ids", comparison.predicted_class_ids.size(), "entries", predictions) +
         " as there are scores");
  if (comparison.overlaps.size() != predictions * truths)
    fail(rows_of("overlaps", comparison.overlaps.size(), "entries", predictions * truths) + " for " +
         std::to_string(predictions) + " predictions and " + std::to_string(truths) + " true objects");
  for (std::size_t i = 0; i < predictions; ++i)
    if (std::isnan(comparison.scores[i])) fail("scores[" + std::to_string(i) + "] is NaN, expected a number");
  for (std::size_t i = 0; i < comparison.overlaps.size(); ++i)
    if (std::isnan(comparison.overlaps[i])) fail("overlaps[" + std::to_string(i) + "] is NaN, expected a number");
}

inline void check_threshold(const char* function, double iou_threshold) {
  if (!(iou_threshold >= 0.0 && iou_threshold <= 1.0))
    throw ShapeError(std::string(function) + ": the IoU threshold is " + std::to_string(iou_threshold) +
                     ", expected 0 to 1");
}

/// Indices of the values from the highest to the lowest, the later of equal ones first.
inline std::vector<index_t> descending_later_first(std::span<const double> values) {
  std::vector<index_t> order(values.size());
  std::iota(order.begin(), order.end(), index_t{0});
  std::stable_sort(order.begin(), order.end(), [&](index_t a, index_t b) {
    return values[static_cast<std::size_t>(a)] < values[static_cast<std::size_t>(b)];
  });
  std::reverse(order.begin(), order.end());
  return order;
}

inline void check_crop(const MaskCrop& mask, index_t detection) {
  const auto pixels = static_cast<index_t>(mask.pixels.size());
  const bool fits = mask.height >= 0 && mask.width >= 0 &&
                    (mask.width == 0 ? pixels == 0 : pixels % mask.width == 0 && pixels / mask.width == mask.height);
  if (!fits)
    throw ShapeError("compare_image: the mask of detection " + std::to_string(detection) + " has " +
                     std::to_string(pixels) + " pixels, expected " + std::to_string(mask.height) + " x " +
                     std::to_string(mask.width));
}

/// Padding: a row of zeros.
inline bool is_padding(const Box& box) { return box == Box{0, 0, 0, 0}; }

/// The rows that are no padding; all of `count` when there are no boxes.
inline std::vector<index_t> rows_without_padding(std::span<const Box> boxes, std::size_t count) {
  std::vector<index_t> rows;
  for (std::size_t i = 0; i < count; ++i)
    if (boxes.empty() || !is_padding(boxes[i])) rows.push_back(static_cast<index_t>(i));
  return rows;
}

template <class T>
std::vector<T> rows_at(const std::vector<T>& values, const std::vector<index_t>& rows) {
  std::vector<T> picked;
  picked.reserve(rows.size());
  for (const index_t row : rows) picked.push_back(values[static_cast<std::size_t>(row)]);
  return picked;
}

inline double image_box_overlap(const Box& a, const Box& b) {
  const auto extent = [](float low, float high) { return static_cast<double>(high) - static_cast<double>(low); };
  const auto box_area = [&](const Box& box) {
    return mrcnn::detail::product(extent(box.x1, box.x2), extent(box.y1, box.y2));
  };
  const double across = std::max(extent(std::max(a.x1, b.x1), std::min(a.x2, b.x2)), 0.0);
  const double down = std::max(extent(std::max(a.y1, b.y1), std::min(a.y2, b.y2)), 0.0);
  const double both = mrcnn::detail::product(across, down);
  const double overlap = both / (box_area(a) + box_area(b) - both);
  return both > 0.0 && overlap > 0.0 ? overlap : 0.0;
}

inline double image_mask_overlap(const RleStretches& a, const RleStretches& b) {
  if (!bounds_overlap(a.bounds, b.bounds)) return 0.0;
  const auto both = static_cast<float>(intersection_area(a, b));
  if (!(both > 0.0F)) return 0.0;
  const float either = static_cast<float>(a.area) + static_cast<float>(b.area) - both;
  return static_cast<double>(both / either);
}

}  // namespace detail

/// Overlap of every predicted box with every true one.
///
/// @param predictions  P boxes, (x1, y1, x2, y2), pixels
/// @param truths       G boxes
///
/// Returns P x G, predictions first: intersection over union of continuous rectangles, computed in double. For boxes of
/// whole pixels these are the bits of matterport's compute_overlaps, whose boxes are int32. Boxes without area and with
/// NaN or infinity overlap nothing; where two boxes without area meet, the original divides 0 by 0. O(P G).
inline std::vector<double> image_overlaps(std::span<const Box> predictions, std::span<const Box> truths) {
  std::vector<double> overlaps;
  overlaps.reserve(predictions.size() * truths.size());
  for (const Box& prediction : predictions)
    for (const Box& truth : truths) overlaps.push_back(detail::image_box_overlap(prediction, truth));
  return overlaps;
}

/// Overlap of every predicted mask with every true one.
///
/// @param predictions  P masks
/// @param truths       G masks, all of one size
///
/// Returns P x G, predictions first: intersection over union, of float32 numbers and rounded to float32, as matterport's
/// compute_overlaps_masks has it; the same bits for pictures of at most 2^24 pixels, up to which float32 counts them
/// one by one. Empty masks overlap nothing; for two of them the original divides 0 by 0, and matches them.
/// Throws: ShapeError when sizes differ; FormatError when counts do not add up. O(R) for each pair whose boxes overlap,
/// of R runs.
inline std::vector<double> image_overlaps(std::span<const Rle> predictions, std::span<const Rle> truths) {
  std::vector<detail::RleStretches> columns;
  columns.reserve(truths.size());
  for (const Rle& rle : truths) columns.emplace_back(rle);
  std::vector<double> overlaps;
  overlaps.reserve(predictions.size() * truths.size());
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const detail::RleStretches prediction(predictions[i]);
    for (std::size_t j = 0; j < columns.size(); ++j) {
      if (prediction.height != columns[j].height || prediction.width != columns[j].width)
        throw ShapeError("image_overlaps: the predicted mask " + std::to_string(i) + " has " +
                         std::to_string(prediction.height) + " x " + std::to_string(prediction.width) +
                         " pixels, expected " + std::to_string(columns[j].height) + " x " +
                         std::to_string(columns[j].width) + " as true mask " + std::to_string(j));
      overlaps.push_back(detail::image_mask_overlap(prediction, columns[j]));
    }
  }
  return overlaps;
}

/// Lays what was found in a picture over what it shows.
///
/// @param detections  their masks are needed for `OverlapOf::masks` only
/// @param truths      class_ids as in `Detection`; boxes or masks, as many as there are class ids
///
/// Objects and detections whose box is (0, 0, 0, 0) are padding and are left out, with everything that belongs to them;
/// `detection_indices` and `truth_indices` say what is left. (The original drops the rows of boxes, and as many of the
/// last masks and scores: the same for padding at the end.)
/// Throws: ShapeError when there are not as many boxes or masks as class ids, a mask reaches beyond the true masks'
/// picture, or the true masks differ in size; FormatError when run lengths do not add up.
inline ImageComparison compare_image(std::span<const Detection> detections, const ImageTruths& truths,
                                     OverlapOf of = OverlapOf::boxes) {
  const std::size_t objects = truths.class_ids.size();
  const bool masks = of == OverlapOf::masks;
  if (truths.boxes.size() != objects && !(masks && truths.boxes.empty()))
    throw ShapeError("compare_image: " + detail::rows_of("truths.boxes", truths.boxes.size(), "boxes", objects) +
                     " as there are class ids");
  if (masks && truths.masks.size() != objects)
    throw ShapeError("compare_image: " + detail::rows_of("truths.masks", truths.masks.size(), "masks", objects) +
                     " as there are class ids; compare OverlapOf::boxes without masks");
  ImageComparison comparison;
  std::vector<Box> found_boxes;
  for (const Detection& detection : detections) found_boxes.push_back(detection.box);
  comparison.detection_indices = detail::rows_without_padding(found_boxes, detections.size());
  comparison.truth_indices = detail::rows_without_padding(truths.boxes, objects);
  comparison.true_class_ids = detail::rows_at(truths.class_ids, comparison.truth_indices);
  for (const index_t i : comparison.detection_indices) {
    comparison.predicted_class_ids.push_back(detections[static_cast<std::size_t>(i)].class_id);
    comparison.scores.push_back(static_cast<double>(detections[static_cast<std::size_t>(i)].score));
  }
  if (!masks) {
    comparison.overlaps = image_overlaps(detail::rows_at(found_boxes, comparison.detection_indices),
                                         detail::rows_at(truths.boxes, comparison.truth_indices));
  } else if (!comparison.truth_indices.empty()) {
    const auto true_masks = detail::rows_at(truths.masks, comparison.truth_indices);
    std::vector<Rle> found_masks;
    for (const index_t i : comparison.detection_indices) {
      const InstanceMask& mask = detections[static_cast<std::size_t>(i)].mask;
      detail::check_crop(mask, i);
      found_masks.push_back(encode_crop({mask.pixels.data(), {mask.height, mask.width}, {mask.width, 1}}, mask.x,
                                        mask.y, true_masks[0].height, true_masks[0].width));
    }
    comparison.overlaps = image_overlaps(found_masks, true_masks);
  }
  return comparison;
}

/// Finds for every prediction the object that it is, if any.
///
/// @param iou_threshold  in [0, 1]; an overlap counts that is at least this, compared in double
///
/// Predictions take their turns by descending score. Each goes through the objects by descending overlap, passes those
/// that are taken, stops at the first with an overlap below the threshold, and takes the first of its own class. Of equal
/// scores, and of equal overlaps, the later comes first, as a stable numpy.argsort read backwards has it.
/// Throws: ShapeError for a threshold outside [0, 1], entries that are not as many as they should be, NaN.
/// O(P log P + P G log G). Source: matterport's compute_matches; its score_threshold, in truth one of overlaps, does what
/// a larger `iou_threshold` does. Its indices of predictions count by descending score; ours are rows, see `order`.
inline ImageMatches image_matches(const ImageComparison& comparison, double iou_threshold = 0.5) {
  detail::check_comparison("image_matches", comparison);
  detail::check_threshold("image_matches", iou_threshold);
  const std::size_t truths = comparison.true_class_ids.size();
  ImageMatches matches;
  matches.order = detail::descending_later_first(comparison.scores);
  matches.truth_of.assign(comparison.scores.size(), -1);
  matches.prediction_of.assign(truths, -1);
  for (const index_t row : matches.order) {
    const auto prediction = static_cast<std::size_t>(row);
    const auto overlaps = std::span(comparison.overlaps).subspan(prediction * truths, truths);
    for (const index_t column : detail::descending_later_first(overlaps)) {
      const auto truth = static_cast<std::size_t>(column);
      if (matches.prediction_of[truth] >= 0) continue;
      if (overlaps[truth] < iou_threshold) break;
      if (comparison.predicted_class_ids[prediction] != comparison.true_class_ids[truth]) continue;
      matches.prediction_of[truth] = row;
      matches.truth_of[prediction] = column;
      break;
    }
  }
  return matches;
}

/// The precision-recall curve of a picture, and the area under it.
///
/// After k of the predictions, by descending score, the precision is matches / k and the recall matches / G. The
/// curve begins with recall 0 and ends with recall 1 at precision 0; then every precision is raised to the highest behind
/// it. The area is the sum of the steps in recall times the precision. Classes are not told apart but in matching.
///
/// Doubles, to the bit what numpy gives matterport: a recall is rounded to float32 on the way, and the sum is numpy's pairwise one.
/// Without objects the area is 0 (the original gives NaN once there is a prediction). No predictions: 0.
/// Throws: as `image_matches`. Source: matterport's compute_ap, after Everingham et al., "The PASCAL visual object
/// classes challenge", IJCV 2010.
inline ImageAveragePrecision image_average_precision(const ImageComparison& comparison, double iou_threshold = 0.5) {
  const ImageMatches matches = image_matches(comparison, iou_threshold);
  ImageAveragePrecision result;
  result.precisions.push_back(0.0);
  result.recalls.push_back(0.0);
  std::size_t seen = 0;
  std::size_t matched = 0;
  for (const index_t row : matches.order) {
    matched += matches.truth_of[static_cast<std::size_t>(row)] >= 0 ? 1 : 0;
    result.precisions.push_back(static_cast<double>(matched) / static_cast<double>(++seen));
    const auto objects = static_cast<float>(matches.prediction_of.size());
    result.recalls.push_back(matched == 0 ? 0.0 : static_cast<double>(static_cast<float>(matched) / objects));
  }
  result.precisions.push_back(0.0);
  result.recalls.push_back(1.0);
  for (std::size_t i = result.precisions.size() - 1; i-- > 0;)
    result.precisions[i] = std::max(result.precisions[i], result.precisions[i + 1]);
  std::vector<double> steps;
  for (std::size_t i = 1; i < result.recalls.size(); ++i)
    if (result.recalls[i] != result.recalls[i - 1])
      steps.push_back(mrcnn::detail::product(result.recalls[i] - result.recalls[i - 1], result.precisions[i]));
  result.average_precision = detail::numpy_sum(steps);
  return result;
}

/// The ten thresholds of `image_average_precision_range`: 0.5, 0.55, ... 0.95 as numpy.arange(0.5, 1.0, 0.05) has them.
/// Some are not the doubles next to these decimals: the third is 0.6000000000000001, which an overlap of 3 / 5 does not
/// reach. COCO's thresholds, from numpy.linspace, are others (`linspace` in coco/evaluate.hpp).
inline std::vector<double> image_iou_thresholds() {
  std::vector<double> thresholds;
  const double step = (0.5 + 0.05) - 0.5;
  for (int i = 0; i < 10; ++i) thresholds.push_back(0.5 + mrcnn::detail::product(static_cast<double>(i), step));
  return thresholds;
}

/// The mean of the average precisions at several thresholds.
/// Throws: ShapeError without thresholds, else as `image_matches`. Source: matterport's compute_ap_range.
inline double image_average_precision_range(const ImageComparison& comparison,
                                            const std::vector<double>& iou_thresholds = image_iou_thresholds()) {
  if (iou_thresholds.empty())
    throw ShapeError("image_average_precision_range: there are no thresholds, expected at least one");
  std::vector<double> precisions;
  for (const double threshold : iou_thresholds)
    precisions.push_back(image_average_precision(comparison, threshold).average_precision);
  return detail::numpy_mean(precisions);
}

/// The part of the objects that are the best match of some prediction with at least this overlap. Classes and scores do
/// not matter, and an object that overlaps well is not counted when all predictions prefer others; of equal overlaps the
/// first object is the best.
///
/// 0 without objects or without predictions. (The original fails without objects.)
/// Throws: as `image_matches`. Source: matterport's compute_recall, which is about boxes.
inline double image_recall(const ImageComparison& comparison, double iou_threshold = 0.5) {
  detail::check_comparison("image_recall", comparison);
  detail::check_threshold("image_recall", iou_threshold);
  const std::size_t truths = comparison.true_class_ids.size();
  if (truths == 0) return 0.0;
  std::vector<std::uint8_t> found(truths, 0);
  for (auto row = comparison.overlaps.begin(); row != comparison.overlaps.end(); row += static_cast<index_t>(truths)) {
    const auto best = std::max_element(row, row + static_cast<index_t>(truths));
    if (*best >= iou_threshold) found[static_cast<std::size_t>(best - row)] = 1;
  }
  return static_cast<double>(std::count(found.begin(), found.end(), 1)) / static_cast<double>(truths);
}

}  // namespace mrcnn::coco

#endif
