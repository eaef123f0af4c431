#include "mrcnn/ops/rle_encode.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "mrcnn/core/workspace.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/draw.hpp"

namespace mrcnn {
namespace {

using test::Draw;
using test::make_backend;
using test::tensor;

struct Encoded {
  std::vector<std::uint32_t> counts;
  std::vector<index_t> offsets;
};

template <class Backend>
Encoded encoded(const Backend& backend, index_t n, index_t height, index_t width,
                const std::vector<std::uint8_t>& pixels, index_t capacity) {
  const auto planes = tensor<std::uint8_t>(backend, {n, height, width}, pixels);
  auto counts = make_tensor<std::uint32_t>(backend, {capacity});
  auto offsets = make_tensor<index_t>(backend, {n + 1});
  encode_masks(backend, planes, counts, offsets);
  return {to_host(backend, counts), to_host(backend, offsets)};
}

TEST_CASE_TEMPLATE("encode_masks: two masks worked by hand", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  // The first is COCO's example; the second begins with a 1, and its first column runs on into the second.
  const std::vector<std::uint8_t> pixels = {0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1,  //
                                            9, 7, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1};
  const Encoded found = encoded(backend, 2, 3, 4, pixels, 12);
  CHECK(found.offsets == std::vector<index_t>{0, 6, 10});
  CHECK(found.counts == std::vector<std::uint32_t>{4, 1, 1, 2, 1, 3, 0, 4, 7, 1, 0, 0});
}

TEST_CASE_TEMPLATE("encode_masks: what does not fit is told", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const std::vector<std::uint8_t> pixels = {0, 1, 0, 1, 0, 1};
  const Encoded short_one = encoded(backend, 2, 3, 1, pixels, 4);
  CHECK(short_one.offsets == std::vector<index_t>{0, 3, 7});
  CHECK(short_one.counts == std::vector<std::uint32_t>{1, 1, 1, 0});
  CHECK(encoded(backend, 2, 3, 1, pixels, 0).offsets == std::vector<index_t>{0, 3, 7});

  auto counts = make_tensor<std::uint32_t>(backend, {4});
  auto offsets = make_tensor<index_t>(backend, {3});
  encode_masks(backend, tensor<std::uint8_t>(backend, {2, 3, 1}, pixels), counts, offsets);
  CHECK_THROWS_WITH_AS(
      encoded_masks_to_host(backend, counts, offsets, 3, 1),
      "encoded_masks_to_host: counts has shape [4], expected at least [7] and offsets of N + 1; encode "
      "again with more",
      ShapeError);
}

TEST_CASE_TEMPLATE("encode_masks: equals coco::encode, for heights around a word", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  Draw draw(8);
  const index_t sizes[][2] = {{1, 1}, {1, 9}, {31, 4}, {32, 5}, {33, 3}, {64, 2}, {65, 7}, {100, 37}};
  for (const auto& size : sizes) {
    const index_t height = size[0], width = size[1], n = 7;
    CAPTURE(height);
    const index_t area = height * width;
    std::vector<std::uint8_t> pixels;
    for (index_t i = 0; i < n; ++i) {
      const int percent = static_cast<int>(i) * 20 - 10;
      for (index_t p = 0; p < area; ++p) pixels.push_back(draw.integer(0, 99) < percent ? 1 : 0);
    }
    auto counts = make_tensor<std::uint32_t>(backend, {n * (area + 1)});
    auto offsets = make_tensor<index_t>(backend, {n + 1});
    encode_masks(backend, tensor<std::uint8_t>(backend, {n, height, width}, pixels), counts, offsets);
    const auto rles = encoded_masks_to_host(backend, counts, offsets, height, width);
    REQUIRE(rles.size() == 7);
    for (index_t i = 0; i < n; ++i)
      CHECK(rles[static_cast<std::size_t>(i)] == coco::encode({pixels.data() + i * area, {height, width}, {width, 1}}));
  }
}

TEST_CASE_TEMPLATE("encode_masks: no masks, no pixels", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  CHECK(encoded(backend, 0, 4, 5, {}, 2).offsets == std::vector<index_t>{0});
  const Encoded flat = encoded(backend, 2, 0, 5, {}, 2);
  CHECK(flat.offsets == std::vector<index_t>{0, 1, 2});
  CHECK(flat.counts == std::vector<std::uint32_t>{0, 0});
  CHECK(encoded(backend, 1, 3, 0, {}, 1).counts == std::vector<std::uint32_t>{0});
}

TEST_CASE("encode_masks: in a workspace; wrong shapes are named") {
  const HostBackend backend(2);
  const auto planes = tensor<std::uint8_t>(backend, {1, 2, 2}, {0, 1, 1, 0});
  auto counts = make_tensor<std::uint32_t>(backend, {5});
  auto offsets = make_tensor<index_t>(backend, {2});
  Workspace workspace;
  for (int run = 0; run < 2; ++run)
    workspace.run(backend, {1, 1, 1, 1}, [&](const HostBackend& b) { encode_masks(b, planes, counts, offsets); });
  CHECK(to_host(backend, counts) == std::vector<std::uint32_t>{1, 2, 1, 0, 0});
  auto wrong = make_tensor<index_t>(backend, {1});
  CHECK_THROWS_WITH_AS(encode_masks(backend, planes, counts, wrong),
                       "encode_masks: offsets has shape [1], expected [2]", ShapeError);
  const HostView<const std::uint8_t, 3> huge(nullptr, {0, 65536, 65536});
  CHECK_THROWS_AS(encode_masks(backend, huge, counts, wrong), FormatError);
}

/// The bits of planes, with garbage behind the last row.
std::vector<std::uint32_t> bits_of(const std::vector<std::uint8_t>& pixels, index_t n, index_t height, index_t width,
                                   Draw& draw) {
  std::vector<std::uint32_t> bits;
  for (index_t i = 0; i < n; ++i)
    for (index_t x = 0; x < width; ++x)
      for (index_t y = 0; y < (height + 31) / 32 * 32; ++y) {
        if (y % 32 == 0) bits.push_back(0);
        const bool inside = y < height;
        const bool one =
            inside ? pixels[static_cast<std::size_t>((i * height + y) * width + x)] != 0 : draw.integer(0, 1) == 1;
        if (one) bits.back() |= std::uint32_t{1} << (y % 32);
      }
  return bits;
}

TEST_CASE_TEMPLATE("encode_mask_bits: COCO's example, worked by hand", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  // Columns 000, 010, 110, 111, from the top: 0, 2, 3, 7; with the last in a mask of its own, the bits above are garbage.
  const auto bits = tensor<std::uint32_t>(backend, {1, 4, 1}, {0, 2, 0xFFFFFFF3U, 7});
  auto counts = make_tensor<std::uint32_t>(backend, {8});
  auto offsets = make_tensor<index_t>(backend, {2});
  encode_mask_bits(backend, bits, 3, counts, offsets);
  CHECK(to_host(backend, offsets) == std::vector<index_t>{0, 6});
  CHECK(to_host(backend, counts) == std::vector<std::uint32_t>{4, 1, 1, 2, 1, 3, 0, 0});
}

TEST_CASE_TEMPLATE("encode_mask_bits: equals coco::encode, for heights around a word", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  Draw draw(9);
  const index_t sizes[][2] = {{1, 1}, {31, 4}, {32, 5}, {33, 3}, {64, 2}, {65, 7}};
  for (const auto& size : sizes) {
    const index_t height = size[0], width = size[1], n = 3;
    CAPTURE(height);
    std::vector<std::uint8_t> pixels;
    for (index_t p = 0; p < n * height * width; ++p) pixels.push_back(draw.integer(0, 3) == 0 ? 1 : 0);
    const auto bits =
        tensor<std::uint32_t>(backend, {n, width, (height + 31) / 32}, bits_of(pixels, n, height, width, draw));
    auto counts = make_tensor<std::uint32_t>(backend, {n * (height * width + 1)});
    auto offsets = make_tensor<index_t>(backend, {n + 1});
    encode_mask_bits(backend, bits, height, counts, offsets);
    const auto rles = encoded_masks_to_host(backend, counts, offsets, height, width);
    REQUIRE(rles.size() == 3);
    for (index_t i = 0; i < n; ++i)
      CHECK(rles[static_cast<std::size_t>(i)] ==
            coco::encode({pixels.data() + i * height * width, {height, width}, {width, 1}}));
  }
}

TEST_CASE("encode_mask_bits: no masks, no pixels, wrong shapes") {
  const HostBackend backend(2);
  auto counts = make_tensor<std::uint32_t>(backend, {2});
  auto offsets = make_tensor<index_t>(backend, {3});
  encode_mask_bits(backend, make_tensor<std::uint32_t>(backend, {2, 5, 0}), 0, counts, offsets);
  CHECK(to_host(backend, offsets) == std::vector<index_t>{0, 1, 2});
  encode_mask_bits(backend, make_tensor<std::uint32_t>(backend, {2, 0, 2}), 40, counts, offsets);
  CHECK(to_host(backend, counts) == std::vector<std::uint32_t>{0, 0});
  const auto bits = make_tensor<std::uint32_t>(backend, {2, 5, 1});
  CHECK_THROWS_WITH_AS(encode_mask_bits(backend, bits, 33, counts, offsets),
                       "encode_mask_bits: bits has shape [2, 5, 1], expected [any, any, 2]", ShapeError);
  CHECK_THROWS_WITH_AS(encode_mask_bits(backend, bits, -1, counts, offsets),
                       "Rle: a mask of -1 x 5 pixels, expected fewer than 2^32 pixels", FormatError);
}

TEST_CASE("encoded_masks_to_host: offsets that nobody has encoded are refused, not followed") {
  const HostBackend backend(1);
  const auto counts = tensor<std::uint32_t>(backend, {2}, {1, 3});
  for (const auto& [second, third] : {std::pair{index_t{100}, index_t{2}}, {index_t{-1}, index_t{2}}}) {
    const auto offsets = tensor<index_t>(backend, {3}, {0, second, third});
    CHECK_THROWS_WITH_AS(encoded_masks_to_host(backend, counts, offsets, 2, 2),
                         "encoded_masks_to_host: offsets do not ascend at 0", FormatError);
  }
}

}  // namespace
}  // namespace mrcnn
