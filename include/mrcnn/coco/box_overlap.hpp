#ifndef MRCNN_COCO_BOX_OVERLAP_HPP
#define MRCNN_COCO_BOX_OVERLAP_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mrcnn/coco/records.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/detail/float_ops.hpp"

namespace mrcnn::coco {
namespace detail {

/// The lesser and the greater of two numbers; of a number and NaN the number, as C's fmin and fmax.
inline double lesser(double a, double b) { return b != b || a < b ? a : b; }
inline double greater(double a, double b) { return b != b || a > b ? a : b; }

/// A box as its overlap with many others needs it.
struct BoxCorners {
  double x1;
  double y1;
  double x2;
  double y2;
  double area;

  explicit BoxCorners(const BoxXywh& box)
      : x1(box.x),
        y1(box.y),
        x2(box.width + box.x),
        y2(box.height + box.y),
        area(mrcnn::detail::product(box.width, box.height)) {}
};

/// Overlap of one detection with one ground truth, see `box_iou`.
inline double box_overlap(const BoxCorners& detection, const BoxCorners& truth, bool crowd) {
  const double width = lesser(detection.x2, truth.x2) - greater(detection.x1, truth.x1);
  if (width <= 0) return 0.0;
  const double height = lesser(detection.y2, truth.y2) - greater(detection.y1, truth.y1);
  if (height <= 0) return 0.0;
  const double both = mrcnn::detail::product(width, height);
  return both / (crowd ? detection.area : detection.area + truth.area - both);
}

}  // namespace detail

/// Overlap of every detection with every ground truth.
///
/// @param detections     N boxes (x, y, width, height) in pixels; their edges are where they are, nothing is added
/// @param ground_truths  M boxes
/// @param crowd          M flags, or none: where one is not 0, the overlap is divided by the detection's area instead of
///                       the union
///
/// Returns N x M doubles, detections first: intersection / denominator, 0 where the boxes do not overlap. To the bit what
/// pycocotools gives, also for what is no box: the area of a box is width * height whatever their signs, and a NaN counts
/// as no limit where the edges of two boxes are compared. So the result may be NaN, infinite or negative.
/// Throws: ShapeError when there are flags but not M. O(N M). Source: pycocotools' `iou` of boxes.
inline std::vector<double> box_iou(std::span<const BoxXywh> detections, std::span<const BoxXywh> ground_truths,
                                   std::span<const std::uint8_t> crowd = {}) {
  if (!crowd.empty() && crowd.size() != ground_truths.size())
    throw ShapeError("box_iou: crowd has " + std::to_string(crowd.size()) + " flags, expected " +
                     std::to_string(ground_truths.size()) + " as there are ground truths, or none");
  const std::vector<detail::BoxCorners> truths(ground_truths.begin(), ground_truths.end());
  std::vector<double> overlaps;
  overlaps.reserve(detections.size() * truths.size());
  for (const BoxXywh& box : detections) {
    const detail::BoxCorners detection(box);
    for (std::size_t j = 0; j < truths.size(); ++j)
      overlaps.push_back(detail::box_overlap(detection, truths[j], !crowd.empty() && crowd[j] != 0));
  }
  return overlaps;
}

}  // namespace mrcnn::coco

#endif
