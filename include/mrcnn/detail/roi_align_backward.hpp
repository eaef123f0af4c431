#ifndef MRCNN_DETAIL_ROI_ALIGN_BACKWARD_HPP
#define MRCNN_DETAIL_ROI_ALIGN_BACKWARD_HPP

#include <cstdint>
#include <type_traits>

#include "mrcnn/detail/element_vector.hpp"
#include "mrcnn/detail/roi_align_kernels.hpp"
#include "mrcnn/detail/roi_backward.hpp"
#include "mrcnn/detail/roi_bands.hpp"

// The gradient of ROI align with respect to the maps. Every band of rows is owned by one call, which walks the boxes
// that touch it; so a feature sums its terms in the order of box, output row, output column, whatever the threads.

namespace mrcnn::detail {

/// For `list_roi_bands`: the first and the last sample of each output row, which bound the rows that it touches.
template <class Pyramid>
struct RoiTouchedRows {
  struct Grid {
    RoiAxis<typename RoiSource<Pyramid>::A> axis;

    MRCNN_HOST_DEVICE index_t row_samples() const { return 2; }
    MRCNN_HOST_DEVICE AxisSample row(index_t i, index_t s) const {
      if (axis.samples < 1) return {0, 0, 0.0F, false};
      const RoiRange range = samples_inside(axis, i);
      if (range.first >= range.last) return {0, 0, 0.0F, false};
      const auto sample = roi_sample(axis.position(i, s == 0 ? range.first : range.last - 1), axis.extent);
      return {sample.low, sample.high, 0.0F, true};
    }
  };

  RoiSource<Pyramid> source;
  index_t bins;

  MRCNN_HOST_DEVICE RoiPlace place(index_t box) const { return {source.map_of(box), source.box_indices[box]}; }
  MRCNN_HOST_DEVICE Grid grid(index_t box, index_t, index_t) const {
    return {source.rows(box, source.map_of(box), bins)};
  }
};

/// The gradients of one band for some channels, of averages: taps give back what they took.
template <class Pyramid, class Grads, class Maps>
struct RoiAverageScatterFunctor {
  using A = typename Maps::value_type;
  using G = typename Grads::value_type;
  using Map = typename Maps::view_type;
  static constexpr bool dense = dense_roi_scatter<Grads, Maps>;

  RoiTapTable<A> rows;
  RoiTapTable<A> columns;
  RoiScatterPlan<Grads, Maps> plan;

  MRCNN_HOST_DEVICE void operator()(index_t call) const {
    plan.fill_part(call,
                   [&](const RoiBandPart<A>& part, index_t box) { add_box(plan.maps.levels[part.level], part, box); });
  }

 private:
  MRCNN_HOST_DEVICE void add_box(const Map& map, const RoiBandPart<A>& part, index_t box) const {
    const Grads& grads = plan.grads;
    const G* const from = grads.data() + box * grads.stride(0) + part.first_channel * grads.stride(3);
    for (index_t y = 0; y < rows.bins; ++y) {
      const RoiTaps<A> taps = rows.of(box, y);
      for (std::int32_t r = 0; r < taps.count; ++r) {
        const index_t feature = taps.taps[r].feature;
        if (feature < part.first_row || feature > part.last_row) continue;
        add_row(map, part.channels, box, taps.taps[r].weight, from + y * grads.stride(1),
                part.data + feature * map.stride(1));
      }
    }
  }

  /// One output row to one feature row.
  MRCNN_HOST_DEVICE void add_row(const Map& map, index_t channels, index_t box, A row_weight, const G* from,
                                 A* to) const {
    // Planar channels lie far apart: all columns of one before the next.
    const index_t at_once = dense ? channels : 1;
    for (index_t c = 0; c < channels; c += at_once)
      for (index_t x = 0; x < columns.bins; ++x) {
        const RoiTaps<A> taps = columns.of(box, x);
        const G* const gradient = from + x * plan.grads.stride(2) + c * plan.grads.stride(3);
        for (std::int32_t k = 0; k < taps.count; ++k)
          add(product(row_weight, taps.taps[k].weight), gradient,
              to + taps.taps[k].feature * map.stride(2) + c * map.stride(3), at_once);
      }
  }

  MRCNN_HOST_DEVICE static void add(A weight, const G* gradient, A* to, index_t channels) {
    index_t c = 0;
    if constexpr (dense && has_channel_vector<G> && std::is_same_v<A, float>)
      c = add_vectors<typename ChannelVector<G>::type>(weight, gradient, to, channels);
    for (; c < channels; ++c) to[c] += product(weight, static_cast<A>(gradient[c]));
  }

