#ifndef MRCNN_IO_DETAIL_PNG_STRUCTURE_HPP
#define MRCNN_IO_DETAIL_PNG_STRUCTURE_HPP

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "mrcnn/core/config.hpp"
#include "mrcnn/io/detail/orientation.hpp"

namespace mrcnn::io::detail {

/// What a PNG file is made of: its chunks, each checked against the file's length, the critical ones against their
/// checksum.
struct PngStructure {
  index_t height = 0;
  index_t width = 0;
  index_t bits_per_pixel = 0;
  std::uint64_t compressed = 0;  ///< bytes of pixel data before they are unpacked
  int orientation = 1;
  std::string missing;  ///< what the file is too short for; empty when it is whole
  std::string damaged;  ///< what makes it a file that can not be decoded; empty when nothing does
};

inline std::uint32_t crc32(std::span<const std::uint8_t> bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t n = 0; n < 256; ++n) {
      std::uint32_t c = n;
      for (int bit = 0; bit < 8; ++bit) c = (c & 1U) != 0 ? 0xEDB88320U ^ c >> 1 : c >> 1;
      entries[n] = c;
    }
    return entries;
  }();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::uint8_t byte : bytes) crc = table[(crc ^ byte) & 0xFFU] ^ crc >> 8;
  return ~crc;
}

inline std::uint32_t big_endian32(const std::uint8_t* bytes) {
  return static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
         static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3];
}

/// Takes note of one chunk that is whole.
inline void note_png_chunk(const std::string& type, std::span<const std::uint8_t> data, PngStructure& found) {
  if (type == "IHDR") {
    if (data.size() != 13) {
      found.damaged = "its header has " + std::to_string(data.size()) + " bytes, expected 13";
      return;
    }
    found.width = big_endian32(data.data());
    found.height = big_endian32(data.data() + 4);
    const int kind = data[9];
    found.bits_per_pixel = (kind == 2 ? 3 : kind == 4 ? 2 : kind == 6 ? 4 : 1) * data[8];
    if (found.width == 0 || found.height == 0) found.damaged = "its header gives it no pixels";
  } else if (type == "IDAT") {
    found.compressed += data.size();
  } else if (type == "eXIf") {
    found.orientation = exif_orientation(data);
  } else if (type != "PLTE" && type != "IEND" && type != "CgBI" && (type[0] & 0x20) == 0) {
    found.damaged = "it has a chunk of unknown type";
  }
}

inline PngStructure walk_png(std::span<const std::uint8_t> bytes) {
  PngStructure found;
  std::size_t at = 8;  // behind the signature
  for (;;) {
    const std::size_t left = bytes.size() - at;
    const std::uint32_t length = left >= 8 ? big_endian32(bytes.data() + at) : 0;
    if (left < 12 || length > left - 12) {
      found.missing =
          left >= 8 && std::memcmp(bytes.data() + at + 4, "IDAT", 4) == 0 ? "pixel data" : "the chunks that end it";
      return found;
    }
    const std::string type(reinterpret_cast<const char*>(bytes.data()) + at + 4, 4);
    const bool critical = (type[0] & 0x20) == 0;
    if (critical && crc32(bytes.subspan(at + 4, length + 4)) != big_endian32(bytes.data() + at + 8 + length)) {
      found.damaged = "the checksum of a chunk at byte " + std::to_string(at) + " is wrong";
      return found;
    }
    if (at == 8 && type != "IHDR" && type != "CgBI") {
      found.damaged = "it does not begin with a header";
      return found;
    }
    note_png_chunk(type, bytes.subspan(at + 8, length), found);
    if (!found.damaged.empty() || type == "IEND") break;
    at += 12 + std::size_t{length};
  }
  if (found.damaged.empty() && found.bits_per_pixel == 0) found.damaged = "it has no header";
  if (found.damaged.empty() && found.compressed == 0) found.damaged = "it has no pixel data";
  return found;
}

}  // namespace mrcnn::io::detail

#endif
