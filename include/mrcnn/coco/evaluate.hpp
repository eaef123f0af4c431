#ifndef MRCNN_COCO_EVALUATE_HPP
#define MRCNN_COCO_EVALUATE_HPP

#include <span>
#include <string>

#include "mrcnn/coco/detail/evaluation_run.hpp"
#include "mrcnn/coco/detail/evaluation_stats.hpp"
#include "mrcnn/coco/evaluation.hpp"
#include "mrcnn/coco/records.hpp"

namespace mrcnn::coco {

/// Evaluates detections as pycocotools 2.0.11 does, to the last bit of every number. (Only run lengths that no encoder
/// writes are compared better: see `mask_iou`.)
///
/// @param ground_truth  annotations with an area, and a bbox or a segmentation, whichever is compared
/// @param results       the first decides what all must have, as in pycocotools: with a bbox, boxes count and the area of
///                      a detection is its box's, also when masks are compared, and one without a mask is its box; else
///                      all have masks
///
/// Empty results give recalls and precisions of 0, no annotations give -1. Results of other categories count for nothing,
/// as do annotations of other pictures or categories. Of several annotations with one id the last stands for all, as in
/// pycocotools; a match with the annotation of id 0 is none unless `match_id_zero` says so.
/// Determinism: the same bits for any number of threads.
/// Throws: FormatError for a result of a picture that the annotations do not have, a score that is NaN, a record that
/// lacks what is compared, or a mask that is compared and can not be read: it names the record; ShapeError for a negative
/// limit of detections or more than 2^31 records; Cancelled.
/// Complexity: O(D log D) for D detections, and D G in each picture and category with G objects. Memory: some 50 bytes for
/// each detection and 4 for each of its areas; masks only while their picture is looked at.
inline Evaluation evaluate(const Annotations& ground_truth, std::span<const Result> results,
                           const EvaluateOptions& options = {}) {
  Evaluation evaluation = detail::EvaluationRun(ground_truth, results, options).run();
  for (std::size_t i = 0; i < evaluation.stats.size(); ++i)
    evaluation.stats[i] = detail::statistic(evaluation, detail::statistic_rules[i]);
  return evaluation;
}

/// The 12 lines that pycocotools prints, to the character.
inline std::string summary_text(const Evaluation& evaluation) {
  std::string text;
  for (std::size_t i = 0; i < evaluation.stats.size(); ++i)
    text += detail::statistic_line(evaluation, detail::statistic_rules[i], evaluation.stats[i]) + '\n';
  return text;
}

}  // namespace mrcnn::coco

#endif
