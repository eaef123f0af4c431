#ifndef MRCNN_MODELS_DETECTIONS_HPP
#define MRCNN_MODELS_DETECTIONS_HPP

#include <cstdint>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/ops/boxes.hpp"

namespace mrcnn {

/// The pixels of one instance: a 0/1 crop of the picture, rows first, with its upper left corner at (x, y). What lies
/// outside the crop does not belong to the instance.
struct InstanceMask {
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

/// One object found in a picture.
struct Detection {
  Box box{};                  ///< (x1, y1, x2, y2), whole pixels of the original picture, x2 and y2 exclusive
  std::int32_t class_id = 0;  ///< 1 is the first class; 0, the background, does not occur
  float score = 0;            ///< probability of the class, in [0, 1]
  InstanceMask mask;
};

/// What was found in one picture, best score first.
using Detections = std::vector<Detection>;

}  // namespace mrcnn

#endif
