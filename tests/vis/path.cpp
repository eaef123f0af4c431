#include "mrcnn/vis/path.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace mrcnn::vis;

namespace {

const float infinity = std::numeric_limits<float>::infinity();
const float not_a_number = std::numeric_limits<float>::quiet_NaN();

float length_of(const Polyline& line) {
  float sum = 0.0F;
  for (std::size_t i = 0; i + 1 < line.size(); ++i)
    sum += std::hypot(line[i + 1].x - line[i].x, line[i + 1].y - line[i].y);
  return sum;
}

}  // namespace

TEST_CASE("bounds_of: all lines together; none, and NaN") {
  const std::vector<Polyline> lines{{{1, 5}, {3, 2}}, {{-1, 4}}};
  const Bounds bounds = bounds_of(lines);
  CHECK(bounds.x1 == -1);
  CHECK(bounds.y1 == 2);
  CHECK(bounds.x2 == 3);
  CHECK(bounds.y2 == 5);
  CHECK(bounds_of({}).x1 > bounds_of({}).x2);
  CHECK(std::isnan(bounds_of(std::vector<Polyline>{{{1, 1}, {not_a_number, 2}}}).x1));
}

TEST_CASE("append_curve: a parabola passes a quarter of the way to its control point") {
  Polyline line{{0, 0}};
  append_curve(line, {1, 2}, {2, 0}, 4);
  CHECK(line.size() == 5);
  CHECK(line[2] == Point{1, 1});  // half the control's height, in the middle
  CHECK(line[1] == Point{0.5F, 0.75F});
  CHECK(line.back() == Point{2, 0});
}

TEST_CASE("rounded_rectangle: closed, within its bounds, round at the corners") {
  const Polyline outline = rounded_rectangle(10, 20, 30, 28, 3);
  CHECK(outline.front() == outline.back());
  const Bounds bounds = bounds_of(std::vector<Polyline>{outline});
  CHECK(bounds.x1 == doctest::Approx(10));
  CHECK(bounds.y1 == doctest::Approx(20));
  CHECK(bounds.x2 == doctest::Approx(30));
  CHECK(bounds.y2 == doctest::Approx(28));
  for (const Point p : outline) {
    const float dx = std::max({13.0F - p.x, p.x - 27.0F, 0.0F});
    const float dy = std::max({23.0F - p.y, p.y - 25.0F, 0.0F});
    CHECK(std::hypot(dx, dy) == doctest::Approx(3));
  }
}

TEST_CASE("rounded_rectangle: a radius too large makes half discs, none makes corners") {
  for (const Point p : rounded_rectangle(0, 0, 10, 4, 99)) CHECK((p.x >= -1e-5F && p.x <= 10.00001F));
  for (const Point p : rounded_rectangle(0, 0, 10, 4, 0)) CHECK(((p.x == 0 || p.x == 10) && (p.y == 0 || p.y == 4)));
}

TEST_CASE("dashes: lengths on and off along a straight line") {
  const auto pieces = dashes(Polyline{{0, 0}, {10, 0}}, 3, 2);
  REQUIRE(pieces.size() == 2);
  CHECK(pieces[0] == Polyline{{0, 0}, {3, 0}});
  CHECK(pieces[1] == Polyline{{5, 0}, {8, 0}});
}

TEST_CASE("dashes: a dash goes round a corner") {
  const auto pieces = dashes(Polyline{{0, 0}, {2, 0}, {2, 4}}, 3, 1);
  REQUIRE(pieces.size() == 2);
  CHECK(pieces[0] == Polyline{{0, 0}, {2, 0}, {2, 1}});
  CHECK(pieces[1] == Polyline{{2, 2}, {2, 4}});
}

TEST_CASE("dashes: without a usable pattern the line stays whole") {
  const Polyline line{{0, 0}, {10, 0}};
  CHECK(dashes(line, 0, 2) == std::vector<Polyline>{line});
  CHECK(dashes(line, 2, -1) == std::vector<Polyline>{line});
  CHECK(dashes(line, not_a_number, 1) == std::vector<Polyline>{line});
  const Polyline endless{{0, 0}, {infinity, 0}};
  CHECK(dashes(endless, 1, 1).size() == 1);
  const Polyline long_line{{0, 0}, {1e9F, 0}};
  CHECK(dashes(long_line, 1, 1).size() == 1);
  CHECK(dashes(Polyline{}, 1, 1).empty());
}

TEST_CASE("dashed_rectangle: worked by hand, every corner the middle of a dash") {
  // 24 wide: pattern 4 + 2 fits four times. 12 high: twice.
  const auto pieces = dashed_rectangle(0, 0, 24, 12, 4, 2);
  REQUIRE(pieces.size() == 4 + 3 + 1 + 3 + 1);
  const auto close = [](const Polyline& line, const Polyline& expected) {
    bool equal = line.size() == expected.size();
    for (std::size_t i = 0; equal && i < line.size(); ++i)
      equal = std::hypot(line[i].x - expected[i].x, line[i].y - expected[i].y) < 1e-4F;
    return equal;
  };
  CHECK(close(pieces[0], {{0, 2}, {0, 0}, {2, 0}}));
  CHECK(close(pieces[1], {{22, 0}, {24, 0}, {24, 2}}));
  CHECK(close(pieces[2], {{24, 10}, {24, 12}, {22, 12}}));
  CHECK(close(pieces[3], {{2, 12}, {0, 12}, {0, 10}}));
  CHECK(close(pieces[4], {{4, 0}, {8, 0}}));
  CHECK(close(pieces[5], {{10, 0}, {14, 0}}));
  CHECK(close(pieces[6], {{16, 0}, {20, 0}}));
  CHECK(close(pieces[7], {{24, 4}, {24, 8}}));
}

TEST_CASE("dashed_rectangle: two thirds of the circumference are drawn when it is 4 on, 2 off, whatever the size") {
  for (const float width : {7.0F, 31.0F, 100.5F}) {
    float drawn = 0.0F;
    for (const Polyline& piece : dashed_rectangle(3, 4, 3 + width, 50, 4, 2)) drawn += length_of(piece);
    CHECK(drawn == doctest::Approx(2.0F * (width + 46.0F) * 2.0F / 3.0F));
  }
}

TEST_CASE("dashed_rectangle: endless or senseless, it is drawn whole") {
  CHECK(dashed_rectangle(0, 0, 1e30F, 5, 4, 2).size() == 1);
  CHECK(dashed_rectangle(0, 0, not_a_number, 5, 4, 2).size() == 1);
  CHECK(dashed_rectangle(0, 0, 9, 5, 0, 2).size() == 1);
  CHECK(dashed_rectangle(5, 5, 5, 5, 4, 2).size() == 4);
}
