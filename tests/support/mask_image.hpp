#ifndef MRCNN_TESTS_SUPPORT_MASK_IMAGE_HPP
#define MRCNN_TESTS_SUPPORT_MASK_IMAGE_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

#include "mrcnn/coco/rle.hpp"

namespace mrcnn::test {

/// A mask of 0 and 1, rows first.
struct MaskImage {
  index_t height;
  index_t width;
  std::vector<std::uint8_t> pixels;

  MaskImage(index_t h, index_t w) : height(h), width(w), pixels(static_cast<std::size_t>(h * w)) {}
  std::uint8_t& at(index_t y, index_t x) { return pixels[static_cast<std::size_t>(y * width + x)]; }
  bool has(index_t y, index_t x) const {
    return y >= 0 && x >= 0 && y < height && x < width && pixels[static_cast<std::size_t>(y * width + x)] != 0;
  }
  coco::MaskView view() const { return {pixels.data(), {height, width}, {width, 1}}; }
  coco::Rle rle() const { return coco::encode(view()); }
};

}  // namespace mrcnn::test

#endif
