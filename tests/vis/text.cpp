#include "mrcnn/vis/text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace mrcnn;
using namespace mrcnn::vis;

namespace {

/// Has only the letters a (a square of half an em) and b (a dot), with kerning between them.
class Squares final : public Typeface {
 public:
  bool contains(char32_t c) const override { return c == U'a' || c == U'b'; }
  Glyph glyph(char32_t c) const override {
    if (c == U'b') return {{{{0.1F, -0.1F}}}, 0.2F, 0.25F};
    return {{{{0.0F, -0.5F}, {0.5F, -0.5F}, {0.5F, 0.0F}, {0.0F, 0.0F}}}, 0.0F, 0.5F};
  }
  float kerning(char32_t first, char32_t second) const override {
    return first == U'a' && second == U'b' ? -0.125F : 0.0F;
  }
  float cap_height() const override { return 0.5F; }
};

std::size_t ink(const Typeface& typeface, const std::string& text, float size) {
  Image image(64, 64);
  Canvas canvas(image);
  cover_text(canvas, set_text(typeface, text), 8, 48, size);
  canvas.paint(white);
  std::size_t sum = 0;
  for (const auto byte : image.pixels) sum += byte;
  return sum / 3;
}

}  // namespace

TEST_CASE("set_text: advances and kerning add up, ink is measured from the baseline") {
  const TextLine line = set_text(Squares{}, "aab");
  CHECK(line.width == 0.5F + 0.5F - 0.125F + 0.25F);
  CHECK(line.ascent == 0.5F);
  CHECK(line.descent == doctest::Approx(0.0));
  REQUIRE(line.contours.size() == 2);
  CHECK(line.contours[1][0] == Point{0.5F, -0.5F});
  REQUIRE(line.strokes.size() == 1);
  CHECK(line.strokes[0][0].x == doctest::Approx(0.975));
  CHECK(line.stroke_width == 0.2F);
}

TEST_CASE("cover_text: a glyph lands on the pixels that its outline says") {
  Image image(4, 6);
  Canvas canvas(image);
  cover_text(canvas, set_text(Squares{}, "a"), 2, 3, 4);  // the square from (2, 1) to (4, 3)
  canvas.paint({10, 20, 30});
  for (index_t y = 0; y < 4; ++y)
    for (index_t x = 0; x < 6; ++x)
      CHECK(image.pixels[static_cast<std::size_t>(3 * (y * 6 + x) + 1)] ==
            (x >= 2 && x < 4 && y >= 1 && y < 3 ? 20 : 0));
}

TEST_CASE("set_text: a letter that the typeface lacks is taken from our strokes") {
  const TextLine line = set_text(Squares{}, "x");
  CHECK(line.contours.empty());
  CHECK(line.strokes.size() == 2);
  CHECK(line.width == StrokeFont{}.glyph(U'x').advance);
}

TEST_CASE("set_text: what is in neither, and what is no text, shows one sign each") {
  const float box = StrokeFont{}.glyph(replacement_character).advance;
  CHECK(set_text(Squares{}, "\xE7\x8A\xAC").width == box);
  CHECK(set_text(Squares{}, "\xFF").width == box);
  CHECK(set_text(Squares{}, "\xFF\xFE").width == 2 * box);
}

TEST_CASE("set_text: control characters are spaces; invisible ones take no room") {
  const StrokeFont font;
  CHECK(set_text(font, "a\nb").width == set_text(font, "a b").width);
  CHECK(set_text(font, std::string("a\0b", 3)).width == set_text(font, "a b").width);
  CHECK(set_text(font,
                 "a\xE2\x80\x8B"
                 "b")
            .width == set_text(font, "ab").width);  // zero-width space
  CHECK(set_text(font,
                 "\xEF\xBB\xBF"
                 "ab")
            .width == set_text(font, "ab").width);  // byte order mark
}

TEST_CASE("set_text: no text has no width and no ink") {
  const TextLine line = set_text(StrokeFont{}, "");
  CHECK(line.width == 0.0F);
  CHECK(line.contours.empty());
  CHECK(line.strokes.empty());
  CHECK(ink(StrokeFont{}, "", 20) == 0);
}

TEST_CASE("StrokeFont: every printable ASCII character but the space leaves ink, at 12 pixels and at 40") {
  const StrokeFont font;
  for (char c = 33; c < 127; ++c) {
    CAPTURE(c);
    CHECK(font.contains(static_cast<char32_t>(c)));
    CHECK(ink(font, std::string(1, c), 12) >= 255);
    CHECK(ink(font, std::string(1, c), 40) >= 8 * 255);
  }
  CHECK(font.glyph(U' ').advance > 0.1F);
  CHECK(ink(font, " ", 40) == 0);
}

TEST_CASE("StrokeFont: all shapes differ") {
  const StrokeFont font;
  for (char32_t a = 33; a <= 127; ++a)
    for (char32_t b = 33; b < a; ++b) CHECK(font.glyph(a).lines != font.glyph(b).lines);
}

TEST_CASE("StrokeFont: strokes stay within the advance, capitals on the baseline and at cap height") {
  const StrokeFont font;
  for (char32_t c = 33; c < 127; ++c) {
    const Glyph glyph = font.glyph(c);
    const Bounds bounds = bounds_of(glyph.lines);
    CAPTURE(static_cast<int>(c));
    CHECK(bounds.x1 - 0.5F * glyph.stroke_width >= 0.0F);
    CHECK(bounds.x2 + 0.5F * glyph.stroke_width <= glyph.advance);
    CHECK(bounds.y1 >= -0.8F);
    CHECK(bounds.y2 <= 0.25F);
    if (c >= U'A' && c <= U'Z' && c != U'Q') {
      CHECK(bounds.y1 == doctest::Approx(-font.cap_height()));
      CHECK(bounds.y2 == doctest::Approx(0.0));
    }
    if (c >= U'0' && c <= U'9') CHECK(glyph.advance == font.glyph(U'0').advance);
  }
}

TEST_CASE("StrokeFont: anything else is an empty box") {
  const StrokeFont font;
  CHECK_FALSE(font.contains(U'\u00E9'));
  CHECK_FALSE(font.contains(127));
  CHECK_FALSE(font.contains(0));
  CHECK(font.glyph(U'\u00E9').lines == font.glyph(replacement_character).lines);
  CHECK(font.glyph(0x10FFFF).lines.size() == 1);
}