  /// As many channels as fill whole vectors; returns how many.
  template <class Vector>
  MRCNN_HOST_DEVICE static index_t add_vectors(A weight, const G* gradient, A* to, index_t channels) {
    constexpr index_t lanes = sizeof(Vector) / sizeof(A);
    const Vector weights = weight - Vector{};  // in every lane
    index_t c = 0;
    for (; c + lanes <= channels; c += lanes) {
      Vector part, sum;
      load_lanes(part, gradient + c);
      load_lanes(sum, to + c);
      sum += product(weights, part);
      store_lanes(to + c, sum);
    }
    return c;
  }
};

/// The gradients of one band for some channels, of maxima: the winner takes all.
template <class Pyramid, class Grads, class Maps>
struct RoiMaxScatterFunctor {
  using A = typename Maps::value_type;
  using Map = typename Maps::view_type;

  RoiSource<Pyramid> source;
  bool corners;
  RoiScatterPlan<Grads, Maps> plan;

  MRCNN_HOST_DEVICE void operator()(index_t call) const {
    plan.fill_part(call, [&](const RoiBandPart<A>& part, index_t box) { add_box(part, box); });
  }

 private:
  MRCNN_HOST_DEVICE void add_box(const RoiBandPart<A>& part, index_t box) const {
    const Grads& grads = plan.grads;
    const RoiAxis<A> rows = source.rows(box, part.level, grads.extent(1));
    const RoiAxis<A> columns = source.columns(box, part.level, grads.extent(2));
    const typename RoiTouchedRows<Pyramid>::Grid touched{rows};
    for (index_t y = 0; y < grads.extent(1); ++y) {
      const AxisSample first = touched.row(y, 0);
      if (!first.inside || first.low > part.last_row || touched.row(y, 1).high < part.first_row) continue;
      for (index_t x = 0; x < grads.extent(2); ++x) add_cell(part, box, rows, columns, y, x);
    }
  }

  MRCNN_HOST_DEVICE void add_cell(const RoiBandPart<A>& part, index_t box, const RoiAxis<A>& rows,
                                  const RoiAxis<A>& columns, index_t y, index_t x) const {
    const auto& features = source.pyramid.levels[part.level];
    const Map& map = plan.maps.levels[part.level];
    const auto* const image = source.image(box, part.level);
    for (index_t c = 0; c < part.channels; ++c) {
      const index_t channel = part.first_channel + c;
      const auto winner = roi_winner(image + channel * features.stride(3), features, rows, columns, y, x, corners);
      if (winner.outside) continue;
      const A gradient = static_cast<A>(plan.grads(box, y, x, channel));
      for (int k = 0; k < 4; ++k) {
        if (corners && k != winner.corner) continue;
        const bool lower = k >= 2;
        const bool right = k % 2 == 1;
        const index_t row = lower ? winner.row.high : winner.row.low;
        const index_t column = right ? winner.column.high : winner.column.low;
        const A weight = product(lower ? winner.row.high_weight : winner.row.low_weight,
                                 right ? winner.column.high_weight : winner.column.low_weight);
        if (weight > A{0} && row >= part.first_row && row <= part.last_row)
          part.data[row * map.stride(1) + column * map.stride(2) + c * map.stride(3)] += product(weight, gradient);
      }
    }
  }
};

/// Writes every element of `maps`, which consist of float or double.
template <class Backend, class Pyramid, class Grads, class Maps>
void scatter_roi_align(const Backend& backend, const char* op, const RoiSource<Pyramid>& source, RoiPooling pooling,
                       const Grads& grads, const Maps& maps) {
  const auto lists = list_roi_bands(backend, op, RoiTouchedRows<Pyramid>{source, grads.extent(1)}, grads, maps);
  const auto plan = plan_roi_scatter(lists, grads, maps);
  constexpr index_t grain = roi_scatter_grain<Backend>;
  if (pooling == RoiPooling::average) {
    RoiTapMemory<Backend, Pyramid> taps(backend, op, source, grads.extents());
    const RoiAverageScatterFunctor<Pyramid, Grads, Maps> scatter{taps.rows(), taps.columns(), plan};
    backend.parallel_for(plan.calls(), scatter, grain);
  } else {
    const bool corners = pooling == RoiPooling::max_of_corners;
    backend.parallel_for(plan.calls(), RoiMaxScatterFunctor<Pyramid, Grads, Maps>{source, corners, plan}, grain);
  }
}

/// The gradient of all maps from a source that reads maps of the same extents (for averages it may be the gradients'
/// own memory, which is not read).
template <class Backend, class Pyramid, class Grads, class Maps>
void run_roi_align_backward(const Backend& backend, const char* op, const RoiSource<Pyramid>& source,
                            RoiPooling pooling, const Grads& grads, const Maps& maps) {
  with_roi_sums(backend, maps, [&](const auto& sums) { scatter_roi_align(backend, op, source, pooling, grads, sums); });
}

}  // namespace mrcnn::detail

#endif
