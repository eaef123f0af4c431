#ifndef MRCNN_VIS_TRUETYPE_TABLES_HPP
#define MRCNN_VIS_TRUETYPE_TABLES_HPP

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mrcnn/core/error.hpp"

// What stands between a font file that nobody vouches for and stb_truetype, which trusts its input.
// Source: Microsoft, OpenType specification, chapters on the tables named here.

namespace mrcnn::vis::detail {

/// Big-endian numbers from a run of bytes. Reading past the end gives 0; `holds` tells beforehand.
class FontBytes {
 public:
  FontBytes() = default;
  explicit FontBytes(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::size_t size() const { return bytes_.size(); }
  std::span<const std::uint8_t> span() const { return bytes_; }
  bool holds(std::size_t offset, std::size_t count) const {
    return offset <= bytes_.size() && count <= bytes_.size() - offset;
  }
  /// `count` bytes from `offset` on, or what there is of them.
  FontBytes part(std::size_t offset, std::size_t count = SIZE_MAX) const {
    if (offset > bytes_.size()) return {};
    return FontBytes(bytes_.subspan(offset, count < bytes_.size() - offset ? count : bytes_.size() - offset));
  }
  std::uint8_t u8(std::size_t at) const { return holds(at, 1) ? bytes_[at] : std::uint8_t{0}; }
  std::uint16_t u16(std::size_t at) const { return static_cast<std::uint16_t>(u8(at) << 8 | u8(at + 1)); }
  std::int16_t i16(std::size_t at) const { return static_cast<std::int16_t>(u16(at)); }
  std::uint32_t u32(std::size_t at) const { return static_cast<std::uint32_t>(u16(at)) << 16 | u16(at + 2); }

 private:
  std::span<const std::uint8_t> bytes_;
};

/// One part of a composite glyph: (x, y) goes to (xx x + xy y + dx, yx x + yy y + dy).
struct GlyphComponent {
  std::uint16_t glyph = 0;
  float xx = 1, yx = 0, xy = 0, yy = 1, dx = 0, dy = 0;
};

/// The tables of a TrueType font that we use, checked against each other and against the file. The bytes must outlive
/// the object.
class TrueTypeTables {
 public:
  /// Throws: FormatError, see `TrueTypeFont`.
  TrueTypeTables(std::span<const std::uint8_t> file, const std::string& name) : file_(file), name_(name) {
    find_font();
    head_ = required("head", 54);
    maxp_ = required("maxp", 6);
    hhea_ = required("hhea", 36);
    glyph_count_ = maxp_.u16(4);
    units_per_em_ = head_.u16(18);
    if (units_per_em_ < 16 || units_per_em_ > 16384)
      fail("has " + std::to_string(units_per_em_) + " units to the em, expected 16 to 16384");
    long_offsets_ = head_.u16(50) != 0;
    if (head_.u16(50) > 1) fail("has glyph offsets of an unknown kind, " + std::to_string(head_.u16(50)));
    loca_ = required("loca", (std::size_t{glyph_count_} + 1) * (long_offsets_ ? 4 : 2));
    advance_count_ = hhea_.u16(34);
    if (advance_count_ == 0) fail("has no advance widths");
    hmtx_ = required("hmtx", std::size_t{4} * advance_count_);
    glyf_ = required("glyf", 0);
    kern_ = table("kern").value_or(FontBytes{});
    find_character_map();
  }

  std::uint16_t glyph_count() const { return glyph_count_; }
  int units_per_em() const { return units_per_em_; }

  /// The glyph of a code point; 0, the sign for a missing one, when the font has none.
  std::uint16_t glyph_index(char32_t code_point) const {
    const std::uint16_t glyph = segmented_ ? from_segments(code_point) : from_groups(code_point);
    return glyph < glyph_count_ ? glyph : std::uint16_t{0};
  }

  /// In font units.
  int advance(std::uint16_t glyph) const {
    const unsigned row = glyph < advance_count_ ? glyph : advance_count_ - 1U;
    return hmtx_.u16(std::size_t{4} * row);
  }

