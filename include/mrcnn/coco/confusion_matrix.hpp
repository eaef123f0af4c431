#ifndef MRCNN_COCO_CONFUSION_MATRIX_HPP
#define MRCNN_COCO_CONFUSION_MATRIX_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/coco/detail/picture_groups.hpp"
#include "mrcnn/coco/evaluation.hpp"
#include "mrcnn/coco/records.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/core/host_backend.hpp"

namespace mrcnn::coco {

/// Which detection goes with which object, whatever their categories.
enum class ConfusionMatching : std::uint8_t {
  /// Detections by descending score each take the free object that they overlap most: hotcoco.
  by_score,
  /// Each detection names the object that it overlaps most, and each object takes that one of them which overlaps it
  /// most: YOLOv5, ultralytics.
  by_overlap,
};

struct ConfusionMatrixOptions {
  IouType iou_type = IouType::bbox;  ///< bbox or segm
  /// The least overlap of a detection and its object, above 0: 0.5 (hotcoco, supervision, mmdetection); 0.45 (YOLOv5,
  /// ultralytics, which want more than it).
  double iou_threshold = 0.5;
  /// The least score that counts: 0.25 (YOLOv5 and ultralytics, which want more than it), 0.3 (supervision,
  /// mmdetection), none (hotcoco).
  double min_score = 0.25;
  /// Detections of a picture, of all categories together, those with the highest scores.
  std::int64_t max_detections = 100;
  ConfusionMatching matching = ConfusionMatching::by_score;
  /// A detection without an object that overlaps a crowd of its category by at least `iou_threshold` (of the detection's
  /// area) is not counted, as in pycocotools. False: it counts as a detection of the background: hotcoco.
  bool crowds_excuse = true;
  /// The pictures to count; absent: all.
  std::optional<std::vector<std::int64_t>> image_ids = {};
  /// The categories to count; absent: all.
  std::optional<std::vector<std::int64_t>> category_ids = {};
  /// Threads; 0: as many as the process may use.
  int threads = 0;
};

/// How often an object of one category was detected as another.
struct ConfusionMatrix {
  std::vector<std::int64_t> category_ids;  ///< ascending; K of them
  /// [K + 1, K + 1]: rows are what an object is, columns what it was detected as. The last row holds detections of the
  /// background, the last column objects that were not detected. (ultralytics has rows and columns the other way round.)
  std::vector<std::int64_t> counts;
  std::int64_t excused = 0;  ///< detections that a crowd excuses; they are in no count

  std::size_t extent() const { return category_ids.size() + 1; }
  std::size_t background() const { return category_ids.size(); }
  std::int64_t at(std::size_t truth, std::size_t detected) const { return counts[truth * extent() + detected]; }
};

namespace detail {

/// The counts of one picture: pairs of rows and columns.
struct PictureConfusion {
  std::vector<std::pair<std::size_t, std::size_t>> cells;
  std::int64_t excused = 0;
};

/// Pairs one picture's detections, which are in the order of their scores, with its objects.
class ConfusionPairing {
 public:
  ConfusionPairing(const PictureGroups& groups, const PictureGroup& picture, const PictureOverlaps& overlaps,
                   const ConfusionMatrixOptions& options)
      : groups_(groups),
        picture_(picture),
        overlaps_(overlaps),
        options_(options),
        object_of_(picture.detections.size(), -1),
        detection_of_(picture.objects.size(), -1) {}

  PictureConfusion run() && {
    if (options_.matching == ConfusionMatching::by_score)
      pair_by_score();
    else
      pair_by_overlap();
    PictureConfusion confusion;
    const std::size_t background = groups_.categories.size();
    for (std::size_t d = 0; d < object_of_.size(); ++d) {
      if (object_of_[d] >= 0)
        confusion.cells.emplace_back(truth(static_cast<std::size_t>(object_of_[d])), detected(d));
      else if (options_.crowds_excuse && in_crowd(d))
        ++confusion.excused;
      else
        confusion.cells.emplace_back(background, detected(d));
    }
    for (std::size_t g = 0; g < detection_of_.size(); ++g)
      if (detection_of_[g] < 0) confusion.cells.emplace_back(truth(g), background);
    return confusion;
  }

 private:
  std::size_t truth(std::size_t g) const {
    return static_cast<std::size_t>(groups_.annotation_categories[picture_.objects[g]]);
  }
  std::size_t detected(std::size_t d) const {
    return static_cast<std::size_t>(groups_.result_categories[picture_.detections[d]]);
  }
  double overlap(std::size_t d, std::size_t g) const { return overlaps_.objects[d * picture_.objects.size() + g]; }
  bool is_own(std::size_t d, std::size_t g) const { return detected(d) == truth(g); }

