#ifndef MRCNN_DATA_POLYGON_FILL_HPP
#define MRCNN_DATA_POLYGON_FILL_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mrcnn/coco/rle.hpp"
#include "mrcnn/core/config.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/detail/float_ops.hpp"

// Outlines to masks by the rule of scikit-image: a vertex (x, y) with whole numbers lies on the centre of a pixel.
// (COCO's own rule, where it lies on a corner, is that of coco/polygon.hpp.)

namespace mrcnn::data {

namespace detail {

/// Up to here the place where an edge crosses a row is known to a small part of a pixel.
inline constexpr double largest_coordinate = 1e9;

/// The pixels [left, right) x [top, bottom) of a picture.
struct PixelRange {
  index_t left = 0;
  index_t top = 0;
  index_t right = 0;
  index_t bottom = 0;
};

/// The pixels of a picture of height x width whose centres may lie within [low, high] on both axes.
inline PixelRange pixels_between(double low_x, double low_y, double high_x, double high_y, index_t height,
                                 index_t width) {
  const auto first = [](double low, index_t extent) {
    return static_cast<index_t>(std::clamp(std::floor(low), 0.0, static_cast<double>(extent)));
  };
  const auto behind = [](double high, index_t extent) {
    return static_cast<index_t>(std::clamp(std::ceil(high) + 1, 0.0, static_cast<double>(extent)));
  };
  PixelRange range{first(low_x, width), first(low_y, height), behind(high_x, width), behind(high_y, height)};
  range.right = std::max(range.left, range.right);
  range.bottom = std::max(range.top, range.bottom);
  return range;
}

/// The mask whose rows `fill(y, pixels)` writes: pixels[i] is that of column range.left + i, all 0 before.
template <class Fill>
coco::Rle encode_rows(const PixelRange& range, index_t height, index_t width, Fill&& fill) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(range.right - range.left));
  coco::RleRowEncoder encoder(range.right - range.left);
  for (index_t y = range.top; y < range.bottom; ++y) {
    std::fill(pixels.begin(), pixels.end(), std::uint8_t{0});
    fill(y, pixels);
    encoder.add_row(pixels.data());
  }
  return encoder.finish(range.left, range.top, height, width);
}

inline void check_mask_extents(const char* function, index_t height, index_t width) {
  if (height < 0 || width < 0)
    throw ShapeError(std::string(function) + ": a picture of " + std::to_string(height) + " x " +
                     std::to_string(width) + " pixels, expected extents of at least 0");
  coco::detail::check_rle_size(height, width);
}