  /// In font units, from the first horizontal `kern` table of format 0.
  int kerning(std::uint16_t first, std::uint16_t second) const {
    constexpr std::size_t pairs_at = 18;
    if (kern_.u16(0) != 0 || kern_.u16(2) == 0 || (kern_.u16(8) & 0xFF01U) != 1) return 0;
    const std::uint32_t wanted = static_cast<std::uint32_t>(first) << 16 | second;
    std::size_t low = 0;
    std::size_t high = kern_.u16(10);
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      const std::uint32_t pair = kern_.u32(pairs_at + 6 * middle);
      if (pair == wanted) return kern_.i16(pairs_at + 6 * middle + 4);
      (pair < wanted ? low : high) = pair < wanted ? middle + 1 : middle;
    }
    return 0;
  }

  /// The record of a glyph; empty for a blank one, and for one whose offsets are damaged.
  FontBytes record(std::uint16_t glyph) const {
    if (glyph >= glyph_count_) return {};
    const std::size_t at = glyph;
    const std::size_t begin = long_offsets_ ? loca_.u32(4 * at) : std::size_t{2} * loca_.u16(2 * at);
    const std::size_t end = long_offsets_ ? loca_.u32(4 * at + 4) : std::size_t{2} * loca_.u16(2 * at + 2);
    return begin <= end && glyf_.holds(begin, end - begin) ? glyf_.part(begin, end - begin) : FontBytes{};
  }

  bool is_composite(std::uint16_t glyph) const { return record(glyph).i16(0) < 0; }

  /// Whether a glyph of contours may be handed to stb_truetype: all that will be read lies inside its record, contours
  /// end in ascending order, and none is a single point off the curve.
  bool is_sound_outline(std::uint16_t glyph) const {
    const FontBytes bytes = record(glyph);
    const std::int16_t contours = bytes.i16(0);
    if (!bytes.holds(0, 10) || contours <= 0) return false;
    const std::size_t ends_at = 10;
    const std::size_t instructions_at = ends_at + std::size_t{2} * static_cast<std::size_t>(contours);
    if (!bytes.holds(0, instructions_at + 2)) return false;
    int previous = -1;
    for (std::size_t i = 0; i < static_cast<std::size_t>(contours); ++i) {
      const int end = bytes.u16(ends_at + 2 * i);
      if (end <= previous) return false;
      previous = end;
    }
    if (previous >= most_points) return false;
    const std::size_t flags_at = instructions_at + 2 + bytes.u16(instructions_at);
    return coordinates_fit(bytes, flags_at, static_cast<std::size_t>(previous) + 1);
  }

  /// The parts of a composite glyph; none when its record is damaged or places them by matching points.
  std::vector<GlyphComponent> components(std::uint16_t glyph) const {
    constexpr unsigned words = 1, are_offsets = 2, one_scale = 8, more = 32, two_scales = 64, matrix = 128;
    constexpr std::size_t most_components = 64;
    const FontBytes bytes = record(glyph);
    std::vector<GlyphComponent> parts;
    std::size_t at = 10;
    for (unsigned flags = more; (flags & more) != 0;) {
      flags = bytes.u16(at);
      const std::size_t scales = (flags & one_scale) != 0    ? 1
                                 : (flags & two_scales) != 0 ? 2
                                 : (flags & matrix) != 0     ? 4
                                                             : 0;
      const std::size_t offsets = (flags & words) != 0 ? 4 : 2;
      if (!bytes.holds(at, 4 + offsets + 2 * scales) || (flags & are_offsets) == 0 || parts.size() == most_components)
        return {};
      GlyphComponent part;
      part.glyph = bytes.u16(at + 2);
      const bool wide = (flags & words) != 0;
      part.dx = static_cast<float>(wide ? bytes.i16(at + 4) : static_cast<std::int8_t>(bytes.u8(at + 4)));
      part.dy = static_cast<float>(wide ? bytes.i16(at + 6) : static_cast<std::int8_t>(bytes.u8(at + 5)));
      const auto scale = [&](std::size_t i) {
        return static_cast<float>(bytes.i16(at + 4 + offsets + 2 * i)) / 16384.0F;
      };
      if (scales == 1) part.xx = part.yy = scale(0);
      if (scales == 2) part.xx = scale(0), part.yy = scale(1);
      if (scales == 4) part.xx = scale(0), part.yx = scale(1), part.xy = scale(2), part.yy = scale(3);
      parts.push_back(part);
      at += 4 + offsets + 2 * scales;
    }
    return parts;
  }

