#include "mrcnn/io/image.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "tests/support/image_files.hpp"

namespace mrcnn::test {
namespace {

using io::decode_image;

bool same(const Image& a, const Image& b) { return a.height == b.height && a.width == b.width && a.pixels == b.pixels; }

int largest_difference(const Image& a, const Image& b) {
  REQUIRE(a.pixels.size() == b.pixels.size());
  int largest = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  return largest;
}

/// Smooth, so that JPEG changes it little.
Image gradient(index_t height, index_t width) {
  Image image(height, width);
  for (index_t y = 0; y < height; ++y)
    for (index_t x = 0; x < width; ++x) {
      std::uint8_t* pixel = &image.pixels[static_cast<std::size_t>((y * width + x) * 3)];
      pixel[0] = static_cast<std::uint8_t>(255 * x / std::max<index_t>(width - 1, 1));
      pixel[1] = static_cast<std::uint8_t>(255 * y / std::max<index_t>(height - 1, 1));
      pixel[2] = 100;
    }
  return image;
}

std::vector<int> pixels(const Image& image) { return {image.pixels.begin(), image.pixels.end()}; }

ByteVector prefix(const ByteVector& bytes, std::size_t count) {
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)};
}

std::string decode_error(const ByteVector& bytes, const std::string& name = "x") {
  return message_of([&] { decode_image(bytes, name); });
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("image: a PNG comes back as it was written, also the narrowest and the longest") {
  const TemporaryFolder folder;
  for (const auto& [height, width] : {std::pair<index_t, index_t>{1, 1}, {1, 5000}, {20000, 3}, {37, 41}}) {
    const Image image = test_picture(height, width);
    io::write_png(folder / "picture.png", image);
    CHECK(same(io::read_image(folder / "picture.png"), image));
  }
}

TEST_CASE("image: a JPEG comes back nearly as it was written") {
  const TemporaryFolder folder;
  for (const auto& [height, width] : {std::pair<index_t, index_t>{1, 1}, {1, 5000}, {20000, 3}, {37, 41}, {64, 64}}) {
    const Image image = gradient(height, width);
    io::write_jpeg(folder / "picture.jpg", image, 98);
    CHECK(largest_difference(io::read_image(folder / "picture.jpg"), image) <= 12);
  }
}

TEST_CASE("image: gray is replicated, alpha dropped, the upper byte of 16 bits kept, palettes looked up") {
  CHECK(pixels(decode_image(png_file(2, {{7, 200}}, 8, 0), "gray")) == std::vector{7, 7, 7, 200, 200, 200});
  CHECK(pixels(decode_image(png_file(2, {{7, 0, 200, 255}}, 8, 4), "gray + alpha")) ==
        std::vector{7, 7, 7, 200, 200, 200});
  CHECK(pixels(decode_image(png_file(1, {{1, 2, 3, 0}, {4, 5, 6, 128}}, 8, 6), "alpha")) ==
        std::vector{1, 2, 3, 4, 5, 6});
  CHECK(pixels(decode_image(png_file(1, {{0x12, 0xFF, 0x34, 0x00, 0x56, 0x80}}, 16, 2), "16 bits")) ==
        std::vector{0x12, 0x34, 0x56});
  CHECK(pixels(decode_image(png_file(1, {{0xAB, 0xCD}}, 16, 0), "16 bits gray")) == std::vector{0xAB, 0xAB, 0xAB});
  CHECK(pixels(decode_image(png_file(8, {{0b10010000}}, 1, 0), "1 bit")) ==
        std::vector{255, 255, 255, 0, 0, 0, 0, 0, 0, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  const ByteVector palette = png_chunk("PLTE", {10, 20, 30, 40, 50, 60});
  CHECK(pixels(decode_image(png_file(3, {{1, 0, 1}}, 8, 3, palette), "palette")) ==
        std::vector{40, 50, 60, 10, 20, 30, 40, 50, 60});
}

TEST_CASE("image: PNM, BMP, TGA, PSD and GIF written by hand") {
  CHECK(pixels(decode_image(bytes_of("P6 # a comment\n2 1\n255\nabcdef"), "ppm")) ==
        std::vector<int>{'a', 'b', 'c', 'd', 'e', 'f'});
  CHECK(pixels(decode_image(bytes_of("P5 2 1 255\nab"), "pgm")) == std::vector<int>{'a', 'a', 'a', 'b', 'b', 'b'});

  CHECK(pixels(decode_image(bmp_file(), "bmp")) == std::vector{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const ByteVector tga = tga_file();
  CHECK(pixels(decode_image(tga, "picture.TGA")) == std::vector{1, 2, 3, 4, 5, 6});
  CHECK(contains(decode_error(prefix(tga, tga.size() - 1), "picture.tga"), "cut short"));
  CHECK(pixels(decode_image(psd_file(), "psd")) == std::vector{1, 2, 3, 4, 5, 6});
  CHECK(pixels(decode_image(gif_file(), "gif")) == std::vector{10, 20, 30, 40, 50, 60});
}

TEST_CASE("image: progressive and restarting JPEGs decode to the picture they were made from") {
  for (const ByteVector& file : {progressive_jpeg(), restarts_jpeg()}) {
    const Image image = decode_image(file, "jpeg");
    CHECK(image.height == 18);
    CHECK(image.width == 34);
    const int expected[] = {231, 214, 220};  // the last pixel, by Pillow
    for (std::size_t c = 0; c < 3; ++c) CHECK(std::abs(image.pixels[(17 * 34 + 33) * 3 + c] - expected[c]) <= 3);
  }
}

// ---------------------------------------------------------------------------------------------------- orientation

/// Where pixel (y, x) of a picture as seen lies in the stored one, by the words of the Exif standard: what the stored
/// picture's first row and first column show.
std::pair<index_t, index_t> stored_position(int orientation, index_t y, index_t x, index_t height, index_t width) {
  switch (orientation) {
    case 2: return {y, width - 1 - x};               // row 0 is the top, column 0 the right side
    case 3: return {height - 1 - y, width - 1 - x};  // the bottom, the right side
    case 4: return {height - 1 - y, x};              // the bottom, the left side
    case 5: return {x, y};                           // the left side, the top
    case 6: return {width - 1 - x, y};               // the right side, the top
    case 7: return {width - 1 - x, height - 1 - y};  // the right side, the bottom
    case 8: return {x, height - 1 - y};              // the left side, the bottom
    default: return {y, x};
  }
}

void check_oriented(const Image& stored, const Image& seen, int orientation) {
  CAPTURE(orientation);
  REQUIRE(seen.height == (orientation >= 5 ? stored.width : stored.height));
  REQUIRE(seen.width == (orientation >= 5 ? stored.height : stored.width));
  bool equal = true;
  for (index_t y = 0; y < seen.height; ++y)
    for (index_t x = 0; x < seen.width; ++x) {
      const auto [row, column] = stored_position(orientation, y, x, seen.height, seen.width);
      for (index_t c = 0; c < 3; ++c) equal = equal && seen.view()(y, x, c) == stored.view()(row, column, c);
    }
  CHECK(equal);
}

TEST_CASE("image: the eight Exif orientations, in both byte orders, in JPEG and PNG") {
  for (const auto& [height, width] : {std::pair<index_t, index_t>{2, 3}, {70, 33}, {1, 5}}) {
    const ByteVector jpeg = io::encode_jpeg(gradient(height, width));
    const Image stored = decode_image(jpeg, "stored");
    for (int orientation = 1; orientation <= 8; ++orientation)
      for (const bool big_endian : {false, true}) {
        const ByteVector file = with_exif(jpeg, exif_block(orientation, big_endian));
        check_oriented(stored, decode_image(file, "jpeg"), orientation);
        CHECK(same(decode_image(file, "jpeg", {.apply_exif_orientation = false}), stored));
      }
  }
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const ByteVector extra = png_chunk("eXIf", exif_block(orientation, true));
    const std::vector<ByteVector> rows = {{1, 2, 3, 4, 5, 6, 7, 8, 9}, {11, 12, 13, 14, 15, 16, 17, 18, 19}};
    check_oriented(decode_image(png_file(3, rows, 8, 2), "stored"), decode_image(png_file(3, rows, 8, 2, extra), "png"),
                   orientation);
  }
}

TEST_CASE("image: a broken Exif block costs no picture") {
  const ByteVector jpeg = io::encode_jpeg(gradient(4, 9));
  const Image upright = decode_image(jpeg, "jpeg");
  const ByteVector block = exif_block(6, false);
  for (std::size_t length = 0; length < 8 + 2 + 10; ++length)  // cut before the value is complete
    CHECK(same(decode_image(with_exif(jpeg, prefix(block, length)), "jpeg"), upright));
  for (const int value : {0, 9, 255, 65535})
    CHECK(same(decode_image(with_exif(jpeg, exif_block(value, true)), "jpeg"), upright));
  for (std::size_t at = 0; at < block.size(); ++at)
    for (const int value : {0x00, 0x7F, 0xFF}) {
      ByteVector hostile = block;
      hostile[at] = static_cast<std::uint8_t>(value);
      CHECK(decode_image(with_exif(jpeg, hostile), "jpeg").pixels.size() == upright.pixels.size());
    }
}

// ---------------------------------------------------------------------------------------------------- broken files

TEST_CASE("image: a JPEG cut anywhere is an error, but one that lacks just its end marker is read") {
  for (const ByteVector& file : {io::encode_jpeg(test_picture(21, 35), 75), io::encode_jpeg(gradient(17, 16), 95),
                                 progressive_jpeg(), restarts_jpeg()}) {
    const Image whole = decode_image(file, "whole");
    REQUIRE(file[file.size() - 2] == 0xFF);
    for (std::size_t length = 3; length < file.size() - 2; ++length) {
      CAPTURE(length);
      CAPTURE(file.size());
      CHECK(contains(decode_error(prefix(file, length)), "x: the JPEG picture is cut short: the file ends after " +
                                                             std::to_string(length) + " bytes, expected "));
    }
    CHECK(same(decode_image(prefix(file, file.size() - 2), "no end marker"), whole));
    CHECK(same(decode_image(prefix(file, file.size() - 1), "half an end marker"), whole));
    ByteVector longer = file;
    append(longer, bytes_of("whatever a camera puts behind the picture"));
    CHECK(same(decode_image(longer, "trailing bytes"), whole));
  }
}

TEST_CASE("image: a JPEG cut short and then closed with an end marker is an error") {
  const ByteVector file = io::encode_jpeg(test_picture(40, 40), 90);
  ByteVector closed = prefix(file, file.size() / 2 + 300);
  append(closed, {0xFF, 0xD9});
  CHECK(contains(decode_error(closed), "cut short"));
}

TEST_CASE("image: a PNG cut anywhere is an error") {
  const TemporaryFolder folder;
  for (const ByteVector& file : {io::encode_png(test_picture(9, 12)), png_file(2, {{7, 0, 200, 255}}, 8, 4)})
    for (std::size_t length = 8; length < file.size(); ++length)
      CHECK(contains(decode_error(prefix(file, length)), "the PNG picture is cut short"));

  // The chunks are whole, but the compressed pixels inside end early.
  const ByteVector pixels = zlib_stored({0, 1, 2, 3, 0, 4, 5, 6});
  for (std::size_t length = 1; length < pixels.size() - 4; ++length) {  // the last four bytes are a checksum
    ByteVector file = bytes_of("\x89PNG\r\n\x1A\n");
    append(file, png_header(1, 2, 8, 2));
    append(file, png_chunk("IDAT", prefix(pixels, length)));
    append(file, png_chunk("IEND", {}));
    CHECK(contains(decode_error(file), "the PNG picture can not be decoded"));
  }
}

TEST_CASE("image: a PNG with a changed byte is caught by its checksums") {
  const ByteVector file = io::encode_png(test_picture(9, 12));
  for (std::size_t at = 8; at < file.size(); ++at) {
    ByteVector damaged = file;
    damaged[at] ^= 0x10;
    CHECK(contains(decode_error(damaged), "the PNG picture "));
  }
}

TEST_CASE("image: uncompressed formats cut short are errors") {
  const std::string ppm = "P6 4 4 255\n" + std::string(48, 'x');
  for (std::size_t length = 11; length < ppm.size(); ++length)
    CHECK(contains(decode_error(bytes_of(ppm.substr(0, length))), "the PNM picture is cut short"));
  for (std::size_t length = 2; length < 11; ++length)
    CHECK(contains(decode_error(bytes_of(ppm.substr(0, length))), "the PNM picture "));
}

TEST_CASE("image: absurd sizes are refused before memory is taken") {
  ByteVector png = bytes_of("\x89PNG\r\n\x1A\n");
  append(png, png_header(16000, 16000, 8, 6));
  append(png, png_chunk("IDAT", zlib_stored({0, 0, 0})));
  append(png, png_chunk("IEND", {}));
  CHECK(contains(decode_error(png), "its header claims 16000 x 16000 pixels, more than"));

  ByteVector larger = bytes_of("\x89PNG\r\n\x1A\n");
  append(larger, png_header(0x7FFFFFFF, 0x7FFFFFFF, 8, 6));
  append(larger, png_chunk("IDAT", zlib_stored({0, 0, 0})));
  append(larger, png_chunk("IEND", {}));
  CHECK(contains(decode_error(larger), "expected 1 to 2^28 of them"));

  ByteVector jpeg = io::encode_jpeg(gradient(8, 8));
  const ByteVector marker = {0xFF, 0xC0};
  const auto frame = std::search(jpeg.begin(), jpeg.end(), marker.begin(), marker.end());
  REQUIRE(frame != jpeg.end());
  for (int i = 5; i < 9; ++i) frame[i] = 0xFF;
  CHECK(contains(decode_error(jpeg), "its header claims 65535 x 65535 pixels"));
  for (int i = 5; i < 9; ++i) frame[i] = 0;
  CHECK(contains(decode_error(jpeg), "its header gives it no pixels"));

  CHECK(contains(decode_error(bytes_of("P6 999999999 999999999 255\nx")), "its header claims 999999999 x 999999999"));
  CHECK(contains(decode_error(bytes_of("P6 99999999999999999999 1 255\nx")), "its header claims"));
}

TEST_CASE("image: what is no picture is named") {
  const TemporaryFolder folder;
  const std::string missing = folder / "missing.jpg";
  CHECK(contains(message_of([&] { io::read_image(missing); }), missing + ": can not be opened: no such file"));
  CHECK(contains(message_of([&] { io::read_image(folder.path().string()); }), "is a directory"));
  write_file(folder / "empty.png", "");
  CHECK(contains(message_of([&] { io::read_image(folder / "empty.png"); }), "empty.png: the file is empty"));
  write_file(folder / "text.jpg", "hello, world");
  CHECK(message_of([&] { io::read_image(folder / "text.jpg"); }) ==
        (folder / "text.jpg") +
            ": is not a picture that can be read: found bytes that begin with 68 65 6C 6C, expected JPEG, PNG, BMP, "
            "GIF, TGA, PSD or binary PNM; convert it to PNG or JPEG");
  CHECK(contains(decode_error(bytes_of("RIFF....WEBPVP8 ")), "found a WebP picture"));
  CHECK(contains(decode_error({0xFF, 0xD8, 0xFF, 0xD9}), "it holds no picture"));
}

TEST_CASE("image: thousands of damaged files give a picture or an error, never worse") {
  Draw draw(3);
  const std::vector<ByteVector> whole = {io::encode_jpeg(test_picture(21, 35), 75),
                                         progressive_jpeg(),
                                         restarts_jpeg(),
                                         with_exif(restarts_jpeg(), exif_block(6, true)),
                                         io::encode_png(test_picture(9, 12)),
                                         png_file(3, {{1, 0, 1}}, 8, 3, png_chunk("PLTE", {10, 20, 30, 40, 50, 60})),
                                         bytes_of("P6 4 4 255\n" + std::string(48, 'x')),
                                         bmp_file(),
                                         tga_file(),
                                         psd_file(),
                                         gif_file()};
  int read = 0;
  for (int round = 0; round < 8000; ++round) {
    ByteVector file = whole[draw.below(whole.size())];
    for (std::size_t changes = 1 + draw.below(6); changes > 0; --changes) {
      const std::size_t at = draw.below(file.size());
      switch (draw.below(4)) {
        case 0: file[at] = static_cast<std::uint8_t>(draw.bits()); break;
        case 1: file[at] ^= static_cast<std::uint8_t>(1U << draw.below(8)); break;
        case 2:
          file.insert(file.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::uint8_t>(draw.bits()));
          break;
        default: file.erase(file.begin() + static_cast<std::ptrdiff_t>(at)); break;
      }
      if (file.empty()) file.push_back(0xFF);
    }
    if (draw.below(4) != 0) repair_png_checksums(file);  // so that damage reaches the decoder
    try {
      const Image image = decode_image(file, "x.tga");
      CHECK(image.pixels.size() == static_cast<std::size_t>(image.height * image.width * 3));
      ++read;
    } catch (const FormatError&) {
    }
  }
  CHECK(read > 100);
}

TEST_CASE("image: many threads decode at once") {
  const ByteVector good = io::encode_jpeg(test_picture(40, 40));
  const ByteVector bad = prefix(good, good.size() / 2);
  const Image expected = decode_image(good, "x");
  std::vector<int> right(4);
  std::vector<std::thread> threads;
  for (int& count : right)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i)
        count += same(decode_image(good, "x"), expected) && contains(decode_error(bad), "cut short") ? 1 : 0;
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(right == std::vector{50, 50, 50, 50});
}

// --------------------------------------------------------------------------------------------------------- writing

TEST_CASE("image: the extension decides what is written") {
  const TemporaryFolder folder;
  const Image image = gradient(8, 9);
  io::write_image(folder / "a.PNG", image);
  CHECK(file_bytes(folder / "a.PNG").substr(1, 3) == "PNG");
  io::write_image(folder / "a.jpeg", image);
  CHECK(file_bytes(folder / "a.jpeg").substr(0, 2) == "\xFF\xD8");
  const std::string message = message_of([&] { io::write_image(folder / "a.webp", image); });
  CHECK(message == (folder / "a.webp") + ": pictures can not be written as \".webp\", expected .png, .jpg or .jpeg");
  CHECK(folder.entries() == 2);
}

TEST_CASE("image: what can not be written says why") {
  const TemporaryFolder folder;
  const Image image = gradient(4, 4);
  const std::string absent = folder / "absent/a.png";
  CHECK(message_of([&] { io::write_png(absent, image); }) ==
        absent + ": can not be written: its folder does not exist; create it first");
  CHECK(contains(message_of([&] { io::write_png(folder.path().string(), image); }), "is a directory"));
  CHECK(message_of([&] { io::encode_png(Image{}); }) ==
        "encode_png: the image has 0 x 0 pixels (width x height), expected 1 to 2^28 of them and sides of at most "
        "268435456");
  CHECK(contains(message_of([&] { io::encode_jpeg(image, 0); }), "quality is 0, expected 1 to 100"));
  Image torn = image;
  torn.pixels.pop_back();
  CHECK(contains(message_of([&] { io::encode_jpeg(torn); }), "the image has 47 bytes, expected three for each of"));
}

TEST_CASE("image: extensions") {
  for (const char* name : {"a.jpg", "b/A.JPEG", "x.png", "x.y.BMP", "x.gif", "x.tga", "x.psd", "x.ppm", "x.pgm"})
    CHECK_MESSAGE(io::is_image_extension(name), name);
  for (const char* name : {"", "jpg", ".jpg", "a.txt", "a.jpg/", "a.jpg/b", "a.", "a.jpgx"})
    CHECK_FALSE_MESSAGE(io::is_image_extension(name), name);
}

}  // namespace
}  // namespace mrcnn::test