  /// The free object that is overlapped most and enough; of equal ones the first of the own category, else the first.
  std::int32_t best_object(std::size_t d) const {
    std::int32_t best = -1;
    double largest = 0.0;
    for (std::size_t g = 0; g < detection_of_.size(); ++g) {
      const double iou = overlap(d, g);
      if (detection_of_[g] >= 0 || !(iou >= options_.iou_threshold)) continue;
      const bool better =
          best < 0 || iou > largest || (iou == largest && is_own(d, g) && !is_own(d, static_cast<std::size_t>(best)));
      if (!better) continue;
      best = static_cast<std::int32_t>(g);
      largest = iou;
    }
    return best;
  }
  void pair(std::size_t d, std::size_t g) {
    object_of_[d] = static_cast<std::int32_t>(g);
    detection_of_[g] = static_cast<std::int32_t>(d);
  }
  void pair_by_score() {
    for (std::size_t d = 0; d < object_of_.size(); ++d)
      if (const std::int32_t g = best_object(d); g >= 0) pair(d, static_cast<std::size_t>(g));
  }
  void pair_by_overlap() {
    std::vector<std::int32_t> named(object_of_.size());
    for (std::size_t d = 0; d < named.size(); ++d) named[d] = best_object(d);
    for (std::size_t g = 0; g < detection_of_.size(); ++g) {
      std::int32_t best = -1;
      for (std::size_t d = 0; d < named.size(); ++d) {
        if (std::cmp_not_equal(named[d], g)) continue;
        const auto b = static_cast<std::size_t>(best);
        const bool better = best < 0 || overlap(d, g) > overlap(b, g) ||
                            (overlap(d, g) == overlap(b, g) && is_own(d, g) && !is_own(b, g));
        if (better) best = static_cast<std::int32_t>(d);
      }
      if (best >= 0) pair(static_cast<std::size_t>(best), g);
    }
  }
  bool in_crowd(std::size_t d) const {
    for (std::size_t c = 0; c < picture_.crowds.size(); ++c)
      if (groups_.annotation_categories[picture_.crowds[c]] == groups_.result_categories[picture_.detections[d]] &&
          overlaps_.crowds[d * picture_.crowds.size() + c] >= options_.iou_threshold)
        return true;
    return false;
  }

