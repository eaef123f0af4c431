#ifndef MRCNN_COCO_ERROR_ANALYSIS_HPP
#define MRCNN_COCO_ERROR_ANALYSIS_HPP

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mrcnn/coco/detail/error_figures.hpp"
#include "mrcnn/coco/detail/error_search.hpp"
#include "mrcnn/coco/detail/picture_groups.hpp"
#include "mrcnn/coco/error_records.hpp"
#include "mrcnn/coco/records.hpp"
#include "mrcnn/core/host_backend.hpp"

namespace mrcnn::coco {

struct ErrorAnalysisOptions {
  IouType iou_type = IouType::bbox;  ///< bbox or segm
  /// A detection that overlaps an object of its category by at least this finds it; above 0, at most 1.
  double positive_threshold = 0.5;
  /// An overlap of no more than this is none; 0 to `positive_threshold`.
  double background_threshold = 0.1;
  /// Detections of a picture, of all categories together, those with the highest scores.
  std::int64_t max_detections = 100;
  /// The pictures to analyse; absent: all.
  std::optional<std::vector<std::int64_t>> image_ids = {};
  /// The categories to analyse; absent: all.
  std::optional<std::vector<std::int64_t>> category_ids = {};
  /// Whose AP the mean is taken over: tidecv's choice, or pycocotools' and hotcoco's.
  ApCategories ap_categories = ApCategories::seen;
  /// Whether detections that a crowd excuses are errors too, and can be repaired: tidecv. They never lower the AP. False:
  /// hotcoco.
  bool count_excused = true;
  /// Threads; 0: as many as the process may use.
  int threads = 0;
};

namespace detail {

/// The records and the numbers of errors.
inline ErrorAnalysis list_errors(const PictureGroups& groups, std::span<const PictureErrors> errors,
                                 std::span<const RankedDetection> ranked, const Annotations& truth,
                                 std::span<const Result> results, const ErrorRule& rule) {
  ErrorAnalysis analysis;
  const auto add = [&](const ErrorRecord& record) {
    ++analysis.figures[static_cast<std::size_t>(record.kind)].count;
    analysis.records.push_back(record);
  };
  for (const RankedDetection& rank : ranked) {
    const PictureGroup& picture = groups.pictures[rank.picture];
    const JudgedDetection& detection = errors[rank.picture].detections[rank.place];
    analysis.hits += detection.hit ? 1 : 0;
    analysis.false_positives.count += detection.hit || detection.excused ? 0 : 1;
    if (detection.hit || (detection.excused && !rule.count_excused)) continue;
    const std::size_t result = picture.detections[rank.place];
    ErrorRecord record{detection.kind, result,        std::nullopt,     results[result].image_id,
                       rank.score,     detection.iou, detection.excused};
    if (detection.object >= 0) record.annotation = picture.objects[static_cast<std::size_t>(detection.object)];
    add(record);
  }
  for (std::size_t p = 0; p < errors.size(); ++p)
    for (std::size_t g = 0; g < errors[p].objects.size(); ++g) {
      const JudgedObject& object = errors[p].objects[g];
      const std::size_t annotation = groups.pictures[p].objects[g];
      analysis.false_negatives.count += object.found ? 0 : 1;
      if (!object.found && !object.repairable)
        add({ErrorKind::missed, std::nullopt, annotation, truth.annotations[annotation].image_id, 0.0, object.iou,
             false});
    }
  return analysis;
}

}  // namespace detail

/// Why a detector falls short: the kinds of its errors after TIDE, how many there are, and how much AP each kind costs.
///
/// @param ground_truth  objects and crowds; each counts, also of several with one id
/// @param results       detections. Those of other pictures and categories than the analysed count for nothing.
///
/// In each picture the detections, by descending score, each take the free object of their category that they overlap
/// most (of equal ones the first in the file), if by at least the positive threshold. The rest are false: one that
/// overlaps a crowd of its category by more than the threshold (of the detection's area) is excused. See `ErrorKind` for
/// what makes which kind. An object that no detection has taken is missed, unless a detection with an error of
/// localisation or classification is about it; the one with the highest score is the one that a repair turns into a hit.
///
/// The AP is that of tidecv: 101 recalls, at the positive threshold. It differs from pycocotools' AP50: the detections of
/// a picture are cut off together and not in each category, of equally overlapping objects the first is taken and not the
/// last, and the mean is taken over `ap_categories`. Equal scores are ordered by picture, then as in the file, also after
/// a repair; tidecv puts repaired and false detections before hits then.
///
/// Edges: no objects at all: the AP is -1, every delta 0. An overlap of exactly the positive threshold with an object
/// that is taken is an error of localisation, as in tidecv.
/// Throws: ShapeError for thresholds out of order and iou_type boundary; FormatError for a score of NaN, and for a box or
/// mask that is missing or can not be used.
/// Complexity: O(D G) overlaps in each picture, O(N log N) for N detections; 150 bytes for each. Determinism: identical
/// for any number of threads.
/// Source: Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020, and tidecv 1.0.1.
inline ErrorAnalysis analyze_errors(const Annotations& ground_truth, std::span<const Result> results,
                                    const ErrorAnalysisOptions& options = {}) {
  detail::check_analysis("analyze_errors", options.iou_type, options.max_detections, ground_truth, results);
  if (!(options.positive_threshold > 0.0 && options.positive_threshold <= 1.0 && options.background_threshold >= 0.0 &&
        options.background_threshold <= options.positive_threshold))
    throw ShapeError("analyze_errors: background_threshold is " + std::to_string(options.background_threshold) +
                     " and positive_threshold " + std::to_string(options.positive_threshold) +
                     ", expected 0 <= background <= positive <= 1 and positive above 0");
  detail::PictureGroups groups =
      detail::group_by_picture(ground_truth, results, options, -std::numeric_limits<double>::infinity());
  const detail::PictureShapes shapes("analyze_errors", ground_truth, results, options.iou_type);
  const detail::ErrorRule rule{options.positive_threshold, options.background_threshold, options.count_excused};
  std::vector<detail::PictureErrors> errors(groups.pictures.size());
  const auto search = [&](index_t i) {
    detail::PictureGroup& picture = groups.pictures[static_cast<std::size_t>(i)];
    detail::keep_best(results, options.max_detections, picture.detections);
    const detail::PictureOverlaps overlaps = shapes.overlaps(picture);
    errors[static_cast<std::size_t>(i)] = detail::ErrorSearch(groups, picture, overlaps, rule).run();
  };
  HostBackend(options.threads).parallel_for(static_cast<index_t>(errors.size()), search, 8);
  const std::vector<detail::RankedDetection> ranked = detail::rank_detections(groups, results);
  ErrorAnalysis analysis = detail::list_errors(groups, errors, ranked, ground_truth, results, rule);
  analysis.iou_type = options.iou_type;
  analysis.positive_threshold = options.positive_threshold;
  analysis.background_threshold = options.background_threshold;
  detail::ErrorFigures(groups, errors, ranked, options.ap_categories).write(analysis);
  return analysis;
}

}  // namespace mrcnn::coco

#endif
