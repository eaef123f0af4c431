#ifndef MRCNN_VIS_TYPEFACE_HPP
#define MRCNN_VIS_TYPEFACE_HPP

#include <vector>

#include "mrcnn/vis/path.hpp"

namespace mrcnn::vis {

/// The shape of one character, in ems (multiples of the type size), from its origin on the baseline: x right, y down,
/// so that most of it has negative y.
struct Glyph {
  std::vector<Polyline> lines;
  /// 0: `lines` are contours whose inside is filled. Otherwise they are drawn with a round pen of this width.
  float stroke_width = 0.0F;
  /// How far the next character's origin lies to the right.
  float advance = 0.0F;
};

/// A source of characters: `TrueTypeFont` from a file, or `StrokeFont`, which is always there.
///
/// Immutable: one object may serve several threads.
class Typeface {
 public:
  Typeface() = default;
  Typeface(const Typeface&) = delete;
  Typeface& operator=(const Typeface&) = delete;
  virtual ~Typeface() = default;

  /// Whether the typeface has a shape of its own for the Unicode code point.
  virtual bool contains(char32_t code_point) const = 0;
  /// The shape of the code point; the shape that stands for missing ones where `contains` is false.
  virtual Glyph glyph(char32_t code_point) const = 0;
  /// What is added to the first one's advance when the second follows it, in ems.
  virtual float kerning(char32_t first, char32_t second) const = 0;
  /// Height of a capital H above the baseline, in ems.
  virtual float cap_height() const = 0;
};

}  // namespace mrcnn::vis

#endif
