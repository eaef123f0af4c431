#ifndef MRCNN_VIS_CONTOUR_HPP
#define MRCNN_VIS_CONTOUR_HPP

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "mrcnn/core/error.hpp"
#include "mrcnn/models/detections.hpp"
#include "mrcnn/vis/canvas.hpp"
#include "mrcnn/vis/path.hpp"

namespace mrcnn::vis {

namespace detail {

inline void check_mask(const char* function, const InstanceMask& mask) {
  if (!has_extents(mask.pixels.size(), mask.height, mask.width))
    throw ShapeError(std::string(function) + ": mask has " + std::to_string(mask.pixels.size()) +
                     " pixels, expected [" + std::to_string(mask.height) + ", " + std::to_string(mask.width) + "]");
  constexpr index_t farthest = index_t{1} << 31;
  if (mask.x < -farthest || mask.x > farthest || mask.y < -farthest || mask.y > farthest)
    throw ShapeError(std::string(function) + ": mask lies at (" + std::to_string(mask.x) + ", " +
                     std::to_string(mask.y) + "), expected pixels of the picture");
}

/// The first of `count` bytes at or after `from` that is not 0; `count` when there is none.
inline index_t next_set(const std::uint8_t* bytes, index_t from, index_t count) {
  while (from + 8 <= count) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + from, sizeof(word));
    if (word != 0) break;
    from += 8;
  }
  while (from < count && bytes[from] == 0) ++from;
  return from;
}

/// The first of `count` bytes at or after `from` that is 0; `count` when there is none.
inline index_t next_clear(const std::uint8_t* bytes, index_t from, index_t count) {
  if (from >= count) return count;
  const void* found = std::memchr(bytes + from, 0, static_cast<std::size_t>(count - from));
  return found == nullptr ? count : static_cast<const std::uint8_t*>(found) - bytes;
}

/// Walks the 0.5 iso-contours of a mask by marching squares.
///
/// A cell has the centres of four pixels for corners, so its own centre is the point where those pixels meet: cell
/// (column, row) lies around that point of the crop. The walk keeps the mask on its right hand and crosses from cell to
/// cell half-way between a pixel inside and a pixel outside. Every contour somewhere passes down along the right end of
/// a run of pixels, so it is enough to start at each run end that no walk has passed yet.
class ContourWalk {
 public:
  explicit ContourWalk(const InstanceMask& mask) : mask_(mask) {
    row_begin_.reserve(static_cast<std::size_t>(mask.height) + 1);
    for (index_t y = 0; y < mask.height; ++y) {
      row_begin_.push_back(run_ends_.size());
      const std::uint8_t* row = mask.pixels.data() + y * mask.width;
      for (index_t x = next_set(row, 0, mask.width); x < mask.width;) {
        const index_t end = next_clear(row, x, mask.width);
        run_ends_.push_back(end);
        x = next_set(row, end, mask.width);
      }
    }
    row_begin_.push_back(run_ends_.size());
    passed_.resize(run_ends_.size());
  }

  std::vector<Polyline> contours() {
    std::vector<Polyline> all;
    for (index_t y = 0; y < mask_.height; ++y)
      for (std::size_t run = row_begin_[static_cast<std::size_t>(y)]; run < row_begin_[static_cast<std::size_t>(y) + 1];
           ++run)
        if (!passed_[run]) all.push_back(walk(run_ends_[run], y));
    return all;
  }

 private:
  enum class Heading { north, east, south, west };

  bool inside(index_t x, index_t y) const {
    return x >= 0 && y >= 0 && x < mask_.width && y < mask_.height &&
           mask_.pixels[static_cast<std::size_t>(y * mask_.width + x)] != 0;
  }

