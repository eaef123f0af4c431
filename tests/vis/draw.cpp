#include "mrcnn/vis/draw.hpp"

#include <doctest/doctest.h>

#include <clocale>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "mrcnn/core/random.hpp"

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

Color at(const Image& image, index_t x, index_t y) {
  const std::uint8_t* pixel = image.pixels.data() + 3 * (y * image.width + x);
  return {pixel[0], pixel[1], pixel[2]};
}

/// A detection whose mask fills its box.
Detection full(float x1, float y1, float x2, float y2, std::int32_t class_id = 1, float score = 0.9F) {
  Detection detection{{x1, y1, x2, y2}, class_id, score, {}};
  detection.mask.x = static_cast<index_t>(x1);
  detection.mask.y = static_cast<index_t>(y1);
  detection.mask.width = static_cast<index_t>(x2) - detection.mask.x;
  detection.mask.height = static_cast<index_t>(y2) - detection.mask.y;
  detection.mask.pixels.assign(static_cast<std::size_t>(detection.mask.width * detection.mask.height), 1);
  return detection;
}

/// Draws nothing but what is switched on afterwards; text without any file.
DrawOptions nothing() {
  DrawOptions options;
  options.masks = options.outlines = options.boxes = options.captions = false;
  options.typeface = std::make_shared<const StrokeFont>();
  return options;
}

std::size_t changed_pixels(const Image& a, const Image& b) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.pixels.size(); i += 3)
    count +=
        a.pixels[i] != b.pixels[i] || a.pixels[i + 1] != b.pixels[i + 1] || a.pixels[i + 2] != b.pixels[i + 2] ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("tint: half of the pixel and half of the colour, the fraction cut off") {
  Image image(1, 2);
  image.pixels = {100, 101, 255, 7, 8, 9};
  tint(image, {0, 0, 1, 1, {1}}, {200, 0, 254});
  CHECK(image.pixels == std::vector<std::uint8_t>{150, 50, 254, 7, 8, 9});  // 150, 50.5, 254.5
}

TEST_CASE("tint: only where the mask is set, at its place in the picture") {
  Image image = gray(3, 3, 10);
  tint(image, {1, 1, 2, 2, {0, 1, 1, 0}}, {20, 30, 50}, 0.5);
  for (index_t y = 0; y < 3; ++y)
    for (index_t x = 0; x < 3; ++x)
      CHECK(at(image, x, y) == ((x == 2 && y == 1) || (x == 1 && y == 2) ? Color{15, 20, 30} : Color{10, 10, 10}));
}

TEST_CASE("tint: masks that stick out or lie outside") {
  Image image = gray(2, 3, 0);
  const InstanceMask mask{-1, -1, 3, 2, std::vector<std::uint8_t>(6, 1)};
  tint(image, mask, white, 1.0);
  CHECK(at(image, 0, 0) == white);
  CHECK(at(image, 1, 0) == white);
  CHECK(at(image, 2, 0) == black);
  CHECK(at(image, 0, 1) == black);
  for (const auto& [x, y] :
       {std::pair<index_t, index_t>{3, 0}, {-3, 0}, {0, 2}, {0, -2}, {1LL << 31, 0}, {-(1LL << 31), 5}}) {
    Image other = gray(2, 3, 0);
    tint(other, {x, y, 3, 2, std::vector<std::uint8_t>(6, 1)}, white);
    CHECK(other.pixels == gray(2, 3, 0).pixels);
  }
}

TEST_CASE("tint: alpha is limited, NaN is 0; an empty mask does nothing") {
  for (const auto& [alpha, expected] :
       {std::pair<double, int>{-1, 10}, {0, 10}, {1, 200}, {9, 200}, {std::nan(""), 10}}) {
    Image image = gray(1, 1, 10);
    tint(image, {0, 0, 1, 1, {1}}, {200, 200, 200}, alpha);
    CHECK(image.pixels[0] == expected);
  }
  Image image = gray(1, 1, 10);
  tint(image, {}, white);
  CHECK(image.pixels[0] == 10);
}

