#include "mrcnn/coco/boundary.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <limits>
#include <vector>

#include "tests/support/draw.hpp"
#include "tests/support/mask_image.hpp"

namespace mrcnn::coco {
namespace {

using test::Draw;
using test::MaskImage;

/// The definition: some pixel within `distance` is not in the mask.
Rle naive_boundary(const MaskImage& mask, index_t distance) {
  MaskImage result(mask.height, mask.width);
  for (index_t y = 0; y < mask.height; ++y)
    for (index_t x = 0; x < mask.width; ++x) {
      bool all = true;
      for (index_t dy = -distance; dy <= distance; ++dy)
        for (index_t dx = -distance; dx <= distance; ++dx) all = all && mask.has(y + dy, x + dx);
      result.at(y, x) = mask.has(y, x) && !all ? 1 : 0;
    }
  return result.rle();
}

/// Blots of full rectangles, with holes of a pixel.
MaskImage blots(index_t height, index_t width, Draw& draw) {
  MaskImage mask(height, width);
  for (int blot = draw.integer(1, 4); blot > 0; --blot) {
    const int top = draw.integer(-5, static_cast<int>(height)), left = draw.integer(-5, static_cast<int>(width));
    const int rows = draw.integer(1, static_cast<int>(height)), columns = draw.integer(1, static_cast<int>(width));
    for (int y = std::max(top, 0); y < std::min<index_t>(top + rows, height); ++y)
      for (int x = std::max(left, 0); x < std::min<index_t>(left + columns, width); ++x) mask.at(y, x) = 1;
  }
  for (int hole = draw.integer(0, 3); hole > 0; --hole)
    mask.at(draw.integer(0, static_cast<int>(height) - 1), draw.integer(0, static_cast<int>(width) - 1)) = 0;
  return mask;
}

TEST_CASE("the width of a boundary is rounded half to even, and at least a pixel") {
  CHECK(boundary_width(480, 640, 0.02) == 16);
  CHECK(boundary_width(30, 40, 0.05) == 2);  // 2.5
  CHECK(boundary_width(30, 40, 0.07) == 4);  // 3.5
  CHECK(boundary_width(30, 40, 0.001) == 1);
  CHECK(boundary_width(0, 0, 0.02) == 1);
  CHECK(boundary_width(30, 40, 1e300) == 4294967296);
  CHECK_THROWS_WITH_AS(boundary_width(3, 4, -0.5), "boundary: dilation_ratio is -0.500000, expected 0 or more",
                       ShapeError);
  CHECK_THROWS_AS(boundary_width(3, 4, std::numeric_limits<double>::quiet_NaN()), ShapeError);
  CHECK_THROWS_AS(boundary_width(3, 4, std::numeric_limits<double>::infinity()), ShapeError);
}

TEST_CASE("a boundary of one pixel, by hand") {
  // . . . . . .      . . . . . .
  // . # # # # .      . # # # # .
  // . # # # # .  ->  . # . . # .
  // . # # # # .      . # . . # .
  // . # # # # #      . # # # # #
  MaskImage mask(5, 6), ring(5, 6);
  for (index_t y = 1; y < 5; ++y)
    for (index_t x = 1; x < 5; ++x) mask.at(y, x) = ring.at(y, x) = 1;
  mask.at(4, 5) = ring.at(4, 5) = 1;
  for (index_t y = 2; y < 4; ++y)
    for (index_t x = 2; x < 4; ++x) ring.at(y, x) = 0;
  CHECK(boundary(mask.rle(), 0.02) == ring.rle());
}

TEST_CASE("the edge of the picture is an edge") {
  CHECK(boundary(Rle{3, 4, {0, 12}}, 0.02) == Rle{3, 4, {0, 4, 1, 2, 1, 4}});
  CHECK(boundary(Rle{3, 2, {0, 6}}, 0.02) == Rle{3, 2, {0, 6}});
  CHECK(boundary(Rle{3, 4, {0, 12}}, 0.4) == Rle{3, 4, {0, 12}});  // 2 pixels: all of them
}

TEST_CASE("equals the definition, for masks around the length of a word and of a block") {
  Draw draw(12);
  const index_t sizes[][2] = {{1, 1}, {1, 40}, {40, 1}, {9, 9}, {70, 12}, {12, 70}, {66, 30}, {131, 40}};
  for (const auto& size : sizes)
    for (int i = 0; i < 12; ++i) {
      const MaskImage mask = blots(size[0], size[1], draw);
      const double ratio = 0.01 * draw.integer(0, 12);
      CAPTURE(size[0]);
      CAPTURE(size[1]);
      CAPTURE(ratio);
      const Rle found = boundary(mask.rle(), ratio);
      CHECK(found == naive_boundary(mask, boundary_width(size[0], size[1], ratio)));
    }
}

// The string is that of the steps of the API's authors, taken with OpenCV 5.0.0.
TEST_CASE("an ellipse equals the API of boundary IoU") {
  MaskImage ellipse(40, 60);
  for (index_t y = 0; y < 40; ++y)
    for (index_t x = 0; x < 60; ++x)
      ellipse.at(y, x) = 3 * (x - 30) * (x - 30) + 8 * (y - 18) * (y - 18) < 1200 ? 1 : 0;
  CHECK(to_string(boundary(ellipse.rle(), 0.02)) ==
        "W>7o0LVO0g0O]O0a00A0=0E0:OH071I06OL031M02O000000O110NO40L040L040L040K150JO80H080H080H080H080H160KO50L040L040L"
        "040L120OO10000001N03OM041J07OI081F0;0C0?0_O0c01YO0j04S<");
  CHECK(to_string(boundary(ellipse.rle(), 0.07)) ==
        "W>7o04M2N2N2O0OH[O0d0O^O0a00A0>OD0<0D0;0G080H08OJ060J060J050M020N020N020N020N020N020N030K060J060J061H080H090E0"
        "<0D0<1B0?0_O0b01\\O0e08101N2N2N3LS<");
}

TEST_CASE("nothing has no boundary; runs without length count for nothing") {
  CHECK(boundary(Rle{}, 0.02) == Rle{0, 0, {0}});
  CHECK(boundary(Rle{4, 5, {20}}, 0.02) == Rle{4, 5, {20}});
  CHECK(boundary(Rle{3, 4, {0, 5, 0, 7}}, 0.02) == Rle{3, 4, {0, 4, 1, 2, 1, 4}});
  CHECK(boundary(Rle{3, 4, {0, 12, 0, 0}}, 0.02) == Rle{3, 4, {0, 4, 1, 2, 1, 4}});
  CHECK_THROWS_AS(boundary(Rle{3, 4, {11}}, 0.02), FormatError);
}

TEST_CASE("a mask of 900 million pixels") {
  // Full: what stays inside are 28,302 columns of 28,302 pixels, 849 = round(0.02 * 42426.4) from every edge.
  const Rle found = boundary(Rle{30000, 30000, {0, 900000000}}, 0.02);
  CHECK(area(found) == 900000000ULL - 28302ULL * 28302ULL);
  CHECK(found.counts.size() == 2 + 2 * 28302);
  CHECK(found.counts[1] == 849U * 30000U + 849U);
  CHECK(found.counts[2] == 28302U);
}

}  // namespace
}  // namespace mrcnn::coco
