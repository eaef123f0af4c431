#ifndef MRCNN_OPS_MASK_CROP_HPP
#define MRCNN_OPS_MASK_CROP_HPP

#include <cstdint>
#include <vector>

#include "mrcnn/core/config.hpp"

namespace mrcnn {

/// The pixels of one instance: a crop of the picture, width x height values of 0 or 1, rows first, with its upper left
/// corner at (x, y). What lies outside the crop does not belong to the instance. All zeros and no pixels where it is empty.
struct MaskCrop {
  index_t x = 0;
  index_t y = 0;
  index_t width = 0;
  index_t height = 0;
  std::vector<std::uint8_t> pixels;

  /// Whether the picture's pixel (column, row) belongs to the instance.
  bool contains(index_t column, index_t row) const {
    return column >= x && row >= y && column < x + width && row < y + height &&
           pixels[static_cast<std::size_t>((row - y) * width + (column - x))] != 0;
  }
};

}  // namespace mrcnn

#endif
