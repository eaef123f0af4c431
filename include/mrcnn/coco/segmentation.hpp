#ifndef MRCNN_COCO_SEGMENTATION_HPP
#define MRCNN_COCO_SEGMENTATION_HPP

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "mrcnn/coco/rle.hpp"
#include "mrcnn/core/tensor_view.hpp"

namespace mrcnn::coco {

/// The outlines of one object: rings of vertices x0, y0, x1, y1, ... in pixels, one ring behind the other. The object is
/// everything inside any of them.
struct Polygons {
  std::vector<double> coordinates;       ///< of all rings
  std::vector<std::uint32_t> ring_ends;  ///< where each ring ends in `coordinates`

  friend bool operator==(const Polygons&, const Polygons&) = default;
};

/// Run lengths as COCO's string, see `to_string`.
struct CompressedRle {
  index_t height = 0;
  index_t width = 0;
  std::string counts;

  friend bool operator==(const CompressedRle&, const CompressedRle&) = default;
};

/// A mask in any of the forms that COCO's files hold; `std::monostate` for none.
using Segmentation = std::variant<std::monostate, Polygons, Rle, CompressedRle>;

}  // namespace mrcnn::coco

#endif
