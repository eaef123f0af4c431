#ifndef MRCNN_COCO_POLYGON_HPP
#define MRCNN_COCO_POLYGON_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/coco/rle.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/detail/float_ops.hpp"

// COCO's outlines as masks. Its mask API draws an outline on a grid five times as fine as the pixels, one grid point after
// the other, and keeps the few at which the outline passes from the third fifth of a column to the fourth: they are where
// the column changes between outside and inside. Here only those few are computed, from the same formulas.

namespace mrcnn::coco {
namespace detail {

inline constexpr int polygon_grid = 5;
/// How often an outline may pass through columns: 256 MiB of scratch.
inline constexpr std::int64_t max_polygon_crossings = std::int64_t{1} << 26;

/// A point on the grid, and the first column (or row) whose third fifth does not lie before it.
inline std::int64_t grid_position(double coordinate) {
  return static_cast<std::int64_t>(mrcnn::detail::product(static_cast<double>(polygon_grid), coordinate) + 0.5);
}
inline std::int64_t pixel_from_grid(std::int64_t position, std::int64_t extent) {
  return std::min((std::max<std::int64_t>(position, 0) + polygon_grid / 2) / polygon_grid, extent);
}

struct GridPoint {
  std::int64_t x;
  std::int64_t y;
  std::int64_t column;
};

/// Calls found(column, row) for each column of [first, end) that the edge from `a` to `b` passes, where `row` is the first
/// row below the edge. The formulas decide which way rounding errors fall: an edge is walked along its longer axis, from
/// its lower end.
template <class Found>
void cross_columns(GridPoint a, GridPoint b, std::int64_t height, const Found& found) {
  const std::int64_t first = std::min(a.column, b.column);
  const std::int64_t end = std::max(a.column, b.column);
  if (first == end) return;
  const auto center_of = [](std::int64_t column) { return polygon_grid * column + polygon_grid / 2; };
  if (std::abs(b.x - a.x) >= std::abs(b.y - a.y)) {
    if (a.x > b.x) std::swap(a, b);
    const double slope = static_cast<double>(b.y - a.y) / static_cast<double>(b.x - a.x);
    const auto start = static_cast<double>(a.y);
    // Of the two grid points beside the passage the upper one counts.
    auto step = static_cast<double>(center_of(first) - a.x + (slope < 0 ? 1 : 0));
    for (std::int64_t column = first; column < end; ++column, step += polygon_grid)
      found(column,
            pixel_from_grid(static_cast<std::int64_t>((start + mrcnn::detail::product(slope, step)) + 0.5), height));
    return;
  }
  if (a.y > b.y) std::swap(a, b);
  const double slope = static_cast<double>(b.x - a.x) / static_cast<double>(b.y - a.y);
  const double steps_per_x = static_cast<double>(b.y - a.y) / static_cast<double>(b.x - a.x);
  const auto start = static_cast<double>(a.x);
  for (std::int64_t column = first; column < end; ++column) {
    const auto limit = static_cast<double>(center_of(column) + 1);
    const auto is_before = [&](std::int64_t step) {
      const double x = (start + mrcnn::detail::product(slope, static_cast<double>(step))) + 0.5;
      return slope > 0 ? x < limit : x >= limit;
    };
    // The last step before the passage: nearly this one.
    auto step = static_cast<std::int64_t>(mrcnn::detail::product(limit - 0.5 - start, steps_per_x));
    while (!is_before(step)) --step;
    while (is_before(step + 1)) ++step;
    found(column, pixel_from_grid(a.y + step, height));
  }
}

/// Ascending.
inline void sort_few(std::uint32_t* begin, std::uint32_t* end) {
  if (end - begin > 16) {
    std::sort(begin, end);
    return;
  }
  for (std::uint32_t* i = begin; i < end; ++i) {
    const std::uint32_t value = *i;
    std::uint32_t* j = i;
    for (; j > begin && j[-1] > value; --j) *j = j[-1];
    *j = value;
  }
}

}  // namespace detail

/// Turns outlines into masks, one after the other, with the same scratch memory: see `rasterize_polygon`.
class PolygonRasterizer {
 public:
  Rle rasterize(std::span<const double> xy, index_t height, index_t width) {
    detail::check_rle_size(height, width);
    read_vertices(xy, width);
    const std::size_t crossings = allot_columns();
    rows_.resize(crossings);
    for (std::size_t i = 0; i + 1 < vertices_.size(); ++i)
      detail::cross_columns(vertices_[i], vertices_[i + 1], height, [&](std::int64_t column, std::int64_t row) {
        rows_[next_[static_cast<std::size_t>(column - first_column_)]++] = static_cast<std::uint32_t>(row);
      });
    return write_runs(height, width);
  }
  Rle rasterize_box(std::span<const double, 4> xywh, index_t height, index_t width) {
    const double right = xywh[0] + xywh[2];
    const double bottom = xywh[1] + xywh[3];
    const double corners[] = {xywh[0], xywh[1], xywh[0], bottom, right, bottom, right, xywh[1]};
    return rasterize(corners, height, width);
  }
  /// How many columns the edges of the last outline pass.
  std::size_t crossings() const { return rows_.size(); }