  const PictureGroups& groups_;
  const PictureGroup& picture_;
  const PictureOverlaps& overlaps_;
  const ConfusionMatrixOptions& options_;
  std::vector<std::int32_t> object_of_;
  std::vector<std::int32_t> detection_of_;
};

}  // namespace detail

/// Counts what objects were detected as.
///
/// @param ground_truth  objects and crowds
/// @param results       detections. Those of other pictures and categories than the counted ones count for nothing.
///
/// In each picture, detections with at least `min_score` are paired with objects of any category, one with one, see
/// `ConfusionMatching`. Of objects that a detection overlaps equally, one of its own category comes first, then the first
/// in the file; equal scores are ordered as in the file. (hotcoco takes the last object of the largest category id, and of
/// equal scores the smallest category id.) Crowds are no objects: they only excuse.
///
/// Edges: without categories the matrix is one 0. Throws: ShapeError for a threshold that is not above 0 and at most 1, a
/// NaN as `min_score` and iou_type boundary; FormatError for a score of NaN, and for a box or mask that is missing or can
/// not be used. Complexity: O(D G) overlaps in each picture. Determinism: identical for any number of threads.
inline ConfusionMatrix confusion_matrix(const Annotations& ground_truth, std::span<const Result> results,
                                        const ConfusionMatrixOptions& options = {}) {
  detail::check_analysis("confusion_matrix", options.iou_type, options.max_detections, ground_truth, results);
  if (!(options.iou_threshold > 0.0 && options.iou_threshold <= 1.0))
    throw ShapeError("confusion_matrix: iou_threshold is " + std::to_string(options.iou_threshold) +
                     ", expected above 0, at most 1");
  if (std::isnan(options.min_score)) throw ShapeError("confusion_matrix: min_score is NaN, expected a number");
  detail::PictureGroups groups = detail::group_by_picture(ground_truth, results, options, options.min_score);
  const detail::PictureShapes shapes("confusion_matrix", ground_truth, results, options.iou_type);
  std::vector<detail::PictureConfusion> found(groups.pictures.size());
  const auto count = [&](index_t i) {
    detail::PictureGroup& picture = groups.pictures[static_cast<std::size_t>(i)];
    detail::keep_best(results, options.max_detections, picture.detections);
    const detail::PictureOverlaps overlaps = shapes.overlaps(picture);
    found[static_cast<std::size_t>(i)] = detail::ConfusionPairing(groups, picture, overlaps, options).run();
  };
  HostBackend(options.threads).parallel_for(static_cast<index_t>(found.size()), count, 8);
  ConfusionMatrix matrix{groups.categories.ids(), {}, 0};
  matrix.counts.assign(matrix.extent() * matrix.extent(), 0);
  for (const detail::PictureConfusion& picture : found) {
    matrix.excused += picture.excused;
    for (const auto& [truth, detected] : picture.cells) ++matrix.counts[truth * matrix.extent() + detected];
  }
  return matrix;
}

/// By what the counts of a matrix are divided.
enum class ConfusionNormalization : std::uint8_t {
  truth,     ///< the sum of the row, so the diagonal holds the recall: hotcoco, ultralytics
  detected,  ///< the sum of the column, so the diagonal holds the precision
  all,       ///< the sum of all
};

/// The counts as parts of a sum, [K + 1, K + 1]; 0 where the sum is 0.
inline std::vector<double> normalized(const ConfusionMatrix& matrix,
                                      ConfusionNormalization by = ConfusionNormalization::truth) {
  const std::size_t n = matrix.extent();
  std::vector<std::int64_t> sums(n, 0);
  const auto group = [by](std::size_t row, std::size_t column) {
    return by == ConfusionNormalization::truth ? row : by == ConfusionNormalization::detected ? column : 0;
  };
  for (std::size_t row = 0; row < n; ++row)
    for (std::size_t column = 0; column < n; ++column) sums[group(row, column)] += matrix.at(row, column);
  std::vector<double> parts;
  parts.reserve(n * n);
  for (std::size_t row = 0; row < n; ++row)
    for (std::size_t column = 0; column < n; ++column) {
      const std::int64_t sum = sums[group(row, column)];
      parts.push_back(sum == 0 ? 0.0 : static_cast<double>(matrix.at(row, column)) / static_cast<double>(sum));
    }
  return parts;
}

/// How well one category is detected at the thresholds of a matrix.
struct CategoryConfusion {
  std::int64_t category_id = 0;
  std::int64_t objects = 0;
  std::int64_t detections = 0;
  std::int64_t correct = 0;
  double precision = -1;  ///< of the detections those that are correct; -1 without detections
  double recall = -1;     ///< of the objects those that were detected as such; -1 without objects
};

/// Precision and recall of each category.
inline std::vector<CategoryConfusion> precision_and_recall(const ConfusionMatrix& matrix) {
  std::vector<CategoryConfusion> categories(matrix.category_ids.size());
  for (std::size_t k = 0; k < categories.size(); ++k) {
    CategoryConfusion& category = categories[k];
    category.category_id = matrix.category_ids[k];
    category.correct = matrix.at(k, k);
    for (std::size_t i = 0; i < matrix.extent(); ++i) {
      category.objects += matrix.at(k, i);
      category.detections += matrix.at(i, k);
    }
    const auto part = [&](std::int64_t of) {
      return of == 0 ? -1.0 : static_cast<double>(category.correct) / static_cast<double>(of);
    };
    category.precision = part(category.detections);
    category.recall = part(category.objects);
  }
  return categories;
}

/// One category taken for another.
struct Confusion {
  std::int64_t truth_id = 0;
  std::int64_t detected_id = 0;
  std::int64_t count = 0;
};

/// The pairs of different categories that were confused most often, most often first; then by the ids. Without those that
/// never were.
inline std::vector<Confusion> most_confused(const ConfusionMatrix& matrix, std::size_t count) {
  std::vector<Confusion> confusions;
  const std::size_t background = matrix.background();
  for (std::size_t truth = 0; truth < background; ++truth)
    for (std::size_t detected = 0; detected < background; ++detected)
      if (truth != detected && matrix.at(truth, detected) > 0)
        confusions.push_back({matrix.category_ids[truth], matrix.category_ids[detected], matrix.at(truth, detected)});
  std::stable_sort(confusions.begin(), confusions.end(),
                   [](const Confusion& a, const Confusion& b) { return a.count > b.count; });
  if (confusions.size() > count) confusions.resize(count);
  return confusions;
}

}  // namespace mrcnn::coco

#endif