TEST_CASE("draw_detections: masks that overlap are blended in list order") {
  Image image = gray(4, 4, 0);
  DrawOptions options = nothing();
  options.masks = true;
  options.color = Color{200, 100, 40};
  const std::vector<Detection> detections{full(0, 0, 3, 3), full(2, 2, 4, 4)};
  draw_detections(image, detections, {}, options);
  CHECK(at(image, 0, 0) == Color{100, 50, 20});
  CHECK(at(image, 2, 2) == Color{150, 75, 30});
  CHECK(at(image, 3, 3) == Color{100, 50, 20});
  CHECK(at(image, 3, 0) == black);

  Image first = gray(4, 4, 0);
  options.color.reset();
  draw_detections(first, detections, {}, options);
  Image by_hand = gray(4, 4, 0);
  tint(by_hand, detections[0].mask, instance_color(0));
  tint(by_hand, detections[1].mask, instance_color(1));
  CHECK(first.pixels == by_hand.pixels);
}

TEST_CASE("draw_detections: nothing found leaves the picture as it is") {
  Image image = gray(30, 40, 77);
  draw_detections(image, {}, {"dog"});
  CHECK(image.pixels == gray(30, 40, 77).pixels);
}

TEST_CASE("draw_detections: a box is a dashed line, two pixels wide, blended with 0.7") {
  Image image = gray(100, 100, 0);
  DrawOptions options = nothing();
  options.boxes = true;
  options.color = Color{200, 100, 50};
  draw_detections(image, std::vector<Detection>{full(20, 30, 80, 70)}, {}, options);
  // The upper left corner is the middle of a dash: rows 29 and 30 along the top, columns 19 and 20 down the side.
  for (const auto& [x, y] :
       {std::pair<index_t, index_t>{19, 29}, {20, 29}, {19, 30}, {22, 29}, {22, 30}, {19, 32}, {20, 32}})
    CHECK(at(image, x, y) == Color{140, 70, 35});
  CHECK(at(image, 22, 28) == black);
  CHECK(at(image, 22, 31) == black);
  CHECK(at(image, 50, 50) == black);
  std::size_t dashes_on_top = 0;
  for (index_t x = 19; x < 81; ++x) dashes_on_top += at(image, x, 29) != black && at(image, x + 1, 29) == black ? 1 : 0;
  CHECK(dashes_on_top == 6);  // 60 pixels of 8 on, 5 off: five periods, so four dashes between two corners
}

TEST_CASE("draw_detections: a box along the picture's edge is seen whole") {
  Image image = gray(60, 80, 0);
  DrawOptions options = nothing();
  options.boxes = true;
  options.line_width = 2;
  options.color = white;
  draw_detections(image, std::vector<Detection>{full(0, 0, 80, 60)}, {}, options);
  for (const index_t x : {index_t{0}, index_t{1}, index_t{78}, index_t{79}})
    for (const index_t y : {index_t{0}, index_t{1}, index_t{58}, index_t{59}})
      CHECK(at(image, x, y) == Color{179, 179, 179});
  CHECK(at(image, 2, 2) == black);
}

TEST_CASE("draw_detections: the outline runs along the border of the mask, not of the box") {
  Image image = gray(40, 40, 0);
  DrawOptions options = nothing();
  options.outlines = true;
  options.color = white;
  Detection detection = full(5, 5, 35, 35);
  detection.mask = {10, 10, 20, 20, std::vector<std::uint8_t>(400, 1)};
  draw_detections(image, std::vector<Detection>{detection}, {}, options);
  CHECK(at(image, 9, 20).red == at(image, 10, 20).red);  // half on either side of the line x = 10
  CHECK(at(image, 9, 20).red > 100);
  CHECK(at(image, 7, 20) == black);
  CHECK(at(image, 20, 20) == black);
  CHECK(at(image, 5, 5) == black);
}

TEST_CASE("draw_detections: boxes of no area or with coordinates that are not finite are left out entirely") {
  const Image plain = gray(50, 50, 9);
  const Box boxes[] = {{0, 0, 0, 0},         {20, 20, 10, 40},
                       {20, 20, 20, 40},     {not_a_number, 1, 20, 20},
                       {1, 1, infinity, 20}, {-infinity, -infinity, infinity, infinity}};
  for (const Box& box : boxes) {
    Image image = plain;
    Detection detection = full(10, 10, 30, 30);
    detection.box = box;
    DrawOptions options;
    options.typeface = std::make_shared<const StrokeFont>();
    draw_detections(image, std::vector<Detection>{detection}, {"dog"}, options);
    CHECK(image.pixels == plain.pixels);
  }
}

