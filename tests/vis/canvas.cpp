#include "mrcnn/vis/canvas.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

using namespace mrcnn;
using namespace mrcnn::vis;

namespace {

const float infinity = std::numeric_limits<float>::infinity();
const float not_a_number = std::numeric_limits<float>::quiet_NaN();

Image gray(index_t height, index_t width, std::uint8_t value) {
  Image image(height, width);
  for (auto& byte : image.pixels) byte = value;
  return image;
}

/// The red channel, row by row.
std::vector<int> red(const Image& image) {
  std::vector<int> values;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) values.push_back(image.pixels[i]);
  return values;
}

/// What a shape covers on a black picture when painted white: coverage in 255ths.
template <class Shape>
std::vector<int> coverage(index_t height, index_t width, Shape&& shape) {
  Image image = gray(height, width, 0);
  Canvas canvas(image);
  shape(canvas);
  canvas.paint(white);
  return red(image);
}

long long total(const std::vector<int>& values) {
  long long sum = 0;
  for (const int value : values) sum += value;
  return sum;
}

}  // namespace

TEST_CASE("paint: blends by alpha times coverage, rounded, channel by channel") {
  Image image = gray(1, 2, 100);
  Canvas canvas(image);
  canvas.cover_rectangle(0, 0, 1, 1);
  canvas.paint({200, 101, 0}, 0.5F);
  CHECK(image.pixels == std::vector<std::uint8_t>{150, 101, 50, 100, 100, 100});  // 100.5 rounds up
}

TEST_CASE("paint: twice the same shape before one paint is painted once") {
  Image image = gray(1, 1, 0);
  Canvas canvas(image);
  canvas.cover_rectangle(0, 0, 1, 1);
  canvas.cover_rectangle(0, 0, 1, 1);
  canvas.paint(white, 0.5F);
  CHECK(image.pixels[0] == 128);
  canvas.paint(white, 0.5F);  // nothing is covered any more
  CHECK(image.pixels[0] == 128);
}

TEST_CASE("paint: alpha outside [0, 1] is limited, NaN is 0") {
  for (const auto& [alpha, expected] : {std::pair{-1.0F, 10}, std::pair{not_a_number, 10}, std::pair{7.0F, 255}}) {
    Image image = gray(1, 1, 10);
    Canvas canvas(image);
    canvas.cover_rectangle(0, 0, 1, 1);
    canvas.paint(white, alpha);
    CHECK(image.pixels[0] == expected);
  }
}

TEST_CASE("cover_rectangle: parts of pixels by their area") {
  const auto covered = coverage(3, 3, [](Canvas& c) { c.cover_rectangle(0.5F, 1, 2, 1.6F); });
  CHECK(covered == std::vector<int>{0, 0, 0, 77, 153, 0, 0, 0, 0});  // 0.3 and 0.6 of 255, rounded
}

TEST_CASE("cover_rectangle: outside, reversed, endless, NaN") {
  CHECK(total(coverage(2, 2, [](Canvas& c) { c.cover_rectangle(5, 5, 9, 9); })) == 0);
  CHECK(total(coverage(2, 2, [](Canvas& c) { c.cover_rectangle(-9, -9, -5, -5); })) == 0);
  CHECK(total(coverage(2, 2, [](Canvas& c) { c.cover_rectangle(2, 2, 0, 0); })) == 0);
  CHECK(total(coverage(2, 2, [](Canvas& c) { c.cover_rectangle(0, not_a_number, 2, 2); })) == 0);
  CHECK(total(coverage(2, 2, [](Canvas& c) { c.cover_rectangle(-infinity, 0, 2, 2); })) == 0);
  CHECK(total(coverage(2, 2, [](Canvas& c) { c.cover_rectangle(-3e38F, -3e38F, 3e38F, 3e38F); })) == 4 * 255);
}

TEST_CASE("cover_line: a line of width 2 along a pixel border fills the pixels on both sides exactly") {
  const auto covered = coverage(4, 4, [](Canvas& c) { c.cover_line(Polyline{{1, 2}, {3, 2}}, {2.0F, false}); });
  CHECK(covered == std::vector<int>{0, 0, 0, 0, 0, 255, 255, 0, 0, 255, 255, 0, 0, 0, 0, 0});
}

