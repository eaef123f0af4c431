#ifndef MRCNN_COCO_SEGMENTATION_HPP
#define MRCNN_COCO_SEGMENTATION_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "mrcnn/coco/polygon.hpp"
#include "mrcnn/coco/rle.hpp"
#include "mrcnn/coco/rle_overlap.hpp"
#include "mrcnn/core/error.hpp"
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

/// The mask of a compressed one. Throws: as `from_string`.
inline Rle decompress(const CompressedRle& rle) { return from_string(rle.counts, rle.height, rle.width); }

/// The compressed form of a mask, see `to_string`.
inline CompressedRle compress(const Rle& rle) { return {rle.height, rle.width, to_string(rle)}; }

/// The mask of outlines: the union of the rings, each as `rasterize_polygon` gives it.
///
/// @param height, width  of the picture, in pixels
/// @param rasterizer     its scratch memory is used, so that many calls allocate little
///
/// To the bit what pycocotools gives. When the first ring has four numbers, all rings are boxes (x, y, width, height):
/// what pycocotools means to do, but its 2.0.11 ends with a TypeError for such a list, and takes only an array of boxes.
/// Throws: FormatError when there is no ring, the first one has fewer than four numbers, boxes and polygons are mixed,
/// `ring_ends` do not fit the coordinates, or the rings pass more than 67,108,864 columns in all; and as
/// `rasterize_polygon`. Source: pycocotools' `frPyObjects` and `merge`.
inline Rle to_rle(const Polygons& polygons, index_t height, index_t width, PolygonRasterizer& rasterizer) {
  const std::span<const double> all(polygons.coordinates);
  if (polygons.ring_ends.empty()) throw FormatError("to_rle: polygons without a ring, expected at least one");
  const bool boxes = polygons.ring_ends[0] == 4;
  std::vector<Rle> masks;
  std::size_t begin = 0;
  std::size_t crossings = 0;
  for (const std::size_t end : polygons.ring_ends) {
    const std::string ring = std::string("to_rle: ring ") + std::to_string(masks.size());
    if (end < begin || end > all.size())
      throw FormatError(ring + " ends at coordinate " + std::to_string(end) + ", expected " + std::to_string(begin) +
                        " to " + std::to_string(all.size()));
    const std::span<const double> xy = all.subspan(begin, end - begin);
    begin = end;
    if (masks.empty() && xy.size() < 4)
      throw FormatError(ring + " has " + std::to_string(xy.size()) + " numbers, expected 4 for a box or 6 and more");
    if (boxes && xy.size() != 4)
      throw FormatError(ring + " has " + std::to_string(xy.size()) + " numbers, expected 4 as ring 0, which is a box");
    masks.push_back(boxes ? rasterizer.rasterize_box(xy.first<4>(), height, width)
                          : rasterizer.rasterize(xy, height, width));
    crossings += rasterizer.crossings();
    if (crossings > static_cast<std::size_t>(detail::max_polygon_crossings))
      throw FormatError(ring + " brings the columns that the rings pass to " + std::to_string(crossings) +
                        ", expected at most " + std::to_string(detail::max_polygon_crossings) + " in one object");
  }
  return masks.size() == 1 ? std::move(masks[0]) : merge(masks, RleMerge::any_of);
}
inline Rle to_rle(const Polygons& polygons, index_t height, index_t width) {
  PolygonRasterizer rasterizer;
  return to_rle(polygons, height, width, rasterizer);
}

/// The mask of any form of segmentation.
///
/// @param height, width  of the picture, in pixels, in which polygons are drawn. Run lengths keep the size that they came
///                       with, as in pycocotools, whatever that of the picture is
///
/// Throws: FormatError when there is none, or when it is no mask: see `to_rle` of polygons and `from_string`; run lengths
/// must add up to their size. Source: pycocotools' `annToRLE`.
inline Rle to_rle(const Segmentation& segmentation, index_t height, index_t width) {
  if (const auto* polygons = std::get_if<Polygons>(&segmentation)) return to_rle(*polygons, height, width);
  if (const auto* compressed = std::get_if<CompressedRle>(&segmentation)) return decompress(*compressed);
  const auto* rle = std::get_if<Rle>(&segmentation);
  if (rle == nullptr) throw FormatError("to_rle: no segmentation, expected polygons or run lengths");
  detail::check_rle(*rle);
  return *rle;
}

}  // namespace mrcnn::coco

#endif
