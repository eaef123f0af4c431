#ifndef MRCNN_VIS_PATH_HPP
#define MRCNN_VIS_PATH_HPP

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace mrcnn::vis {

/// A place in a picture, in pixels: x right, y down, (0, 0) the outer corner of the first pixel.
struct Point {
  float x = 0;
  float y = 0;

  friend constexpr bool operator==(Point, Point) = default;
};

/// A line through points; closed when the last point repeats the first.
using Polyline = std::vector<Point>;

struct Bounds {
  float x1, y1, x2, y2;
};

/// The smallest box around all points; x1 > x2 when there are none, NaN when a coordinate is.
inline Bounds bounds_of(std::span<const Polyline> lines) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Bounds bounds{infinity, infinity, -infinity, -infinity};
  for (const Polyline& line : lines) {
    for (const Point point : line) {
      if (std::isnan(point.x) || std::isnan(point.y)) return {point.x, point.y, point.x, point.y};
      bounds = {std::min(bounds.x1, point.x), std::min(bounds.y1, point.y), std::max(bounds.x2, point.x),
                std::max(bounds.y2, point.y)};
    }
  }
  return bounds;
}

/// Appends the parabola from the line's last point to `end` with control point `control` (a quadratic Bezier curve), in
/// `pieces` chords.
inline void append_curve(Polyline& line, Point control, Point end, int pieces) {
  const Point start = line.back();
  for (int i = 1; i <= pieces; ++i) {
    const float t = static_cast<float>(i) / static_cast<float>(pieces);
    const float a = (1.0F - t) * (1.0F - t);
    const float b = 2.0F * t * (1.0F - t);
    const float c = t * t;
    line.push_back({a * start.x + b * control.x + c * end.x, a * start.y + b * control.y + c * end.y});
  }
}

/// A rectangle with quarter discs of `radius` for corners, closed. The radius is limited to half the shorter side.
inline Polyline rounded_rectangle(float x1, float y1, float x2, float y2, float radius) {
  const float r = std::max(0.0F, std::min(radius, 0.5F * std::min(x2 - x1, y2 - y1)));
  const Point centers[4] = {{x2 - r, y1 + r}, {x2 - r, y2 - r}, {x1 + r, y2 - r}, {x1 + r, y1 + r}};
  constexpr int pieces = 8;
  Polyline outline;
  Point from{0.0F, -1.0F};  // the direction in which a corner begins; it ends a right angle further on
  for (const Point center : centers) {
    const Point to{-from.y, from.x};
    for (int i = 0; i <= pieces; ++i) {
      const float t = static_cast<float>(i) / static_cast<float>(pieces);  // tangent of half the angle
      const float cosine = (1.0F - t * t) / (1.0F + t * t);
      const float sine = 2.0F * t / (1.0F + t * t);
      outline.push_back(
          {center.x + r * (cosine * from.x + sine * to.x), center.y + r * (cosine * from.y + sine * to.y)});
    }
    from = to;
  }
  outline.push_back(outline.front());
  return outline;
}

namespace detail {

/// Most dashes that one line is cut into; a line of more is drawn whole.
inline constexpr float most_dashes = 100000.0F;

inline float distance(Point a, Point b) { return std::sqrt((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y)); }

}  // namespace detail

/// The dashes of a line: `on` pixels drawn, `off` pixels left out, along its length, corners included.
///
/// Without a usable pattern (a length that is not positive, or dashes too many to tell apart) the line is returned
/// whole.
inline std::vector<Polyline> dashes(std::span<const Point> line, float on, float off) {
  float length = 0.0F;
  for (std::size_t i = 0; i + 1 < line.size(); ++i) length += detail::distance(line[i], line[i + 1]);
  if (!(on > 0.0F) || !(off > 0.0F) || !(length / (on + off) < detail::most_dashes))
    return {Polyline(line.begin(), line.end())};
  std::vector<Polyline> pieces;
  bool drawing = true;
  float left = on;  // length that remains of the present dash or gap
  if (!line.empty()) pieces.push_back({line.front()});
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    const Point a = line[i];
    const Point b = line[i + 1];
    const float piece = detail::distance(a, b);
    float done = 0.0F;
    while (piece - done > left) {
      done += left;
      const Point cut{a.x + (b.x - a.x) * done / piece, a.y + (b.y - a.y) * done / piece};
      if (drawing) pieces.back().push_back(cut);
      drawing = !drawing;
      left = drawing ? on : off;
      if (drawing) pieces.push_back({cut});
    }
    left -= piece - done;
    if (drawing) pieces.back().push_back(b);
  }
  return pieces;
}

/// The dashes of a rectangle: every corner is the middle of a dash, and the pattern is stretched a little on each side
/// so that it comes out even. `on` and `off` are lengths in pixels, both positive.
inline std::vector<Polyline> dashed_rectangle(float x1, float y1, float x2, float y2, float on, float off) {
  const Point corners[4] = {{x1, y1}, {x2, y1}, {x2, y2}, {x1, y2}};
  if (!(on > 0.0F) || !(off > 0.0F) || !((x2 - x1) + (y2 - y1) < detail::most_dashes * (on + off)))
    return {Polyline{corners[0], corners[1], corners[2], corners[3], corners[0]}};
  std::vector<Polyline> pieces(4);  // the corners come first, each from one side into the next
  for (int side = 0; side < 4; ++side) {
    const Point a = corners[side];
    const Point b = corners[(side + 1) % 4];
    const float length = std::abs(b.x - a.x) + std::abs(b.y - a.y);
    const float periods = std::max(1.0F, std::floor(length / (on + off) + 0.5F));
    const float half = 0.5F * on / (on + off);  // of a dash, in periods
    const auto at = [&](float period) {
      const float t = period / periods;
      return Point{a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t};
    };
    Polyline& corner = pieces[static_cast<std::size_t>(side)];
    corner.push_back(a);
    corner.push_back(at(half));
    for (float k = 1.0F; k < periods; k += 1.0F) pieces.push_back({at(k - half), at(k + half)});
    Polyline& next = pieces[static_cast<std::size_t>((side + 1) % 4)];
    next.insert(next.begin(), at(periods - half));
  }
  return pieces;
}

}  // namespace mrcnn::vis

#endif
