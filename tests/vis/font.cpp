#include "mrcnn/vis/font.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "mrcnn/core/error.hpp"
#include "mrcnn/core/random.hpp"
#include "mrcnn/vis/stroke_font.hpp"

using namespace mrcnn;
using namespace mrcnn::vis;

namespace {

using Bytes = std::vector<std::uint8_t>;

void put16(Bytes& bytes, int value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}
void put32(Bytes& bytes, std::uint32_t value) {
  put16(bytes, static_cast<int>(value >> 16));
  put16(bytes, static_cast<int>(value & 0xFFFF));
}
Bytes words(const std::vector<int>& values) {
  Bytes bytes;
  for (const int value : values) put16(bytes, value);
  return bytes;
}
void append(Bytes& bytes, const Bytes& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

struct OutlinePoint {
  int x, y;
  bool on_curve = true;
};

/// A simple glyph; coordinates as 16-bit differences.
Bytes outline(const std::vector<std::vector<OutlinePoint>>& contours) {
  Bytes glyph = words({static_cast<int>(contours.size()), 0, 0, 0, 0});
  int last = -1;
  for (const auto& contour : contours) put16(glyph, last += static_cast<int>(contour.size()));
  put16(glyph, 0);  // no instructions
  Bytes across;
  Bytes up;
  int x = 0;
  int y = 0;
  for (const auto& contour : contours) {
    for (const auto& point : contour) {
      glyph.push_back(point.on_curve ? 1 : 0);
      put16(across, point.x - x);
      put16(up, point.y - y);
      x = point.x;
      y = point.y;
    }
  }
  append(glyph, across);
  append(glyph, up);
  if (glyph.size() % 2 != 0) glyph.push_back(0);
  return glyph;
}

/// 1000 units to the em. Glyphs: 0 a rectangle, 1 (A) a triangle, 2 (o) a diamond of parabolas, 3 (H) two A's, the
/// second half as large and moved by (400, 100), 4 (l) a composite of itself, 5 (space) blank.
struct FontParts {
  std::vector<Bytes> glyphs{outline({{{0, 0}, {0, 700}, {500, 700}, {500, 0}}}),
                            outline({{{0, 0}, {250, 720}, {500, 0}}}),
                            outline({{{250, 0},
                                      {0, 0, false},
                                      {0, 250},
                                      {0, 500, false},
                                      {250, 500},
                                      {500, 500, false},
                                      {500, 250},
                                      {500, 0, false}}}),
                            words({-1, 0, 0, 0, 0, 0x23, 1, 0, 0, 0x0B, 1, 400, 100, 0x2000}),
                            words({-1, 0, 0, 0, 0, 0x23, 4, 0, 0, 0x03, 4, 1, 1}),
                            {}};
  bool long_offsets = false;
  bool groups = false;  ///< character map of format 12 instead of 4

  std::map<std::string, Bytes> tables() const {
    std::map<std::string, Bytes> all;
    Bytes loca;
    Bytes glyf;
    for (const auto& glyph : glyphs) {
      long_offsets ? put32(loca, static_cast<std::uint32_t>(glyf.size()))
                   : put16(loca, static_cast<int>(glyf.size() / 2));
      append(glyf, glyph);
    }
    long_offsets ? put32(loca, static_cast<std::uint32_t>(glyf.size()))
                 : put16(loca, static_cast<int>(glyf.size() / 2));
    all["loca"] = loca;
    all["glyf"] = glyf;
    all["head"] = words({1, 0, 1, 0, 0, 0, 0x5F0F, 0x3CF5, 0,   1000, 0, 0, 0,
                         0, 0, 0, 0, 0, 0, 0,      500,    720, 0,    8, 2, long_offsets ? 1 : 0,
                         0});
    all["maxp"] = words({1, 0, static_cast<int>(glyphs.size())});
    all["hhea"] = words({1, 0, 800, -200, 0, 600, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3});
    all["hmtx"] = words({510, 0, 520, 0, 530, 0, 0, 0, 0});  // three full rows, then bearings only
    all["kern"] = words({0, 1, 0, 26, 1, 2, 0, 0, 0, 1, 2, -100, 2, 1, 50});
    all["cmap"] = groups ? grouped_map() : segmented_map();
    return all;
  }

  static Bytes segmented_map() {
    // Segments: space by delta; A by delta; H by delta; l, then o, through the glyph array.
    return words({0,      1,      3,      1,   0,   12,              // one subtable, Windows Unicode
                  4,      72,     0,      12,  0,   0,      0,       // format 4, six segments
                  32,     65,     72,     108, 111, 0xFFFF, 0,       // ends
                  32,     65,     72,     108, 111, 0xFFFF,          // starts
                  5 - 32, 1 - 65, 3 - 72, 0,   1,   1,               // deltas
                  0,      0,      0,      6,   6,   0,      4, 1});  // offsets into the glyph array; 1 + delta 1 = 2
  }
  static Bytes grouped_map() {
    Bytes map = words({0, 1, 3, 10, 0, 12, 12, 0});
    const std::uint32_t numbers[] = {16 + 12 * 5, 0, 5, 32, 32, 5, 65, 65, 1, 72, 72, 3, 108, 108, 4, 111, 111, 2};
    for (const std::uint32_t number : numbers) put32(map, number);
    return map;
  }

  Bytes file() const { return assemble(tables()); }

  static Bytes assemble(const std::map<std::string, Bytes>& tables, const Bytes& before = {}) {
    Bytes bytes = before;
    append(bytes, words({1, 0, static_cast<int>(tables.size()), 0, 0, 0}));
    std::size_t offset = before.size() + 12 + 16 * tables.size();
    for (const auto& [tag, table] : tables) {
      bytes.insert(bytes.end(), tag.begin(), tag.end());
      put32(bytes, 0);
      put32(bytes, static_cast<std::uint32_t>(offset));
      put32(bytes, static_cast<std::uint32_t>(table.size()));
      offset += table.size();
    }
    for (const auto& [tag, table] : tables) append(bytes, table);
    return bytes;
  }
};

float area(const Glyph& glyph) {
  double sum = 0;
  for (const auto& line : glyph.lines)
    for (std::size_t i = 0; i < line.size(); ++i) {
      const Point a = line[i];
      const Point b = line[(i + 1) % line.size()];
      sum += 0.5 * (static_cast<double>(a.x) * static_cast<double>(b.y) -
                    static_cast<double>(b.x) * static_cast<double>(a.y));
    }
  return static_cast<float>(std::abs(sum));
}

/// Asks a font for everything, which must end and touch nothing that is not its own.
std::size_t exercise(const Typeface& font) {
  std::size_t points = 0;
  for (const char32_t c : {U'A', U'o', U'H', U'l', U' ', U'z', U'\uFFFD', U'\U0001F415', char32_t{0xFFFFFFFF}}) {
    const Glyph glyph = font.glyph(c);
    for (const auto& line : glyph.lines) points += line.size();
    points += font.contains(c) && std::isfinite(glyph.advance) && std::isfinite(font.kerning(c, U'o')) ? 1 : 0;
  }
  return points + (font.cap_height() > 0 ? 1 : 0);
}

/// Opens damaged bytes: either a FormatError, or a font that can be used.
bool opens(const Bytes& bytes) {
  try {
    exercise(TrueTypeFont(bytes, "damaged.ttf"));
    return true;
  } catch (const FormatError&) {
    return false;
  }
}

std::string message_of(const Bytes& bytes) {
  try {
    const TrueTypeFont font(bytes, "some.ttf");
    return "opened";
  } catch (const FormatError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("TrueTypeFont: outlines, advances, kerning and code points, with either kind of offsets and character map") {
  for (const bool wide : {false, true}) {
    for (const bool groups : {false, true}) {
      FontParts parts;
      parts.long_offsets = wide;
      parts.groups = groups;
      const TrueTypeFont font(parts.file(), "made.ttf");
      CAPTURE(wide);
      CAPTURE(groups);
      CHECK(font.contains(U'A'));
      CHECK(font.contains(U'o'));
      CHECK(font.contains(U'l'));
      CHECK(font.contains(U' '));
      CHECK_FALSE(font.contains(U'B'));
      CHECK_FALSE(font.contains(0x1F415));
      CHECK(font.glyph(U'A').advance == 0.52F);
      CHECK(font.glyph(U'H').advance == 0.53F);  // beyond the last full row: as the last
      CHECK(font.kerning(U'A', U'o') == -0.1F);
      CHECK(font.kerning(U'o', U'A') == 0.05F);
      CHECK(font.kerning(U'A', U'A') == 0.0F);
      CHECK(area(font.glyph(U'A')) == doctest::Approx(0.18));  // 0.5 * 0.5 * 0.72
      CHECK(area(font.glyph(U'B')) == doctest::Approx(0.35));  // the sign for a missing glyph
      CHECK(font.glyph(U' ').lines.empty());
      CHECK(font.cap_height() == doctest::Approx(0.72));
    }
  }
}

TEST_CASE("TrueTypeFont: of a collection the first font is taken") {
  const Bytes header{'t', 't', 'c', 'f', 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 16};
  const TrueTypeFont font(FontParts::assemble(FontParts{}.tables(), header), "made.ttc");
  CHECK(font.contains(U'A'));
  CHECK(area(font.glyph(U'A')) == doctest::Approx(0.18));
}

TEST_CASE("TrueTypeFont: y is down, the triangle's tip is up") {
  const TrueTypeFont font(FontParts{}.file(), "made.ttf");
  const Bounds bounds = bounds_of(font.glyph(U'A').lines);
  CHECK(bounds.x1 == 0.0F);
  CHECK(bounds.x2 == 0.5F);
  CHECK(bounds.y1 == -0.72F);
  CHECK(bounds.y2 == 0.0F);
}

TEST_CASE("TrueTypeFont: parabolas enclose two thirds of what their control points cut off") {
  // The square of side 0.5 without its corners: each corner triangle of 1/32 is filled to 2/3.
  CHECK(area(TrueTypeFont(FontParts{}.file(), "made.ttf").glyph(U'o')) ==
        doctest::Approx(0.25 - 4 * (1.0 / 3.0) / 32.0).epsilon(0.01));
}

TEST_CASE("TrueTypeFont: a composite's second part is scaled, then moved") {
  const Glyph glyph = TrueTypeFont(FontParts{}.file(), "made.ttf").glyph(U'H');
  REQUIRE(glyph.lines.size() == 2);
  CHECK(area(glyph) == doctest::Approx(0.18 + 0.045));
  const Bounds second = bounds_of(std::vector<Polyline>{glyph.lines[1]});
  CHECK(second.x1 == doctest::Approx(0.4));
  CHECK(second.x2 == doctest::Approx(0.65));
  CHECK(second.y1 == doctest::Approx(-0.46));
  CHECK(second.y2 == doctest::Approx(-0.1));
}

TEST_CASE("TrueTypeFont: a composite of itself ends, and is blank") {
  CHECK(TrueTypeFont(FontParts{}.file(), "made.ttf").glyph(U'l').lines.empty());
}

TEST_CASE("TrueTypeFont: a glyph whose record lies is blank, the others are not") {
  const auto blank_with = [](std::size_t at, std::uint8_t value) {
    FontParts parts;
    parts.glyphs[1][at] = value;
    const TrueTypeFont font(parts.file(), "made.ttf");
    CHECK(font.glyph(U'o').lines.size() == 1);
    return font.glyph(U'A').lines.empty();
  };
  CHECK(blank_with(0, 0x7F));   // 32513 contours
  CHECK(blank_with(10, 0x70));  // a contour that ends at point 28674
  CHECK(blank_with(12, 0xFF));  // 65280 bytes of instructions
  CHECK(blank_with(11, 200));   // 201 points in 20 bytes
  FontParts one_point;
  one_point.glyphs[1] = outline({{{5, 5, false}}});
  CHECK(TrueTypeFont(one_point.file(), "made.ttf").glyph(U'A').lines.empty());
  FontParts descending;
  descending.glyphs[1] = outline({{{0, 0}, {9, 9}}, {{1, 1}, {5, 9}, {3, 3}}});
  std::swap(descending.glyphs[1][11], descending.glyphs[1][13]);
  CHECK(TrueTypeFont(descending.file(), "made.ttf").glyph(U'A').lines.empty());
}

TEST_CASE("TrueTypeFont: what is no TrueType font is refused in one line with the file's name") {
  CHECK(message_of({}) == "some.ttf: the font is no TrueType file; use a TrueType font (.ttf) such as DejaVu Sans");
  CHECK(message_of({'O', 'T', 'T', 'O', 0, 9}).find("has PostScript outlines") != std::string::npos);
  CHECK(message_of({'t', 't', 'c', 'f', 0, 1, 0, 0, 0, 0, 0, 0}).find("collection is empty") != std::string::npos);
  CHECK(message_of(words({1, 0, 3, 0, 0, 0})).find("ends inside its table of contents") != std::string::npos);
  for (const std::string tag : {"cmap", "glyf", "head", "hhea", "hmtx", "loca", "maxp"}) {
    auto tables = FontParts{}.tables();
    tables.erase(tag);
    CHECK(message_of(FontParts::assemble(tables)).find("some.ttf: the font has no table " + tag) == 0);
  }
  auto tables = FontParts{}.tables();
  tables["loca"].resize(6);
  CHECK(message_of(FontParts::assemble(tables)).find("table loca of 6 bytes, expected at least 14") !=
        std::string::npos);
  tables = FontParts{}.tables();
  tables.erase("kern");
  CHECK(message_of(FontParts::assemble(tables)) == "opened");  // it need not be there
}

TEST_CASE("TrueTypeFont: cut off anywhere, it is refused") {
  const Bytes whole = FontParts{}.file();
  CHECK(message_of(whole) == "opened");
  for (std::size_t length = 0; length < whole.size(); ++length)
    CHECK(message_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length))) != "opened");
}

TEST_CASE("TrueTypeFont: with any byte changed it is refused or still usable") {
  int opened = 0;
  for (const bool groups : {false, true}) {
    FontParts parts;
    parts.groups = groups;
    const Bytes whole = parts.file();
    for (std::size_t i = 0; i < whole.size(); ++i) {
      for (const int change : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
        Bytes damaged = whole;
        damaged[i] = static_cast<std::uint8_t>(change);
        opened += opens(damaged) ? 1 : 0;
      }
    }
  }
  CHECK(opened > 100);
}

TEST_CASE("TrueTypeFont: with many bytes changed it is refused or still usable") {
  Philox random(99);
  const Bytes whole = FontParts{}.file();
  for (int draw = 0; draw < 3000; ++draw) {
    Bytes damaged = whole;
    for (std::uint32_t i = 0; i <= random.below(12); ++i)
      damaged[random.below(static_cast<std::uint32_t>(whole.size()))] = static_cast<std::uint8_t>(random.below(256));
    opens(damaged);
  }
}

TEST_CASE("TrueTypeFont: composites that refer to each other in a bush end soon") {
  FontParts parts;
  // Glyphs 6 to 13: each is made of 60 times the next, the last of 60 times a blank one.
  for (int level = 6; level < 14; ++level) {
    Bytes glyph = words({-1, 0, 0, 0, 0});
    for (int i = 0; i < 60; ++i) append(glyph, words({i < 59 ? 0x23 : 0x03, level < 13 ? level + 1 : 5, 0, 0}));
    parts.glyphs.push_back(glyph);
  }
  parts.glyphs[1] = parts.glyphs[6];
  auto tables = parts.tables();
  tables["hmtx"].resize(60);
  const TrueTypeFont font(FontParts::assemble(tables), "made.ttf");
  CHECK(font.glyph(U'A').lines.empty());
}

TEST_CASE("load_font: missing files, folders and other files are errors that name them") {
  CHECK_THROWS_AS(load_font("/nowhere/font.ttf"), FormatError);
  CHECK_THROWS_AS(load_font(std::filesystem::temp_directory_path().string()), FormatError);
  try {
    load_font("/nowhere/font.ttf");
  } catch (const FormatError& error) {
    CHECK(std::string(error.what()).find("/nowhere/font.ttf") == 0);
  }
}

TEST_CASE("load_font: reads a file") {
  const auto path =
      std::filesystem::temp_directory_path() / ("mrcnn_font_test_" + std::to_string(std::rand()) + ".ttf");
  const Bytes bytes = FontParts{}.file();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  const auto font = load_font(path.string());
  CHECK(font->contains(U'A'));
  std::filesystem::remove(path);
}

TEST_CASE("find_system_font: looks below XDG_DATA_DIRS, and finds nothing where nothing is") {
  const char* const variables[] = {"HOME", "XDG_DATA_HOME", "XDG_DATA_DIRS"};
  std::map<std::string, std::string> saved;
  for (const char* name : variables)
    if (const char* value = std::getenv(name); value != nullptr) saved[name] = value;
  const auto root = std::filesystem::temp_directory_path() / "mrcnn_font_search";
  std::filesystem::remove_all(root);
  std::filesystem::create_directories(root / "fonts" / "truetype" / "b");
  for (const char* name : variables) setenv(name, root.c_str(), 1);
  CHECK(find_system_font().empty());
  std::ofstream(root / "fonts" / "LiberationSans-Regular.ttf") << "x";
  CHECK(find_system_font() == (root / "fonts" / "LiberationSans-Regular.ttf").string());
  std::ofstream(root / "fonts" / "truetype" / "b" / "DejaVuSans.ttf") << "x";
  CHECK(find_system_font() == (root / "fonts" / "truetype" / "b" / "DejaVuSans.ttf").string());
  std::filesystem::remove_all(root);
  CHECK(find_system_font().empty());  // not even the folder is there
  for (const char* name : variables) saved.count(name) != 0 ? setenv(name, saved[name].c_str(), 1) : unsetenv(name);
}

TEST_CASE("default_typeface: always there, with all of ASCII") {
  const auto typeface = default_typeface();
  REQUIRE(typeface != nullptr);
  CHECK(typeface == default_typeface());
  for (char32_t c = 33; c < 127; ++c) {
    CHECK(typeface->contains(c));
    CHECK_FALSE(typeface->glyph(c).lines.empty());
  }
  CHECK(typeface->cap_height() > 0.5F);
}

TEST_CASE("a font of the system, damaged at random, is refused or still usable") {
  const std::string path = find_system_font();
  if (path.empty()) {
    MESSAGE("no font on this system");
    return;
  }
  std::ifstream stream(path, std::ios::binary);
  const Bytes whole((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  Philox random(5);
  for (int draw = 0; draw < 40; ++draw) {
    Bytes damaged = whole;
    const std::uint32_t changes = 1U << random.below(16);
    for (std::uint32_t i = 0; i < changes; ++i)
      damaged[random.below(static_cast<std::uint32_t>(whole.size()))] = static_cast<std::uint8_t>(random.below(256));
    if (random.below(4) == 0) damaged.resize(random.below(static_cast<std::uint32_t>(whole.size())));
    opens(damaged);
  }
}
