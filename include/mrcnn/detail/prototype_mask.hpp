#ifndef MRCNN_DETAIL_PROTOTYPE_MASK_HPP
#define MRCNN_DETAIL_PROTOTYPE_MASK_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "mrcnn/core/element.hpp"
#include "mrcnn/core/tensor_view.hpp"
#include "mrcnn/detail/float_ops.hpp"
#include "mrcnn/detail/paste_mask.hpp"
#include "mrcnn/detail/strip.hpp"
#include "mrcnn/ops/activation.hpp"

// Masks as sums of prototypes: which of an instance's nodes and pixels are needed, the value of a node, and how nodes
// become pixels.

namespace mrcnn::detail {

/// The settings of `PrototypeMasksOptions`, checked, with the window filled in.
struct PrototypeRule {
  bool crop_nodes;     // before the upsampling, else pixels after it
  bool probabilities;  // sigmoid before the upsampling
  float crop_padding;  // in nodes or pixels
  index_t top;         // the window: where the picture lies in the prototypes
  index_t left;
  index_t window_height;
  index_t window_width;
  index_t image_height;
  index_t image_width;
};

/// The needed nodes [first_row, last_row) x [first_column, last_column) of the window, and the pixels made of them. Of an
/// axis of `pixels`, `begin` is the first node, `size` the window's nodes, `low` the nodes of a pixel.
struct PrototypeRegion {
  index_t first_row = 0;
  index_t last_row = 0;
  index_t first_column = 0;
  index_t last_column = 0;
  PasteRegion pixels;

  MRCNN_HOST_DEVICE index_t rows() const { return last_row - first_row; }
  MRCNN_HOST_DEVICE index_t columns() const { return last_column - first_column; }
};

/// PyTorch's bilinear resize: centre on centre, the border repeated.
struct InterpolateSampler {
  using real = float;
  static constexpr bool limits_to_range = false;

  MRCNN_HOST_DEVICE static AxisPosition<float> position(const PasteAxis& axis, index_t, index_t pixel) {
    const float at = max(product(axis.low, static_cast<float>(pixel) + 0.5F) - 0.5F, 0.0F);
    const index_t first = min(static_cast<index_t>(at), axis.size - 1);
    if (first == axis.size - 1) return {first - axis.begin, 1.0F, 0.0F};
    const float fraction = at - static_cast<float>(first);
    return {first - axis.begin, 1.0F - fraction, fraction};
  }
  MRCNN_HOST_DEVICE static float sample(const float* mask, index_t height, index_t width, const MaskRange& range,
                                        const AxisPosition<float>& y, const AxisPosition<float>& x) {
    return TorchvisionSampler::sample(mask, height, width, range, y, x);
  }
};

/// The indices i of [0, extent) with low <= i < high, as [first, second); NaN gives none.
struct IndexRange {
  index_t first;
  index_t last;
};
MRCNN_HOST_DEVICE inline IndexRange indices_between(float low, float high, index_t extent) {
  if (!(low < high)) return {0, 0};
  const float end = static_cast<float>(extent);
  return {min(static_cast<index_t>(std::ceil(clamp(low, 0.0F, end))), extent),
          min(static_cast<index_t>(std::ceil(clamp(high, 0.0F, end))), extent)};
}

/// The first pixel of [0, extent) whose position is at or behind node `node`.
MRCNN_HOST_DEVICE inline index_t first_pixel_at(const PasteAxis& axis, index_t node, index_t extent) {
  index_t low = 0;
  for (index_t count = extent; count > 0;) {
    const index_t step = count / 2;
    const bool before = InterpolateSampler::position(axis, 0, low + step).first < node;
    low += before ? step + 1 : 0;
    count = before ? count - step - 1 : step;
  }
  return low;
}

/// One axis of an instance's region.
MRCNN_HOST_DEVICE inline PasteAxis prototype_axis(const PrototypeRule& rule, float low, float high, index_t nodes,
                                                  index_t extent, IndexRange& needed) {
  needed = {0, 0};
  PasteAxis axis{0, nodes, 0.0F, 0.0F, 0, 0};
  if (nodes == 0 || extent == 0 || !(low < high)) return axis;
  axis.low = static_cast<float>(nodes) / static_cast<float>(extent);
  if (rule.crop_nodes) {
    const auto ratio = static_cast<float>(static_cast<double>(nodes) / static_cast<double>(extent));
    needed = indices_between(product(low, ratio) - rule.crop_padding, product(high, ratio) + rule.crop_padding, nodes);
    if (needed.last <= needed.first) return axis;
    axis.first = first_pixel_at(axis, needed.first - 1, extent);
    axis.last = first_pixel_at(axis, needed.last, extent);
  } else {
    const IndexRange pixels = indices_between(low - rule.crop_padding, high + rule.crop_padding, extent);
    if (pixels.last <= pixels.first) return axis;
    axis.first = pixels.first;
    axis.last = pixels.last;
    needed.first = InterpolateSampler::position(axis, 0, pixels.first).first;
    needed.last = min(InterpolateSampler::position(axis, 0, pixels.last - 1).first + 2, nodes);
  }
  axis.begin = needed.first;
  return axis;
}

MRCNN_HOST_DEVICE inline PrototypeRegion prototype_region(const PrototypeRule& rule, const float* box) {
  PrototypeRegion region;
  IndexRange rows{0, 0};
  IndexRange columns{0, 0};
  region.pixels.x = prototype_axis(rule, box[0], box[2], rule.window_width, rule.image_width, columns);
  region.pixels.y = prototype_axis(rule, box[1], box[3], rule.window_height, rule.image_height, rows);
  if (region.pixels.empty()) return {};
  region.first_row = rows.first;
  region.last_row = rows.last;
  region.first_column = columns.first;
  region.last_column = columns.last;
  return region;
}

/// The coefficients, prototypes and boxes of a call, where the backend keeps them.
template <class Coefficients, class Prototypes>
struct PrototypeTask {
  Coefficients coefficients;  // [N, K], any strides
  Prototypes prototypes;      // [1, h, w, K]
  const float* boxes;
  PrototypeRule rule;

