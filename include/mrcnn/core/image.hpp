#ifndef MRCNN_CORE_IMAGE_HPP
#define MRCNN_CORE_IMAGE_HPP

#include <cstdint>
#include <vector>

#include "mrcnn/core/tensor_view.hpp"

namespace mrcnn {

/// An 8-bit RGB picture on the host, rows from the top, channels interleaved: [height, width, 3].
struct Image {
  index_t height = 0;
  index_t width = 0;
  std::vector<std::uint8_t> pixels;

  Image() = default;
  Image(index_t rows, index_t columns)
      : height(rows), width(columns), pixels(static_cast<std::size_t>(rows * columns * 3)) {}

  HostView<std::uint8_t, 3> view() { return {pixels.data(), {height, width, 3}}; }
  HostView<const std::uint8_t, 3> view() const { return {pixels.data(), {height, width, 3}}; }
};

}  // namespace mrcnn

#endif
