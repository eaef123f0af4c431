#ifndef MRCNN_DETAIL_ROI_BACKWARD_HPP
#define MRCNN_DETAIL_ROI_BACKWARD_HPP

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/element.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/detail/element_vector.hpp"
#include "mrcnn/detail/interpolate.hpp"
#include "mrcnn/detail/roi_bands.hpp"
#include "mrcnn/ops/pyramid.hpp"

namespace mrcnn::detail {

/// The features that one sample column reads from, as offsets, and what a gradient is multiplied with on the way there.
template <class A>
struct ColumnTap {
  index_t source;  ///< of the output cell's gradient
  index_t low;
  index_t high;
  A low_weight;
  A high_weight;  ///< not used where high == low
};

/// The gradients of one band of rows of one map, for some channels.
///
/// @tparam Chunk  columns whose taps are worked out at a time: enough to pay for walking channels outside of columns on
///                the host, one on a device
template <class Sampling, class Grads, class Maps, int Chunk>
struct RoiScatterFunctor {
  using G = typename Grads::value_type;
  using A = typename Maps::value_type;
  using Grid = decltype(std::declval<const Sampling&>().grid(0, 1, 1));
  using Map = typename Maps::view_type;
  static constexpr bool dense = dense_roi_scatter<Grads, Maps>;

  Sampling sampling;
  RoiScatterPlan<Grads, Maps> plan;

  using Part = RoiBandPart<A>;

  MRCNN_HOST_DEVICE void operator()(index_t call) const {
    plan.fill_part(call, [&](const Part& part, index_t box) { add_box(plan.maps.levels[part.level], part, box); });
  }

 private:
  MRCNN_HOST_DEVICE void add_box(const Map& map, const Part& part, index_t box) const {
    const Grid grid = sampling.grid(box, map.extent(1), map.extent(2));
    const Grads& grads = plan.grads;
    const G* const gradients = grads.data() + box * grads.stride(0) + part.first_channel * grads.stride(3);
    for (index_t i = 0; i < grads.extent(1); ++i) {
      index_t first = part.last_row + 1;
      index_t last = part.first_row - 1;
      for (index_t s = 0; s < grid.row_samples(); ++s) {
        const AxisSample row = grid.row(i, s);
        if (!row.inside) continue;
        first = min(first, max(row.low, part.first_row));
        last = max(last, min(row.high, part.last_row));
      }
      for (index_t y = first; y <= last; ++y) {
        const A weight = row_weight(grid, i, y);
        if (weight != A{0}) add_row(map, part, grid, weight, gradients + i * grads.stride(1), y);
      }
    }
  }

  /// What feature row y takes of output row i.
  MRCNN_HOST_DEVICE A row_weight(const Grid& grid, index_t i, index_t y) const {
    A sum{0};
    for (index_t s = 0; s < grid.row_samples(); ++s) {
      const AxisSample row = grid.row(i, s);
      if (!row.inside) continue;
      const A fraction = static_cast<A>(row.fraction);
      if (y == row.low)
        sum += row.low == row.high ? A{1} : A{1} - fraction;
      else if (y == row.high)
        sum += fraction;
    }
    return product(sum, static_cast<A>(grid.weight()));
  }

  MRCNN_HOST_DEVICE void add_row(const Map& map, const Part& part, const Grid& grid, A weight, const G* gradients,
                                 index_t y) const {
    const Grads& grads = plan.grads;
    A* const row = part.data + y * map.stride(1);
    ColumnTap<A> taps[Chunk];
    int count = 0;
    for (index_t j = 0; j < grads.extent(2); ++j)
      for (index_t s = 0; s < grid.column_samples(); ++s) {
        const AxisSample column = grid.column(j, s);
        if (!column.inside) continue;
        const A fraction = static_cast<A>(column.fraction);
        const bool one = column.low == column.high;
        taps[count++] = {j * grads.stride(2), column.low * map.stride(2), column.high * map.stride(2),
                         one ? weight : product(weight, A{1} - fraction), product(weight, fraction)};
        if (count == Chunk) {
          apply(map, part, taps, count, gradients, row);
          count = 0;
        }
      }
    apply(map, part, taps, count, gradients, row);
  }

  MRCNN_HOST_DEVICE void apply(const Map& map, const Part& part, const ColumnTap<A>* taps, int count,
                               const G* gradients, A* row) const {
    if constexpr (dense) {
      for (int k = 0; k < count; ++k) apply_dense(taps[k], part.channels, gradients + taps[k].source, row);
    } else {
      const index_t map_step = map.stride(3);
      const index_t gradient_step = plan.grads.stride(3);
      for (index_t c = 0; c < part.channels; ++c)
        for (int k = 0; k < count; ++k)
          add_tap(taps[k], gradients[taps[k].source + c * gradient_step], row + c * map_step);
    }
  }

  MRCNN_HOST_DEVICE static void add_tap(const ColumnTap<A>& tap, G gradient, A* row) {
    const A g = static_cast<A>(gradient);
    row[tap.low] += product(g, tap.low_weight);
    if (tap.high != tap.low) row[tap.high] += product(g, tap.high_weight);
  }

