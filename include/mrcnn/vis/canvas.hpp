#ifndef MRCNN_VIS_CANVAS_HPP
#define MRCNN_VIS_CANVAS_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mrcnn/core/error.hpp"
#include "mrcnn/core/image.hpp"
#include "mrcnn/vis/palette.hpp"
#include "mrcnn/vis/path.hpp"

namespace mrcnn::vis {

namespace detail {

/// Whether `size` elements make `height` rows of `width`.
inline bool has_extents(std::size_t size, index_t height, index_t width) {
  if (height < 0 || width < 0) return false;
  if (height == 0 || width == 0) return size == 0;
  const auto columns = static_cast<std::size_t>(width);
  return size % columns == 0 && size / columns == static_cast<std::size_t>(height);
}

inline void check_image(const char* function, const Image& image) {
  if (image.pixels.size() % 3 != 0 || !has_extents(image.pixels.size() / 3, image.height, image.width))
    throw ShapeError(std::string(function) + ": image has " + std::to_string(image.pixels.size()) +
                     " bytes, expected [" + std::to_string(image.height) + ", " + std::to_string(image.width) + ", 3]");
}

}  // namespace detail

/// How a line is drawn.
struct Stroke {
  float width = 1.0F;
  /// Square: the line is cut off at its end points and its corners are mitred as right angles, for axis-aligned
  /// figures. Round: half discs at ends and corners, for everything else.
  bool round = true;
};

/// Draws anti-aliased shapes on a picture.
///
/// Shapes are first covered, then painted: `cover_*` notes how much of each pixel the shapes hide (the larger amount
/// where they overlap), `paint` blends one colour over all of it, once, and clears the notes. So a translucent figure
/// of many parts has no darker joints.
///
/// Coordinates are in pixels, x right, y down; pixel (column, row) is the square from (column, row) to
/// (column + 1, row + 1). Shapes may stick out of the picture or lie outside; parts with coordinates that are not
/// finite are not drawn. Blending is done on the bytes as they are (sRGB), rounded to nearest. One thread; the same
/// calls give the same bytes. Needs one byte per pixel of the picture.
class Canvas {
 public:
  /// Draws on `image`, which must outlive the canvas. Throws: ShapeError when its bytes do not match its extents.
  explicit Canvas(Image& image) : image_(image) {
    detail::check_image("Canvas", image);
    coverage_.resize(static_cast<std::size_t>(image.height * image.width));
  }

  index_t width() const { return image_.width; }
  index_t height() const { return image_.height; }

  /// The axis-parallel rectangle; exact areas.
  void cover_rectangle(float x1, float y1, float x2, float y2) {
    if (!all_finite(x1, y1, x2, y2)) return;
    const Window window = window_of(x1, y1, x2, y2);
    for (index_t y = window.top; y < window.bottom; ++y) {
      const float tall = overlap(static_cast<float>(y), y1, y2);
      for (index_t x = window.left; x < window.right; ++x) mark(x, y, tall * overlap(static_cast<float>(x), x1, x2));
    }
  }

  /// A line through the points. A line of equal points is a dot when round. Fewer than one point: nothing.
  void cover_line(std::span<const Point> points, const Stroke& stroke) {
    if (!(stroke.width > 0.0F) || !std::isfinite(stroke.width)) return;
    const std::size_t count = points.size();
    if (count == 1) cover_segment(points[0], points[0], stroke, false, false);
    for (std::size_t i = 0; i + 1 < count; ++i) {
      const bool closed = same(points.front(), points.back());
      cover_segment(points[i], points[i + 1], stroke, i > 0 || closed, i + 2 < count || closed);
    }
  }

  /// The inside of closed contours together: a point is inside when they wind around it (non-zero rule), so that a
  /// contour of the other direction is a hole.
  void cover_contours(std::span<const Polyline> contours);

