#ifndef MRCNN_DETAIL_ROI_BANDS_HPP
#define MRCNN_DETAIL_ROI_BANDS_HPP

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/detail/float_ops.hpp"
#include "mrcnn/detail/interpolate.hpp"
#include "mrcnn/ops/pyramid.hpp"

// The gradient of an op that samples boxes from feature maps: what each output cell received goes back to the features
// that it was read from. Nothing is added atomically. The rows of the maps are cut into bands; a list for each band names
// the boxes that read from it, in ascending order; whoever owns a band walks its list. So each feature sums its terms in
// one order (box, output row, output column, sample), whatever the threads, the bands and the channels of a task.
//
// What is sampled where is a policy, a small value for kernels:
//
//   struct Sampling {
//     RoiPlace place(index_t box) const;                          // which map, or none
//     Grid grid(index_t box, index_t height, index_t width) const;  // of the box on its map, which has this extent
//   };
//   struct Grid {
//     index_t row_samples() const, column_samples() const;        // for each output row, each output column
//     AxisSample row(index_t i, index_t s) const;                 // sample s of output row i
//     AxisSample column(index_t j, index_t s) const;
//     float weight() const;                                       // of every sample: 1, or 1 / count for an average
//   };
//
// A sample (i, s, j, t) counts where row(i, s) and column(j, t) both lie inside. Where an AxisSample has low == high, that
// one feature takes all. Every member is MRCNN_HOST_DEVICE.

namespace mrcnn::detail {

/// The map that a box reads from: an index into the pyramid's levels, and the image.
struct RoiPlace {
  int level = -1;  ///< negative: no map, so no gradient flows
  index_t image = 0;
};

/// How the rows of all maps are numbered in bands: by shape alone.
template <int MaxLevels>
struct RoiBands {
  index_t rows = 1;                ///< of a band
  index_t first[MaxLevels] = {};   ///< the number of a level's first band
  index_t in_map[MaxLevels] = {};  ///< bands of one image
  index_t total = 0;
  index_t most_in_map = 0;
};

/// Rows of a band. The host's tasks are few and long; a device has a thread for each band and channel.
template <class Backend>
constexpr index_t roi_band_rows(index_t tallest) {
  const index_t least = std::same_as<typename Backend::space_type, space::host> ? 8 : 2;
  return max(least, ceil_div<index_t>(tallest, 128));
}

template <class Backend, class Maps>
RoiBands<Maps::max_levels> number_roi_bands(const char* op, index_t boxes, const Maps& maps) {
  RoiBands<Maps::max_levels> bands;
  index_t tallest = 1;
  for (int l = 0; l < maps.count; ++l)
    if (!maps.levels[l].empty()) tallest = max(tallest, maps.levels[l].extent(1));
  bands.rows = roi_band_rows<Backend>(tallest);
  for (int l = 0; l < maps.count; ++l) {
    const auto& map = maps.levels[l];
    bands.first[l] = bands.total;
    bands.in_map[l] = map.empty() ? 0 : ceil_div(map.extent(1), bands.rows);
    bands.total += map.extent(0) * bands.in_map[l];
    bands.most_in_map = max(bands.most_in_map, bands.in_map[l]);
  }
  constexpr index_t limit = std::numeric_limits<std::int32_t>::max();
  if (bands.total >= limit || boxes > limit)
    throw ShapeError(std::string(op) + ": " + std::to_string(boxes) + " boxes and " + std::to_string(bands.total) +
                     " bands of rows, expected less than 2^31 of each; split the batch");
  return bands;
}

/// For one box, the bands between the first and the last row that its samples touch.
template <class Sampling, class Maps>
struct RoiBandsOfBoxFunctor {
  Sampling sampling;
  Maps maps;
  RoiBands<Maps::max_levels> bands;
  index_t crop_height;
  std::uint32_t* keys;   // [N, most_in_map]: band, or `total` for none
  std::int32_t* values;  // [N, most_in_map]: box

