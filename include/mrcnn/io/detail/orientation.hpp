#ifndef MRCNN_IO_DETAIL_ORIENTATION_HPP
#define MRCNN_IO_DETAIL_ORIENTATION_HPP

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "mrcnn/core/image.hpp"

namespace mrcnn::io::detail {

/// The Orientation tag of an Exif block, a TIFF file in small: 1 to 8. 1, upright, also when there is no such tag, or
/// when anything about the block is wrong: nobody should lose a picture to a broken tag.
inline int exif_orientation(std::span<const std::uint8_t> tiff) {
  constexpr int upright = 1;
  if (tiff.size() < 8) return upright;
  const bool little = tiff[0] == 'I' && tiff[1] == 'I';
  const bool big = tiff[0] == 'M' && tiff[1] == 'M';
  if (!little && !big) return upright;
  const auto number = [&](std::size_t offset, std::size_t bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | tiff[offset + (little ? bytes - 1 - i : i)];
    return value;
  };
  constexpr std::size_t entry_bytes = 12;
  const std::size_t directory = number(4, 4);
  if (number(2, 2) != 42 || directory > tiff.size() - 2) return upright;
  const std::size_t entries = std::min<std::size_t>(number(directory, 2), (tiff.size() - 2 - directory) / entry_bytes);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * entry_bytes;
    if (number(entry, 2) != 0x0112) continue;
    const std::uint32_t type = number(entry + 2, 2);  // 3 is a 16-bit number, 4 a 32-bit one
    if ((type != 3 && type != 4) || number(entry + 4, 4) != 1) return upright;
    const std::uint32_t value = number(entry + 8, type == 3 ? 2 : 4);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : upright;
  }
  return upright;
}

/// The picture as it is to be seen, from the way it is stored and the Orientation tag.
inline Image oriented(Image stored, int orientation) {
  if (orientation <= 1 || orientation > 8) return stored;
  const bool transposed = orientation >= 5;
  // Where the seen picture's first row and first column lie in the stored one: 2, 3, 7, 8 start at the right,
  // 3, 4, 6, 7 at the bottom.
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const index_t down = from_bottom ? -3 * stored.width : 3 * stored.width;
  const index_t right = from_right ? -3 : 3;
  const index_t start =
      (from_bottom ? (stored.height - 1) * stored.width * 3 : 0) + (from_right ? (stored.width - 1) * 3 : 0);

  Image seen(transposed ? stored.width : stored.height, transposed ? stored.height : stored.width);
  const index_t row_step = transposed ? right : down;
  const index_t column_step = transposed ? down : right;
  constexpr index_t tile = 32;  // keeps the lines of both pictures in the cache while one is walked across
  for (index_t y0 = 0; y0 < seen.height; y0 += tile)
    for (index_t x0 = 0; x0 < seen.width; x0 += tile)
      for (index_t y = y0; y < std::min(y0 + tile, seen.height); ++y) {
        std::uint8_t* to = seen.pixels.data() + (y * seen.width + x0) * 3;
        for (index_t x = x0; x < std::min(x0 + tile, seen.width); ++x, to += 3)
          std::memcpy(to, stored.pixels.data() + start + y * row_step + x * column_step, 3);
      }
  return seen;
}

}  // namespace mrcnn::io::detail

#endif