TEST_CASE("cover_line: width 1 along pixel centres, and width 1 between pixels") {
  CHECK(coverage(3, 1, [](Canvas& c) {
          c.cover_line(Polyline{{-5, 1.5F}, {5, 1.5F}}, {1.0F, false});
        }) == std::vector<int>{0, 255, 0});
  CHECK(coverage(3, 1, [](Canvas& c) {
          c.cover_line(Polyline{{-5, 1}, {5, 1}}, {1.0F, false});
        }) == std::vector<int>{128, 128, 0});
  CHECK(coverage(3, 1, [](Canvas& c) {
          c.cover_line(Polyline{{-5, 1.5F}, {5, 1.5F}}, {0.4F, false});
        }) == std::vector<int>{0, 102, 0});
}

TEST_CASE("cover_line: a square corner is filled and not darker than the rest") {
  const auto covered = coverage(5, 5, [](Canvas& c) { c.cover_line(Polyline{{1, 4}, {1, 1}, {4, 1}}, {2.0F, false}); });
  CHECK(covered == std::vector<int>{255, 255, 255, 255, 0,  //
                                    255, 255, 255, 255, 0,  //
                                    255, 255, 0,   0,   0,  //
                                    255, 255, 0,   0,   0,  //
                                    0,   0,   0,   0,   0});
}

TEST_CASE("cover_line: round ends reach half the width beyond, a dot is a disc") {
  const auto disc = coverage(21, 21, [](Canvas& c) { c.cover_line(Polyline{{10.5F, 10.5F}}, {16.0F, true}); });
  CHECK(static_cast<double>(total(disc)) / 255.0 == doctest::Approx(201.06).epsilon(0.01));  // pi * 8 * 8
  const auto same = coverage(21, 21, [](Canvas& c) {
    c.cover_line(Polyline{{10.5F, 10.5F}, {10.5F, 10.5F}}, {16.0F, true});
  });
  CHECK(same == disc);
  for (std::size_t y = 0; y < 21; ++y)
    for (std::size_t x = 0; x < 21; ++x) CHECK(disc[y * 21 + x] == disc[x * 21 + y]);
}

TEST_CASE("cover_line: slanted lines have the area that length and width say") {
  for (const Point to : {Point{90, 30}, Point{40, 95}, Point{88, 88}, Point{12, 90}, Point{90, 11}}) {
    const auto covered = coverage(100, 100, [&](Canvas& c) { c.cover_line(Polyline{{10, 10}, to}, {5.0F, false}); });
    const double length = std::hypot(to.x - 10.0, to.y - 10.0);
    CHECK(static_cast<double>(total(covered)) / 255.0 == doctest::Approx(length * 5.0).epsilon(0.02));
  }
}

TEST_CASE("cover_line: nothing to draw, and coordinates that no picture has") {
  CHECK(total(coverage(2, 2, [](Canvas& c) { c.cover_line({}, {3.0F, true}); })) == 0);
  CHECK(total(coverage(2, 2, [](Canvas& c) { c.cover_line(Polyline{{1, 1}, {2, 2}}, {0.0F, true}); })) == 0);
  CHECK(total(coverage(2, 2, [](Canvas& c) { c.cover_line(Polyline{{1, 1}, {2, 2}}, {not_a_number, true}); })) == 0);
  CHECK(total(coverage(2, 2, [](Canvas& c) { c.cover_line(Polyline{{not_a_number, 1}, {2, 2}}, {2.0F, true}); })) == 0);
  CHECK(total(coverage(2, 2, [](Canvas& c) { c.cover_line(Polyline{{1, 1}, {infinity, 2}}, {2.0F, true}); })) == 0);
  CHECK(total(coverage(2, 2, [](Canvas& c) { c.cover_line(Polyline{{-3e38F, 1}, {3e38F, 1}}, {2.0F, true}); })) == 0);
  CHECK(total(coverage(2, 2, [](Canvas& c) {
          c.cover_line(Polyline{{-1e9F, 1}, {1e9F, 1}}, {2.0F, true});
        })) == 4 * 255);
}

TEST_CASE("cover_contours: exact areas of a triangle's pixels") {
  // The lower left half of a 2 x 2 square: two pixels are cut through the middle, one is full.
  const std::vector<Polyline> triangle{{{0, 0}, {2, 2}, {0, 2}}};
  CHECK(coverage(2, 2, [&](Canvas& c) { c.cover_contours(triangle); }) == std::vector<int>{128, 0, 255, 128});
}

