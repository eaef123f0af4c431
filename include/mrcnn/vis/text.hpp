#ifndef MRCNN_VIS_TEXT_HPP
#define MRCNN_VIS_TEXT_HPP

#include <algorithm>
#include <string_view>
#include <vector>

#include "mrcnn/vis/canvas.hpp"
#include "mrcnn/vis/stroke_font.hpp"
#include "mrcnn/vis/typeface.hpp"
#include "mrcnn/vis/utf8.hpp"

namespace mrcnn::vis {

/// One line of text, set in ems with its origin at (0, 0): scale by the type size, then move. y is down.
struct TextLine {
  std::vector<Polyline> contours;  ///< filled parts
  std::vector<Polyline> strokes;   ///< parts drawn with a round pen
  float stroke_width = 0.0F;
  float width = 0.0F;    ///< from the origin to where the next character would stand
  float ascent = 0.0F;   ///< from the baseline up to the highest ink
  float descent = 0.0F;  ///< from the baseline down to the lowest ink
};

namespace detail {

inline bool is_invisible(char32_t c) {
  return (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x2064) ||
         (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF || c == 0x00AD;
}

/// Control characters become spaces.
inline char32_t printable(char32_t c) { return c < 0x20 || (c >= 0x7F && c <= 0x9F) ? U' ' : c; }

/// The shape of a character from the typeface; else, for ASCII, from our own; else the sign for a missing one.
inline Glyph glyph_or_substitute(const Typeface& typeface, char32_t c) {
  static const StrokeFont own;
  if (typeface.contains(c)) return typeface.glyph(c);
  if (own.contains(c)) return own.glyph(c);
  if (typeface.contains(replacement_character)) return typeface.glyph(replacement_character);
  return own.glyph(replacement_character);
}

}  // namespace detail

/// Sets UTF-8 text in one line, left to right, with kerning. Every character gets a shape: what the typeface lacks is
/// taken from `StrokeFont`, and what is not text or in neither shows a sign for a missing character. Control
/// characters are spaces; ligatures, combining marks and right-to-left scripts are not composed.
inline TextLine set_text(const Typeface& typeface, std::string_view text) {
  TextLine line;
  char32_t previous = 0;
  for (const char32_t code_point : decode_utf8(text)) {
    const char32_t c = detail::printable(code_point);
    if (detail::is_invisible(c)) continue;
    if (previous != 0) line.width += typeface.kerning(previous, c);
    Glyph glyph = detail::glyph_or_substitute(typeface, c);
    const bool filled = glyph.stroke_width == 0.0F;
    for (Polyline& part : glyph.lines) {
      for (Point& point : part) {
        point.x += line.width;
        line.ascent = std::max(line.ascent, 0.5F * glyph.stroke_width - point.y);
        line.descent = std::max(line.descent, 0.5F * glyph.stroke_width + point.y);
      }
      (filled ? line.contours : line.strokes).push_back(std::move(part));
    }
    line.stroke_width = std::max(line.stroke_width, glyph.stroke_width);
    line.width += glyph.advance;
    previous = c;
  }
  return line;
}

/// Covers a line of text whose origin is at (x, baseline), `size` pixels to the em.
inline void cover_text(Canvas& canvas, const TextLine& line, float x, float baseline, float size) {
  const auto placed = [&](const Polyline& part) {
    Polyline moved = part;
    for (Point& point : moved) point = {x + size * point.x, baseline + size * point.y};
    return moved;
  };
  std::vector<Polyline> contours;
  contours.reserve(line.contours.size());
  for (const Polyline& part : line.contours) contours.push_back(placed(part));
  canvas.cover_contours(contours);
  for (const Polyline& part : line.strokes) canvas.cover_line(placed(part), {size * line.stroke_width, true});
}

}  // namespace mrcnn::vis

#endif