TEST_CASE("draw_detections: a box outside the picture shows its caption only, at the nearest edge") {
  const Image plain = gray(60, 200, 9);
  for (const Box box : {Box{500, 10, 600, 50}, Box{-900, -900, -800, -800}, Box{1e30F, 1e30F, 2e30F, 2e30F},
                        Box{-3e38F, -3e38F, 3e38F, 3e38F}}) {
    DrawOptions options = nothing();
    options.boxes = true;
    Detection detection = full(0, 0, 1, 1);
    detection.box = box;
    Image image = plain;
    draw_detections(image, std::vector<Detection>{detection}, {"dog"}, options);
    CHECK(image.pixels == plain.pixels);
    options.captions = true;
    draw_detections(image, std::vector<Detection>{detection}, {"dog"}, options);
    CHECK(changed_pixels(image, plain) > 200);
  }
}

TEST_CASE("draw_detections: the caption is always there and wholly inside, in every corner, with our own strokes") {
  for (const auto& [x, y] : {std::pair<float, float>{0, 0}, {290, 0}, {0, 190}, {290, 190}, {140, 90}}) {
    Image image = gray(200, 300, 0);
    const Image plain = image;
    DrawOptions options = nothing();
    options.captions = true;
    draw_detections(image, std::vector<Detection>{full(x, y, x + 10, y + 10)}, {"zebra"}, options);
    std::size_t white_pixels = 0;
    for (index_t row = 0; row < 200; ++row)
      for (index_t column = 0; column < 300; ++column) white_pixels += at(image, column, row).green > 230 ? 1 : 0;
    CHECK(white_pixels > 20);
    CHECK(changed_pixels(image, plain) > 60 * 12);  // the plate is not cut off
  }
}

TEST_CASE("draw_detections: with the system's font the caption is there as well") {
  Image image = gray(200, 300, 0);
  const Image plain = image;
  DrawOptions options;
  options.boxes = options.masks = options.outlines = false;
  draw_detections(image, std::vector<Detection>{full(50, 50, 200, 150)}, {"zebra"}, options);
  CHECK(changed_pixels(image, plain) > 60 * 12);
}

TEST_CASE("caption_of: class, and score with three decimals when there is one") {
  const auto caption = [](std::int32_t class_id, float score) {
    Detection detection;
    detection.class_id = class_id;
    detection.score = score;
    return mrcnn::vis::detail::caption_of(detection, {"person", "wine glass"});
  };
  CHECK(caption(1, 0.9994F) == "person 0.999");
  CHECK(caption(2, 0.90749F) == "wine glass 0.907");
  CHECK(caption(2, 1.0F) == "wine glass 1.000");
  CHECK(caption(1, 0.0F) == "person");
  CHECK(caption(1, not_a_number) == "person");
  CHECK(caption(1, infinity) == "person");
  CHECK(caption(3, 0.5F) == "class 3 0.500");
  CHECK(caption(0, 0.5F) == "class 0 0.500");
  CHECK(caption(-7, 0.0F) == "class -7");
  CHECK(caption(INT32_MIN, 0.0F) == "class -2147483648");
  CHECK(caption(1, 3e38F).size() < 64);
}

TEST_CASE("caption_of: the decimal point does not follow the locale") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8"}) {
    if (std::setlocale(LC_ALL, name) == nullptr) continue;
    Detection detection;
    detection.score = 0.5F;
    CHECK(mrcnn::vis::detail::caption_of(detection, {}) == "class 0 0.500");
  }
  std::setlocale(LC_ALL, before.c_str());
}

TEST_CASE("draw_detections: names that are no UTF-8, empty, or very long") {
  for (const std::string& name :
       {std::string("\xFF\xC3 dog"), std::string(), std::string(5000, 'm'), std::string("a\0b", 3)}) {
    Image image = gray(40, 60, 0);
    const Image plain = image;
    DrawOptions options = nothing();
    options.captions = true;
    draw_detections(image, std::vector<Detection>{full(10, 10, 50, 30, 1, 0.0F)}, {name}, options);
    CHECK(changed_pixels(image, plain) > 0);
  }
}

