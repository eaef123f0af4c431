#include "mrcnn/vis/contour.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "mrcnn/core/random.hpp"

using namespace mrcnn;
using namespace mrcnn::vis;

namespace {

/// A mask from rows of `#` and `.`, its corner at (x, y).
InstanceMask mask_of(const std::vector<std::string>& rows, index_t x = 0, index_t y = 0) {
  InstanceMask mask{
      x, y, static_cast<index_t>(rows.empty() ? 0 : rows[0].size()), static_cast<index_t>(rows.size()), {}};
  for (const auto& row : rows)
    for (const char c : row) mask.pixels.push_back(c == '#' ? 1 : 0);
  return mask;
}

/// Twice the signed area, positive when clockwise as seen (y down).
double doubled_area(const Polyline& line) {
  double sum = 0;
  for (std::size_t i = 0; i + 1 < line.size(); ++i)
    sum += static_cast<double>(line[i].x) * static_cast<double>(line[i + 1].y) -
           static_cast<double>(line[i + 1].x) * static_cast<double>(line[i].y);
  return sum;
}

double doubled_area(const std::vector<Polyline>& lines) {
  double sum = 0;
  for (const auto& line : lines) sum += doubled_area(line);
  return sum;
}

}  // namespace

TEST_CASE("mask_contours: one pixel is a diamond through the middles of its four sides") {
  const auto lines = mask_contours(mask_of({"#"}, 3, 5));
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == Polyline{{4, 5.5F}, {3.5F, 6}, {3, 5.5F}, {3.5F, 5}, {4, 5.5F}});
}

TEST_CASE("mask_contours: a rectangle is an octagon; points in the middle of its sides are left out") {
  const auto lines = mask_contours(mask_of({"###", "###"}));
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] ==
        Polyline{{3, 0.5F}, {3, 1.5F}, {2.5F, 2}, {0.5F, 2}, {0, 1.5F}, {0, 0.5F}, {0.5F, 0}, {2.5F, 0}, {3, 0.5F}});
}

TEST_CASE("mask_contours: the edge of the crop is a border like any other") {
  const auto whole = mask_contours(mask_of({"##", "##"}, 1, 1));
  const auto padded = mask_contours(mask_of({"....", ".##.", ".##.", "...."}));
  CHECK(whole == padded);
}

TEST_CASE("mask_contours: a ring has an outer border and a hole that runs the other way") {
  const auto lines = mask_contours(mask_of({"###", "#.#", "###"}));
  REQUIRE(lines.size() == 2);
  CHECK(doubled_area(lines[0]) == 2 * (9 - 0.5));  // each corner of a border loses an eighth of a pixel
  CHECK(lines[1] == Polyline{{1, 1.5F}, {1.5F, 2}, {2, 1.5F}, {1.5F, 1}, {1, 1.5F}});
  CHECK(doubled_area(lines[1]) == -1);
}

TEST_CASE("mask_contours: pixels that touch at a corner are two, holes that do are one") {
  CHECK(mask_contours(mask_of({"#.", ".#"})).size() == 2);
  CHECK(mask_contours(mask_of({".#", "#."})).size() == 2);
  CHECK(mask_contours(mask_of({"####", "#.##", "##.#", "####"})).size() == 2);
  CHECK(mask_contours(mask_of({"####", "##.#", "#.##", "####"})).size() == 2);
}

TEST_CASE("mask_contours: a staircase is cut along its diagonal in one straight piece") {
  const auto lines = mask_contours(mask_of({"#..", "##.", "###"}));
  REQUIRE(lines.size() == 1);
  bool diagonal = false;
  for (std::size_t i = 0; i + 1 < lines[0].size(); ++i) {
    const double dx = std::abs(lines[0][i + 1].x - lines[0][i].x);
    const double dy = std::abs(lines[0][i + 1].y - lines[0][i].y);
    CHECK((dx == 0 || dy == 0 || dx == dy));
    diagonal = diagonal || (dx == dy && dx >= 2);
  }
  CHECK(diagonal);
}

TEST_CASE("mask_contours: no pixels, no extents, all pixels clear") {
  CHECK(mask_contours(InstanceMask{}).empty());
  CHECK(mask_contours(InstanceMask{4, 4, 0, 7, {}}).empty());
  CHECK(mask_contours(mask_of({"...", "..."})).empty());
}

TEST_CASE("mask_contours: any value but 0 counts as inside") {
  InstanceMask mask = mask_of({"##", ".#"});
  const auto expected = mask_contours(mask);
  mask.pixels = {255, 1, 0, 7};
  CHECK(mask_contours(mask) == expected);
}

TEST_CASE("mask_contours: on random masks all lines are closed, lie half-way between pixels, and enclose the mask") {
  Philox random(20240607);
  for (int draw = 0; draw < 60; ++draw) {
    InstanceMask mask{
        -3, 7, 1 + static_cast<index_t>(random.below(40)), 1 + static_cast<index_t>(random.below(12)), {}};
    const std::uint32_t density = 1 + random.below(9);
    mask.pixels.resize(static_cast<std::size_t>(mask.width * mask.height));
    for (auto& pixel : mask.pixels) pixel = random.below(10) < density ? 1 : 0;
    const auto lines = mask_contours(mask);

    // Marching squares, said without walking: every 2 x 2 neighbourhood adds its share of the area.
    double area = 0;
    for (index_t y = mask.y - 1; y < mask.y + mask.height; ++y) {
      for (index_t x = mask.x - 1; x < mask.x + mask.width; ++x) {
        const int inside =
            mask.contains(x, y) + mask.contains(x + 1, y) + mask.contains(x, y + 1) + mask.contains(x + 1, y + 1);
        const bool saddle = inside == 2 && mask.contains(x, y) == mask.contains(x + 1, y + 1);
        const double shares[] = {0.0, 0.125, 0.5, 0.875, 1.0};
        area += saddle ? 0.25 : shares[inside];
      }
    }
    CHECK(doubled_area(lines) == doctest::Approx(2 * area));

    for (const auto& line : lines) {
      CHECK(line.size() >= 5);
      CHECK(line.front() == line.back());
      for (const Point p : line) {
        const bool between_columns = p.x == std::floor(p.x) && p.y - std::floor(p.y) == 0.5F;
        const bool between_rows = p.y == std::floor(p.y) && p.x - std::floor(p.x) == 0.5F;
        CHECK((between_columns || between_rows));
        const auto column = static_cast<index_t>(std::floor(p.x));
        const auto row = static_cast<index_t>(std::floor(p.y));
        CHECK((between_columns ? mask.contains(column - 1, row) != mask.contains(column, row)
                               : mask.contains(column, row - 1) != mask.contains(column, row)));
      }
    }
  }
}

TEST_CASE("mask_contours: a mask whose pixels do not fit its extents is refused by name") {
  const InstanceMask mask{0, 0, 3, 2, {1, 1, 1, 1, 1}};
  CHECK_THROWS_WITH_AS(mask_contours(mask), "mask_contours: mask has 5 pixels, expected [2, 3]", ShapeError);
  CHECK_THROWS_AS(mask_contours(InstanceMask{0, 0, -1, -1, {1}}), ShapeError);
  CHECK_THROWS_AS(mask_contours(InstanceMask{0, 0, index_t{1} << 40, index_t{1} << 40, {}}), ShapeError);
  CHECK_THROWS_AS(mask_contours(InstanceMask{INT64_MIN, 0, 1, 1, {1}}), ShapeError);
}