/// Fills a polygon row by row. Only the edges that reach a row are looked at there.
class PolygonFill {
 public:
  PolygonFill(std::span<const double> x, std::span<const double> y, const PixelRange& range)
      : x_(x), y_(y), range_(range) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      waiting_.push_back(i);
      note_vertex(x[i], y[i]);
    }
    std::sort(waiting_.begin(), waiting_.end(), [&](std::size_t a, std::size_t b) { return top(a) > top(b); });
    std::sort(centres_.begin(), centres_.end(), [](const Centre& a, const Centre& b) { return a.row > b.row; });
    const auto columns = static_cast<std::size_t>(range.right - range.left) + 1;
    right_.resize(columns);
    left_.resize(columns);
  }

  /// Rows come in ascending order.
  void operator()(index_t row, std::vector<std::uint8_t>& pixels) {
    const auto line = static_cast<double>(row);
    for (; !waiting_.empty() && top(waiting_.back()) <= line; waiting_.pop_back()) active_.push_back(waiting_.back());
    std::erase_if(active_, [&](std::size_t edge) { return std::max(y_[edge], y_[next(edge)]) < line; });
    std::fill(right_.begin(), right_.end(), std::uint8_t{0});
    std::fill(left_.begin(), left_.end(), std::uint8_t{0});
    for (const std::size_t edge : active_) cross(edge, line);
    std::uint8_t right = 0;
    std::uint8_t left = 0;
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      right ^= right_[i];
      left ^= left_[i];
      pixels[i] = right | left;
    }
    for (; !centres_.empty() && centres_.back().row <= row; centres_.pop_back())
      if (centres_.back().row == row) pixels[static_cast<std::size_t>(centres_.back().column - range_.left)] = 1;
  }

 private:
  struct Centre {
    index_t row;
    index_t column;
  };

  std::size_t next(std::size_t i) const { return i + 1 == x_.size() ? 0 : i + 1; }
  double top(std::size_t edge) const { return std::min(y_[edge], y_[next(edge)]); }

  /// A vertex on a pixel's centre, up to rounding, belongs to the polygon.
  void note_vertex(double x, double y) {
    constexpr double tolerance = 1e-12;  // scikit-image's
    const double column = std::round(x);
    const double row = std::round(y);
    if (!(std::abs(x - column) < tolerance && std::abs(y - row) < tolerance)) return;
    if (column >= static_cast<double>(range_.left) && column < static_cast<double>(range_.right) &&
        row >= static_cast<double>(range_.top) && row < static_cast<double>(range_.bottom))
      centres_.push_back({static_cast<index_t>(row), static_cast<index_t>(column)});
  }

  /// Where, right of a pixel's centre, an edge crosses its row.
  static double offset(double x0, double y0, double x1, double y1, double column) {
    x0 -= column;
    x1 -= column;
    return (mrcnn::detail::product(x0, y1) - mrcnn::detail::product(x1, y0)) / (y1 - y0);
  }

  void cross(std::size_t edge, double line) {
    const std::size_t other = next(edge);
    // In scikit-image's order, the later vertex first; it decides the last bit of the quotient.
    const double y0 = y_[other] - line;
    const double y1 = y_[edge] - line;
    const bool from_above = (y0 > 0) != (y1 > 0);  // a vertex on the row counts to the one side here,
    const bool from_below = (y0 < 0) != (y1 < 0);  // to the other there
    if (!from_above && !from_below) return;
    const double x0 = x_[other];
    const double x1 = x_[edge];
    // The quotient's rounding can matter near the crossing only; far from it the side is known.
    constexpr double near = 2;
    const auto left = static_cast<double>(range_.left);
    const auto right = static_cast<double>(range_.right);
    const double crossing = offset(x0, y0, x1, y1, 0);
    const auto begin = static_cast<index_t>(std::clamp(std::floor(crossing) - near, left, right));
    const auto end = static_cast<index_t>(std::clamp(std::ceil(crossing) + near, left, right));
    std::uint8_t on_right = 0;
    std::uint8_t on_left = 0;
    const auto note = [&](index_t column, bool now_right, bool now_left) {
      const auto i = static_cast<std::size_t>(column - range_.left);
      right_[i] ^= on_right ^ static_cast<std::uint8_t>(from_above && now_right);
      left_[i] ^= on_left ^ static_cast<std::uint8_t>(from_below && now_left);
      on_right = static_cast<std::uint8_t>(from_above && now_right);
      on_left = static_cast<std::uint8_t>(from_below && now_left);
    };
    if (begin > range_.left) note(range_.left, true, false);
    for (index_t column = begin; column < end; ++column) {
      const double distance = offset(x0, y0, x1, y1, static_cast<double>(column));
      note(column, distance > 0, distance < 0);
    }
    note(end, false, true);
  }

  std::span<const double> x_;
  std::span<const double> y_;
  PixelRange range_;
  std::vector<std::size_t> waiting_;  ///< edges by their first vertex; the last reaches highest up
  std::vector<std::size_t> active_;
  std::vector<Centre> centres_;      ///< pixels with a vertex on their centre, the last one is the uppermost
  std::vector<std::uint8_t> right_;  ///< where the parity of the crossings on the right changes
  std::vector<std::uint8_t> left_;
};

}  // namespace detail

