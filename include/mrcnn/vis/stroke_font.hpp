#ifndef MRCNN_VIS_STROKE_FONT_HPP
#define MRCNN_VIS_STROKE_FONT_HPP

#include <array>

#include "mrcnn/vis/typeface.hpp"

namespace mrcnn::vis {

namespace detail {

/// A character as a pen writes it, on a grid where capitals are 20 high and small letters 14, y up from the baseline.
struct PenGlyph {
  int width;  ///< from the leftmost to the rightmost point, without the space around it
  /// Strokes, parted by `;`, of points `x,y`; `~` before a point makes it the control point of a parabola to the next.
  const char* strokes;
};

/// ASCII 32 to 126, then the box for everything else.
inline constexpr std::array<PenGlyph, 96> pen_glyphs{{
    {5, ""},
    {1, "0,20 0,6;0,0 1,0 1,1 0,1 0,0"},
    {5, "0,20 0,14;5,20 5,14"},
    {14, "5,19 2,1;12,19 9,1;1,13 14,13;0,7 13,7"},
    {12, "12,16 ~10,18 6,18 ~0,18 0,14 ~0,11 6,10 ~12,9 12,6 ~12,2 6,2 ~2,2 0,4;6,21 6,-1"},
    {18,
     "15,20 3,0;4,20 ~0,20 0,15 ~0,10 4,10 ~8,10 8,15 ~8,20 4,20;14,10 ~10,10 10,5 ~10,0 14,0 ~18,0 18,5 ~18,10 14,10"},
    {14, "14,0 3,13 ~2,15 2,16 ~2,20 6,20 ~10,20 10,16 ~10,13 5,11 ~0,8 0,5 ~0,0 5,0 ~11,0 13,9"},
    {0, "0,20 0,14"},
    {5, "5,22 ~0,17 0,8 ~0,-1 5,-6"},
    {5, "0,22 ~5,17 5,8 ~5,-1 0,-6"},
    {8, "4,20 4,10;0,18 8,12;0,12 8,18"},
    {12, "6,14 6,2;0,8 12,8"},
    {2, "2,1 0,-4"},
    {7, "0,8 7,8"},
    {1, "0,0 1,0 1,1 0,1 0,0"},
    {9, "0,-3 9,21"},
    {12, "6,20 ~0,20 0,13 0,7 ~0,0 6,0 ~12,0 12,7 12,13 ~12,20 6,20"},
    {12, "2,16 7,20 7,0"},
    {12, "0,15 ~0,20 6,20 ~12,20 12,15 ~12,12 9,9 0,0 12,0"},
    {12, "0,17 ~2,20 6,20 ~11,20 11,15 ~11,11 6,11;4,11 6,11 ~12,11 12,5 ~12,0 6,0 ~1,0 0,4"},
    {12, "9,0 9,20 0,6 12,6"},
    {12, "11,20 2,20 1,11 ~3,13 6,13 ~12,13 12,7 12,6 ~12,0 6,0 ~1,0 0,4"},
    {12, "11,18 ~9,20 7,20 ~0,20 0,10 0,6 ~0,0 6,0 ~12,0 12,6 ~12,12 6,12 ~1,12 0,7"},
    {12, "0,20 12,20 4,0"},
    {12,
     "6,11 ~1,11 1,15 1,16 ~1,20 6,20 ~11,20 11,16 11,15 ~11,11 6,11 ~0,11 0,6 0,5 ~0,0 6,0 ~12,0 12,5 12,6 ~12,11 "
     "6,11"},
    {12, "1,2 ~3,0 5,0 ~12,0 12,10 12,14 ~12,20 6,20 ~0,20 0,14 ~0,8 6,8 ~11,8 12,13"},
    {1, "0,12 1,12 1,13 0,13 0,12;0,0 1,0 1,1 0,1 0,0"},
    {2, "1,12 2,12 2,13 1,13 1,12;2,1 0,-4"},
    {12, "12,14 0,8 12,2"},
    {12, "0,11 12,11;0,5 12,5"},
    {12, "0,14 12,8 0,2"},
    {10, "0,16 ~1,20 5,20 ~10,20 10,15 ~10,12 7,10 ~5,8 5,6 5,5;5,0 6,0 6,1 5,1 5,0"},
    {18,
     "15,-1 ~12,-4 9,-4 ~0,-4 0,7 0,9 ~0,19 9,19 ~18,19 18,10 18,8 ~18,3 15,3 ~13,3 13,6 13,13;13,10 ~12,13 9,13 ~5,13 "
     "5,9 5,7 ~5,3 9,3 ~12,3 13,6"},
    {14, "0,0 7,20 14,0;2,6 12,6"},
    {12, "0,10 0,20 6,20 ~11,20 11,15 ~11,10 6,10;0,10 7,10 ~12,10 12,5 ~12,0 7,0 0,0 0,10"},
    {13, "13,16 ~11,20 7,20 ~0,20 0,12 0,8 ~0,0 7,0 ~11,0 13,4"},
    {13, "0,0 0,20 5,20 ~13,20 13,12 13,8 ~13,0 5,0 0,0"},
    {11, "11,20 0,20 0,0 11,0;0,10 9,10"},
    {10, "10,20 0,20 0,0;0,10 9,10"},
    {13, "13,16 ~11,20 7,20 ~0,20 0,12 0,8 ~0,0 7,0 ~13,0 13,6 13,9 8,9"},
    {12, "0,0 0,20;12,0 12,20;0,10 12,10"},
    {0, "0,0 0,20"},
    {9, "9,20 9,6 ~9,0 4,0 ~1,0 0,4"},
    {12, "0,0 0,20;12,20 0,8;4,12 12,0"},
    {10, "0,20 0,0 10,0"},
    {16, "0,0 0,20 8,6 16,20 16,0"},
    {13, "0,0 0,20 13,0 13,20"},
    {14, "7,20 ~0,20 0,12 0,8 ~0,0 7,0 ~14,0 14,8 14,12 ~14,20 7,20"},
    {12, "0,0 0,20 6,20 ~12,20 12,15 12,14 ~12,9 6,9 0,9"},
    {14, "7,20 ~0,20 0,12 0,8 ~0,0 7,0 ~14,0 14,8 14,12 ~14,20 7,20;9,5 14,-1"},
    {12, "0,0 0,20 6,20 ~12,20 12,15 12,14 ~12,9 6,9 0,9;6,9 12,0"},
    {12, "12,17 ~10,20 6,20 ~0,20 0,15 ~0,11 6,10 ~12,9 12,5 ~12,0 6,0 ~1,0 0,4"},
    {14, "0,20 14,20;7,20 7,0"},
    {12, "0,20 0,7 ~0,0 6,0 ~12,0 12,7 12,20"},
    {14, "0,20 7,0 14,20"},
    {20, "0,20 5,0 10,17 15,0 20,20"},
    {13, "0,0 13,20;0,20 13,0"},
    {14, "0,20 7,10 14,20;7,10 7,0"},
    {12, "0,20 12,20 0,0 12,0"},
    {5, "5,22 0,22 0,-6 5,-6"},
    {9, "0,21 9,-3"},
    {5, "0,22 5,22 5,-6 0,-6"},
    {12, "0,13 6,20 12,13"},
    {12, "0,-4 12,-4"},
    {4, "0,21 4,17"},
    {10, "10,14 10,0;10,10 ~9,14 5,14 ~0,14 0,8 0,6 ~0,0 5,0 ~9,0 10,4"},
    {10, "0,21 0,0;0,10 ~1,14 5,14 ~10,14 10,8 10,6 ~10,0 5,0 ~1,0 0,4"},
    {9, "9,12 ~8,14 5,14 ~0,14 0,8 0,6 ~0,0 5,0 ~8,0 9,2"},
    {10, "10,21 10,0;10,10 ~9,14 5,14 ~0,14 0,8 0,6 ~0,0 5,0 ~9,0 10,4"},
    {10, "0,7 10,7 10,8 ~10,14 5,14 ~0,14 0,8 0,6 ~0,0 5,0 ~8,0 10,2"},
    {7, "7,21 5,21 ~3,21 3,18 3,0;0,14 7,14"},
    {10, "10,14 10,-1 ~10,-6 5,-6 ~2,-6 1,-4;10,10 ~9,14 5,14 ~0,14 0,8 0,6 ~0,0 5,0 ~9,0 10,4"},
    {10, "0,21 0,0;0,9 ~1,14 5,14 ~10,14 10,9 10,0"},
    {0, "0,14 0,0;0,19 0,20"},
    {3, "3,14 3,-2 ~3,-6 0,-6;3,19 3,20"},
    {10, "0,21 0,0;9,14 0,5;4,9 10,0"},
    {0, "0,21 0,0"},
    {16, "0,14 0,0;0,9 ~1,14 4,14 ~8,14 8,9 8,0;8,9 ~9,14 12,14 ~16,14 16,9 16,0"},
    {10, "0,14 0,0;0,9 ~1,14 5,14 ~10,14 10,9 10,0"},
    {10, "5,14 ~0,14 0,8 0,6 ~0,0 5,0 ~10,0 10,6 10,8 ~10,14 5,14"},
    {10, "0,14 0,-6;0,10 ~1,14 5,14 ~10,14 10,8 10,6 ~10,0 5,0 ~1,0 0,4"},
    {10, "10,14 10,-6;10,10 ~9,14 5,14 ~0,14 0,8 0,6 ~0,0 5,0 ~9,0 10,4"},
    {6, "0,14 0,0;0,8 ~1,14 6,14"},
    {9, "9,12 ~7,14 4,14 ~0,14 0,11 ~0,8 4,7 ~9,6 9,3 ~9,0 4,0 ~2,0 0,2"},
    {7, "3,19 3,4 ~3,0 6,0 7,0;0,14 7,14"},
    {10, "0,14 0,5 ~0,0 5,0 ~9,0 10,5;10,14 10,0"},
    {10, "0,14 5,0 10,14"},
    {16, "0,14 4,0 8,12 12,0 16,14"},
    {10, "0,14 10,0;0,0 10,14"},
    {10, "0,14 5,0;10,14 4,-3 ~3,-6 0,-6"},
    {9, "0,14 9,14 0,0 9,0"},
    {6, "6,22 5,22 ~3,22 3,19 3,11 ~3,8 0,8 ~3,8 3,5 3,-3 ~3,-6 5,-6 6,-6"},
    {0, "0,22 0,-6"},
    {6, "0,22 1,22 ~3,22 3,19 3,11 ~3,8 6,8 ~3,8 3,5 3,-3 ~3,-6 1,-6 0,-6"},
    {12, "0,7 ~2,11 6,8 ~10,5 12,9"},
    {12, "0,0 0,20 12,20 12,0 0,0"},
}};

/// One em is 28 units: capitals are 0.714 em high, as in common sans-serif faces.
inline constexpr float pen_units_per_em = 28.0F;
inline constexpr float pen_stroke_width = 2.5F;
inline constexpr float pen_side_bearing = 2.7F;

inline int read_number(const char*& text) {
  const bool negative = *text == '-';
  if (negative) ++text;
  int value = 0;
  while (*text >= '0' && *text <= '9') value = 10 * value + (*text++ - '0');
  return negative ? -value : value;
}

/// The strokes of a pen glyph, in ems.
inline std::vector<Polyline> pen_lines(const PenGlyph& glyph) {
  std::vector<Polyline> lines(1);
  enum class Next { line, control, curve } next = Next::line;
  Point control;
  for (const char* text = glyph.strokes; *text != '\0';) {
    if (*text == ' ') {
      ++text;
    } else if (*text == ';') {
      ++text;
      lines.emplace_back();
    } else if (*text == '~') {
      ++text;
      next = Next::control;
    } else {
      const auto x = static_cast<float>(read_number(text));
      ++text;  // the comma
      const auto y = static_cast<float>(read_number(text));
      const Point point{(x + pen_side_bearing) / pen_units_per_em, -y / pen_units_per_em};
      if (next == Next::control) {
        control = point;
        next = Next::curve;
      } else if (next == Next::curve) {
        append_curve(lines.back(), control, point, 6);
        next = Next::line;
      } else {
        lines.back().push_back(point);
      }
    }
  }
  return lines;
}

}  // namespace detail

/// The library's own typeface for when no font file is at hand: plain upright letters of even strokes, ASCII only;
/// anything else is an empty box. All digits are equally wide.
class StrokeFont final : public Typeface {
 public:
  bool contains(char32_t code_point) const override { return code_point >= 32 && code_point <= 126; }

  Glyph glyph(char32_t code_point) const override {
    const std::size_t index = contains(code_point) ? code_point - 32 : detail::pen_glyphs.size() - 1;
    const detail::PenGlyph& pen = detail::pen_glyphs[index];
    const float advance = (static_cast<float>(pen.width) + 2.0F * detail::pen_side_bearing) / detail::pen_units_per_em;
    return {detail::pen_lines(pen), detail::pen_stroke_width / detail::pen_units_per_em, advance};
  }

  float kerning(char32_t, char32_t) const override { return 0.0F; }
  float cap_height() const override { return 20.0F / detail::pen_units_per_em; }
};

}  // namespace mrcnn::vis

#endif