  MRCNN_HOST_DEVICE void operator()(index_t box) const {
    index_t first = 1;
    index_t last = 0;
    const RoiPlace place = sampling.place(box);
    if (place.level >= 0) touched_rows(box, maps.levels[place.level], first, last);
    const bool any_row = first <= last;
    const index_t map = any_row ? bands.first[place.level] + place.image * bands.in_map[place.level] : 0;
    const index_t begin = any_row ? first / bands.rows : 0;
    const index_t count = any_row ? last / bands.rows - begin + 1 : 0;
    for (index_t k = 0; k < bands.most_in_map; ++k) {
      keys[box * bands.most_in_map + k] = static_cast<std::uint32_t>(k < count ? map + begin + k : bands.total);
      values[box * bands.most_in_map + k] = static_cast<std::int32_t>(box);
    }
  }

 private:
  template <class Map>
  MRCNN_HOST_DEVICE void touched_rows(index_t box, const Map& map, index_t& first, index_t& last) const {
    if (map.extent(1) < 1 || map.extent(2) < 1) return;
    const auto grid = sampling.grid(box, map.extent(1), map.extent(2));
    bool none = true;
    for (index_t i = 0; i < crop_height; ++i)
      for (index_t s = 0; s < grid.row_samples(); ++s) {
        const AxisSample row = grid.row(i, s);
        if (!row.inside) continue;
        first = none ? row.low : min(first, row.low);
        last = none ? row.high : max(last, row.high);
        none = false;
      }
  }
};

/// Where the list of each band begins: the first key that is not below it.
struct RoiBandStartsFunctor {
  const std::uint32_t* keys;
  index_t count;
  index_t* starts;

  MRCNN_HOST_DEVICE void operator()(index_t band) const {
    index_t low = 0;
    index_t high = count;
    while (low < high) {
      const index_t middle = low + (high - low) / 2;
      if (static_cast<index_t>(keys[middle]) < band)
        low = middle + 1;
      else
        high = middle;
    }
    starts[band] = low;
  }
};

/// The boxes of each band, ascending: boxes[starts[band]] to boxes[starts[band + 1]] of tensors in backend memory.
template <class Backend, int MaxLevels>
struct RoiBandLists {
  RoiBands<MaxLevels> bands;
  Tensor<std::int32_t, 1, Backend> boxes;
  Tensor<index_t, 1, Backend> starts;
};

/// Lists for each band the boxes that touch it. Enqueued; scratch 16 bytes for each box and band of the tallest map.
///
/// @param grads  [N, h, w, C], for the extents
/// @param maps   a `GradientPyramid` or `FeaturePyramid`, for the extents
template <class Backend, class Sampling, class Grads, class Maps>
auto list_roi_bands(const Backend& backend, const char* op, const Sampling& sampling, const Grads& grads,
                    const Maps& maps) {
  const index_t boxes = grads.empty() ? 0 : grads.extent(0);  // without elements there may be any number of rows
  const auto bands = number_roi_bands<Backend>(op, boxes, maps);
  const index_t entries = boxes * bands.most_in_map;
  RoiBandLists<Backend, Maps::max_levels> lists{bands, make_tensor<std::int32_t>(backend, {entries}),
                                                make_tensor<index_t>(backend, {bands.total + 1})};
  auto keys = make_tensor<std::uint32_t>(backend, {entries});
  auto sorted_keys = make_tensor<std::uint32_t>(backend, {entries});
  auto values = make_tensor<std::int32_t>(backend, {entries});
  backend.parallel_for(
      boxes, RoiBandsOfBoxFunctor<Sampling, Maps>{sampling, maps, bands, grads.extent(1), keys.data(), values.data()},
      64);
  backend.sort_pairs(keys.data(), sorted_keys.data(), values.data(), lists.boxes.data(), entries);
  backend.parallel_for(bands.total + 1, RoiBandStartsFunctor{sorted_keys.data(), entries, lists.starts.data()});
  return lists;
}

/// One band of rows of one image of a map, and some of its channels: what one call of a scatter owns.
template <class A>
struct RoiBandPart {
  int level;
  A* data;  ///< the image's first row, first channel of the call
  index_t first_row;
  index_t last_row;
  index_t first_channel;
  index_t channels;
};

/// The part of call `call`, of `calls_per_band` for each band, and the number of its band.
template <class Maps>
MRCNN_HOST_DEVICE auto roi_band_part(const Maps& maps, const RoiBands<Maps::max_levels>& bands, index_t call,
                                     index_t calls_per_band, index_t channels_per_call) {
  const index_t band = call / calls_per_band;
  int level = 0;
  while (level + 1 < maps.count && band >= bands.first[level + 1]) ++level;
  const auto& map = maps.levels[level];
  const index_t in_level = band - bands.first[level];
  const index_t image = in_level / bands.in_map[level];
  const index_t first_row = in_level % bands.in_map[level] * bands.rows;
  const index_t first_channel = call % calls_per_band * channels_per_call;
  return RoiBandPart<typename Maps::value_type>{
      level,         map.data() + image * map.stride(0) + first_channel * map.stride(3),
      first_row,     min(first_row + bands.rows, map.extent(1)) - 1,
      first_channel, min(channels_per_call, map.extent(3) - first_channel)};
}

/// Sets a part to 0.
template <class Map, class A>
MRCNN_HOST_DEVICE void clear_roi_band(const Map& map, const RoiBandPart<A>& part) {
  for (index_t y = part.first_row; y <= part.last_row; ++y) {
    A* const row = part.data + y * map.stride(1);
    if constexpr (std::is_same_v<typename Map::layout_type, layout_right>) {
      for (index_t x = 0; x < map.extent(2); ++x)
        for (index_t c = 0; c < part.channels; ++c) row[x * map.stride(2) + c] = A{0};
    } else {
      for (index_t c = 0; c < part.channels; ++c)
        for (index_t x = 0; x < map.extent(2); ++x) row[c * map.stride(3) + x * map.stride(2)] = A{0};
    }
  }
}

/// What all scatters have: the gradients, where they go, and which boxes touch which bands.
template <class Grads, class Maps>
struct RoiScatterPlan {
  using A = typename Maps::value_type;