  /// A font file made of the checked tables that outlines need, and nothing else: all that stb_truetype gets to see.
  std::vector<std::uint8_t> outline_file() const {
    // A character map with one entry, so that there is one; its subtable is never read.
    static constexpr std::array<std::uint8_t, 14> stand_in{0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 12, 0, 0};
    const std::pair<std::string_view, FontBytes> tables[] = {{"cmap", FontBytes(stand_in)},
                                                             {"glyf", glyf_},
                                                             {"head", head_},
                                                             {"hhea", hhea_},
                                                             {"hmtx", hmtx_},
                                                             {"loca", loca_},
                                                             {"maxp", maxp_}};
    std::vector<std::uint8_t> file{0, 1, 0, 0, 0, std::size(tables), 0, 0, 0, 0, 0, 0};
    const auto append_u32 = [&](std::size_t value) {
      for (int shift = 24; shift >= 0; shift -= 8) file.push_back(static_cast<std::uint8_t>(value >> shift));
    };
    std::size_t offset = file.size() + 16 * std::size(tables);
    for (const auto& [tag, bytes] : tables) {
      file.insert(file.end(), tag.begin(), tag.end());
      append_u32(0);  // the checksum, which nobody looks at
      append_u32(offset);
      append_u32(bytes.size());
      offset += bytes.size();
    }
    for (const auto& [tag, bytes] : tables) file.insert(file.end(), bytes.span().begin(), bytes.span().end());
    return file;
  }

 private:
  static constexpr int most_points = 16384;  // of one glyph; real ones have hundreds

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(name_ + ": the font " + what + "; use a TrueType font (.ttf) such as DejaVu Sans");
  }

  void find_font() {
    if (file_.u32(0) == 0x74746366) {  // "ttcf", a collection
      font_at_ = file_.u32(12);
      if (file_.u32(8) == 0) fail("collection is empty");
    }
    const std::uint32_t kind = file_.u32(font_at_);
    if (kind == 0x4F54544F) fail("has PostScript outlines, which are not supported");  // "OTTO"
    if (kind != 0x00010000 && kind != 0x74727565) fail("is no TrueType file");         // or "true"
  }

