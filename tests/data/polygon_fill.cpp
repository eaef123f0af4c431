#include "mrcnn/data/polygon_fill.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/draw.hpp"
#include "tests/support/messages.hpp"

namespace mrcnn::data {
namespace {

/// Rows of '.' and '#', a line feed behind each.
std::string picture(const coco::Rle& mask) {
  std::string text;
  const auto pixels = coco::decode(mask);
  for (index_t y = 0; y < mask.height; ++y) {
    for (index_t x = 0; x < mask.width; ++x)
      text += pixels[static_cast<std::size_t>(y * mask.width + x)] != 0 ? '#' : '.';
    text += '\n';
  }
  return text;
}

using Numbers = std::vector<double>;

TEST_CASE("fill_polygon: vertices lie on pixel centres and the outline belongs to the polygon") {
  CHECK(picture(fill_polygon(Numbers{1, 3, 3, 1}, Numbers{1, 1, 2, 2}, 4, 5)) ==
        ".....\n"
        ".###.\n"
        ".###.\n"
        ".....\n");
  CHECK(picture(fill_polygon(Numbers{0.5, 3.5, 3.5, 0.5}, Numbers{0.5, 0.5, 2.5, 2.5}, 4, 5)) ==
        ".....\n"
        ".###.\n"
        ".###.\n"
        ".....\n");
}

TEST_CASE("fill_polygon: the picture of scikit-image's documentation, and the same moved beyond the borders") {
  const Numbers rows = {1, 2, 8};
  const Numbers columns = {1, 7, 4};
  CHECK(picture(fill_polygon(columns, rows, 10, 10)) ==
        "..........\n.#........\n..######..\n..#####...\n...####...\n...###....\n....##....\n....#.....\n....#.....\n"
        "..........\n");
  const Numbers moved_rows = {-1, 0, 6};
  const Numbers moved_columns = {5, 11, 8};
  CHECK(picture(fill_polygon(moved_columns, moved_rows, 10, 10)) ==
        "......####\n......####\n.......###\n.......###\n........##\n........#.\n........#.\n..........\n..........\n"
        "..........\n");
}

TEST_CASE("fill_polygon: one vertex and two are points without a line, none is nothing") {
  CHECK(picture(fill_polygon(Numbers{1}, Numbers{0}, 2, 3)) == ".#.\n...\n");
  CHECK(picture(fill_polygon(Numbers{1.25}, Numbers{0}, 2, 3)) == "...\n...\n");
  CHECK(picture(fill_polygon(Numbers{0, 2}, Numbers{0, 2}, 3, 3)) == "#..\n...\n..#\n");
  CHECK(picture(fill_polygon(Numbers{0, 4}, Numbers{0, 2}, 3, 5)) == "#....\n.....\n....#\n");
  CHECK(picture(fill_polygon(Numbers{0, 3}, Numbers{1, 1}, 3, 4)) == "....\n#..#\n....\n");
  CHECK(picture(fill_polygon(Numbers{}, Numbers{}, 2, 3)) == "...\n...\n");
}

TEST_CASE("fill_polygon: what the outline winds around twice is outside, the outline itself is not") {
  // A rectangle of 7 x 5 pixels, and inside it one of 3 x 3 by the same line.
  const Numbers x = {0, 6, 6, 0, 0, 2, 4, 4, 2, 2};
  const Numbers y = {0, 0, 4, 4, 0, 1, 1, 3, 3, 1};
  const coco::Rle mask = fill_polygon(x, y, 5, 7);
  CHECK(coco::decode(mask)[2 * 7 + 3] == 0);
  CHECK(coco::decode(mask)[1 * 7 + 3] == 1);
}

// scikit-image 0.26.0, numpy.random.default_rng(11): outlines that cross themselves, with thirds, halves and fractions
// next to whole numbers.
struct Case {
  index_t height;
  index_t width;
  Numbers x;
  Numbers y;
  const char* expected;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {7,
       9,
       {11, -2, -1, 11, 6},
       {-1, 4, 6, -3, -1},
       ".......##\n"
       ".........\n"
       "....#....\n"
       ".###.....\n"
       "##.......\n"
       "#........\n"
       ".........\n"},
      {8,
       10,
       {7, 4.5, 9.5, 5, 11.5, 0},
       {2.5, 4.5, 7, 1, -1, 9},
       ".........#\n"
       ".....#####\n"
       "......###.\n"
       "..........\n"
       "......##..\n"
       "......###.\n"
       "........#.\n"
       "..........\n"},
      {9,
       11,
       {-1, 4, 1, -1.6666666666666667, 10.333333333333334, 3.3333333333333335, -0.6666666666666666},
       {5.333333333333333, 4.333333333333333, 2.3333333333333335, 6, 0.6666666666666666, 9, 10},
       "...........\n"
       "..........#\n"
       "........##.\n"
       ".##...###..\n"
       "###.####...\n"
       "#######....\n"
       "######.....\n"
       "######.....\n"
       "#####......\n"},
      {7,
       12,
       {-2.999999999998, 5e-13, 2.0000000000015, 4},
       {7.0000000000005, 1.5e-12, 11.000000000002, 2e-12},
       "............\n"
       "#...........\n"
       "#..#........\n"
       "#.##........\n"
       "####........\n"
       ".###........\n"
       "..#.........\n"},
      {8,
       9,
       {2, 2, -2, -0, -3, 10, 4, -1},
       {-1, 12, 4, 7, -2, -2, 10, 6},
       "#########\n"
       "#########\n"
       "#.#######\n"
       "#.######.\n"
       "..######.\n"
       "..#####..\n"
       "..#####..\n"
       "#.####...\n"},
      {9,
       10,
       {-2.5, 9, -0, -1.5, -2.5},
       {8, -0, -2, 6, 10.5},
       "##########\n"
       "########..\n"
       "#######...\n"
       "#####.....\n"
       "####......\n"
       "##........\n"
       "#.........\n"
       "..........\n"
       "..........\n"},
      {7,
       11,
       {1, 11.666666666666666, 11, 2, 3.6666666666666665, 1.6666666666666667},
       {1.3333333333333333, 8, 4.333333333333333, 9.666666666666666, 0.3333333333333333, 1.6666666666666667},
       "...........\n"
       "...#.......\n"
       "...#.......\n"
       "...........\n"
       "....##.....\n"
       "...####...#\n"
       "...########\n"},
      {8,
       12,
       {7.0000000000015, 9, 11, -0.9999999999985, 6.0000000000005, -0.9999999999985, 4.0000000000005, 9.000000000002,
        10},
       {8, -1.999999999998, -2.0000000000005, 3, 1, 10.0000000000005, 8.000000000002, 5, 6.9999999999995},
       ".......##...\n"
       "....#####...\n"
       "..#...###...\n"
       ".....####...\n"
       "....####....\n"
       "...#####....\n"
       "...#######..\n"
       "..####..###.\n"},

  };
  return all;
}

TEST_CASE("fill_polygon equals scikit-image 0.26 on outlines that cross themselves and leave the picture") {
  for (const Case& c : cases()) CHECK(picture(fill_polygon(c.x, c.y, c.height, c.width)) == c.expected);
}

/// Whether a pixel belongs to a polygon, asked of each edge in long double: not for outlines within 1e-9 of a centre.
bool inside(const Numbers& x, const Numbers& y, index_t column, index_t row, bool& close) {
  const auto px = static_cast<long double>(column);
  const auto py = static_cast<long double>(row);
  bool in = false;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t j = (i + 1) % x.size();
    const long double ax = x[i] - px;
    const long double ay = y[i] - py;
    const long double bx = x[j] - px;
    const long double by = y[j] - py;
    const long double cross = ax * by - bx * ay;
    const long double length = std::hypot(bx - ax, by - ay);
    close = close || std::abs(cross) < 1e-9L * (length + 1) || std::hypot(ax, ay) < 1e-9L;
    if ((ay > 0) != (by > 0) && (cross > 0) == (by > ay)) in = !in;
  }
  return in;
}