TEST_CASE("cover_contours: a contour of the other direction is a hole, of the same direction it is not") {
  const Polyline outer{{0, 0}, {4, 0}, {4, 4}, {0, 4}};
  const Polyline inner{{1, 1}, {3, 1}, {3, 3}, {1, 3}};
  const Polyline reversed{inner.rbegin(), inner.rend()};
  CHECK(total(coverage(4, 4, [&](Canvas& c) { c.cover_contours(std::vector{outer, reversed}); })) == 12 * 255);
  CHECK(total(coverage(4, 4, [&](Canvas& c) { c.cover_contours(std::vector{outer, inner}); })) == 16 * 255);
}

TEST_CASE("cover_contours: a disc of many chords has a disc's area, wherever it lies between pixels") {
  for (const float shift : {0.0F, 0.25F, 0.7F}) {
    Polyline circle;
    for (int i = 0; i < 400; ++i) {
      const double t = 2.0 * 3.14159265358979 * i / 400.0;
      circle.push_back(
          {static_cast<float>(12 + shift + 9 * std::cos(t)), static_cast<float>(12 - shift + 9 * std::sin(t))});
    }
    const auto covered = coverage(24, 24, [&](Canvas& c) { c.cover_contours(std::vector<Polyline>{circle}); });
    CHECK(static_cast<double>(total(covered)) / 255.0 == doctest::Approx(254.47).epsilon(0.003));
  }
}

TEST_CASE("cover_contours: what sticks out is cut off, on all four sides") {
  const std::vector<Polyline> large{{{-50, -50}, {50, -50}, {50, 50}, {-50, 50}}};
  CHECK(total(coverage(3, 4, [&](Canvas& c) { c.cover_contours(large); })) == 12 * 255);
  const std::vector<Polyline> left{{{-50, 1}, {2, 1}, {2, 2}, {-50, 2}}};
  CHECK(coverage(3, 3, [&](Canvas& c) { c.cover_contours(left); }) == std::vector<int>{0, 0, 0, 255, 255, 0, 0, 0, 0});
}

TEST_CASE("cover_contours: none, empty, of one point, NaN, endless") {
  CHECK(total(coverage(2, 2, [](Canvas& c) { c.cover_contours({}); })) == 0);
  CHECK(total(coverage(2, 2, [](Canvas& c) { c.cover_contours(std::vector<Polyline>{{}, {{1, 1}}}); })) == 0);
  CHECK(total(coverage(2, 2, [](Canvas& c) {
          c.cover_contours(std::vector<Polyline>{{{0, 0}, {2, not_a_number}, {2, 2}}});
        })) == 0);
  CHECK(total(coverage(2, 2, [](Canvas& c) {
          c.cover_contours(std::vector<Polyline>{{{0, 0}, {infinity, 0}, {2, 2}}});
        })) == 0);
  const std::vector<Polyline> vast{{{-3e38F, -3e38F}, {3e38F, -3e38F}, {3e38F, 3e38F}, {-3e38F, 3e38F}}};
  coverage(2, 2, [&](Canvas& c) { c.cover_contours(vast); });  // any result, but no undefined behaviour
}

TEST_CASE("Canvas: pictures of no pixels, and of one") {
  Image empty(0, 0);
  Canvas nothing(empty);
  nothing.cover_rectangle(0, 0, 5, 5);
  nothing.cover_line(Polyline{{0, 0}, {5, 5}}, {3.0F, true});
  nothing.cover_contours(std::vector<Polyline>{{{0, 0}, {5, 0}, {5, 5}}});
  nothing.paint(white);
  CHECK(coverage(1, 1, [](Canvas& c) {
          c.cover_line(Polyline{{-3, 0.5F}, {3, 0.5F}}, {2.0F, true});
        }) == std::vector<int>{255});
}

TEST_CASE("Canvas: an image whose bytes do not fit its extents is refused by name") {
  Image image(2, 3);
  image.pixels.pop_back();
  CHECK_THROWS_WITH_AS(Canvas{image}, "Canvas: image has 17 bytes, expected [2, 3, 3]", ShapeError);
  Image huge;
  huge.height = index_t{1} << 62;
  huge.width = index_t{1} << 62;
  CHECK_THROWS_AS(Canvas{huge}, ShapeError);
  Image negative;
  negative.height = -1;
  CHECK_THROWS_AS(Canvas{negative}, ShapeError);
}
