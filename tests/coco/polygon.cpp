#include "mrcnn/coco/polygon.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "tests/support/draw.hpp"

namespace mrcnn::coco {
namespace {

using test::Draw;
using Outline = std::vector<double>;

std::string text_of(const Outline& xy, index_t height = 6, index_t width = 7) {
  return to_string(rasterize_polygon(xy, height, width));
}

std::string box_text(const double (&xywh)[4]) { return to_string(rasterize_box(xywh, 6, 7)); }

/// The definition: every edge point by point on a grid of fifths, every passage from a column's third fifth to its fourth
/// turns all pixels from there on.
std::vector<std::uint32_t> walk(const Outline& xy, index_t height, index_t width) {
  std::vector<std::pair<int, int>> corners, points;
  const auto fifths = [](double v) { return static_cast<int>(5 * v + 0.5); };
  for (std::size_t i = 0; i + 1 < xy.size(); i += 2) corners.emplace_back(fifths(xy[i]), fifths(xy[i + 1]));
  for (std::size_t i = 0; i < corners.size(); ++i) {
    auto [x, y] = corners[i];
    auto [to_x, to_y] = corners[(i + 1) % corners.size()];
    const bool wide = std::abs(to_x - x) >= std::abs(to_y - y);
    const bool turned = wide ? x > to_x : y > to_y;
    if (turned) {
      std::swap(x, to_x);
      std::swap(y, to_y);
    }
    const int steps = wide ? to_x - x : to_y - y;
    const double slope = steps == 0 ? 0.0 : static_cast<double>(wide ? to_y - y : to_x - x) / steps;
    for (int step = 0; step <= steps; ++step) {
      const int t = turned ? steps - step : step;
      const double along = slope * t;  // rounded by itself: this file is compiled without fused operations
      const int other = static_cast<int>((wide ? y : x) + along + 0.5);
      points.emplace_back(wide ? x + t : other, wide ? other : y + t);
    }
  }
  std::multiset<std::uint64_t> turns;
  for (std::size_t i = 1; i < points.size(); ++i) {
    if (points[i].first == points[i - 1].first) continue;
    const double column = (std::min(points[i].first, points[i - 1].first) - 2) / 5.0;
    if (column < 0 || column > static_cast<double>(width - 1) || column != std::floor(column)) continue;
    const double row = std::ceil((std::min(points[i].second, points[i - 1].second) - 2) / 5.0);
    turns.insert(static_cast<std::uint64_t>(column * static_cast<double>(height) +
                                            std::min(std::max(row, 0.0), static_cast<double>(height))));
  }
  std::vector<std::uint32_t> counts = {0};
  std::size_t before = 0;
  for (index_t i = 0; i < height * width; ++i) {
    const auto now =
        static_cast<std::size_t>(std::distance(turns.begin(), turns.upper_bound(static_cast<std::uint64_t>(i))));
    if ((now - before) % 2 == 1) counts.push_back(0);
    before = now;
    ++counts.back();
  }
  return counts;
}

// The strings in these cases are those of pycocotools 2.0.11.
TEST_CASE("outlines equal pycocotools") {
  CHECK(rasterize_polygon(Outline{1, 1, 1, 4, 5, 4, 5, 1}, 6, 7).counts ==
        std::vector<std::uint32_t>{7, 3, 3, 3, 3, 3, 3, 3, 14});
  CHECK(rasterize_polygon(Outline{1.5, 1.5, 4.5, 1.5, 3, 4.5}, 6, 7).counts ==
        std::vector<std::uint32_t>{14, 1, 5, 2, 20});
  CHECK(text_of({1.23, 0.37, 4.81, 1.99, 6.4, 5.55, 2.2, 4.6}) == "6252M01O1O3");
  CHECK(text_of({0.5, 0.5, 0.5, 3.5, 4.5, 3.5, 4.5, 0.5}) == "73300000;");
  CHECK(text_of({0.4, 0.4, 0.4, 3.4, 4.4, 3.4, 4.4, 0.4}) == "03300000b0");
  CHECK(text_of({2.1, -300, 2.9, 300, 5.7, -300, 6.5, 311}, 20, 9) == "l1W11]Ok1");
}

TEST_CASE("an outline that crosses itself is even and odd") {
  CHECK(text_of({10, 1, 16, 19, 1, 8, 19, 8, 4, 19}, 20, 20) ==
        "`11c01O0E021J17OG2?NI0L0130K15OK42K0<0K0E2:NH17NM0209OQ1");
  CHECK(text_of({1, 1, 1, 4, 5, 4, 5, 1, 1, 1, 1, 4, 5, 4, 5, 1}) == "Z1");  // twice round
}

TEST_CASE("outlines beyond the picture are cut off") {
  CHECK(text_of({-5, -5, -5, 4, 4, 4, 4, -5}) == "04200000b0");
  CHECK(text_of({-10, -10, -10, 30, 30, 30, 30, -10}) == "0Z1");
  CHECK(text_of({20, 20, 20, 30, 30, 30}) == "Z1");
  CHECK(text_of({1, -9, 1, -2, 5, -2}) == "Z1");
  CHECK(text_of({-1e6, -1e6, -1e6, 1e6, 3.3, 2.7, 1e6, -1e6}) == "0;1I1O1O1O7");
}

TEST_CASE("what is thin is there where it lies over the middle of a column") {
  CHECK(text_of({3.4, 0, 3.6, 0, 3.6, 6, 3.4, 6}) == "b06b0");
  CHECK(text_of({3.5, 0, 3.6, 0, 3.6, 6, 3.5, 6}) == "Z1");
}

TEST_CASE("lines and points enclose nothing, a number without a partner is ignored") {
  CHECK(text_of({1, 1, 5, 5, 1, 1}) == "Z1");
  CHECK(text_of({3, 3, 3, 3, 3, 3}) == "Z1");
  CHECK(text_of({1, 1, 5, 5}) == "Z1");
  CHECK(text_of({1, 1}) == "Z1");
  CHECK(text_of({1}) == "Z1");
  CHECK(text_of({}) == "Z1");
  CHECK(text_of({1, 1, 1, 4, 5, 4, 5, 1, 9}) == "73300000;");
  CHECK(text_of({1, 1, 1, 4, 5, 4, 5, 1}, 0, 7) == "0");
  CHECK(text_of({1, 1, 1, 4, 5, 4, 5, 1}, 6, 0) == "0");
}

TEST_CASE("boxes equal pycocotools") {
  CHECK(box_text({1, 1, 4, 3}) == "73300000;");
  CHECK(box_text({0, 0, 7, 6}) == "0Z1");
  CHECK(box_text({-1, -1, 3, 3}) == "0240n0");
  CHECK(box_text({5, 4, 9, 9}) == "R1240");
  CHECK(box_text({1, 1, 0, 3}) == "Z1");
  CHECK(box_text({5, 4, -4, -3}) == "73300000;");
  CHECK(box_text({0.5, 0.5, 1, 1}) == "71R1");
  CHECK(box_text({0.49, 0.49, 1, 1}) == "01Y1");
}

TEST_CASE("outlines of all kinds equal a walk along them") {
  Draw draw(4);
  PolygonRasterizer rasterizer;
  for (int i = 0; i < 1500; ++i) {
    const index_t height = draw.integer(1, 40), width = draw.integer(1, 40);
    const float spread = i % 7 == 0 ? 0.05F : i % 7 == 1 ? 20.0F : 1.2F;
    const float to_grid = i % 5 == 0 ? 1.0F : i % 5 == 1 ? 10.0F : 4096.0F;
    Outline xy;
    for (int corner = draw.integer(1, i % 9 == 0 ? 60 : 9); corner > 0; --corner)
      for (const index_t extent : {width, height}) {
        const float middle = static_cast<float>(extent) / 2;
        xy.push_back(std::round(to_grid * (middle + spread * draw.number(-middle, middle))) / to_grid);
      }
    CAPTURE(i);
    CHECK(rasterizer.rasterize(xy, height, width).counts == walk(xy, height, width));
  }
}

TEST_CASE("an outline in a picture of 900 million pixels costs what its columns cost") {
  const Rle band = rasterize_polygon(Outline{0, 0, 0, 30000, 30000, 30000, 30000, 29999, 1, 0}, 30000, 30000);
  CHECK(area(band) == 450044999ULL);  // as pycocotools has it: the triangle below the diagonal
  const Rle all = rasterize_polygon(Outline{0, 0, 0, 3e5, 3e5, 3e5, 3e5, 0}, 30000, 30000);
  CHECK(all.counts == std::vector<std::uint32_t>{0, 900000000U});
  // The last pixel that 32 bits can number.
  CHECK(rasterize_polygon(Outline{65536, 65534, 65536, 65535, 65537, 65535, 65537, 65534}, 65535, 65537).counts ==
        std::vector<std::uint32_t>{4294967294U, 1});
}

TEST_CASE("coordinates that are none are refused") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH_AS(rasterize_polygon(Outline{1, 1, nan, 4, 5, 4}, 6, 7),
                       "rasterize_polygon: coordinate 2 is nan, expected a number from -400000000 to 400000000",
                       FormatError);
  CHECK_THROWS_WITH_AS(rasterize_polygon(Outline{1, 1, 1e300, 4, 5, 4}, 6, 7),
                       "rasterize_polygon: coordinate 2 is 1e+300, expected a number from -400000000 to 400000000",
                       FormatError);
  for (const double wrong : {std::numeric_limits<double>::infinity(), -4.1e8, 1e300})
    CHECK_THROWS_AS(rasterize_polygon(Outline{1, 1, 2, wrong, 5, 4}, 6, 7), FormatError);
  CHECK(text_of({-4e8, -4e8, -4e8, 4e8, 4e8, 4e8, 4e8, -4e8}) == "0Z1");
  const double huge[] = {0, 0, 1e308, 1e308};
  CHECK_THROWS_AS(rasterize_box(huge, 6, 7), FormatError);
}

TEST_CASE("an outline that passes too many columns is refused before memory is taken") {
  const index_t width = 1 << 24;
  Outline zigzag = {0, 0};
  for (int i = 0; i < 3; ++i) zigzag.insert(zigzag.end(), {static_cast<double>(width), 1, 0, 1});
  CHECK_THROWS_WITH_AS(
      rasterize_polygon(zigzag, 4, width),
      "rasterize_polygon: the outline passes 100663296 columns of the picture, expected at most 67108864", FormatError);
  CHECK_THROWS_AS(rasterize_polygon(Outline{}, -1, 4), FormatError);
  CHECK_THROWS_AS(rasterize_polygon(Outline{}, 65536, 65536), FormatError);
}

}  // namespace
}  // namespace mrcnn::coco
