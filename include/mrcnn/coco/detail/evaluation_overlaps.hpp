#ifndef MRCNN_COCO_DETAIL_EVALUATION_OVERLAPS_HPP
#define MRCNN_COCO_DETAIL_EVALUATION_OVERLAPS_HPP

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mrcnn/coco/boundary.hpp"
#include "mrcnn/coco/box_overlap.hpp"
#include "mrcnn/coco/detail/evaluation_cells.hpp"
#include "mrcnn/coco/evaluation.hpp"
#include "mrcnn/coco/records.hpp"
#include "mrcnn/coco/rle_overlap.hpp"
#include "mrcnn/coco/segmentation.hpp"
#include "mrcnn/core/error.hpp"

namespace mrcnn::coco::detail {

/// The shapes that an evaluation compares: what pycocotools' loadRes and annToRLE make of annotations and results.
///
/// The first result decides for all: with a box in it, boxes count, the area is the box's, and a result without a mask is
/// its box; else the area is the mask's.
class EvaluationShapes {
 public:
  /// @param function  for messages
  EvaluationShapes(const char* function, const Annotations& ground_truth, std::span<const Result> results,
                   IouType iou_type, double boundary_ratio)
      : function_(function),
        ground_truth_(ground_truth),
        results_(results),
        iou_type_(iou_type),
        boundary_ratio_(boundary_ratio),
        boxes_first_(!results.empty() && results[0].bbox.has_value()),
        images_(ascending_ids(ids_of(ground_truth.images))),
        sizes_(images_.size()) {
    for (const ImageRecord& image : ground_truth.images)
      sizes_[static_cast<std::size_t>(images_.find(image.id))] = {image.height, image.width};
  }

  const IdIndex& images() const { return images_; }

  /// Throws: FormatError when an annotation lacks what is compared.
  void check(const Annotation& annotation) const {
    if (iou_type_ == IouType::bbox && !annotation.bbox) fail(annotation, "has no bbox", "expected [x, y, w, h]");
    if (iou_type_ != IouType::bbox && std::holds_alternative<std::monostate>(annotation.segmentation))
      fail(annotation, "has no segmentation", "expected polygons or run lengths");
  }
  void check_area(const Annotation& annotation) const {
    if (!annotation.area) fail(annotation, "has no area", "expected the number of its pixels");
  }
  void check(std::uint32_t result) const {
    const Result& r = results_[result];
    const bool has_mask = !std::holds_alternative<std::monostate>(r.segmentation);
    if (boxes_first_ && !r.bbox) fail(result, "has no bbox", "expected one, as the first result has one");
    if (!boxes_first_ && !has_mask)
      fail(result, "has no segmentation", "expected one, as the first result has no bbox");
  }

  /// The masks of a result and of an annotation. Throws: FormatError, which names it.
  Rle mask_of(const Annotation& annotation) const {
    try {
      const auto [height, width] = size_of(annotation.image_id, annotation.segmentation);
      return to_rle(annotation.segmentation, height, width);
    } catch (const Error& error) {
      fail(annotation, std::string("can not be used: ") + error.what(), {});
    }
  }
  Rle mask_of(std::uint32_t result) const {
    const Result& r = results_[result];
    try {
      if (!std::holds_alternative<std::monostate>(r.segmentation)) {
        const auto [height, width] = size_of(r.image_id, r.segmentation);
        return to_rle(r.segmentation, height, width);
      }
      const BoxXywh& b = *r.bbox;
      const double right = b.x + b.width;
      const double bottom = b.y + b.height;
      const Segmentation outline = Polygons{{b.x, b.y, b.x, bottom, right, bottom, right, b.y}, {8}};
      const auto [height, width] = size_of(r.image_id, outline);
      return to_rle(outline, height, width);
    } catch (const Error& error) {
      fail_mask(result, error);
    }
  }

  /// `mask_of` a result, into memory that is used again.
  void read_mask(std::uint32_t result, std::vector<std::uint32_t>& scratch, RleStretches& mask) const {
    const auto* compressed = std::get_if<CompressedRle>(&results_[result].segmentation);
    if (compressed == nullptr) return mask.assign(mask_of(result));
    try {
      mask.assign(compressed->counts, compressed->height, compressed->width, scratch);
    } catch (const Error& error) {
      fail_mask(result, error);
    }
  }

  IouType iou_type() const { return iou_type_; }
  double boundary_ratio() const { return boundary_ratio_; }
  const Annotation& annotation(const CellEntry& entry) const { return ground_truth_.annotations[entry.record]; }
  const Result& result(const CellEntry& entry) const { return results_[entry.record]; }
  /// Whether boxes give the areas of results; else their masks do.
  bool boxes_first() const { return boxes_first_; }

 private:
  struct Size {
    index_t height = 0;
    index_t width = 0;
  };

