#include "mrcnn/coco/rle_overlap.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/draw.hpp"

namespace mrcnn::coco {
namespace {

using test::Draw;

template <class Inside>
Rle mask_where(index_t height, index_t width, const Inside& inside) {
  std::vector<std::uint8_t> pixels;
  for (index_t y = 0; y < height; ++y)
    for (index_t x = 0; x < width; ++x) pixels.push_back(inside(y, x) ? 1 : 0);
  return encode({pixels.data(), {height, width}, {width, 1}});
}

/// A rectangle, a chequerboard, the right half, nothing, the lower half.
std::vector<Rle> five() {
  return {mask_where(6, 9, [](auto y, auto x) { return y >= 1 && y < 5 && x >= 1 && x < 6; }),
          mask_where(6, 9, [](auto y, auto x) { return (x + y) % 2 == 0; }),
          mask_where(6, 9, [](auto, auto x) { return x >= 5; }), mask_where(6, 9, [](auto, auto) { return false; }),
          mask_where(6, 9, [](auto y, auto) { return y >= 3; })};
}

std::string merged(const std::vector<std::size_t>& which, RleMerge how) {
  std::vector<Rle> masks;
  for (const std::size_t i : which) masks.push_back(five()[i]);
  return to_string(merge(masks, how));
}

// The strings and overlaps below are those of pycocotools 2.0.11.
TEST_CASE("merge equals pycocotools") {
  CHECK(to_string(five()[0]) == "7420000000a0");
  CHECK(to_string(five()[4]) == "333000000000000000");
  CHECK(merged({0}, RleMerge::any_of) == "7420000000a0");
  CHECK(merged({0, 1}, RleMerge::any_of) == "01100019000LOK0010O0010O000");
  CHECK(merged({0, 1}, RleMerge::all_of) == "711030M010O030M010O0c0");
  CHECK(merged({0, 2}, RleMerge::any_of) == "74200000Od0");
  CHECK(merged({0, 2}, RleMerge::all_of) == "o04c0");
  CHECK(merged({0, 3}, RleMerge::any_of) == "7420000000a0");
  CHECK(merged({0, 3}, RleMerge::all_of) == "f1");
  CHECK(merged({0, 1, 2}, RleMerge::any_of) == "0110001900O>");
  CHECK(merged({0, 1, 2}, RleMerge::all_of) == "o0110c0");
  CHECK(merged({1, 2, 4}, RleMerge::any_of) == "01130M03000M030h0");
  CHECK(merged({1, 2, 4}, RleMerge::all_of) == "Q11103000M030M");
  CHECK(merged({0, 1, 2, 3, 4}, RleMerge::any_of) == "0113070h0");
  CHECK(merged({0, 1, 2, 3, 4}, RleMerge::all_of) == "f1");
}

TEST_CASE("mask_iou equals pycocotools to the bit") {
  const auto masks = five();
  CHECK(mask_iou(masks, masks) == std::vector<double>{1.0,
                                                      0.2702702702702703,
                                                      0.1,
                                                      0.0,
                                                      0.2702702702702703,  //
                                                      0.2702702702702703,
                                                      1.0,
                                                      0.3076923076923077,
                                                      0.0,
                                                      0.3170731707317073,  //
                                                      0.1,
                                                      0.3076923076923077,
                                                      1.0,
                                                      0.0,
                                                      0.3076923076923077,  //
                                                      0.0,
                                                      0.0,
                                                      0.0,
                                                      0.0,
                                                      0.0,  //
                                                      0.2702702702702703,
                                                      0.3170731707317073,
                                                      0.3076923076923077,
                                                      0.0,
                                                      1.0});
  const std::vector<std::uint8_t> crowd = {1, 0, 1, 1, 0};
  CHECK(mask_iou(masks, masks, crowd) == std::vector<double>{1.0,
                                                             0.2702702702702703,
                                                             0.2,
                                                             0.0,
                                                             0.2702702702702703,  //
                                                             0.37037037037037035,
                                                             1.0,
                                                             0.4444444444444444,
                                                             0.0,
                                                             0.3170731707317073,  //
                                                             0.16666666666666666,
                                                             0.3076923076923077,
                                                             1.0,
                                                             0.0,
                                                             0.3076923076923077,  //
                                                             0.0,
                                                             0.0,
                                                             0.0,
                                                             0.0,
                                                             0.0,  //
                                                             0.37037037037037035,
                                                             0.3170731707317073,
                                                             0.4444444444444444,
                                                             0.0,
                                                             1.0});
}

TEST_CASE("masks of different sizes: -1 where the boxes overlap, 0 where they do not") {
  const std::vector<Rle> square = {mask_where(3, 3, [](auto, auto) { return true; })};
  const auto masks = five();
  CHECK(mask_iou(std::span(masks).subspan(0, 1), square) == std::vector<double>{-1.0});
  CHECK(mask_iou(std::span(masks).subspan(2, 1), square) == std::vector<double>{0.0});
  const std::vector<Rle> both = {masks[0], square[0]};
  CHECK_THROWS_WITH_AS(merge(both, RleMerge::any_of), "merge: mask 1 has 3 x 3 pixels, expected 6 x 9 as mask 0",
                       ShapeError);
}

TEST_CASE("no masks") {
  const auto masks = five();
  CHECK(merge({}, RleMerge::any_of) == Rle{});
  CHECK(mask_iou({}, masks).empty());
  CHECK(mask_iou(masks, {}).empty());
  const std::vector<std::uint8_t> crowd = {1};
  CHECK_THROWS_WITH_AS(mask_iou(masks, masks, crowd),
                       "mask_iou: crowd has 1 flags, expected 5 as there are ground truths, or none", ShapeError);
  const std::vector<Rle> empty = {Rle{0, 5, {0}}, Rle{0, 5, {}}};
  CHECK(area(merge(empty, RleMerge::all_of)) == 0);
  CHECK(mask_iou(empty, empty) == std::vector<double>(4, 0.0));
}

TEST_CASE("runs of length 0 count for nothing, and counts that do not add up are refused") {
  const std::vector<Rle> masks = {{2, 3, {1, 0, 2, 2, 0, 1}}, {2, 3, {0, 0, 3, 3}}};
  CHECK(merge(std::span(masks).subspan(0, 1), RleMerge::any_of).counts == std::vector<std::uint32_t>{3, 3});
  CHECK(merge(masks, RleMerge::all_of).counts == std::vector<std::uint32_t>{3, 3});
  CHECK(mask_iou(masks, masks) == std::vector<double>(4, 1.0));
  const std::vector<Rle> wrong = {{2, 3, {1, 1}}};
  CHECK_THROWS_AS(merge(wrong, RleMerge::any_of), FormatError);
  CHECK_THROWS_AS(mask_iou(wrong, masks), FormatError);
}

TEST_CASE("merge and mask_iou equal bitmaps, for noise of many sizes") {
  Draw draw(3);
  const index_t sizes[][2] = {{1, 1}, {1, 40}, {40, 1}, {7, 8}, {33, 17}, {64, 64}};
  for (const auto& size : sizes)
    for (int round = 0; round < 6; ++round) {
      const index_t height = size[0], width = size[1];
      const auto pixels = static_cast<std::size_t>(height * width);
      const int count = draw.integer(1, 7);
      std::vector<Rle> masks;
      std::vector<std::vector<std::uint8_t>> bitmaps;
      for (int i = 0; i < count; ++i) {
        const int percent = draw.integer(0, 100);
        std::vector<std::uint8_t> bitmap(pixels);
        for (auto& pixel : bitmap) pixel = draw.integer(0, 99) < percent ? 1 : 0;
        masks.push_back(encode({bitmap.data(), {height, width}, {width, 1}}));
        bitmaps.push_back(std::move(bitmap));
      }
      std::vector<std::uint8_t> any(pixels, 0), all(pixels, 1);
      for (const auto& bitmap : bitmaps)
        for (std::size_t p = 0; p < pixels; ++p) {
          any[p] |= bitmap[p];
          all[p] &= bitmap[p];
        }
      CHECK(merge(masks, RleMerge::any_of) == encode({any.data(), {height, width}, {width, 1}}));
      CHECK(merge(masks, RleMerge::all_of) == encode({all.data(), {height, width}, {width, 1}}));
      std::vector<std::uint8_t> crowd(masks.size());
      for (auto& flag : crowd) flag = draw.integer(0, 1) == 1 ? 1 : 0;
      std::vector<double> expected;
      for (std::size_t d = 0; d < bitmaps.size(); ++d)
        for (std::size_t g = 0; g < bitmaps.size(); ++g) {
          int both = 0, either = 0, own = 0;
          for (std::size_t p = 0; p < pixels; ++p) {
            both += bitmaps[d][p] & bitmaps[g][p];
            either += bitmaps[d][p] | bitmaps[g][p];
            own += bitmaps[d][p];
          }
          expected.push_back(both == 0 ? 0.0 : both / static_cast<double>(crowd[g] != 0 ? own : either));
        }
      CHECK(mask_iou(masks, masks, crowd) == expected);
    }
}

TEST_CASE("masks of 900 million pixels") {
  const index_t size = 30000;
  const Rle full{size, size, {0, 900000000}};
  const Rle right{size, size, {450000000, 450000000}};
  const Rle left{size, size, {0, 600000000, 300000000}};
  const std::vector<Rle> masks = {full, right, left};
  CHECK(mask_iou(masks, masks) == std::vector<double>{1.0, 0.5, 600.0 / 900.0,  //
                                                      0.5, 1.0, 150.0 / 900.0,  //
                                                      600.0 / 900.0, 150.0 / 900.0, 1.0});
  CHECK(mask_iou(masks, std::vector<Rle>{right}, std::vector<std::uint8_t>{1}) ==
        std::vector<double>{0.5, 1.0, 150.0 / 600.0});
  CHECK(merge(std::vector<Rle>{right, left}, RleMerge::any_of) == full);
  CHECK(merge(std::vector<Rle>{right, left}, RleMerge::all_of) == Rle{size, size, {450000000, 150000000, 300000000}});
  // One pixel less than 32 bits can number.
  const Rle most{65535, 65537, {4294967294U, 1}};
  CHECK(mask_iou(std::vector<Rle>{most}, std::vector<Rle>{Rle{65535, 65537, {0, 4294967295U}}}) ==
        std::vector<double>{1.0 / 4294967295.0});
}

TEST_CASE("stretches read from a string, with memory that is used again") {
  detail::RleStretches stretches;
  std::vector<std::uint32_t> scratch;
  for (const Rle& rle : five()) {
    stretches.assign(to_string(rle), 6, 9, scratch);
    const detail::RleStretches expected(rle);
    CHECK(stretches.area == expected.area);
    CHECK(stretches.bounds == bounding_box(rle));
    CHECK(stretches.bounds == expected.bounds);
    CHECK(detail::intersection_area(stretches, expected) == area(rle));
  }
  CHECK_THROWS_AS(stretches.assign("0", 6, 9, scratch), FormatError);
}

}  // namespace
}  // namespace mrcnn::coco
