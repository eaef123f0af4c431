#ifndef MRCNN_VIS_UTF8_HPP
#define MRCNN_VIS_UTF8_HPP

#include <cstdint>
#include <string>
#include <string_view>

namespace mrcnn::vis {

/// Stands for bytes that are not text.
inline constexpr char32_t replacement_character = 0xFFFD;

/// The Unicode code points of UTF-8 text. Never fails: each longest run of bytes that begins a valid sequence but does
/// not end it, and each other byte that is no text, gives one U+FFFD. Overlong forms, surrogates and values above
/// U+10FFFF are not valid.
/// Source: The Unicode Standard, 3.9, table 3-7 and "substitution of maximal subparts".
inline std::u32string decode_utf8(std::string_view text) {
  std::u32string decoded;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[i++]);
    if (lead < 0x80) {
      decoded.push_back(lead);
      continue;
    }
    int following = 0;
    if (lead >= 0xC2 && lead <= 0xDF) following = 1;
    if (lead >= 0xE0 && lead <= 0xEF) following = 2;
    if (lead >= 0xF0 && lead <= 0xF4) following = 3;
    // The second byte's range is narrower after four of the leads; it excludes what is not valid.
    std::uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    std::uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    char32_t value = following == 1 ? lead & 0x1FU : following == 2 ? lead & 0x0FU : lead & 0x07U;
    bool valid = following > 0;
    for (int k = 0; valid && k < following; ++k) {
      const std::uint8_t next = i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
      valid = next >= low && next <= high;
      if (valid) {
        value = (value << 6) | (next & 0x3FU);
        ++i;
      }
      low = 0x80;
      high = 0xBF;
    }
    decoded.push_back(valid ? value : replacement_character);
  }
  return decoded;
}

}  // namespace mrcnn::vis

#endif