TEST_CASE("draw_detections: pictures of one pixel, one row, one column, none") {
  for (const auto& [height, width] : {std::pair<index_t, index_t>{1, 1}, {1, 500}, {500, 1}, {2, 3}, {0, 0}, {0, 9}}) {
    Image image = gray(height, width, 100);
    std::vector<Detection> detections{full(0, 0, 1, 1), full(0, 0, 400, 400)};
    if (width == 0 || height == 0) detections.push_back(full(0, 0, 5, 5));
    DrawOptions options;
    options.typeface = std::make_shared<const StrokeFont>();
    draw_detections(image, detections, {"dog"}, options);
    if (image.pixels.size() > 0) CHECK(image.pixels != gray(height, width, 100).pixels);
  }
}

TEST_CASE("draw_detections: a detection without a mask has its box and caption") {
  Image image = gray(100, 100, 0);
  Detection detection;
  detection.box = {20, 20, 80, 80};
  detection.class_id = 1;
  DrawOptions options;
  options.typeface = std::make_shared<const StrokeFont>();
  draw_detections(image, std::vector<Detection>{detection}, {"dog"}, options);
  CHECK(at(image, 79, 79) != black);
  CHECK(at(image, 50, 60) == black);
}

TEST_CASE("draw_detections: on random input it ends, stays inside, and gives the same bytes again") {
  Philox random(31);
  DrawOptions options;
  options.typeface = std::make_shared<const StrokeFont>();
  for (int draw = 0; draw < 40; ++draw) {
    Image image = gray(1 + static_cast<index_t>(random.below(120)), 1 + static_cast<index_t>(random.below(160)), 60);
    std::vector<Detection> detections;
    for (std::uint32_t i = 0; i < random.below(12); ++i) {
      const auto coordinate = [&] { return std::floor((random.uniform() - 0.3F) * 250.0F); };
      const float x = coordinate();
      const float y = coordinate();
      detections.push_back(full(x, y, x + 1 + static_cast<float>(random.below(90)),
                                y + 1 + static_cast<float>(random.below(90)),
                                static_cast<std::int32_t>(random.below(5)), random.uniform()));
      for (auto& pixel : detections.back().mask.pixels) pixel = random.below(8) == 0 ? 0 : 1;
    }
    options.line_width = random.below(3) == 0 ? random.uniform() * 30.0F : 0.0F;
    options.text_size = random.below(3) == 0 ? random.uniform() * 90.0F : 0.0F;
    Image again = image;
    draw_detections(image, detections, {"dog", "cat"}, options);
    draw_detections(again, detections, {"dog", "cat"}, options);
    CHECK(image.pixels == again.pixels);
  }
}

TEST_CASE("draw_detections: sizes that are not finite or absurd are made harmless") {
  for (const float size : {-5.0F, not_a_number, infinity, 1e30F}) {
    Image image = gray(40, 40, 0);
    DrawOptions options;
    options.typeface = std::make_shared<const StrokeFont>();
    options.line_width = size;
    options.text_size = size;
    options.box_alpha = static_cast<double>(size);
    options.mask_alpha = static_cast<double>(size);
    draw_detections(image, std::vector<Detection>{full(5, 5, 30, 30)}, {"dog"}, options);
    CHECK(image.pixels != gray(40, 40, 0).pixels);
  }
}

TEST_CASE("draw_detections: wrong extents and unusable fonts are errors, and the picture stays as it was") {
  const Image plain = gray(20, 20, 5);
  Image image = plain;
  std::vector<Detection> detections{full(1, 1, 9, 9), full(1, 1, 9, 9)};
  detections[1].mask.pixels.pop_back();
  CHECK_THROWS_WITH_AS(draw_detections(image, detections, {}), "draw_detections: mask has 63 pixels, expected [8, 8]",
                       ShapeError);
  CHECK(image.pixels == plain.pixels);

  DrawOptions options;
  options.font_path = "/nowhere/font.ttf";
  CHECK_THROWS_AS(draw_detections(image, std::vector<Detection>{full(1, 1, 9, 9)}, {}, options), FormatError);
  CHECK(image.pixels == plain.pixels);

  image.pixels.pop_back();
  CHECK_THROWS_WITH_AS(draw_detections(image, {}, {}), "draw_detections: image has 1199 bytes, expected [20, 20, 3]",
                       ShapeError);
}
