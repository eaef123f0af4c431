#include "mrcnn/vis/curves.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "mrcnn/vis/stroke_font.hpp"
#include "tests/support/messages.hpp"

using namespace mrcnn;
using namespace mrcnn::vis;

namespace {

constexpr double no_number = std::numeric_limits<double>::quiet_NaN();
constexpr Color red{255, 0, 0};

/// A picture whose letters do not depend on the machine's fonts.
CurveOptions options_of(index_t width, index_t height) {
  CurveOptions options;
  options.width = width;
  options.height = height;
  options.typeface = std::make_shared<StrokeFont>();
  return options;
}

Color pixel(const Image& image, index_t x, index_t y) {
  const auto* at = image.pixels.data() + 3 * (y * image.width + x);
  return {at[0], at[1], at[2]};
}

/// The columns [left, right) and rows [top, bottom) of the pixels that `chosen` takes; left > right when there are none.
struct Ink {
  index_t left, top, right, bottom;
  std::size_t count;
};

template <class Chosen>
Ink ink_where(const Image& image, const Chosen& chosen) {
  Ink ink{image.width, image.height, 0, 0, 0};
  for (index_t y = 0; y < image.height; ++y)
    for (index_t x = 0; x < image.width; ++x)
      if (chosen(pixel(image, x, y)))
        ink = {std::min(ink.left, x), std::min(ink.top, y), std::max(ink.right, x + 1), std::max(ink.bottom, y + 1),
               ink.count + 1};
  return ink;
}

bool is_red(Color color) { return color.red > 200 && color.green < 80 && color.blue < 80; }
bool is_reddish(Color color) { return color.red > color.green + 30; }

Curve curve_of(std::vector<double> x, std::vector<double> y, std::string name = {}, std::string value = {}) {
  return {std::move(name), std::move(value), std::move(x), std::move(y), red};
}

Image drawn(const Curve& curve, const CurveOptions& options) { return draw_curves({&curve, 1}, options); }

}  // namespace

TEST_CASE("draw_curves: without curves there are the axes, on white") {
  const Image image = draw_curves({}, options_of(400, 300));
  CHECK(image.width == 400);
  CHECK(image.height == 300);
  CHECK(pixel(image, 0, 0) == white);
  CHECK(pixel(image, 399, 299) == white);
  CHECK(ink_where(image, [](Color c) { return !(c == white); }).count > 1000);
  CHECK(ink_where(image, is_reddish).count == 0);
}

TEST_CASE("draw_curves: numbers lie where the axes say") {
  // A level line at the top, in the middle and at the bottom: from the left axis to the right end.
  const auto options = options_of(400, 300);
  const Ink top = ink_where(drawn(curve_of({0, 1}, {1, 1}), options), is_red);
  const Ink middle = ink_where(drawn(curve_of({0, 1}, {0.5, 0.5}), options), is_red);
  const Ink bottom = ink_where(drawn(curve_of({0, 1}, {0, 0}), options), is_red);
  CHECK(top.count > 100);
  CHECK(top.left == middle.left);
  CHECK(top.right == bottom.right);
  CHECK(bottom.bottom - bottom.top <= 3);
  CHECK(std::abs((top.top + bottom.top) - 2 * middle.top) <= 2);
  const Ink steep = ink_where(drawn(curve_of({0.5, 0.5}, {0, 1}), options), is_red);
  CHECK(steep.right - steep.left <= 3);
  CHECK(std::abs(steep.left + steep.right - middle.left - middle.right) <= 2);
  CHECK(std::abs(steep.top - top.top) <= 2);
  CHECK(std::abs(steep.bottom - bottom.bottom) <= 2);

  auto other = options;
  other.x_low = -2;
  other.x_high = 6;
  other.y_low = 100;
  other.y_high = 300;
  const Ink moved = ink_where(drawn(curve_of({2, 2}, {100, 300}), other), is_red);
  CHECK(std::abs(moved.bottom - steep.bottom) <= 1);
  CHECK(moved.right - moved.left <= 3);
}

TEST_CASE("draw_curves: what is NaN, infinite or beyond the axes is left out and parts the line") {
  const auto options = options_of(400, 300);
  const double infinity = std::numeric_limits<double>::infinity();
  const Image empty = drawn(curve_of({}, {}), options);
  CHECK(drawn(curve_of({0, 0.5, 1}, {-1, -1, -1}), options).pixels == empty.pixels);
  CHECK(drawn(curve_of({0, no_number, infinity, 0.2}, {no_number, 0.5, 0.5, -infinity}), options).pixels ==
        empty.pixels);
  CHECK(drawn(curve_of({0, 1.5}, {1e300, 0.5}), options).pixels == empty.pixels);

  const Ink whole = ink_where(drawn(curve_of({0, 0.4, 0.6, 1}, {0.5, 0.5, 0.5, 0.5}), options), is_red);
  for (const double gap : {no_number, -1.0, 1.1}) {
    const Image image = drawn(curve_of({0, 0.4, 0.5, 0.6, 1}, {0.5, 0.5, gap, 0.5, 0.5}), options);
    const Ink parted = ink_where(image, is_red);
    CHECK(parted.left == whole.left);
    CHECK(parted.right == whole.right);
    CHECK(static_cast<double>(parted.count) == doctest::Approx(0.8 * static_cast<double>(whole.count)).epsilon(0.05));
    CHECK_FALSE(is_reddish(pixel(image, (parted.left + parted.right) / 2, (parted.top + parted.bottom) / 2)));
  }
}