TEST_CASE("fill_polygon equals a walk around every pixel") {
  test::Draw draw(7);
  int pixels = 0;
  for (int round = 0; round < 200; ++round) {
    const index_t height = draw.integer(1, 20);
    const index_t width = draw.integer(1, 20);
    Numbers x;
    Numbers y;
    for (int i = draw.integer(3, 12); i > 0; --i) {
      x.push_back(static_cast<double>(draw.number(-10, 30)));
      y.push_back(static_cast<double>(draw.number(-10, 30)));
    }
    const auto mask = coco::decode(fill_polygon(x, y, height, width));
    bool equal = true;
    for (index_t row = 0; row < height; ++row)
      for (index_t column = 0; column < width; ++column) {
        bool close = false;
        const bool expected = inside(x, y, column, row, close);
        const bool found = mask[static_cast<std::size_t>(row * width + column)] != 0;
        equal = equal && (close || found == expected);
        pixels += found ? 1 : 0;
      }
    CHECK(equal);
  }
  CHECK(pixels > 1000);
}

TEST_CASE("fill_polygon: the direction and the first vertex do not matter for whole numbers") {
  test::Draw draw(8);
  for (int round = 0; round < 50; ++round) {
    Numbers x;
    Numbers y;
    for (int i = draw.integer(1, 9); i > 0; --i) {
      x.push_back(draw.integer(-3, 14));
      y.push_back(draw.integer(-3, 14));
    }
    const coco::Rle mask = fill_polygon(x, y, 12, 11);
    std::rotate(x.begin(), x.begin() + 1, x.end());
    std::rotate(y.begin(), y.begin() + 1, y.end());
    CHECK(fill_polygon(x, y, 12, 11) == mask);
    std::reverse(x.begin(), x.end());
    std::reverse(y.begin(), y.end());
    CHECK(fill_polygon(x, y, 12, 11) == mask);
    CHECK(fill_polygon(y, x, 11, 12).counts != std::vector<std::uint32_t>{});
  }
}

