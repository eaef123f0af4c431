#ifndef MRCNN_TESTS_SUPPORT_IMAGE_FILES_HPP
#define MRCNN_TESTS_SUPPORT_IMAGE_FILES_HPP

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mrcnn/core/image.hpp"
#include "tests/support/files.hpp"

// Image files made by hand, independent of the library's own writers: PNG with stored (not compressed) pixel data,
// Exif blocks, and JPEG kinds that our writer does not make.

namespace mrcnn::test {

using ByteVector = std::vector<std::uint8_t>;

inline ByteVector bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

inline void append(ByteVector& bytes, const ByteVector& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

/// `count` bytes of a number, the high one first or last.
inline ByteVector number(std::uint64_t value, int count, bool big_endian = true) {
  ByteVector bytes;
  for (int i = 0; i < count; ++i)
    bytes.push_back(static_cast<std::uint8_t>(value >> 8 * (big_endian ? count - 1 - i : i)));
  return bytes;
}

/// Bit by bit, as the PNG standard defines it.
inline std::uint32_t png_checksum(const std::uint8_t* bytes, std::size_t count) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (std::size_t i = 0; i < count; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1U) != 0 ? crc >> 1 ^ 0xEDB88320U : crc >> 1;
  }
  return crc ^ 0xFFFFFFFFU;
}

inline ByteVector png_chunk(std::string_view type, const ByteVector& data) {
  ByteVector checked = bytes_of(type);
  append(checked, data);
  ByteVector chunk = number(data.size(), 4);
  append(chunk, checked);
  append(chunk, number(png_checksum(checked.data(), checked.size()), 4));
  return chunk;
}

/// zlib data that hold `raw` (at most 65535 bytes) in one stored block.
inline ByteVector zlib_stored(const ByteVector& raw) {
  ByteVector data = {0x78, 0x01, 0x01};
  append(data, number(raw.size(), 2, false));
  append(data, number(raw.size() ^ 0xFFFFU, 2, false));
  append(data, raw);
  std::uint32_t a = 1;
  std::uint32_t b = 0;
  for (const std::uint8_t byte : raw) {
    a = (a + byte) % 65521U;
    b = (b + a) % 65521U;
  }
  append(data, number(b << 16 | a, 4));
  return data;
}

inline ByteVector png_header(std::uint32_t width, std::uint32_t height, int depth, int colour_type) {
  ByteVector header = number(width, 4);
  append(header, number(height, 4));
  append(header, {static_cast<std::uint8_t>(depth), static_cast<std::uint8_t>(colour_type), 0, 0, 0});
  return png_chunk("IHDR", header);
}

/// A PNG of rows of samples, without filters. `extra`: chunks to put before the pixels.
inline ByteVector png_file(std::uint32_t width, const std::vector<ByteVector>& rows, int depth, int colour_type,
                           const ByteVector& extra = {}) {
  ByteVector raw;
  for (const ByteVector& row : rows) {
    raw.push_back(0);
    append(raw, row);
  }
  ByteVector file = bytes_of("\x89PNG\r\n\x1A\n");
  append(file, png_header(width, static_cast<std::uint32_t>(rows.size()), depth, colour_type));
  append(file, extra);
  append(file, png_chunk("IDAT", zlib_stored(raw)));
  append(file, png_chunk("IEND", {}));
  return file;
}

/// Makes the checksums of a damaged PNG right again, as far as its chunks can be followed.
inline void repair_png_checksums(ByteVector& file) {
  if (file.size() < 8 || file[1] != 'P' || file[2] != 'N' || file[3] != 'G') return;
  for (std::size_t at = 8; at + 12 <= file.size();) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | file[at + i];
    if (length > file.size() - at - 12) return;
    const ByteVector checksum = number(png_checksum(file.data() + at + 4, length + 4), 4);
    std::copy(checksum.begin(), checksum.end(), file.begin() + static_cast<std::ptrdiff_t>(at + 8 + length));
    at += 12 + length;
  }
}

/// 2 x 2 pixels 1 2 3, 4 5 6 / 7 8 9, 10 11 12: rows from the bottom, blue green red, padded to four bytes.
inline ByteVector bmp_file() {
  ByteVector bmp = bytes_of("BM");
  for (const unsigned field : {70U, 0U, 54U, 40U, 2U, 2U}) append(bmp, number(field, 4, false));
  append(bmp, number(1, 2, false));
  append(bmp, number(24, 2, false));
  for (const unsigned field : {0U, 16U, 0U, 0U, 0U, 0U}) append(bmp, number(field, 4, false));
  append(bmp, {9, 8, 7, 12, 11, 10, 0, 0, 3, 2, 1, 6, 5, 4, 0, 0});
  return bmp;
}

/// 2 x 1 pixels 1 2 3, 4 5 6: from the top, blue green red.
inline ByteVector tga_file() { return {0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 24, 0x20, 3, 2, 1, 6, 5, 4}; }

/// 2 x 1 pixels 1 2 3, 4 5 6: one plane after the other, not compressed.
inline ByteVector psd_file() {
  ByteVector psd = bytes_of("8BPS");
  append(psd, {0, 1, 0, 0, 0, 0, 0, 0, 0, 3});
  append(psd, number(1, 4));
  append(psd, number(2, 4));
  append(psd, {0, 8, 0, 3});
  for (int empty = 0; empty < 3; ++empty) append(psd, number(0, 4));
  append(psd, {0, 0, 1, 4, 2, 5, 3, 6});
  return psd;
}