TEST_CASE("draw_curves: a point alone is a dot") {
  const Ink dot = ink_where(drawn(curve_of({0.5}, {0.5}), options_of(400, 300)), is_reddish);
  CHECK(dot.count >= 4);
  CHECK(dot.right - dot.left <= 8);
  CHECK(dot.right - dot.left == dot.bottom - dot.top);
}

TEST_CASE("draw_curves: later curves lie on top") {
  const std::vector<Curve> curves{{"", "", {0, 1}, {0.5, 0.5}, Color{0, 0, 255}}, curve_of({0, 1}, {0.5, 0.5})};
  const Image image = draw_curves(curves, options_of(400, 300));
  CHECK(ink_where(image, [](Color c) { return c == Color{0, 0, 255}; }).count == 0);
  CHECK(ink_where(image, is_red).count > 100);
}

TEST_CASE("draw_curves: title, labels, numbers and legend are drawn, each by its option") {
  auto options = options_of(600, 400);
  const Curve named = curve_of({0, 1}, {1, 0}, "a name", "0.500");
  const Image full = drawn(named, options);
  const auto differs = [&](const CurveOptions& other) { return drawn(named, other).pixels != full.pixels; };
  auto other = options;
  other.title = "a title";
  CHECK(differs(other));
  other = options;
  other.x_label = "";
  CHECK(differs(other));
  other = options;
  other.y_label = "accuracy";
  CHECK(differs(other));
  other = options;
  other.value_label = "";
  CHECK(differs(other));
  other = options;
  other.legend = false;
  CHECK(differs(other));
  // The legend takes its place from the drawing area, and repeats the line's colour.
  CHECK(ink_where(full, is_red).right > 400);
  const Image without = drawn(curve_of({0, 1}, {1, 0}), options);
  CHECK(drawn(named, other).pixels == without.pixels);
}

TEST_CASE("draw_curves: a legend of any length stays inside the picture") {
  const auto options = options_of(600, 400);
  for (const std::size_t count : {std::size_t{1}, std::size_t{7}, std::size_t{30}, std::size_t{300}}) {
    std::vector<Curve> curves;
    for (std::size_t i = 0; i < count; ++i)
      curves.push_back({std::string(1 + i % 90, 'W'), "0.123", {0, 1}, {0.5, 0.5}, {}});
    const Image image = draw_curves(curves, options);
    const Ink ink = ink_where(image, [](Color c) { return c.red < 200 && c.green < 200 && c.blue < 200; });
    CAPTURE(count);
    CHECK(ink.right <= 600 - 5);
    CHECK(ink.bottom <= 400 - 2);
    CHECK(ink.left >= 2);
    CHECK(ink.top >= 2);
  }
}

TEST_CASE("draw_curves: long, empty and damaged names and values are drawn") {
  const auto options = options_of(640, 480);
  std::vector<Curve> curves;
  curves.push_back(curve_of({0, 1}, {1, 0}, std::string(100000, 'x'), std::string(5000, '9')));
  curves.push_back(curve_of({0, 1}, {1, 0}, "\xE6\xB0\x97\xE7\x90\x83", "\xFF\xFE"));
  curves.push_back(curve_of({0, 1}, {1, 0}, std::string(500, '\x80'), "\n"));
  curves.push_back(curve_of({0, 1}, {1, 0}, std::string(" \0 ", 3), ""));
  auto other = options;
  other.title = std::string(3000, 'T') + "\xE6";
  other.x_label = std::string(3000, 'x');
  other.y_label = std::string(3000, 'y');
  other.value_label = std::string(3000, 'v');
  CHECK(draw_curves(curves, other).pixels.size() == std::size_t{640 * 480 * 3});
}