  /// Of the picture. Run lengths bring their own.
  Size size_of(std::int64_t image_id, const Segmentation& segmentation) const {
    if (!std::holds_alternative<Polygons>(segmentation)) return {};
    const std::int32_t image = images_.find(image_id);
    const Size size = image < 0 ? Size{} : sizes_[static_cast<std::size_t>(image)];
    if (size.height <= 0 || size.width <= 0)
      throw FormatError("its picture " + std::to_string(image_id) + " has a height of " + std::to_string(size.height) +
                        " and a width of " + std::to_string(size.width) + ", expected its size in pixels");
    return size;
  }
  [[noreturn]] void fail(const Annotation& annotation, const std::string& found, const std::string& expected) const {
    throw FormatError(ground_truth_.name + (ground_truth_.name.empty() ? "" : ": ") + "annotation " +
                      std::to_string(annotation.id) + " " + found + (expected.empty() ? "" : ", ") + expected);
  }
  [[noreturn]] void fail(std::uint32_t result, const std::string& found, const std::string& expected) const {
    throw FormatError(std::string(function_) + ": result " + std::to_string(result) + " (image_id " +
                      std::to_string(results_[result].image_id) + ") " + found + (expected.empty() ? "" : ", ") +
                      expected);
  }

  [[noreturn]] void fail_mask(std::uint32_t result, const Error& error) const {
    fail(result, std::string("can not be used: ") + error.what(), {});
  }

  const char* function_;
  const Annotations& ground_truth_;
  std::span<const Result> results_;
  IouType iou_type_;
  double boundary_ratio_;
  bool boxes_first_;
  IdIndex images_;
  std::vector<Size> sizes_;
};

inline BoxXywh box_of(const RleBounds& bounds) {
  return {static_cast<double>(bounds.x), static_cast<double>(bounds.y), static_cast<double>(bounds.width),
          static_cast<double>(bounds.height)};
}

/// The overlaps of a cell's detections with its objects. Keeps its memory from cell to cell.
class CellOverlaps {
 public:
  void compute(const EvaluationShapes& shapes, std::span<const CellEntry> truths,
               std::span<const CellEntry> detections) {
    truths_ = truths.size();
    overlaps_.assign(detections.size() * truths.size(), 0.0);
    areas_.clear();
    if (shapes.iou_type() == IouType::bbox)
      compare_boxes(shapes, truths, detections);
    else
      compare_masks(shapes, truths, detections);
  }

  double overlap(std::size_t detection, std::size_t truth) const { return overlaps_[detection * truths_ + truth]; }
  /// Of a detection, in pixels.
  double area(std::size_t detection) const { return areas_[detection]; }

 private:
  static double box_area(const BoxXywh& box) { return box.width * box.height; }

  void compare_boxes(const EvaluationShapes& shapes, std::span<const CellEntry> truths,
                     std::span<const CellEntry> detections) {
    boxes_.clear();
    for (const CellEntry& entry : truths) boxes_.emplace_back(*shapes.annotation(entry).bbox);
    double* overlap = overlaps_.data();
    for (const CellEntry& entry : detections) {
      const Result& result = shapes.result(entry);
      BoxXywh box = result.bbox.value_or(BoxXywh{});
      if (shapes.boxes_first()) {
        areas_.push_back(box_area(box));
      } else {
        shapes.read_mask(entry.record, scratch_, mask_);
        areas_.push_back(static_cast<double>(mask_.area));
        if (!result.bbox) box = box_of(mask_.bounds);
      }
      const BoxCorners corners(box);
      for (std::size_t t = 0; t < truths_; ++t)
        *overlap++ = box_overlap(corners, boxes_[t], shapes.annotation(truths[t]).is_crowd);
    }
  }

  void compare_masks(const EvaluationShapes& shapes, std::span<const CellEntry> truths,
                     std::span<const CellEntry> detections) {
    read_truths(shapes, truths);
    double* overlap = overlaps_.data();
    for (const CellEntry& entry : detections) {
      if (shapes.boxes_first()) areas_.push_back(box_area(*shapes.result(entry).bbox));
      if (shapes.boxes_first() && truths.empty()) continue;
      if (boundaries_.empty()) {
        shapes.read_mask(entry.record, scratch_, mask_);
      } else {
        const Rle rle = shapes.mask_of(entry.record);
        mask_.assign(rle);
        boundary_.assign(boundary(rle, shapes.boundary_ratio()));
      }
      if (!shapes.boxes_first()) areas_.push_back(static_cast<double>(mask_.area));
      for (std::size_t t = 0; t < truths_; ++t) {
        const bool crowd = shapes.annotation(truths[t]).is_crowd;
        *overlap = mask_overlap(mask_, masks_[t], crowd);
        if (!boundaries_.empty()) *overlap = std::min(*overlap, mask_overlap(boundary_, boundaries_[t], crowd));
        ++overlap;
      }
    }
  }
  void read_truths(const EvaluationShapes& shapes, std::span<const CellEntry> truths) {
    if (masks_.size() < truths.size()) masks_.resize(truths.size());  // they keep their memory
    boundaries_.clear();
    for (std::size_t t = 0; t < truths.size(); ++t) {
      const Rle mask = shapes.mask_of(shapes.annotation(truths[t]));
      masks_[t].assign(mask);
      if (shapes.iou_type() == IouType::boundary) boundaries_.emplace_back(boundary(mask, shapes.boundary_ratio()));
    }
  }

  std::size_t truths_ = 0;
  std::vector<double> overlaps_;  // [detections, truths]
  std::vector<double> areas_;
  std::vector<BoxCorners> boxes_;
  std::vector<RleStretches> masks_;       // of the objects, and more
  std::vector<RleStretches> boundaries_;  // of the objects; none when they do not matter
  RleStretches mask_;
  RleStretches boundary_;
  std::vector<std::uint32_t> scratch_;
};

}  // namespace mrcnn::coco::detail

#endif