  MRCNN_HOST_DEVICE static void apply_dense(const ColumnTap<A>& tap, index_t channels, const G* gradients, A* row) {
    index_t c = 0;
    if constexpr (has_channel_vector<G> && std::is_same_v<A, float>)
      c = apply_vectors<typename ChannelVector<G>::type>(tap, channels, gradients, row);
    for (; c < channels; ++c) add_tap(tap, gradients[c], row + c);
  }

  /// As many channels as fill whole vectors; returns how many.
  template <class Vector>
  MRCNN_HOST_DEVICE static index_t apply_vectors(const ColumnTap<A>& tap, index_t channels, const G* gradients,
                                                 A* row) {
    constexpr index_t lanes = sizeof(Vector) / sizeof(A);
    const Vector low_weight = tap.low_weight - Vector{};  // in every lane
    const Vector high_weight = tap.high_weight - Vector{};
    const bool two = tap.high != tap.low;
    index_t c = 0;
    for (; c + lanes <= channels; c += lanes) {
      Vector g, low;
      load_lanes(g, gradients + c);
      load_lanes(low, row + tap.low + c);
      low += product(g, low_weight);
      store_lanes(row + tap.low + c, low);
      if (two) {
        Vector high;
        load_lanes(high, row + tap.high + c);
        high += product(g, high_weight);
        store_lanes(row + tap.high + c, high);
      }
    }
    return c;
  }
};

/// Elements of one map, rounded from the type that they were summed in; one pixel a call.
template <class Sums, class Map>
struct RoundMapFunctor {
  Sums sums;
  Map map;

  MRCNN_HOST_DEVICE void operator()(index_t pixel) const {
    using T = typename Map::value_type;
    const index_t x = pixel % map.extent(2);
    const index_t y = pixel / map.extent(2) % map.extent(1);
    const index_t image = pixel / (map.extent(2) * map.extent(1));
    const auto* source = sums.data() + pixel * map.extent(3);
    T* target = map.data() + image * map.stride(0) + y * map.stride(1) + x * map.stride(2);
    for (index_t c = 0; c < map.extent(3); ++c) target[c * map.stride(3)] = static_cast<T>(source[c]);
  }
};

/// The scatter itself: every element of `maps`, which consist of float or double, is written.
template <class Backend, class Sampling, class Grads, class Maps>
void scatter_roi_gradients(const Backend& backend, const char* op, const Sampling& sampling, const Grads& grads,
                           const Maps& maps) {
  constexpr bool host = std::same_as<typename Backend::space_type, space::host>;
  const auto lists = list_roi_bands(backend, op, sampling, grads, maps);
  const RoiScatterFunctor<Sampling, Grads, Maps, host ? 16 : 1> scatter{sampling, plan_roi_scatter(lists, grads, maps)};
  backend.parallel_for(scatter.plan.calls(), scatter, roi_scatter_grain<Backend>);
}

/// Calls scatter(sums) with a `GradientPyramid` in the type that gradients are summed in: `maps` itself, or floats that are
/// then rounded to `maps`.
template <class Backend, class Maps, class Scatter>
void with_roi_sums(const Backend& backend, const Maps& maps, const Scatter& scatter) {
  using T = typename Maps::value_type;
  using A = arithmetic_type<T>;
  if constexpr (std::is_same_v<T, A>) {
    scatter(maps);
  } else {
    using Sums = GradientPyramid<A, typename Maps::view_type::space_type, layout_right, Maps::max_levels>;
    index_t size = 0;
    for (int l = 0; l < maps.count; ++l) size += maps.levels[l].size();
    auto memory = make_tensor<A>(backend, {size});
    Sums sums;
    sums.count = maps.count;
    sums.first_level = maps.first_level;
    index_t offset = 0;
    for (int l = 0; l < maps.count; ++l) {
      sums.levels[l] = typename Sums::view_type(memory.data() + offset, maps.levels[l].extents());
      offset += maps.levels[l].size();
    }
    scatter(sums);
    for (int l = 0; l < maps.count; ++l) {
      const auto& map = maps.levels[l];
      if (map.empty()) continue;
      const RoundMapFunctor<typename Sums::view_type, typename Maps::view_type> round{sums.levels[l], map};
      backend.parallel_for(map.extent(0) * map.extent(1) * map.extent(2), round);
    }
  }
}

/// The gradient of all maps, every element of them: the sum of `grads`, [N, h, w, C], over the samples that read it. Sums
/// are in float, or double for double maps, and are rounded once.
///
/// @param grads  a view of const; any layout
/// @param maps   a `GradientPyramid`, all levels with the batch and the channels that belong to `sampling` and `grads`
///
/// Enqueued on the backend. The same bits on every backend, for any threads.
/// Scratch: 24 bytes for each box and band of the tallest map; for bfloat16 and half maps also as many floats.
template <class Backend, class Sampling, class Grads, class Maps>
void roi_backward(const Backend& backend, const char* op, const Sampling& sampling, const Grads& grads,
                  const Maps& maps) {
  with_roi_sums(backend, maps, [&](const auto& sums) { scatter_roi_gradients(backend, op, sampling, grads, sums); });
}

}  // namespace mrcnn::detail

#endif