  /// Blends `color` over everything covered since the last call, with `alpha` in [0, 1] times the coverage.
  void paint(Color color, float alpha = 1.0F) {
    const float limited = alpha > 0.0F ? std::min(alpha, 1.0F) : 0.0F;
    for (const std::size_t pixel : touched_) {
      const float opacity = limited * static_cast<float>(coverage_[pixel]) / 255.0F;
      coverage_[pixel] = 0;
      std::uint8_t* channels = image_.pixels.data() + 3 * pixel;
      channels[0] = blended(channels[0], color.red, opacity);
      channels[1] = blended(channels[1], color.green, opacity);
      channels[2] = blended(channels[2], color.blue, opacity);
    }
    touched_.clear();
  }

 private:
  struct Window {
    index_t left, top, right, bottom;
  };

  static bool all_finite(float a, float b, float c, float d) {
    return std::isfinite(a) && std::isfinite(b) && std::isfinite(c) && std::isfinite(d);
  }
  static bool same(Point a, Point b) { return a.x == b.x && a.y == b.y; }

  /// The pixels of the picture that a rectangle touches.
  Window window_of(float x1, float y1, float x2, float y2) const {
    const auto low = [](float value, index_t extent) {
      return static_cast<index_t>(std::clamp(std::floor(value), 0.0F, static_cast<float>(extent)));
    };
    const auto high = [](float value, index_t extent) {
      return std::min(extent, static_cast<index_t>(std::clamp(std::ceil(value), 0.0F, static_cast<float>(extent))));
    };
    return {low(x1, width()), low(y1, height()), high(x2, width()), high(y2, height())};
  }

  /// Length of [at, at + 1] that lies in [low, high].
  static float overlap(float at, float low, float high) {
    return std::max(0.0F, std::min(at + 1.0F, high) - std::max(at, low));
  }

  static std::uint8_t blended(std::uint8_t under, std::uint8_t over, float opacity) {
    const auto from = static_cast<float>(under);
    return static_cast<std::uint8_t>(from + (static_cast<float>(over) - from) * opacity + 0.5F);
  }

  void mark(index_t x, index_t y, float fraction) {
    const auto amount = static_cast<std::uint8_t>(std::min(fraction, 1.0F) * 255.0F + 0.5F);
    const auto pixel = static_cast<std::size_t>(y * width() + x);
    if (amount <= coverage_[pixel]) return;
    if (coverage_[pixel] == 0) touched_.push_back(pixel);
    coverage_[pixel] = amount;
  }

  void cover_segment(Point a, Point b, const Stroke& stroke, bool joined_at_a, bool joined_at_b);
  void accumulate_edge(Point a, Point b, const Window& window, std::vector<float>& areas) const;

