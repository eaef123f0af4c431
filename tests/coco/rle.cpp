#include "mrcnn/coco/rle.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "tests/support/draw.hpp"
#include "tests/support/mask_image.hpp"

namespace mrcnn::coco {
namespace {

using test::Draw;
using test::MaskImage;

template <class Inside>
MaskImage mask_where(index_t height, index_t width, const Inside& inside) {
  MaskImage mask(height, width);
  for (index_t y = 0; y < height; ++y)
    for (index_t x = 0; x < width; ++x) mask.at(y, x) = inside(y, x) ? 1 : 0;
  return mask;
}

std::vector<std::uint32_t> counts_of(const MaskImage& mask) { return mask.rle().counts; }
std::string text_of(const MaskImage& mask) { return to_string(mask.rle()); }

MaskImage noise(index_t height, index_t width, int percent, unsigned seed) {
  Draw draw(seed);
  return mask_where(height, width, [&](index_t, index_t) { return draw.integer(0, 99) < percent; });
}

/// Counts by walking down the columns, the definition.
std::vector<std::uint32_t> walk(MaskImage mask) {
  std::vector<std::uint32_t> counts = {0};
  std::uint8_t value = 0;
  for (index_t x = 0; x < mask.width; ++x)
    for (index_t y = 0; y < mask.height; ++y) {
      if (mask.at(y, x) != value) {
        counts.push_back(0);
        value = mask.at(y, x);
      }
      ++counts.back();
    }
  return counts;
}

std::string repeat(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST_CASE("a mask is scanned column by column, beginning with zeros") {
  MaskImage mask(3, 4);
  mask.pixels = {0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1};
  CHECK(counts_of(mask) == std::vector<std::uint32_t>{4, 1, 1, 2, 1, 3});
  CHECK(text_of(mask) == "411101");
  mask.at(0, 0) = 1;
  CHECK(counts_of(mask)[0] == 0);
}

// The strings of these shapes are pycocotools' own.
TEST_CASE("strings equal those of pycocotools") {
  CHECK(text_of(mask_where(100, 120, [](auto y, auto x) { return y >= 10 && y < 60 && x >= 20 && x < 70; })) ==
        "jn1b1b1" + repeat("0", 97) + "nk4");
  CHECK(text_of(MaskImage(5, 7)) == "S1");
  CHECK(text_of(mask_where(5, 7, [](auto, auto) { return true; })) == "0S1");
  CHECK(text_of(mask_where(40, 60, [](auto y, auto x) {
          return 3 * (x - 30) * (x - 30) + 8 * (y - 18) * (y - 18) < 1200;
        })) == "W>7o04M2N2N2O0O2O0O2O000O2O0000000O2O000000000001N100000001N10001N101N101N2N2N3LS<");
  CHECK(text_of(mask_where(6, 9, [](auto y, auto x) { return (x + y) % 2 == 0; })) ==
        "01100010O0010O0010O0010O0010O0010O0010O0010O000");
  CHECK(text_of(mask_where(4, 5, [](auto y, auto x) { return y == 3 && x == 4; })) == "c01");
  CHECK(text_of(mask_where(300, 200, [](auto y, auto x) { return (y >= 100 && x >= 150) || (y == 7 && x == 3); })) ==
        "[l01PU[1W6TndN" + repeat("0", 97));
}

TEST_CASE("area and bounding box equal pycocotools, also for a run that spans columns") {
  const auto box =
      encode(mask_where(100, 120, [](auto y, auto x) { return y >= 10 && y < 60 && x >= 20 && x < 70; }).view());
  CHECK(area(box) == 2500);
  CHECK(bounding_box(box) == RleBounds{20, 10, 50, 50});

  // The last pixel of a column and the first of the next are one run, which reaches from the top to the bottom.
  const auto span =
      encode(mask_where(4, 5, [](auto y, auto x) { return (y == 3 && x == 1) || (y == 0 && x == 2); }).view());
  CHECK(span.counts == std::vector<std::uint32_t>{7, 2, 11});
  CHECK(bounding_box(span) == RleBounds{1, 0, 2, 4});

  const auto separate =
      encode(mask_where(300, 200, [](auto y, auto x) { return (y >= 100 && x >= 150) || (y == 7 && x == 3); }).view());
  CHECK(area(separate) == 10001);
  CHECK(bounding_box(separate) == RleBounds{3, 7, 197, 293});

  CHECK(bounding_box(encode(MaskImage(5, 7).view())) == RleBounds{0, 0, 0, 0});
  CHECK(bounding_box(encode(mask_where(5, 7, [](auto, auto) { return true; }).view())) == RleBounds{0, 0, 7, 5});
  CHECK(bounding_box(Rle{}) == RleBounds{});
}

TEST_CASE("runs of length 0 count for nothing") {
  const Rle rle{2, 3, {1, 0, 2, 2, 0, 1}};
  CHECK(area(rle) == 3);
  CHECK(bounding_box(rle) == RleBounds{1, 0, 2, 2});
  CHECK(decode(rle) == std::vector<std::uint8_t>{0, 0, 1, 0, 1, 1});
}

TEST_CASE("areas beyond 32 bits") { CHECK(area(Rle{0, 0, {0, 4000000000U, 1, 4000000000U}}) == 8000000000ULL); }

TEST_CASE("noise survives encoding, the string, and decoding") {
  const index_t sizes[][2] = {{1, 1}, {1, 50}, {50, 1}, {7, 8}, {33, 17}, {64, 64}, {100, 129}};
  unsigned seed = 0;
  for (const auto& size : sizes)
    for (const int percent : {0, 1, 30, 50, 97, 100}) {
      const index_t height = size[0], width = size[1];
      const MaskImage mask = noise(height, width, percent, ++seed);
      CAPTURE(height);
      CAPTURE(percent);
      const Rle rle = encode(mask.view());
      CHECK(rle.counts == walk(mask));
      CHECK(decode(rle) == mask.pixels);
      CHECK(area(rle) == std::accumulate(mask.pixels.begin(), mask.pixels.end(), std::uint64_t{0}));
      CHECK(from_string(to_string(rle), height, width) == rle);
    }
}

TEST_CASE("the strides of a mask do not matter, nor which number stands for 1") {
  const MaskImage mask = noise(19, 23, 40, 5);
  std::vector<std::uint8_t> columns(mask.pixels.size());
  for (std::size_t i = 0; i < columns.size(); ++i) columns[i % 23 * 19 + i / 23] = mask.pixels[i] != 0 ? 200 : 0;
  CHECK(encode({columns.data(), {19, 23}, {1, 19}}) == encode(mask.view()));

  std::vector<std::uint8_t> decoded(columns.size());
  decode(encode(mask.view()),
         TensorView<std::uint8_t, 2, space::host, layout_stride>(decoded.data(), {19, 23}, {1, 19}));
  for (std::size_t i = 0; i < columns.size(); ++i) CHECK(decoded[i] == (columns[i] != 0 ? 1 : 0));

  std::vector<std::uint8_t> mixed = mask.pixels;
  for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i] = static_cast<std::uint8_t>(mixed[i] * (1 + i % 255));
  CHECK(encode({mixed.data(), {19, 23}, {23, 1}}) == encode(mask.view()));
}

TEST_CASE("a crop is encoded where it lies in the picture, without the picture") {
  const index_t places[][4] = {
      // x, y, width, height of the crop
      {0, 0, 21, 13}, {0, 0, 5, 13}, {16, 0, 5, 13}, {3, 4, 9, 9}, {20, 12, 1, 1}, {0, 5, 21, 8}};
  for (const auto& [x, y, width, height] : places)
    for (const int percent : {0, 50, 100}) {
      MaskImage crop = noise(height, width, percent, static_cast<unsigned>(x + y));
      MaskImage picture(13, 21);
      for (index_t row = 0; row < height; ++row)
        for (index_t column = 0; column < width; ++column) picture.at(y + row, x + column) = crop.at(row, column);
      CHECK(encode_crop(crop.view(), x, y, 13, 21) == encode(picture.view()));
    }
  CHECK(encode_crop(MaskImage(0, 0).view(), 0, 0, 4, 5).counts == std::vector<std::uint32_t>{20});
  CHECK_THROWS_WITH_AS(encode_crop(MaskImage(3, 3).view(), 3, 0, 5, 5),
                       "RleRowEncoder: a crop of 3 x 3 pixels at row 0, column 3 reaches beyond a picture of 5 x 5",
                       ShapeError);
  CHECK_THROWS_AS(encode_crop(MaskImage(3, 3).view(), -1, 0, 5, 5), ShapeError);
}

TEST_CASE("a crop is decoded without the picture") {
  const MaskImage picture = noise(13, 21, 50, 3);
  const Rle rle = encode(picture.view());
  const index_t places[][4] = {
      // x, y, width, height of the crop
      {0, 0, 21, 13}, {0, 0, 5, 13}, {16, 0, 5, 13}, {3, 4, 9, 9}, {20, 12, 1, 1}, {0, 5, 21, 8}, {2, 2, 0, 0}};
  for (const auto& [x, y, width, height] : places) {
    MaskImage crop(height, width);
    std::fill(crop.pixels.begin(), crop.pixels.end(), std::uint8_t{7});
    decode_crop(rle, x, y, {crop.pixels.data(), {height, width}, {width, 1}});
    MaskImage expected(height, width);
    for (index_t row = 0; row < height; ++row)
      for (index_t column = 0; column < width; ++column)
        expected.at(row, column) = picture.pixels[static_cast<std::size_t>((y + row) * 21 + x + column)];
    CHECK(crop.pixels == expected.pixels);
  }
  MaskImage wrong(3, 3);
  CHECK_THROWS_WITH_AS(decode_crop(rle, 19, 0, {wrong.pixels.data(), {3, 3}, {3, 1}}),
                       "decode_crop: a crop of 3 x 3 pixels at row 0, column 19 reaches beyond a mask of 13 x 21",
                       ShapeError);
  CHECK_THROWS_AS(decode_crop(rle, 0, -1, {wrong.pixels.data(), {3, 3}, {3, 1}}), ShapeError);
}

// Strings, areas and boxes are those of pycocotools 2.0.11.
TEST_CASE("a mask of 900 million pixels costs what its runs cost") {
  // Rows 10,000 to 10,002 of the columns from 29,990 on: the picture is never there.
  const index_t size = 30000;
  const Rle rle = encode_crop(mask_where(3, 10, [](auto, auto) { return true; }).view(), 29990, 10000, size, size);
  CHECK(rle.counts.size() == 21);
  CHECK(rle.counts[0] == 899710000U);
  CHECK(rle.counts[20] == 19997U);
  CHECK(area(rle) == 30);
  CHECK(bounding_box(rle) == RleBounds{29990, 10000, 10, 3});
  const std::string text = to_string(rle);
  CHECK(text == "`QoPjj03]Ym000000000000000000`WF");
  CHECK(from_string(text, size, size) == rle);

  const Rle full{size, size, {0, 900000000}};
  CHECK(to_string(full) == "0PXjYjj0");
  CHECK(from_string("0PXjYjj0", size, size) == full);
  CHECK(area(full) == 900000000ULL);
  CHECK(bounding_box(full) == RleBounds{0, 0, size, size});
  const Rle lower{size, size, {450000000, 450000000}};
  CHECK(bounding_box(lower) == RleBounds{15000, 0, 15000, size});

  // The last column, and a crop around the upper left corner of the small mask.
  std::vector<std::uint8_t> column(30000);
  decode_crop(rle, 29999, 0, {column.data(), {size, 1}, {1, 1}});
  CHECK(std::accumulate(column.begin(), column.end(), 0) == 3);
  CHECK(column[10002] == 1);
  MaskImage corner(2, 3);
  decode_crop(rle, 29988, 9999, {corner.pixels.data(), {2, 3}, {3, 1}});
  CHECK(corner.pixels == std::vector<std::uint8_t>{0, 0, 0, 0, 0, 1});
}

TEST_CASE("an encoder can be used again") {
  RleRowEncoder encoder(3);
  const std::uint8_t row[] = {1, 0, 1};
  encoder.add_row(row);
  const Rle first = encoder.finish(0, 0, 1, 3);
  CHECK(first.counts == std::vector<std::uint32_t>{0, 1, 1, 1});
  encoder.add_row(row);
  CHECK(encoder.finish(0, 0, 1, 3) == first);
}

TEST_CASE("masks without pixels") {
  CHECK(counts_of(MaskImage(0, 5)) == std::vector<std::uint32_t>{0});
  CHECK(text_of(MaskImage(0, 0)) == "0");
  CHECK(decode(from_string("0", 0, 9)).empty());
  CHECK(decode(from_string("", 0, 0)).empty());
  const index_t huge = index_t{1} << 40;  // at once, not row by row
  CHECK(decode(Rle{huge, 0, {}}).empty());
  CHECK(decode(Rle{0, huge, {0}}).empty());
}

TEST_CASE("strings that are not trusted are refused, each with its reason") {
  const auto reason = [](const std::string& text, index_t height, index_t width) -> std::string {
    try {
      from_string(text, height, width);
    } catch (const FormatError& error) {
      return error.what();
    }
    return "";
  };
  const std::string of_12 = "Rle: the compressed string of a mask of 3 x 4 pixels has ";
  CHECK(reason("411101", 3, 4).empty());
  CHECK(reason("41110", 3, 4) == of_12 + "3 pixels too few at character 5");
  CHECK(reason("", 3, 4) == of_12 + "12 pixels too few at character 0");
  CHECK(reason("4111011", 3, 4) == of_12 + "more pixels than the mask at character 6");
  CHECK(reason("41 101", 3, 4) == of_12 + "an invalid character at character 2");
  CHECK(reason("41\xff", 3, 4) == of_12 + "an invalid character at character 2");
  CHECK(reason("S", 3, 4) == of_12 + "an unfinished number at character 0");
  CHECK(reason("O", 3, 4) == of_12 + "a negative count at character 0");
  CHECK(reason(std::string(40, 'o'), 3, 4) == of_12 + "a number that is too large at character 0");
  CHECK(reason(std::string(12, 'o') + "0", 3, 4) == of_12 + "a number that is too large at character 0");
  CHECK(reason("411O01", 3, 4).empty() == false);
  CHECK(reason("0", -1, 4) == "Rle: a mask of -1 x 4 pixels, expected fewer than 2^32 pixels");
  CHECK(reason("0", 65536, 65536) == "Rle: a mask of 65536 x 65536 pixels, expected fewer than 2^32 pixels");
  CHECK(reason("0", index_t{1} << 62, index_t{1} << 62).empty() == false);
}

TEST_CASE("random strings give a valid mask or a FormatError") {
  Draw draw(99);
  for (int i = 0; i < 20000; ++i) {
    std::string text(static_cast<std::size_t>(draw.integer(0, 12)), '0');
    for (char& c : text) c = static_cast<char>(draw.integer(0, 9) == 0 ? draw.integer(0, 255) : draw.integer(48, 60));
    try {
      const Rle rle = from_string(text, 6, 9);
      CHECK(decode(rle).size() == 54);
    } catch (const FormatError&) {
    }
  }
}

TEST_CASE("counts that do not fit the size are refused before anything is written") {
  CHECK_THROWS_WITH_AS(decode(Rle{3, 4, {4, 9}}), "Rle: the counts add up to 13, expected 3 * 4 = 12", FormatError);
  CHECK_THROWS_AS(decode(Rle{3, 4, {}}), FormatError);
  std::vector<std::uint8_t> small(6);
  CHECK_THROWS_WITH_AS(
      decode(Rle{3, 4, {12}}, TensorView<std::uint8_t, 2, space::host, layout_stride>(small.data(), {3, 2}, {2, 1})),
      "decode: mask has shape [3, 2], expected [3, 4]", ShapeError);
}

}  // namespace
}  // namespace mrcnn::coco
