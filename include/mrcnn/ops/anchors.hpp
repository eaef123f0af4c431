#ifndef MRCNN_OPS_ANCHORS_HPP
#define MRCNN_OPS_ANCHORS_HPP

#include <cmath>
#include <string>
#include <vector>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/detail/float_ops.hpp"
#include "mrcnn/ops/boxes.hpp"

namespace mrcnn {

/// The anchors of a feature pyramid: one scale for each level, every ratio at each position.
///
/// An anchor of scale s and ratio r is s * sqrt(r) wide and s / sqrt(r) high, so that a ratio below 1 is tall. Its centre
/// lies on a multiple of the level's stride, beginning with 0. Anchors that reach beyond the image are kept.
struct AnchorGenerator {
  std::vector<float> scales;     ///< side of the square anchor in pixels, one for each level
  std::vector<float> ratios;     ///< width / height
  std::vector<index_t> strides;  ///< pixels of the image for one step of the feature map, one for each level
  index_t anchor_stride = 1;     ///< steps of the feature map from one anchor position to the next

  index_t levels() const { return static_cast<index_t>(strides.size()); }

  /// Anchor positions of a level: [rows, columns]. The level's feature map has ceil(height / stride) rows.
  Extents<2> level_grid(index_t level, index_t height, index_t width) const {
    const index_t step = strides[static_cast<std::size_t>(level)];
    return {{detail::ceil_div(detail::ceil_div(height, step), anchor_stride),
             detail::ceil_div(detail::ceil_div(width, step), anchor_stride)}};
  }

  index_t level_count(index_t level, index_t height, index_t width) const {
    return level_grid(level, height, width).size() * static_cast<index_t>(ratios.size());
  }

  /// Anchors of all levels for an image of `height` x `width` pixels.
  index_t count(index_t height, index_t width) const {
    index_t sum = 0;
    for (index_t level = 0; level < levels(); ++level) sum += level_count(level, height, width);
    return sum;
  }
};

namespace detail {

/// The anchors of one level and one ratio: every `step`-th row of the output from `anchors` on.
struct AnchorFunctor {
  Box* anchors;
  index_t step;
  index_t columns;
  double stride;
  double half_width;
  double half_height;
  FrameScale scale;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const double x = static_cast<double>(i % columns) * stride;  // whole numbers: exact
    const double y = static_cast<double>(i / columns) * stride;
    anchors[i * step] = normalize_box(x - half_width, y - half_height, x + half_width, y + half_height, scale);
  }
};

inline void check_anchors(const AnchorGenerator& generator, index_t height, index_t width) {
  if (generator.scales.size() != generator.strides.size())
    throw ShapeError("generate_anchors: there are " + std::to_string(generator.scales.size()) + " scales and " +
                     std::to_string(generator.strides.size()) + " strides, expected one of each for every level");
  if (height < 0 || width < 0)
    throw ShapeError("generate_anchors: the image is " + std::to_string(height) + " x " + std::to_string(width) +
                     " pixels, expected no negative size");
  if (generator.anchor_stride < 1)
    throw ShapeError("generate_anchors: anchor_stride is " + std::to_string(generator.anchor_stride) +
                     ", expected at least 1");
  for (const index_t stride : generator.strides)
    if (stride < 1)
      throw ShapeError("generate_anchors: a stride is " + std::to_string(stride) + ", expected at least 1");
  for (const float scale : generator.scales)
    if (!(scale > 0.0F))
      throw ShapeError("generate_anchors: a scale is " + std::to_string(scale) + ", expected above 0");
  for (const float ratio : generator.ratios)
    if (!(ratio > 0.0F))
      throw ShapeError("generate_anchors: a ratio is " + std::to_string(ratio) + ", expected above 0");
}

}  // namespace detail

/// The anchors of an image of `height` x `width` pixels, in the order of an RPN's outputs: level, then y, then x, then
/// ratio (fastest).
///
/// @param height   of the network's input in pixels
/// @param width    of the network's input in pixels
/// @param frame    the unit of the result
/// @param anchors  [A, 4] float32, (x1, y1, x2, y2), with A = generator.count(height, width)
///
/// Computed in double (also the division by the frame), rounded to float32 once. An image without pixels has no anchors.
/// They depend on the extents only: make them once for each size of image.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on every backend.
/// Throws: ShapeError, also for scales and strides of different numbers and for values that are not positive.
/// Source: matterport's Mask_RCNN, utils.generate_pyramid_anchors. Detectron2 has height / width for the ratio.
template <class Backend, class Anchors>
void generate_anchors(const Backend& backend, const AnchorGenerator& generator, index_t height, index_t width,
                      BoxFrame frame, Anchors&& anchors) {
  detail::check_anchors(generator, height, width);
  const index_t count = generator.count(height, width);
  const auto out = output<float, 2>(backend, anchors, "generate_anchors", "anchors", {count, 4});
  if (count == 0) return;
  const auto scale = detail::frame_scale("generate_anchors", frame, height, width);
  const auto ratios = static_cast<index_t>(generator.ratios.size());
  Box* level_anchors = as_boxes(out);
  for (index_t level = 0; level < generator.levels(); ++level) {
    const auto l = static_cast<std::size_t>(level);
    const Extents<2> grid = generator.level_grid(level, height, width);
    const auto stride = static_cast<double>(generator.strides[l] * generator.anchor_stride);
    for (index_t r = 0; r < ratios; ++r) {
      const double side = static_cast<double>(generator.scales[l]);
      const double root = std::sqrt(static_cast<double>(generator.ratios[static_cast<std::size_t>(r)]));
      backend.parallel_for(grid.size(), detail::AnchorFunctor{level_anchors + r, ratios, grid[1], stride,
                                                              0.5 * (side * root), 0.5 * (side / root), scale});
    }
    level_anchors += grid.size() * ratios;
  }
}

}  // namespace mrcnn

#endif