  /// The way out of a cell that was entered with this heading. Of two pixels that only touch at a corner each is cut
  /// off by itself: the walk turns right.
  Heading leave(index_t column, index_t row, Heading heading) const {
    const bool north_west = inside(column - 1, row - 1);
    const bool north_east = inside(column, row - 1);
    const bool south_east = inside(column, row);
    const bool south_west = inside(column - 1, row);
    const bool ahead_left[4] = {north_west, north_east, south_east, south_west};  // seen by a walk with each heading
    const bool ahead_right[4] = {north_east, south_east, south_west, north_west};
    const auto h = static_cast<std::size_t>(heading);
    if (!ahead_right[h]) return static_cast<Heading>((h + 1) % 4);
    return ahead_left[h] ? static_cast<Heading>((h + 3) % 4) : heading;
  }

  void pass(index_t end, index_t y) {
    const auto first = run_ends_.begin() + static_cast<std::ptrdiff_t>(row_begin_[static_cast<std::size_t>(y)]);
    const auto last = run_ends_.begin() + static_cast<std::ptrdiff_t>(row_begin_[static_cast<std::size_t>(y) + 1]);
    passed_[static_cast<std::size_t>(std::lower_bound(first, last, end) - run_ends_.begin())] = 1;
  }

  /// The closed contour that passes down along the end of a run in row `y`.
  Polyline walk(index_t end, index_t y) {
    Polyline line;
    index_t column = end;
    index_t row = y + 1;  // the cell below the right border of the pixel (end - 1, y)
    const index_t first_row = row;
    Heading heading = Heading::south;
    do {
      append(line, crossing(column, row, heading));
      if (heading == Heading::south) pass(column, row - 1);
      heading = leave(column, row, heading);
      column += heading == Heading::east ? 1 : (heading == Heading::west ? -1 : 0);
      row += heading == Heading::south ? 1 : (heading == Heading::north ? -1 : 0);
    } while (!(column == end && row == first_row && heading == Heading::south));
    append(line, line.front());
    if (line.size() > 3 && straight(line[line.size() - 2], line.front(), line[1])) {  // start in a corner
      line.erase(line.begin());
      line.back() = line.front();
    }
    return line;
  }

  /// Where a walk with this heading comes into a cell, in the picture.
  Point crossing(index_t column, index_t row, Heading heading) const {
    Point point{static_cast<float>(mask_.x + column), static_cast<float>(mask_.y + row)};
    switch (heading) {
      case Heading::north: point.y += 0.5F; break;
      case Heading::east: point.x -= 0.5F; break;
      case Heading::south: point.y -= 0.5F; break;
      case Heading::west: point.x += 0.5F; break;
    }
    return point;
  }

  static bool straight(Point a, Point b, Point c) {
    return (b.x - a.x) * (c.y - b.y) == (b.y - a.y) * (c.x - b.x) &&
           (b.x - a.x) * (c.x - b.x) + (b.y - a.y) * (c.y - b.y) > 0.0F;
  }

  static void append(Polyline& line, Point point) {
    if (line.size() >= 2 && straight(line[line.size() - 2], line.back(), point))
      line.back() = point;
    else
      line.push_back(point);
  }

  const InstanceMask& mask_;
  std::vector<index_t> run_ends_;  // the column after each run, row by row
  std::vector<std::size_t> row_begin_;
  std::vector<std::uint8_t> passed_;
};

}  // namespace detail

/// The border of a mask as closed lines, in picture coordinates: the iso-contours at 0.5 of the mask surrounded by
/// zeros, so every vertex lies half-way between the centres of a pixel inside and a pixel outside.
///
/// Outer borders run clockwise as seen, borders of holes the other way; points in the middle of straight runs are left
/// out. Pixels that touch only at a corner are separate. The lines are ordered by the upper end of their first right
/// border, from the top, then from the left. An empty mask has none.
/// Throws: ShapeError when the pixels do not match the extents. Complexity: one pass over the pixels.
/// Source: marching squares; the choice at corners is scikit-image's default.
inline std::vector<Polyline> mask_contours(const InstanceMask& mask) {
  detail::check_mask("mask_contours", mask);
  return detail::ContourWalk(mask).contours();
}

}  // namespace mrcnn::vis

#endif