  Grads grads;  // [N, h, w, C]
  Maps maps;
  RoiBands<Maps::max_levels> bands;
  const std::int32_t* boxes;
  const index_t* starts;
  index_t channels_per_call;
  index_t calls_per_band;

  index_t calls() const { return bands.total * calls_per_band; }

  /// Sets the part of call `call` to 0 and calls add_box(part, box) for the boxes that touch its band, in their order.
  template <class AddBox>
  MRCNN_HOST_DEVICE void fill_part(index_t call, const AddBox& add_box) const {
    const index_t band = call / calls_per_band;
    const RoiBandPart<A> part = roi_band_part(maps, bands, call, calls_per_band, channels_per_call);
    clear_roi_band(maps.levels[part.level], part);
    for (index_t k = starts[band]; k < starts[band + 1]; ++k) add_box(part, boxes[k]);
  }
};

/// Whether channels are neighbours in both.
template <class Grads, class Maps>
inline constexpr bool dense_roi_scatter = std::is_same_v<typename Grads::layout_type, layout_right> &&
                                          std::is_same_v<typename Maps::view_type::layout_type, layout_right>;

/// The plan over `lists`, which must outlive it.
template <class Backend, class Grads, class Maps>
auto plan_roi_scatter(const RoiBandLists<Backend, Maps::max_levels>& lists, const Grads& grads, const Maps& maps) {
  constexpr bool host = std::is_same_v<typename Backend::space_type, space::host>;
  // Planar channels lie far apart, often at the same place of a cache: a few at a time.
  const index_t at_once = dense_roi_scatter<Grads, Maps> ? 64 : 8;
  const index_t channels = grads.extent(3);
  const index_t per_call = host ? max<index_t>(min(channels, at_once), 1) : 1;
  return RoiScatterPlan<Grads, Maps>{
      grads, maps, lists.bands, lists.boxes.data(), lists.starts.data(), per_call, ceil_div(channels, per_call)};
}

/// Calls of a scatter that make a step worth handing to a thread.
template <class Backend>
inline constexpr index_t roi_scatter_grain = std::is_same_v<typename Backend::space_type, space::host> ? 1 : 1024;

}  // namespace mrcnn::detail

#endif