TEST_CASE("draw_curves: pictures of any size") {
  std::vector<Curve> curves{curve_of({0, 0.5, 1}, {1, 0.7, 0}, "name", "0.7")};
  for (int i = 0; i < 20; ++i) curves.push_back({"n", "1", {0, 1}, {0.1, 0.9}, {}});
  for (const index_t width : {1, 2, 3, 17, 60, 119, 250, 1001})
    for (const index_t height : {1, 2, 5, 31, 90, 333}) {
      auto options = options_of(width, height);
      options.title = "title";
      const Image image = draw_curves(curves, options);
      CHECK(image.pixels.size() == static_cast<std::size_t>(3 * width * height));
    }
  CHECK(draw_curves(curves, options_of(16384, 1)).width == 16384);
  CHECK(ink_where(draw_curves(curves, options_of(40, 30)), [](Color c) { return !(c == white); }).count > 40);
}

TEST_CASE("draw_curves: widths of lines and sizes of type") {
  auto options = options_of(400, 300);
  options.line_width = 9;
  const Ink thick = ink_where(drawn(curve_of({0, 1}, {0.5, 0.5}), options), is_red);
  CHECK(std::abs(thick.bottom - thick.top - 9) <= 1);
  for (const float size : {1e-30F, 0.5F, 60.0F, 1e30F, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    options.text_size = size;
    options.line_width = size;
    CHECK(drawn(curve_of({0, 1}, {0.5, 0.5}, "n", "v"), options).width == 400);
  }
}

TEST_CASE("draw_curves: the same arguments give the same bytes") {
  const auto options = options_of(300, 200);
  CHECK(drawn(curve_of({0, 1}, {1, 0}, "n"), options).pixels == drawn(curve_of({0, 1}, {1, 0}, "n"), options).pixels);
}

TEST_CASE("draw_curves: wrong arguments are named") {
  CHECK(test::message_of<ShapeError>([] { draw_curves({}, options_of(0, 10)); }) ==
        "draw_curves: the picture is 10 x 0 pixels, expected 1 to 16384 each way");
  CHECK(test::message_of<ShapeError>([] { draw_curves({}, options_of(10, 16385)); }) ==
        "draw_curves: the picture is 16385 x 10 pixels, expected 1 to 16384 each way");
  const std::vector<Curve> uneven{curve_of({}, {}), curve_of({0, 1}, {1, 0, 0})};
  CHECK(test::message_of<ShapeError>([&] { draw_curves(uneven, options_of(10, 10)); }) ==
        "draw_curves: curve 1 has 3 values y, expected 2 as x");
  auto options = options_of(100, 100);
  options.y_high = 0;
  CHECK(test::message_of<ShapeError>([&] { draw_curves({}, options); }) ==
        "draw_curves: the y axis goes from 0.000000 to 0.000000, expected finite numbers that grow");
  options.y_high = no_number;
  CHECK(test::message_of<ShapeError>([&] { draw_curves({}, options); }).find("y axis") != std::string::npos);
  options.y_high = 1;
  options.x_low = -std::numeric_limits<double>::infinity();
  CHECK(test::message_of<ShapeError>([&] { draw_curves({}, options); }).find("x axis") != std::string::npos);
  options = options_of(10, 10);
  options.typeface = nullptr;
  options.font_path = "no such font.ttf";
  CHECK_THROWS_AS(draw_curves({}, options), FormatError);
}

TEST_CASE("plot_ticks: 1, 2 or 5 times a power of ten, and no decimals too many") {
  const auto texts = [](double low, double high, double most) {
    return vis::detail::plot_ticks(low, high, most).texts;
  };
  using Texts = std::vector<std::string>;
  CHECK(texts(0, 1, 10) == Texts{"0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0"});
  CHECK(texts(0, 1, 9) == Texts{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"});
  CHECK(texts(0, 1, 2) == Texts{"0.0", "0.5", "1.0"});
  CHECK(texts(0, 1, 0) == Texts{"0", "1"});
  CHECK(texts(-20, 35, 6) == Texts{"-20", "-10", "0", "10", "20", "30"});
  CHECK(texts(0.97, 1.0, 3) == Texts{"0.97", "0.98", "0.99", "1.00"});
  CHECK(texts(0, 2e12, 2) == Texts{"0", "1.00e+12", "2.00e+12"});
  for (const double length : {1e-99, 1e-12, 3.0, 7e20, 9e99}) {
    CHECK(texts(0, length, 10).size() >= 2);
    CHECK(texts(0, length, 10).size() <= 11);
    CHECK(texts(-length, length, 10).size() <= 11);
  }
}

TEST_CASE("curve_color and scale_color: neighbours differ, and show on white") {
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK_FALSE(curve_color(i) == curve_color(i + 1));
    CHECK(contrast(curve_color(i), white) > 2.0);
    CHECK(contrast(scale_color(static_cast<double>(i) / 19), white) > 2.2);
  }
  CHECK(scale_color(0) == Color{40, 60, 150});
  CHECK(scale_color(1) == Color{190, 30, 45});
  CHECK(scale_color(0.5) == Color{20, 150, 90});
  CHECK(scale_color(7) == scale_color(1));
  CHECK(scale_color(no_number) == scale_color(0));
}