  Image& image_;
  std::vector<std::uint8_t> coverage_;  // 255: the whole pixel
  std::vector<std::size_t> touched_;    // the pixels whose coverage is not 0
};

/// One straight piece of a line. Coverage across it is the length of a pixel-wide window that lies inside, which is
/// exact for horizontal and vertical pieces and within a few hundredths for the rest.
inline void Canvas::cover_segment(Point a, Point b, const Stroke& stroke, bool joined_at_a, bool joined_at_b) {
  if (!all_finite(a.x, a.y, b.x, b.y)) return;
  const float half = 0.5F * stroke.width;
  const float length = std::sqrt((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y));
  if (!std::isfinite(length)) return;
  const Point along = length > 0.0F ? Point{(b.x - a.x) / length, (b.y - a.y) / length} : Point{1.0F, 0.0F};
  const float start = stroke.round || !joined_at_a ? 0.0F : -half;
  const float end = stroke.round || !joined_at_b ? length : length + half;
  const float reach = 1.5F * half + 1.0F;
  const Window window = window_of(std::min(a.x, b.x) - reach, std::min(a.y, b.y) - reach, std::max(a.x, b.x) + reach,
                                  std::max(a.y, b.y) + reach);
  for (index_t y = window.top; y < window.bottom; ++y) {
    const float dy = static_cast<float>(y) + 0.5F - a.y;
    index_t left = window.left;
    index_t right = window.right;
    if (std::abs(along.y) > 0.01F) {  // only where the row meets the band around the line
      const float middle = a.x + dy * along.x / along.y;
      const float spread = (half + 1.0F) / std::abs(along.y) + half + 2.0F;
      const Window row = window_of(middle - spread, 0.0F, middle + spread, 1.0F);
      left = std::max(left, row.left);
      right = std::min(right, row.right);
    }
    for (index_t x = left; x < right; ++x) {
      const float dx = static_cast<float>(x) + 0.5F - a.x;
      const float u = dx * along.x + dy * along.y;
      const float v = std::abs(dy * along.x - dx * along.y);
      float inside = 0.0F;
      if (stroke.round) {
        const float beyond = std::max(std::max(-u, u - length), 0.0F);
        const float distance = beyond > 0.0F ? std::sqrt(beyond * beyond + v * v) : v;
        inside = std::min(distance + 0.5F, half) - std::max(distance - 0.5F, -half);
      } else {
        const float across = std::min(v + 0.5F, half) - std::max(v - 0.5F, -half);
        const float lengthwise = std::min(u + 0.5F, end) - std::max(u - 0.5F, start);
        inside = std::max(across, 0.0F) * std::max(lengthwise, 0.0F);
      }
      if (inside > 0.0F) mark(x, y, inside);
    }
  }
}

/// Adds to `areas`, row by row, what the edge hides of everything to its right, as differences between neighbouring
/// pixels: a running sum along a row then gives the winding number averaged over each pixel.
inline void Canvas::accumulate_edge(Point a, Point b, const Window& window, std::vector<float>& areas) const {
  if (a.y == b.y) return;
  const float direction = a.y < b.y ? 1.0F : -1.0F;
  if (a.y > b.y) std::swap(a, b);
  const float slope = (b.x - a.x) / (b.y - a.y);
  if (!std::isfinite(slope)) return;
  const auto columns = static_cast<float>(window.right - window.left);
  const float top = std::max(a.y, static_cast<float>(window.top));
  const float bottom = std::min(b.y, static_cast<float>(window.bottom));
  const std::size_t row_length = static_cast<std::size_t>(window.right - window.left) + 2;
  for (auto y = static_cast<index_t>(top); static_cast<float>(y) < bottom; ++y) {
    const float y0 = std::max(top, static_cast<float>(y));
    const float y1 = std::min(bottom, static_cast<float>(y + 1));
    const auto x_at = [&](float height) {
      return std::clamp(a.x + (height - a.y) * slope - static_cast<float>(window.left), 0.0F, columns);
    };
    const float first = std::min(x_at(y0), x_at(y1));
    const float last = std::max(x_at(y0), x_at(y1));
    const float drop = (y1 - y0) * direction;
    float* row = areas.data() + static_cast<std::size_t>(y - window.top) * row_length;
    for (auto cell = static_cast<std::size_t>(first); static_cast<float>(cell) <= last; ++cell) {
      const float low = std::max(first, static_cast<float>(cell));
      const float high = std::min(last, static_cast<float>(cell + 1));
      const float share = last > first ? drop * (high - low) / (last - first) : drop;
      const float mean = 0.5F * (low + high) - static_cast<float>(cell);
      row[cell] += share * (1.0F - mean);
      row[cell + 1] += share * mean;
      if (last <= first) break;
    }
  }
}

inline void Canvas::cover_contours(std::span<const Polyline> contours) {
  const Bounds bounds = bounds_of(contours);
  if (!all_finite(bounds.x1, bounds.y1, bounds.x2, bounds.y2)) return;
  const Window window = window_of(bounds.x1, bounds.y1, bounds.x2, bounds.y2);
  if (window.left >= window.right || window.top >= window.bottom) return;
  const std::size_t row_length = static_cast<std::size_t>(window.right - window.left) + 2;
  std::vector<float> areas(static_cast<std::size_t>(window.bottom - window.top) * row_length);
  for (const Polyline& contour : contours)
    for (std::size_t i = 0; i < contour.size(); ++i)
      accumulate_edge(contour[i], contour[(i + 1) % contour.size()], window, areas);
  for (index_t y = window.top; y < window.bottom; ++y) {
    const float* row = areas.data() + static_cast<std::size_t>(y - window.top) * row_length;
    float winding = 0.0F;
    for (index_t x = window.left; x < window.right; ++x) {
      winding += row[x - window.left];
      mark(x, y, std::abs(winding));
    }
  }
}

}  // namespace mrcnn::vis

#endif