 private:
  static std::string shown(double number) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%g", number);
    return digits;
  }
  void read_vertices(std::span<const double> xy, index_t width) {
    vertices_.clear();
    for (std::size_t i = 0; i + 1 < xy.size(); i += 2) {
      for (std::size_t j = i; j < i + 2; ++j)
        if (!(std::abs(xy[j]) <= largest_coordinate))
          throw FormatError("rasterize_polygon: coordinate " + std::to_string(j) + " is " + shown(xy[j]) +
                            ", expected a number from -400000000 to 400000000");
      const std::int64_t x = detail::grid_position(xy[i]);
      vertices_.push_back({x, detail::grid_position(xy[i + 1]), detail::pixel_from_grid(x, width)});
    }
    if (!vertices_.empty()) vertices_.push_back(vertices_.front());
  }

  /// Sets where in `rows_` each column's rows begin. Returns how many there are in all.
  std::size_t allot_columns() {
    std::int64_t end = 0;
    first_column_ = vertices_.empty() ? 0 : vertices_[0].column;
    for (const detail::GridPoint& point : vertices_) {
      first_column_ = std::min(first_column_, point.column);
      end = std::max(end, point.column);
    }
    std::int64_t crossings = 0;
    for (std::size_t i = 0; i + 1 < vertices_.size(); ++i)
      crossings += std::abs(vertices_[i + 1].column - vertices_[i].column);
    if (crossings > detail::max_polygon_crossings)
      throw FormatError("rasterize_polygon: the outline passes " + std::to_string(crossings) +
                        " columns of the picture, expected at most " + std::to_string(detail::max_polygon_crossings));
    next_.assign(static_cast<std::size_t>(end - first_column_) + 1, 0);
    // Each edge adds one to a stretch of columns: its ends are noted, and summed up twice.
    for (std::size_t i = 0; i + 1 < vertices_.size(); ++i) {
      const auto columns = std::minmax(vertices_[i].column, vertices_[i + 1].column);
      ++next_[static_cast<std::size_t>(columns.first - first_column_)];
      --next_[static_cast<std::size_t>(columns.second - first_column_)];
    }
    std::uint32_t here = 0;
    std::uint32_t before = 0;
    for (std::uint32_t& next : next_) {
      here += next;
      next = before;
      before += here;
    }
    return static_cast<std::size_t>(crossings);
  }

  /// `next_` has come to where each column's rows end.
  Rle write_runs(index_t height, index_t width) {
    const auto pixels = static_cast<std::uint32_t>(height * width);
    Rle rle{height, width, std::vector<std::uint32_t>(rows_.size() + 1)};
    std::uint32_t* const changes = rle.counts.data();
    std::size_t count = 0;
    const auto change_at = [&](std::uint32_t position) {
      // Two changes at one position cancel out.
      if (count > 0 && changes[count - 1] == position)
        --count;
      else
        changes[count++] = position;
    };
    std::uint32_t begin = 0;
    auto top = static_cast<std::uint32_t>(first_column_ * height);
    for (const std::uint32_t end : next_) {
      std::uint32_t* const rows = rows_.data() + begin;
      if (end - begin == 2) {
        // Nearly always, and in an order that no processor can guess: so without a branch.
        const std::uint32_t upper = std::min(rows[0], rows[1]);
        const std::uint32_t lower = rows[0] ^ rows[1] ^ upper;
        change_at(top + upper);
        change_at(top + lower);
      } else {
        detail::sort_few(rows, rows + (end - begin));
        for (std::uint32_t i = 0; i < end - begin; ++i) change_at(top + rows[i]);
      }
      begin = end;
      top += static_cast<std::uint32_t>(height);
    }
    // A change behind the last pixel is none.
    if (count == 0 || changes[count - 1] != pixels) changes[count++] = pixels;
    for (std::size_t i = count; i-- > 1;) changes[i] -= changes[i - 1];
    rle.counts.resize(count);
    if (count < rle.counts.capacity() / 2) rle.counts.shrink_to_fit();
    return rle;
  }

  static constexpr double largest_coordinate = 4e8;

  std::vector<detail::GridPoint> vertices_;  ///< the first one again at the end
  std::vector<std::uint32_t> next_;
  std::vector<std::uint32_t> rows_;
  std::int64_t first_column_ = 0;
};

/// The mask of an outline: to the bit what pycocotools gives.
///
/// @param xy             vertices x0, y0, x1, y1, ... in pixels, in either direction; the last is joined to the first. The
///                       middle of the upper left pixel is (0.5, 0.5). A last number without a partner is ignored
/// @param height, width  of the picture, in pixels
///
/// A pixel is inside when a line from it crosses the outline an odd number of times: what an outline that crosses itself
/// goes round twice is outside. Parts beyond the picture are cut off. Fewer than three vertices enclose nothing.
/// Throws: FormatError for a coordinate that is NaN, infinite or beyond 400,000,000 (pycocotools makes any number of such
/// a one), for an outline that passes more than 67,108,864 columns, counted once for each edge, and from 2^32 pixels on.
/// O(V + C log C) for V vertices that pass C columns; scratch of 24 V + 8 C bytes. Source: pycocotools' `frPoly`.
inline Rle rasterize_polygon(std::span<const double> xy, index_t height, index_t width) {
  return PolygonRasterizer().rasterize(xy, height, width);
}

/// The mask of a box (x, y, width, height): that of the outline of its corners. Source: pycocotools' `frBbox`.
inline Rle rasterize_box(std::span<const double, 4> xywh, index_t height, index_t width) {
  return PolygonRasterizer().rasterize_box(xywh, height, width);
}

}  // namespace mrcnn::coco

#endif
