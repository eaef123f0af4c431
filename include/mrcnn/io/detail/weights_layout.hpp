#ifndef MRCNN_IO_DETAIL_WEIGHTS_LAYOUT_HPP
#define MRCNN_IO_DETAIL_WEIGHTS_LAYOUT_HPP

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "mrcnn/core/config.hpp"

namespace mrcnn::io::detail {

/// Whether the output channels of this array are box deltas, four to an anchor or class.
inline bool has_box_deltas(std::string_view name) {
  const std::string_view layer = name.substr(0, name.find('/'));
  return layer == "rpn_bbox_pred" || layer == "mrcnn_bbox_fc";
}

/// Index of the first element that is NaN or infinite; -1 when there is none.
inline index_t find_not_finite(const float* elements, index_t count) {
  constexpr std::uint32_t exponent = 0x7F800000U;
  constexpr index_t block = 4096;
  for (index_t begin = 0; begin < count; begin += block) {
    const index_t end = std::min(count, begin + block);
    std::uint32_t found = 0;
    for (index_t i = begin; i < end; ++i)
      found |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(elements[i]) & exponent) == exponent);
    for (index_t i = begin; found != 0 && i < end; ++i)
      if ((std::bit_cast<std::uint32_t>(elements[i]) & exponent) == exponent) return i;
  }
  return -1;
}

/// to[o][k] = from[k][o], for [rows][columns] = [k][o]. With `swap_pairs` columns 0 and 1, 2 and 3, ... change places:
/// the deltas (dy, dx, dh, dw) become (dx, dy, dw, dh).
///
/// Through a tile of whole cache lines on both sides: columns of a power of two fall on few cache sets.
inline void transpose(const float* from, index_t rows, index_t columns, bool swap_pairs, float* to) {
  constexpr index_t tile = 16;
  float block[tile][tile];
  const index_t flip = swap_pairs ? 1 : 0;
  for (index_t o = 0; o < columns; o += tile) {
    const index_t width = std::min(tile, columns - o);
    for (index_t k = 0; k < rows; k += tile) {
      const index_t height = std::min(tile, rows - k);
      if (width == tile && height == tile && !swap_pairs) {
        for (index_t i = 0; i < tile; ++i)
          for (index_t j = 0; j < tile; ++j) block[j][i] = from[(k + i) * columns + o + j];
        for (index_t j = 0; j < tile; ++j) std::memcpy(to + (o + j) * rows + k, block[j], sizeof block[j]);
      } else {
        for (index_t j = 0; j < width; ++j)
          for (index_t i = 0; i < height; ++i) to[(o + j) * rows + k + i] = from[(k + i) * columns + ((o + j) ^ flip)];
      }
    }
  }
}

/// to[b][a][...] = from[a][b][...], for from of shape [a, b, inner].
inline void swap_outer_axes(const float* from, index_t a, index_t b, index_t inner, float* to) {
  for (index_t i = 0; i < a; ++i)
    for (index_t j = 0; j < b; ++j)
      std::memcpy(to + (j * a + i) * inner, from + (i * b + j) * inner,
                  static_cast<std::size_t>(inner) * sizeof(float));
}

}  // namespace mrcnn::io::detail

#endif
