#ifndef MRCNN_VIS_FONT_HPP
#define MRCNN_VIS_FONT_HPP

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mrcnn/vis/typeface.hpp"

// Fonts from files. Link mrcnn::image_io, where these functions are compiled.

namespace mrcnn::vis {

/// The outlines of a TrueType font (.ttf, or the first font of a .ttc), through stb_truetype.
///
/// A font file is not trusted: its tables are checked against its length when it is opened, and every outline before it
/// is read. A character whose outline is damaged is blank. Kerning comes from the `kern` table. Fonts with PostScript
/// outlines (most .otf files) are refused.
class TrueTypeFont final : public Typeface {
 public:
  /// @param name  what error messages call the font: its path
  /// Throws: FormatError when the bytes are no TrueType font, or a table is missing, cut short or contradicts another.
  TrueTypeFont(const std::vector<std::uint8_t>& bytes, const std::string& name);
  ~TrueTypeFont() override;

  bool contains(char32_t code_point) const override;
  Glyph glyph(char32_t code_point) const override;
  float kerning(char32_t first, char32_t second) const override;
  float cap_height() const override;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

/// Reads a font file of at most 128 MB. Throws: FormatError when it can not be read or is no TrueType font.
std::shared_ptr<const Typeface> load_font(const std::string& path);

/// The path of a plain sans-serif font in the usual places: the folders `fonts` of XDG_DATA_HOME and XDG_DATA_DIRS (by
/// default ~/.local/share, /usr/local/share, /usr/share) and ~/.fonts, with what lies below them. DejaVu Sans comes
/// first, then Noto Sans, Liberation Sans and a few others. Empty when there is none.
std::string find_system_font();

/// The font that `find_system_font` finds; `StrokeFont` when there is none or it can not be used. Looked for once per
/// process. Never null, never throws for what is on the disk.
std::shared_ptr<const Typeface> default_typeface();

}  // namespace mrcnn::vis

#endif
