#ifndef MRCNN_COCO_DETAIL_PICTURE_GROUPS_HPP
#define MRCNN_COCO_DETAIL_PICTURE_GROUPS_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/coco/box_overlap.hpp"
#include "mrcnn/coco/detail/evaluation_cells.hpp"
#include "mrcnn/coco/detail/evaluation_overlaps.hpp"
#include "mrcnn/coco/evaluation.hpp"
#include "mrcnn/coco/records.hpp"
#include "mrcnn/coco/rle_overlap.hpp"
#include "mrcnn/core/error.hpp"

// What error_analysis.hpp and confusion_matrix.hpp share: the objects and detections of all categories, picture by
// picture, and their overlaps.

namespace mrcnn::coco::detail {

/// What belongs to one picture: indices of annotations and of results.
struct PictureGroup {
  std::vector<std::uint32_t> objects;     ///< in the file's order
  std::vector<std::uint32_t> crowds;      ///< in the file's order
  std::vector<std::uint32_t> detections;  ///< by descending score, equal ones in the file's order
};

/// The pictures and categories of an analysis. Annotations and results of others are left out.
struct PictureGroups {
  IdIndex images;
  IdIndex categories;
  std::vector<PictureGroup> pictures;                    ///< in the order of `images`
  std::vector<std::int32_t> annotation_categories = {};  ///< the place of each in `categories`; -1
  std::vector<std::int32_t> result_categories = {};
};

/// The ids that the options name, else those of all records.
template <class Record>
IdIndex chosen_ids(const std::optional<std::vector<std::int64_t>>& named, const std::vector<Record>& records) {
  return IdIndex(ascending_ids(named ? *named : ids_of(records)));
}

inline void check_analysis(const char* function, IouType type, std::int64_t max_detections, const Annotations& truth,
                           std::span<const Result> results) {
  if (type != IouType::bbox && type != IouType::segm)
    throw ShapeError(std::string(function) + ": iou_type is boundary, expected bbox or segm");
  if (max_detections < 0)
    throw ShapeError(std::string(function) + ": max_detections is " + std::to_string(max_detections) +
                     ", expected 0 or more");
  check_record_counts(function, truth, results);
  for (std::size_t i = 0; i < results.size(); ++i)
    if (std::isnan(results[i].score))
      throw FormatError(std::string(function) + ": result " + std::to_string(i) + " (image_id " +
                        std::to_string(results[i].image_id) + ") has the score NaN, expected a number");
}

/// @param min_score  results with a smaller one are left out
template <class Options>
PictureGroups group_by_picture(const Annotations& truth, std::span<const Result> results, const Options& options,
                               double min_score) {
  PictureGroups groups{
      chosen_ids(options.image_ids, truth.images), chosen_ids(options.category_ids, truth.categories), {}};
  groups.pictures.resize(groups.images.size());
  const auto place = [&](const auto& records, std::vector<std::int32_t>& categories, const auto& add) {
    categories.assign(records.size(), -1);
    for (std::size_t i = 0; i < records.size(); ++i) {
      const std::int32_t image = groups.images.find(records[i].image_id);
      if (image < 0) continue;
      categories[i] = groups.categories.find(records[i].category_id);
      if (categories[i] >= 0) add(groups.pictures[static_cast<std::size_t>(image)], static_cast<std::uint32_t>(i));
    }
  };
  place(truth.annotations, groups.annotation_categories, [&](PictureGroup& picture, std::uint32_t i) {
    (truth.annotations[i].is_crowd ? picture.crowds : picture.objects).push_back(i);
  });
  place(results, groups.result_categories, [&](PictureGroup& picture, std::uint32_t i) {
    if (results[i].score >= min_score) picture.detections.push_back(i);
  });
  return groups;
}

/// Orders detections by descending score and keeps the first ones.
inline void keep_best(std::span<const Result> results, std::int64_t count, std::vector<std::uint32_t>& detections) {
  std::stable_sort(detections.begin(), detections.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return results[a].score > results[b].score; });
  if (std::cmp_greater(detections.size(), count)) detections.resize(static_cast<std::size_t>(count));
}

/// Overlaps of one picture's detections with its objects, [D, G], and with its crowds, [D, C].
struct PictureOverlaps {
  std::vector<double> objects;
  std::vector<double> crowds;
};

/// Compares boxes or masks, those that an evaluation compares.
class PictureShapes {
 public:
  PictureShapes(const char* function, const Annotations& truth, std::span<const Result> results, IouType type)
      : truth_(truth), results_(results), type_(type), shapes_(function, truth, results, type, 0.0) {}

  PictureOverlaps overlaps(const PictureGroup& picture) const {
    if (picture.detections.empty() || (picture.objects.empty() && picture.crowds.empty())) return {};
    if (type_ == IouType::bbox)
      return measured<BoxXywh>(picture, [](const auto&... shapes) { return box_iou(shapes...); });
    return measured<Rle>(picture, [](const auto&... shapes) { return mask_iou(shapes...); });
  }

 private:
  template <class Shape, class Measure>
  PictureOverlaps measured(const PictureGroup& picture, const Measure& measure) const {
    std::vector<Shape> detections, objects, crowds;
    for (const std::uint32_t i : picture.detections) add_result(i, detections);
    for (const std::uint32_t i : picture.objects) add_annotation(truth_.annotations[i], objects);
    for (const std::uint32_t i : picture.crowds) add_annotation(truth_.annotations[i], crowds);
    const std::vector<std::uint8_t> flags(crowds.size(), 1);
    return {measure(std::span<const Shape>(detections), std::span<const Shape>(objects)),
            measure(std::span<const Shape>(detections), std::span<const Shape>(crowds),
                    std::span<const std::uint8_t>(flags))};
  }
  void add_annotation(const Annotation& annotation, std::vector<BoxXywh>& boxes) const {
    shapes_.check(annotation);
    boxes.push_back(*annotation.bbox);
  }
  void add_annotation(const Annotation& annotation, std::vector<Rle>& masks) const {
    masks.push_back(shapes_.mask_of(annotation));
  }
  /// Without a box it is that of the mask.
  void add_result(std::uint32_t i, std::vector<BoxXywh>& boxes) const {
    shapes_.check(i);
    if (results_[i].bbox) return boxes.push_back(*results_[i].bbox);
    boxes.push_back(box_of(bounding_box(shapes_.mask_of(i))));
  }
  void add_result(std::uint32_t i, std::vector<Rle>& masks) const {
    shapes_.check(i);
    masks.push_back(shapes_.mask_of(i));
  }

  const Annotations& truth_;
  std::span<const Result> results_;
  IouType type_;
  EvaluationShapes shapes_;
};

/// The column of the largest overlap that is above 0 and wanted, the first of equal ones; -1 for none.
template <class Wanted>
std::int32_t best_column(std::span<const double> row, const Wanted& wanted) {
  std::int32_t best = -1;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double largest = best < 0 ? 0.0 : row[static_cast<std::size_t>(best)];
    if (row[i] > largest && wanted(i)) best = static_cast<std::int32_t>(i);
  }
  return best;
}

}  // namespace mrcnn::coco::detail

#endif