/// 2 x 1 pixels 10 20 30, 40 50 60, of four colours. Codes: clear, 1, 2, end, of three bits each.
inline ByteVector gif_file() {
  ByteVector gif = bytes_of("GIF89a");
  append(gif, {2, 0, 1, 0, 0x81, 0, 0, 0, 0, 0, 10, 20, 30, 40, 50, 60, 0, 0, 0});
  append(gif, {0x2C, 0, 0, 0, 0, 2, 0, 1, 0, 0, 2, 2, 0b10001100, 0b00001010, 0, 0x3B});
  return gif;
}

/// The TIFF structure of an Exif block whose only tag is Orientation.
inline ByteVector exif_block(int orientation, bool big_endian) {
  ByteVector tiff = bytes_of(big_endian ? "MM" : "II");
  append(tiff, number(42, 2, big_endian));
  append(tiff, number(8, 4, big_endian));
  append(tiff, number(1, 2, big_endian));
  append(tiff, number(0x0112, 2, big_endian));
  append(tiff, number(3, 2, big_endian));
  append(tiff, number(1, 4, big_endian));
  append(tiff, number(static_cast<std::uint64_t>(orientation), 2, big_endian));
  append(tiff, {0, 0});
  append(tiff, number(0, 4, big_endian));
  return tiff;
}

/// A JPEG with an APP1 segment that holds `tiff`, right behind its signature.
inline ByteVector with_exif(const ByteVector& jpeg, const ByteVector& tiff) {
  ByteVector file(jpeg.begin(), jpeg.begin() + 2);
  append(file, {0xFF, 0xE1});
  append(file, number(tiff.size() + 8, 2));
  append(file, bytes_of(std::string_view("Exif\0\0", 6)));
  append(file, tiff);
  file.insert(file.end(), jpeg.begin() + 2, jpeg.end());
  return file;
}

inline ByteVector from_hex(std::string_view text) {
  ByteVector bytes;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(digit(text[i]) << 4 | digit(text[i + 1])));
  return bytes;
}

/// 34 x 18 pixels written by Pillow: progressive, colour at half the resolution.
inline ByteVector progressive_jpeg() {
  return from_hex(
      "ffd8ffdb004300140e0f120f0d14121012171514181e32211e1c1c1e3d2c2e243249404c4b47404645505a736250556d564546648865"
      "6d777b8182814e608d978c7d96737e817cffdb0043011517171e1a1e3b21213b7c5346537c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c"
      "7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7cffc20011080012002203012200021101031101ffc400"
      "1800010101010100000000000000000000000002040305ffc40017010101010100000000000000000000000003020405ffda000c0301"
      "0002100310000001f3ef4dd966e9a6e75e56c134597c4bb036751a13ffc4001a10000300030100000000000000000000000001120211"
      "3110ffda000801010001050258e892764902c4924925f8b988ba7fffc4001811000301010000000000000000000000000002031013ff"
      "da0008010301013f014a0943a082e7ffc4001e11000201030500000000000000000000000001021011123242516171ffda0008010201"
      "013f017356e87333870c7adf86d8d3ffc40017100003010000000000000000000000000010202130ffda0008010100063f025a261fff"
      "c4001d100002020105000000000000000000000000011041911120213151ffda0008010100013f21b42b9e02a1ae02c0e016703eb683"
      "ffda000c030100020003000000105e405d001fffc400191100020301000000000000000000000000000110113151ffda000801030101"
      "3f1085bf4c236e3fffc4001f1100010303050000000000000000000000011011610021413171b1c1d1ffda0008010201013f10d1360c"
      "bf94572e6f99112a99cbda7fffc4001d100002020203010000000000000000000000011121314151617191ffda0008010100013f1091"
      "29d51238aac8aa863924515783c06b74aee86a70915543d8b1094a47a1fc1142b62ad74c45742ad76c85c1ffd9");
}

/// The same picture, baseline, with a restart marker after every second group of blocks.
inline ByteVector restarts_jpeg() {
  return from_hex(
      "ffd8ffdb004300140e0f120f0d14121012171514181e32211e1c1c1e3d2c2e243249404c4b47404645505a736250556d564546648865"
      "6d777b8182814e608d978c7d96737e817cffdb0043011517171e1a1e3b21213b7c5346537c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c"
      "7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7cffc00011080012002203012200021101031101ffc400"
      "1800010101010100000000000000000000000003050406ffc40025100002000405040300000000000000000000010204112103121331"
      "4114225161237191ffc40017010003010000000000000000000000000003040506ffc400291100010300060b01000000000000000000"
      "0001020304112131416112131432334351527172c1d1ffdd00040002ffda000c03010002110311003f00f3f872ba6eb12f562f0cad5e"
      "74adb9a3872cdbf915bdd8bc32cd3a25d81dd3b746cddc131aff0005a1a499aa5b529956de4bc32f55912bec69296cb4d35f74b97865"
      "52554bbc13a75ad6b5b71cd32ccab0d24fffd0e7e862f40d8e9f13c3fc02fae83b5c59da57a91892caadc97c24b4b6e18019fc777a98"
      "986e43ffd1d6974af62d8496aedcb009fcb8bcfd0315ea7551780014064fffd9");
}

/// A picture without symmetry: every pixel differs from the others.
inline Image test_picture(index_t height, index_t width) {
  Image image(height, width);
  for (index_t i = 0; i < height * width; ++i) {
    image.pixels[static_cast<std::size_t>(3 * i)] = static_cast<std::uint8_t>(i % 251);
    image.pixels[static_cast<std::size_t>(3 * i + 1)] = static_cast<std::uint8_t>(i / 251 % 256);
    image.pixels[static_cast<std::size_t>(3 * i + 2)] = static_cast<std::uint8_t>(i * 7 % 256);
  }
  return image;
}

}  // namespace mrcnn::test

#endif
