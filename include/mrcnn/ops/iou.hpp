#ifndef MRCNN_OPS_IOU_HPP
#define MRCNN_OPS_IOU_HPP

#include <cstdint>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/detail/float_ops.hpp"
#include "mrcnn/ops/boxes.hpp"

namespace mrcnn {

/// What an overlap is divided by.
enum class OverlapMeasure : std::uint8_t {
  union_area,  ///< intersection over union (Jaccard index)
  first_area,  ///< intersection over the first box's area: COCO's rule when the second box is a crowd
};

struct BoxIouOptions {
  OverlapMeasure measure = OverlapMeasure::union_area;
  /// Added to every width and height. 0 for continuous coordinates; 1 reproduces Caffe-era code that counts pixels.
  float extent_offset = 0.0F;
};

namespace detail {

/// The overlap of two boxes; 0 when their denominator is 0, NaN when a coordinate is NaN.
MRCNN_HOST_DEVICE inline float overlap(Box a, Box b, const BoxIouOptions& options) {
  const float width = min(a.x2, b.x2) - max(a.x1, b.x1) + options.extent_offset;
  const float height = min(a.y2, b.y2) - max(a.y1, b.y1) + options.extent_offset;
  const float intersection = product(max(width, 0.0F), max(height, 0.0F));
  const float area_a = product(a.x2 - a.x1 + options.extent_offset, a.y2 - a.y1 + options.extent_offset);
  const float area_b = product(b.x2 - b.x1 + options.extent_offset, b.y2 - b.y1 + options.extent_offset);
  const float both = area_a + area_b;
  if (!(both == both)) return both;  // the minima above may have dropped a NaN
  const float denominator = options.measure == OverlapMeasure::first_area ? area_a : both - intersection;
  return denominator == 0.0F ? 0.0F : intersection / denominator;
}

struct BoxIouFunctor {
  const Box* a;
  const Box* b;
  float* overlaps;
  index_t count_b;
  BoxIouOptions options;

  MRCNN_HOST_DEVICE void operator()(index_t i) const { overlaps[i] = overlap(a[i / count_b], b[i % count_b], options); }
};

}  // namespace detail

/// Overlap of every box of `a` with every box of `b`.
///
/// @param a         [N, 4] float32, (x1, y1, x2, y2), any unit shared with `b`
/// @param b         [M, 4] float32
/// @param overlaps  [N, M] float32, in [0, 1] for boxes with x1 <= x2 and y1 <= y2
///
/// Empty boxes overlap nothing (0, also with themselves). Corners are not put in order: a reversed box has the area that
/// its signs give. NaN in a box gives NaN. N = 0 and M = 0 are legal.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on every backend.
/// Throws: ShapeError. Complexity: O(N M) time, no scratch.
/// Source: torchvision's box_iou and pycocotools' iou agree with the defaults.
template <class Backend, class BoxesA, class BoxesB, class Overlaps>
void box_iou(const Backend& backend, const BoxesA& a, const BoxesB& b, const BoxIouOptions& options,
             Overlaps&& overlaps) {
  const auto boxes_a = input<float, 2>(backend, a, "box_iou", "a", {any, 4});
  const auto boxes_b = input<float, 2>(backend, b, "box_iou", "b", {any, 4});
  const index_t n = boxes_a.extent(0);
  const index_t m = boxes_b.extent(0);
  const auto out = output<float, 2>(backend, overlaps, "box_iou", "overlaps", {n, m});
  backend.parallel_for(n * m, detail::BoxIouFunctor{as_boxes(boxes_a), as_boxes(boxes_b), out.data(), m, options});
}

}  // namespace mrcnn

#endif