  std::optional<FontBytes> table(std::string_view tag) const {
    const std::size_t count = file_.u16(font_at_ + 4);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t entry = font_at_ + 12 + 16 * i;
      if (!file_.holds(entry, 16)) fail("ends inside its table of contents");
      bool equal = true;
      for (std::size_t k = 0; k < 4; ++k) equal = equal && file_.u8(entry + k) == static_cast<std::uint8_t>(tag[k]);
      if (!equal) continue;
      const std::size_t offset = file_.u32(entry + 8);
      const std::size_t length = file_.u32(entry + 12);
      if (!file_.holds(offset, length))
        fail("is cut short: table " + std::string(tag) + " ends at byte " + std::to_string(offset + length) +
             " of a file of " + std::to_string(file_.size()));
      return file_.part(offset, length);
    }
    return std::nullopt;
  }

  FontBytes required(std::string_view tag, std::size_t least) const {
    const std::optional<FontBytes> found = table(tag);
    if (!found) fail("has no table " + std::string(tag));
    if (found->size() < least)
      fail("has a table " + std::string(tag) + " of " + std::to_string(found->size()) + " bytes, expected at least " +
           std::to_string(least));
    return *found;
  }

  /// Takes the map with the most characters: 32-bit groups (format 12), else 16-bit segments (format 4).
  void find_character_map() {
    const FontBytes maps = required("cmap", 4);
    bool found = false;
    for (std::size_t i = 0; i < maps.u16(2) && maps.holds(4 + 8 * i, 8); ++i) {
      const unsigned platform = maps.u16(4 + 8 * i);
      const unsigned encoding = maps.u16(6 + 8 * i);
      const FontBytes map = maps.part(maps.u32(8 + 8 * i));
      const bool unicode = platform == 0 || (platform == 3 && (encoding == 1 || encoding == 10));
      const bool groups = map.u16(0) == 12;
      if (!unicode || (!groups && map.u16(0) != 4) || (found && !groups)) continue;
      found = true;
      segmented_ = !groups;
      map_ = map;
    }
    if (!found) fail("has no Unicode character map");
  }

  std::uint16_t from_groups(char32_t code_point) const {
    std::size_t low = 0;
    std::size_t high = map_.u32(12);
    const std::size_t fit = map_.size() / 12;
    if (high > fit) high = fit;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      const std::size_t group = 16 + 12 * middle;
      if (code_point < map_.u32(group))
        high = middle;
      else if (code_point > map_.u32(group + 4))
        low = middle + 1;
      else {
        const std::uint64_t glyph = std::uint64_t{map_.u32(group + 8)} + (code_point - map_.u32(group));
        return glyph < glyph_count_ ? static_cast<std::uint16_t>(glyph) : std::uint16_t{0};
      }
    }
    return 0;
  }

  std::uint16_t from_segments(char32_t code_point) const {
    if (code_point > 0xFFFF) return 0;
    const std::size_t segments = map_.u16(6) / 2U;
    const std::size_t ends_at = 14;
    const std::size_t starts_at = ends_at + 2 * segments + 2;
    const std::size_t deltas_at = starts_at + 2 * segments;
    const std::size_t ranges_at = deltas_at + 2 * segments;
    std::size_t low = 0;
    std::size_t high = segments;
    while (low < high) {  // the first segment that does not end before the code point
      const std::size_t middle = (low + high) / 2;
      (map_.u16(ends_at + 2 * middle) < code_point ? low : high) =
          map_.u16(ends_at + 2 * middle) < code_point ? middle + 1 : middle;
    }
    const std::uint16_t start = map_.u16(starts_at + 2 * low);
    if (low == segments || start > code_point) return 0;
    const unsigned delta = map_.u16(deltas_at + 2 * low);
    const std::size_t range = map_.u16(ranges_at + 2 * low);
    if (range == 0) return static_cast<std::uint16_t>(code_point + delta);
    const std::uint16_t glyph = map_.u16(ranges_at + 2 * low + range + 2 * (code_point - start));
    return glyph == 0 ? std::uint16_t{0} : static_cast<std::uint16_t>(glyph + delta);
  }

  /// Whether the flags and coordinates of `points` points lie inside the record, and the single-point contours are on
  /// the curve.
  static bool coordinates_fit(const FontBytes& bytes, std::size_t at, std::size_t points) {
    constexpr unsigned on_curve = 1, short_x = 2, short_y = 4, repeated = 8, same_x = 16, same_y = 32;
    std::size_t coordinate_bytes = 0;
    std::size_t contour = 0;
    std::size_t first = 0;  // of the contour
    unsigned flags = 0;
    unsigned repeats = 0;
    for (std::size_t i = 0; i < points; ++i) {
      if (repeats > 0) {
        --repeats;
      } else {
        if (!bytes.holds(at, 1)) return false;
        flags = bytes.u8(at++);
        if ((flags & repeated) != 0) {
          if (!bytes.holds(at, 1)) return false;
          repeats = bytes.u8(at++);
        }
      }
      coordinate_bytes += (flags & short_x) != 0 ? 1 : (flags & same_x) != 0 ? 0 : 2;
      coordinate_bytes += (flags & short_y) != 0 ? 1 : (flags & same_y) != 0 ? 0 : 2;
      if (i == bytes.u16(10 + 2 * contour)) {
        if (i == first && (flags & on_curve) == 0) return false;
        first = i + 1;
        ++contour;
      }
    }
    return bytes.holds(at, coordinate_bytes);
  }

  FontBytes file_, head_, maxp_, hhea_, loca_, hmtx_, glyf_, kern_, map_;
  std::string name_;
  std::size_t font_at_ = 0;
  std::uint16_t glyph_count_ = 0;
  std::uint16_t advance_count_ = 0;
  int units_per_em_ = 0;
  bool long_offsets_ = false;
  bool segmented_ = false;  // the character map is of format 4, else 12
};

}  // namespace mrcnn::vis::detail

#endif
