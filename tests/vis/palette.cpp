#include "mrcnn/vis/palette.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

using namespace mrcnn::vis;

TEST_CASE("from_hsv: the corners of the colour circle, and gray") {
  CHECK(from_hsv(0.0, 1.0, 1.0) == Color{255, 0, 0});
  CHECK(from_hsv(1.0 / 6.0, 1.0, 1.0) == Color{255, 255, 0});
  CHECK(from_hsv(1.0 / 3.0, 1.0, 1.0) == Color{0, 255, 0});
  CHECK(from_hsv(0.5, 1.0, 1.0) == Color{0, 255, 255});
  CHECK(from_hsv(2.0 / 3.0, 1.0, 1.0) == Color{0, 0, 255});
  CHECK(from_hsv(5.0 / 6.0, 1.0, 1.0) == Color{255, 0, 255});
  CHECK(from_hsv(0.4, 0.0, 0.5) == Color{128, 128, 128});
  CHECK(from_hsv(0.7, 1.0, 0.0) == black);
}

TEST_CASE("from_hsv: hue wraps around, in both directions") {
  CHECK(from_hsv(1.0, 1.0, 1.0) == Color{255, 0, 0});
  CHECK(from_hsv(2.5, 1.0, 1.0) == Color{0, 255, 255});
  CHECK(from_hsv(-0.5, 1.0, 1.0) == Color{0, 255, 255});
}

TEST_CASE("luminance and contrast: the reference points of WCAG") {
  CHECK(luminance(black) == 0.0);
  CHECK(luminance(white) == doctest::Approx(1.0));
  CHECK(contrast(black, white) == doctest::Approx(21.0));
  CHECK(contrast(white, white) == doctest::Approx(1.0));
  // #767676 is known as the lightest gray that reads on white at 4.5; our curve is 2.2 instead of the piecewise one.
  CHECK(contrast(Color{0x76, 0x76, 0x76}, white) == doctest::Approx(4.54).epsilon(0.03));
}

TEST_CASE("instance_color: known from run to run, known at compile time") {
  static_assert(instance_color(7) == instance_color(7));
  // hsv(0.02, 0.92, 1): blue falls short of full by saturation, green rises a fraction 0.02 * 6 of the way.
  CHECK(instance_color(0) == Color{255, 49, 20});
}

TEST_CASE("instance_color: the colours of a picture's instances are far apart") {
  const auto distance = [](Color a, Color b) {
    return std::abs(a.red - b.red) + std::abs(a.green - b.green) + std::abs(a.blue - b.blue);
  };
  for (int i = 0; i < 40; ++i) {
    for (int j = 0; j < i; ++j) {
      CAPTURE(i);
      CAPTURE(j);
      CHECK(distance(instance_color(i), instance_color(j)) >= 20);
      if (i - j <= 4) CHECK(distance(instance_color(i), instance_color(j)) >= 120);
    }
  }
}

TEST_CASE("instance_color: any index has a colour that is neither dark nor gray") {
  for (const std::int64_t i : {std::int64_t{0}, std::int64_t{1}, std::int64_t{99}, std::int64_t{123456789}, INT64_MAX,
                               std::int64_t{-1}, INT64_MIN}) {
    const Color color = instance_color(i);
    const int high = std::max({color.red, color.green, color.blue});
    const int low = std::min({color.red, color.green, color.blue});
    CHECK(high >= 200);
    CHECK(high - low >= 100);
  }
}

TEST_CASE("darkened_for_white_text: white text reads on every instance's colour") {
  for (int i = 0; i < 200; ++i) CHECK(contrast(darkened_for_white_text(instance_color(i)), white) >= 5.0);
  CHECK(darkened_for_white_text(black) == black);
  CHECK(darkened_for_white_text(Color{0, 0, 128}) == Color{0, 0, 128});  // dark enough already
  CHECK(contrast(darkened_for_white_text(white), white) >= 5.0);
}