TEST_CASE("fill_polygon: huge outlines in small pictures, small ones in huge pictures, pictures without pixels") {
  CHECK(coco::area(fill_polygon(Numbers{-1e9, 1e9, 1e9, -1e9}, Numbers{-1e9, -1e9, 1e9, 1e9}, 7, 9)) == 63);
  CHECK(coco::area(fill_polygon(Numbers{2e4, 2e4 + 2, 2e4}, Numbers{3e4, 3e4, 3e4 + 2}, 40000, 40000)) == 6);
  CHECK(fill_polygon(Numbers{0, 5, 5}, Numbers{0, 0, 5}, 0, 4) == coco::Rle{0, 4, {0}});
  CHECK(fill_polygon(Numbers{0, 5, 5}, Numbers{0, 0, 5}, 4, 0) == coco::Rle{4, 0, {0}});
  CHECK(coco::area(fill_polygon(Numbers{-9, -2, -5}, Numbers{1, 1, 8}, 10, 10)) == 0);
  CHECK(coco::area(fill_polygon(Numbers{12, 19, 15}, Numbers{1, 1, 8}, 10, 10)) == 0);
}

TEST_CASE("fill_polygon: many vertices take a time that grows with the rows they reach") {
  Numbers x;
  Numbers y;
  for (int i = 0; i < 200000; ++i) {
    x.push_back(500 + 400 * std::cos(i * 3.14159265358979e-5));
    y.push_back(500 + 400 * std::sin(i * 3.14159265358979e-5));
  }
  const double area = static_cast<double>(coco::area(fill_polygon(x, y, 1000, 1000)));
  CHECK(std::abs(area / (3.14159265358979 * 400 * 400) - 1) < 1e-3);
}

TEST_CASE("fill_polygon: what is no polygon is named") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(test::message_of<ShapeError>([] {
          fill_polygon(Numbers{1, 2}, Numbers{1}, 3, 3);
        }) == "fill_polygon: 2 x for 1 y, expected as many of both");
  CHECK(test::message_of<ShapeError>([&] {
          fill_polygon(Numbers{1, nan}, Numbers{1, 2}, 3, 3);
        }) == "fill_polygon: vertex 1 is (nan, 2.000000), expected numbers from -1e9 to 1e9");
  CHECK_THROWS_AS(fill_polygon(Numbers{1, 2}, Numbers{1, -infinity}, 3, 3), ShapeError);
  CHECK_THROWS_AS(fill_polygon(Numbers{1, 2e9}, Numbers{1, 1}, 3, 3), ShapeError);
  CHECK(test::message_of<ShapeError>([] { fill_polygon(Numbers{1}, Numbers{1}, -3, 3); }) ==
        "fill_polygon: a picture of -3 x 3 pixels, expected extents of at least 0");
  CHECK_THROWS_AS(fill_polygon(Numbers{1}, Numbers{1}, 70000, 70000), FormatError);
}

TEST_CASE("fill_ellipse: centres inside, as skimage.draw.disk and skimage.draw.ellipse of scikit-image 0.26") {
  CHECK(picture(fill_ellipse({.x = 2, .y = 2, .radius_x = 2, .radius_y = 2}, 5, 5)) ==
        ".....\n.###.\n.###.\n.###.\n.....\n");
  CHECK(picture(fill_ellipse({.x = 4, .y = 3, .radius_x = 4.5, .radius_y = 2.2}, 7, 9)) ==
        ".........\n"
        "...###...\n"
        "#########\n"
        "#########\n"
        "#########\n"
        "...###...\n"
        ".........\n");
  CHECK(picture(fill_ellipse({.x = 4, .y = 3, .radius_x = 4.5, .radius_y = 1.6, .angle = 0.6}, 7, 9)) ==
        ".........\n"
        ".###.....\n"
        ".#####...\n"
        "..#####..\n"
        "...#####.\n"
        ".....###.\n"
        ".........\n");
  // The longer axis goes down to the right.
  CHECK(coco::decode(
            fill_ellipse({.x = 5, .y = 5, .radius_x = 5, .radius_y = 1, .angle = 0.785}, 11, 11))[8 * 11 + 8] == 1);
  CHECK(coco::area(fill_ellipse({.x = 2, .y = 2, .radius_x = 0, .radius_y = 3}, 5, 5)) == 0);
  CHECK(coco::area(fill_ellipse({.x = -9, .y = 2, .radius_x = 3, .radius_y = 3}, 5, 5)) == 0);
  CHECK(coco::area(fill_ellipse({.x = 2, .y = 2, .radius_x = 1e9, .radius_y = 1e9}, 5, 5)) == 25);
  CHECK(test::message_of<ShapeError>([] { fill_ellipse({.radius_x = -1, .radius_y = 1}, 5, 5); }) ==
        "fill_ellipse: radii of -1.000000 and 1.000000, expected at least 0");
  CHECK_THROWS_AS(fill_ellipse({.x = std::numeric_limits<double>::quiet_NaN()}, 5, 5), ShapeError);
}

}  // namespace
}  // namespace mrcnn::data
