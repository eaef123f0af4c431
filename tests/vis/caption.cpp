#include "mrcnn/vis/caption.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "mrcnn/core/random.hpp"

using namespace mrcnn;
using namespace mrcnn::vis;
using mrcnn::vis::detail::Caption;
using mrcnn::vis::detail::CaptionPlacer;
using mrcnn::vis::detail::make_caption;

namespace {

Caption plate(float width, float height) {
  Caption caption;
  caption.width = width;
  caption.height = height;
  return caption;
}

}  // namespace

TEST_CASE("make_caption: type of the wanted size on a plate that holds it") {
  const StrokeFont font;
  const Caption caption = make_caption(font, "dog 0.987", 20, 1000, 1000);
  CHECK(caption.size == 20);
  CHECK(caption.width >= 20 * caption.text.width + 2 * caption.padding);
  CHECK(caption.baseline >= 20 * caption.text.ascent);
  CHECK(caption.height - caption.baseline >= 20 * caption.text.descent);
}

TEST_CASE("make_caption: in a small picture the type shrinks until the plate fits") {
  const StrokeFont font;
  for (const auto& [height, width] : {std::pair<index_t, index_t>{1000, 40}, {6, 1000}, {1, 1}, {3, 7}}) {
    const Caption caption = make_caption(font, "dining table 0.987", 20, width, height);
    CHECK(caption.size < 20);
    CHECK(caption.size > 0);
    CHECK(caption.width <= static_cast<float>(width) * 1.0001F);
    CHECK(caption.height <= static_cast<float>(height) * 1.0001F);
  }
}

TEST_CASE("CaptionPlacer: in the upper left corner of a roomy box, on top of a small one") {
  CaptionPlacer placer(1000, 1000);
  Caption roomy = plate(60, 20);
  placer.place(roomy, {100, 200, 300, 400});
  CHECK(roomy.corner == Point{100, 200});
  Caption small = plate(60, 20);
  placer.place(small, {500, 200, 540, 230});
  CHECK(small.corner == Point{500, 180});
}

TEST_CASE("CaptionPlacer: captions of equal boxes do not cover each other") {
  CaptionPlacer placer(1000, 1000);
  std::vector<Caption> placed;
  for (int i = 0; i < 8; ++i) {
    placed.push_back(plate(60, 20));
    placer.place(placed.back(), {400, 400, 600, 600});
  }
  for (std::size_t i = 0; i < placed.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const bool apart = std::abs(placed[i].corner.x - placed[j].corner.x) >= 60 ||
                         std::abs(placed[i].corner.y - placed[j].corner.y) >= 20;
      CHECK(apart);
    }
  }
}

TEST_CASE("CaptionPlacer: always inside the picture, wherever the box is") {
  Philox random(7);
  const auto anywhere = [&] { return (random.uniform() - 0.5F) * (random.below(4) == 0 ? 1e9F : 900.0F); };
  for (int draw = 0; draw < 2000; ++draw) {
    CaptionPlacer placer(300, 200);
    Caption caption = plate(1 + random.uniform() * 299, 1 + random.uniform() * 199);
    const float x = anywhere();
    const float y = anywhere();
    placer.place(caption, {x, y, x + std::abs(anywhere()), y + std::abs(anywhere())});
    CHECK(caption.corner.x >= 0);
    CHECK(caption.corner.y >= 0);
    CHECK(caption.corner.x + caption.width <= 300.001F);
    CHECK(caption.corner.y + caption.height <= 200.001F);
  }
}

TEST_CASE("draw_caption: white text on a plate of the backing colour, and nothing outside the plate") {
  Image image(60, 200);
  Canvas canvas(image);
  Caption caption = make_caption(StrokeFont{}, "dog 0.987", 20, 200, 60);
  caption.corner = {10, 10};
  caption.backing = {200, 0, 0};
  mrcnn::vis::detail::draw_caption(canvas, caption);
  std::size_t whites = 0;
  std::size_t backing = 0;
  for (index_t y = 0; y < 60; ++y) {
    for (index_t x = 0; x < 200; ++x) {
      const std::uint8_t* pixel = image.pixels.data() + 3 * (y * 200 + x);
      const bool on_plate = static_cast<float>(x) >= 10 && static_cast<float>(x) < 10 + caption.width &&
                            static_cast<float>(y) >= 10 && static_cast<float>(y) < 10 + caption.height;
      if (!on_plate) CHECK((pixel[0] == 0 && pixel[1] == 0 && pixel[2] == 0));
      whites += pixel[1] == 255 ? 1 : 0;
      backing += pixel[0] == 176 && pixel[1] == 0 ? 1 : 0;  // 0.88 of 200
    }
  }
  CHECK(whites > 50);
  CHECK(backing > 500);
}