/// The pixels of a polygon in a picture of height x width, by the rule of `skimage.draw.polygon(y, x, shape)`, to the
/// bit.
///
/// A pixel belongs to the polygon when its centre, at whole coordinates, lies inside by the even-odd rule, on an edge
/// or on a vertex (up to 1e-12): outlines are inclusive, so the rectangle through (1, 1) and (3, 2) has 3 x 2 pixels.
/// Where two parts of the outline cover an area twice, it is outside.
///
/// @param x, y  the vertices, in pixels; the last one is joined with the first; two of them are two points, no line
///
/// What lies outside the picture is left out. No vertices give an empty mask.
/// Throws: ShapeError when x and y differ in length, for a coordinate that is NaN or beyond 1e9, and for negative
/// extents; FormatError from 2^32 pixels on.
/// Time grows with the polygon's bounding box inside the picture and with the rows that its edges cross, memory with the
/// vertices and the outline. Source of the rule: scikit-image 0.26; matterport's balloon sample fills its polygons so.
inline coco::Rle fill_polygon(std::span<const double> x, std::span<const double> y, index_t height, index_t width) {
  detail::check_mask_extents("fill_polygon", height, width);
  if (x.size() != y.size())
    throw ShapeError("fill_polygon: " + std::to_string(x.size()) + " x for " + std::to_string(y.size()) +
                     " y, expected as many of both");
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!(std::abs(x[i]) <= detail::largest_coordinate && std::abs(y[i]) <= detail::largest_coordinate))
      throw ShapeError("fill_polygon: vertex " + std::to_string(i) + " is (" + std::to_string(x[i]) + ", " +
                       std::to_string(y[i]) + "), expected numbers from -1e9 to 1e9");
  detail::PixelRange range;
  if (!x.empty()) {
    const auto [left, right] = std::minmax_element(x.begin(), x.end());
    const auto [top, bottom] = std::minmax_element(y.begin(), y.end());
    range = detail::pixels_between(*left, *top, *right, *bottom, height, width);
  }
  return detail::encode_rows(range, height, width, detail::PolygonFill(x, y, range));
}

/// An ellipse: the centre, the two half axes, and the angle from the x axis to the first of them, in radians, clockwise
/// as it is seen (y points down).
struct Ellipse {
  double x = 0;
  double y = 0;
  double radius_x = 0;
  double radius_y = 0;
  double angle = 0;
};

/// The pixels of an ellipse in a picture of height x width: those whose centres lie inside it, not on its edge, as in
/// `skimage.draw.ellipse` and `skimage.draw.disk`.
///
/// What lies outside the picture is left out. A radius of 0 gives an empty mask.
/// Throws: ShapeError for a number that is NaN or beyond 1e9, a negative radius and negative extents; FormatError from
/// 2^32 pixels on. Time grows with the bounding box inside the picture.
inline coco::Rle fill_ellipse(const Ellipse& ellipse, index_t height, index_t width) {
  detail::check_mask_extents("fill_ellipse", height, width);
  for (const double number : {ellipse.x, ellipse.y, ellipse.radius_x, ellipse.radius_y, ellipse.angle})
    if (!(std::abs(number) <= detail::largest_coordinate))
      throw ShapeError("fill_ellipse: has the number " + std::to_string(number) +
                       ", expected numbers from -1e9 to 1e9");
  if (ellipse.radius_x < 0 || ellipse.radius_y < 0)
    throw ShapeError("fill_ellipse: radii of " + std::to_string(ellipse.radius_x) + " and " +
                     std::to_string(ellipse.radius_y) + ", expected at least 0");
  const double cosine = std::cos(ellipse.angle);
  const double sine = std::sin(ellipse.angle);
  const double reach_x = std::abs(ellipse.radius_x * cosine) + std::abs(ellipse.radius_y * sine);
  const double reach_y = std::abs(ellipse.radius_x * sine) + std::abs(ellipse.radius_y * cosine);
  auto range = detail::pixels_between(ellipse.x - reach_x, ellipse.y - reach_y, ellipse.x + reach_x,
                                      ellipse.y + reach_y, height, width);
  if (ellipse.radius_x == 0 || ellipse.radius_y == 0) range = {};
  return detail::encode_rows(range, height, width, [&](index_t row, std::vector<std::uint8_t>& pixels) {
    const double dy = static_cast<double>(row) - ellipse.y;
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      const double dx = static_cast<double>(range.left + static_cast<index_t>(i)) - ellipse.x;
      const double along = (dx * cosine + dy * sine) / ellipse.radius_x;
      const double across = (dx * sine - dy * cosine) / ellipse.radius_y;
      pixels[i] = mrcnn::detail::product(along, along) + mrcnn::detail::product(across, across) < 1 ? 1 : 0;
    }
  });
}

}  // namespace mrcnn::data

#endif