  /// Where the prototypes' values at (row, column) of the window begin.
  MRCNN_HOST_DEVICE index_t place(index_t row, index_t column) const {
    return (row + rule.top) * prototypes.stride(1) + (column + rule.left) * prototypes.stride(2);
  }

  /// The node at (row, column) of the window: products are added in the order of k.
  MRCNN_HOST_DEVICE float node(index_t n, index_t row, index_t column) const {
    const index_t first = place(row, column);
    float sum = 0.0F;
    for (index_t k = 0; k < prototypes.extent(3); ++k)
      sum += product(static_cast<float>(coefficients.data()[n * coefficients.stride(0) + k * coefficients.stride(1)]),
                     static_cast<float>(prototypes.data()[first + k * prototypes.stride(3)]));
    return rule.probabilities ? sigmoid(sum) : sum;
  }
};

struct PrototypeRegionFunctor {
  PrototypeRule rule;
  const float* boxes;
  PrototypeRegion* regions;

  MRCNN_HOST_DEVICE void operator()(index_t n) const { regions[n] = prototype_region(rule, boxes + 4 * n); }
};

/// One node (mask, i): the needed ones of a mask lie densely at the beginning of its part of `nodes`.
template <class Task>
struct PrototypeNodeFunctor {
  Task task;
  const PrototypeRegion* regions;
  float* nodes;  // [N, window_height * window_width]

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const index_t window = task.rule.window_height * task.rule.window_width;
    const index_t n = i / window;
    const index_t at = i % window;
    const PrototypeRegion& region = regions[n];
    if (at >= region.rows() * region.columns()) return;
    nodes[i] = task.node(n, region.first_row + at / region.columns(), region.first_column + at % region.columns());
  }
};

/// One strip of the planes.
template <class Pixel>
struct PrototypeStripFunctor {
  PrototypeRule rule;
  const PrototypeRegion* regions;
  const float* nodes;
  Pixel pixel;
  typename Pixel::element* planes;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const auto [n, y, begin, end] = Strip(i, rule.image_height, rule.image_width);
    typename Pixel::element* row = planes + (n * rule.image_height + y) * rule.image_width;
    const PrototypeRegion& region = regions[n];
    const PasteAxis& across = region.pixels.x;
    const bool crossed = y >= region.pixels.y.first && y < region.pixels.y.last;
    const float* mask = nodes + n * rule.window_height * rule.window_width;
    const auto vertical =
        crossed ? InterpolateSampler::position(region.pixels.y, 0, y) : AxisPosition<float>{0, 0.0F, 0.0F};
    for (index_t x = begin; x < end; ++x) {
      const bool inside = crossed && x >= across.first && x < across.last;
      row[x] = inside ? pixel.value(InterpolateSampler::sample(mask, region.rows(), region.columns(), {}, vertical,
                                                               InterpolateSampler::position(across, 0, x)))
                      : typename Pixel::element{0};
    }
  }
};

/// The needed nodes of mask `n` on the host, four columns at a time, in the same order of operations as `node`.
template <class Task>
std::vector<float> prototype_nodes(const Task& task, index_t n, const PrototypeRegion& region) {
  using T = typename decltype(Task::prototypes)::value_type;
  constexpr index_t lanes = 4;
  const auto& prototypes = task.prototypes;
  const index_t step = prototypes.stride(2);
  const index_t channels = prototypes.extent(3);
  const index_t channel_step = prototypes.stride(3);
  std::vector<float> weights(static_cast<std::size_t>(channels));
  for (index_t k = 0; k < channels; ++k)
    weights[static_cast<std::size_t>(k)] =
        static_cast<float>(task.coefficients.data()[n * task.coefficients.stride(0) + k * task.coefficients.stride(1)]);
  std::vector<float> nodes(static_cast<std::size_t>(region.rows() * region.columns()));
  float* out = nodes.data();
  for (index_t row = region.first_row; row < region.last_row; ++row) {
    index_t column = region.first_column;
    for (; column + lanes <= region.last_column; column += lanes, out += lanes) {
      const index_t first = task.place(row, column);
      Float4 sums{};
      for (index_t k = 0; k < channels; ++k) {
        const T* const from = prototypes.data() + (first + k * channel_step);
        Float4 values{};
        if constexpr (std::is_same_v<T, float>) {
          if (step == 1)
            std::memcpy(&values, from, sizeof values);
          else
            values = Float4{from[0], from[step], from[2 * step], from[3 * step]};
        } else {
          values = Float4{static_cast<float>(from[0]), static_cast<float>(from[step]),
                          static_cast<float>(from[2 * step]), static_cast<float>(from[3 * step])};
        }
        sums += product(Float4{} + weights[static_cast<std::size_t>(k)], values);
      }
      for (int i = 0; i < lanes; ++i) out[i] = task.rule.probabilities ? sigmoid(sums[i]) : sums[i];
    }
    for (; column < region.last_column; ++column) *out++ = task.node(n, row, column);
  }
  return nodes;
}

}  // namespace mrcnn::detail

#endif
