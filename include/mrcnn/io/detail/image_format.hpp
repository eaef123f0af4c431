#ifndef MRCNN_IO_DETAIL_IMAGE_FORMAT_HPP
#define MRCNN_IO_DETAIL_IMAGE_FORMAT_HPP

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "mrcnn/core/config.hpp"

namespace mrcnn::io::detail {

enum class ImageFormat : std::uint8_t { unknown, jpeg, png, bmp, gif, tga, psd, pnm };

inline const char* format_name(ImageFormat format) {
  constexpr std::array names = {"unknown", "JPEG", "PNG", "BMP", "GIF", "TGA", "PSD", "PNM"};
  return names[static_cast<std::size_t>(format)];
}

/// The extension of a path in lower case, with its dot; empty when it has none.
inline std::string lower_extension(std::string_view path) {
  const std::string_view file = path.substr(path.find_last_of('/') + 1);
  const std::size_t dot = file.find_last_of('.');
  std::string extension(dot == std::string_view::npos || dot == 0 ? std::string_view() : file.substr(dot));
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

inline bool starts_with(std::span<const std::uint8_t> bytes, std::string_view signature, std::size_t at = 0) {
  return bytes.size() >= at + signature.size() &&
         std::equal(signature.begin(), signature.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char c, std::uint8_t byte) { return static_cast<std::uint8_t>(c) == byte; });
}

/// What the first bytes say; for TGA, which has no signature, what the name says.
inline ImageFormat image_format(std::span<const std::uint8_t> bytes, std::string_view name) {
  if (starts_with(bytes, "\xFF\xD8\xFF")) return ImageFormat::jpeg;
  if (starts_with(bytes, "\x89PNG\r\n\x1A\n")) return ImageFormat::png;
  if (starts_with(bytes, "GIF87a") || starts_with(bytes, "GIF89a")) return ImageFormat::gif;
  if (starts_with(bytes, "8BPS")) return ImageFormat::psd;
  if (starts_with(bytes, "BM")) return ImageFormat::bmp;
  if (starts_with(bytes, "P5") || starts_with(bytes, "P6")) return ImageFormat::pnm;
  if (lower_extension(name) == ".tga") return ImageFormat::tga;
  return ImageFormat::unknown;
}

/// What a file that is none of ours seems to be, for an error message.
inline std::string describe_bytes(std::span<const std::uint8_t> bytes) {
  if (starts_with(bytes, "RIFF") && starts_with(bytes, "WEBP", 8)) return "a WebP picture";
  if (starts_with(bytes, std::string_view("II*\0", 4)) || starts_with(bytes, std::string_view("MM\0*", 4)))
    return "a TIFF picture";
  if (starts_with(bytes, "ftypavif", 4)) return "an AVIF picture";
  if (starts_with(bytes, "ftyphei", 4) || starts_with(bytes, "ftypmif1", 4)) return "a HEIC picture";
  if (starts_with(bytes, "ftyp", 4)) return "a video";
  if (starts_with(bytes, "%PDF")) return "a PDF document";
  if (starts_with(bytes, "<svg") || starts_with(bytes, "<?xml")) return "an SVG or XML text";
  for (const char* plain : {"P1", "P2", "P3", "P4", "P7"})
    if (starts_with(bytes, plain)) return "a PNM picture of the kind " + std::string(plain);
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string text = "bytes that begin with";
  for (std::size_t i = 0; i < std::min<std::size_t>(bytes.size(), 4); ++i)
    text += {' ', digits[bytes[i] >> 4], digits[bytes[i] & 15]};
  return text;
}

/// Size of a picture whose pixels are not compressed, read from its header. Zeros when the header makes no sense.
struct PlainPicture {
  index_t height = 0;
  index_t width = 0;
  std::uint64_t bytes = 0;  ///< that the file needs in all; 0 when the pixels are compressed after all
};

/// Binary PGM or PPM: three numbers between white space and comments, one white space, then the pixels.
inline PlainPicture read_pnm_header(std::span<const std::uint8_t> bytes) {
  std::array<std::uint64_t, 3> numbers{};  // width, height, largest value
  std::size_t at = 2;
  const auto is_space = [](int c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  for (std::uint64_t& number : numbers) {
    while (at < bytes.size() && (is_space(bytes[at]) || bytes[at] == '#'))
      if (bytes[at++] == '#')
        while (at < bytes.size() && bytes[at] != '\n' && bytes[at] != '\r') ++at;
    const std::size_t begin = at;
    for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9' && at - begin < 9; ++at)
      number = number * 10 + (bytes[at] - '0');
    if (at == begin || at == bytes.size() || !is_space(bytes[at])) return {};
  }
  if (numbers[2] < 1 || numbers[2] > 65535) return {};
  const std::uint64_t pixel_bytes = (bytes[1] == '6' ? 3 : 1) * (numbers[2] > 255 ? 2 : 1);
  return {static_cast<index_t>(numbers[1]), static_cast<index_t>(numbers[0]),
          at + 1 + numbers[0] * numbers[1] * pixel_bytes};
}

inline PlainPicture read_tga_header(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < 18) return {};
  const auto number = [&](std::size_t at) { return static_cast<std::uint64_t>(bytes[at] | bytes[at + 1] << 8); };
  PlainPicture picture;
  picture.width = static_cast<index_t>(number(12));
  picture.height = static_cast<index_t>(number(14));
  if (bytes[2] >= 1 && bytes[2] <= 3) {  // 9 to 11 are compressed
    const std::uint64_t palette = bytes[1] == 1 ? number(5) * ((bytes[7] + 7U) / 8U) : 0;
    picture.bytes = 18 + bytes[0] + palette + number(12) * number(14) * ((bytes[16] + 7U) / 8U);
  }
  return picture;
}

}  // namespace mrcnn::io::detail

#endif
