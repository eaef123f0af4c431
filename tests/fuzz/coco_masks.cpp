#include <algorithm>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "mrcnn/coco/boundary.hpp"
#include "mrcnn/coco/box_overlap.hpp"
#include "mrcnn/coco/segmentation.hpp"
#include "tests/support/fuzz.hpp"

using namespace mrcnn;        // NOLINT
using namespace mrcnn::test;  // NOLINT

namespace {

/// A side of a picture: mostly small.
index_t any_side(Garbage& draw) { return draw.once_in(16) ? draw.whole() : draw.extent(); }

std::vector<double> any_coordinates(Garbage& draw) {
  const float scale = draw.once_in(8) ? 1e6F : draw.coin() ? 1.0F : 12.0F;
  std::vector<double> xy = draw.elements<double>(draw.extent() + draw.extent(), scale);
  // Hostile ones are in nearly every list: most lists do without.
  if (!draw.once_in(4))
    for (double& v : xy)
      if (!(v > -1e7 && v < 1e7)) v = draw.coin() ? 2.0 : 7.5;
  return xy;
}

/// Counts that mostly add up.
coco::Rle any_rle(Garbage& draw) {
  coco::Rle rle{any_side(draw), any_side(draw), {}};
  if (rle.height < 0 || rle.width < 0 || rle.height > 100000 || rle.width > 100000) {
    rle.counts = {0, static_cast<std::uint32_t>(draw.whole())};
    if (draw.coin()) rle.counts[1] = static_cast<std::uint32_t>(rle.height) * static_cast<std::uint32_t>(rle.width);
    return rle;
  }
  index_t left = rle.height * rle.width;
  const index_t longest = draw.coin() ? 3 : 40;
  while (left > 0 && rle.counts.size() < 200) {
    const index_t run = std::min(left, draw.extent(longest));
    rle.counts.push_back(static_cast<std::uint32_t>(run));
    left -= run;
  }
  if (!draw.once_in(8)) rle.counts.push_back(static_cast<std::uint32_t>(left));
  return rle;
}

coco::Segmentation any_segmentation(Garbage& draw) {
  switch (draw.below(4)) {
    case 0: return {};
    case 1: return any_rle(draw);
    case 2: {
      coco::CompressedRle rle{any_side(draw), any_side(draw), {}};
      for (index_t i = draw.extent(); i > 0; --i)
        rle.counts += static_cast<char>(draw.once_in(16) ? draw.below(256) : 48 + draw.below(draw.coin() ? 64 : 6));
      return rle;
    }
    default: {
      coco::Polygons polygons{any_coordinates(draw), {}};
      const index_t all = static_cast<index_t>(polygons.coordinates.size());
      index_t end = 0;
      for (index_t ring = draw.extent(4); ring > 0; --ring) {
        end = std::min(all, end + draw.between(3, 8));
        polygons.ring_ends.push_back(static_cast<std::uint32_t>(draw.once_in(16) ? draw.whole() : end));
      }
      return polygons;
    }
  }
}

/// A mask that all functions can take: what is asked of each.
template <class Case>
void expect_mask(Case& c, const coco::Rle& rle) {
  const auto pixels = static_cast<std::uint64_t>(rle.height * rle.width);
  std::uint64_t sum = 0;
  for (const std::uint32_t count : rle.counts) sum += count;
  c.expect(sum == pixels, "counts that add up");
  const coco::RleBounds box = coco::bounding_box(rle);
  c.expect(box.x >= 0 && box.y >= 0 && box.x + box.width <= rle.width && box.y + box.height <= rle.height,
           "the box lies in the picture");
  c.expect(coco::area(rle) <= static_cast<std::uint64_t>(box.width * box.height), "no more pixels than in the box");
  c.expect(coco::from_string(coco::to_string(rle), rle.height, rle.width) == rle, "the string is that mask");
  c.result(rle.counts.data(), rle.counts.size());
}

}  // namespace

TEST_CASE("fuzz: outlines") {
  fuzz("coco::rasterize_polygon", 2, [](auto& c) {
    c.allow_format_errors();
    const std::vector<double> xy = any_coordinates(c.draw);
    const index_t height = any_side(c.draw);
    const index_t width = any_side(c.draw);
    c.call_and_wait([&](const auto&) {
      const coco::Rle rle = coco::rasterize_polygon(xy, height, width);
      expect_mask(c, rle);
      for (std::size_t i = 1; i < rle.counts.size(); ++i) c.expect(rle.counts[i] > 0, "runs have lengths");
    });
  });
  fuzz("coco::to_rle", 2, [](auto& c) {
    c.allow_format_errors();
    const coco::Segmentation segmentation = any_segmentation(c.draw);
    const index_t height = any_side(c.draw);
    const index_t width = any_side(c.draw);
    c.call_and_wait([&](const auto&) { expect_mask(c, coco::to_rle(segmentation, height, width)); });
  });
}

TEST_CASE("fuzz: masks") {
  fuzz("coco::boundary", 1, [](auto& c) {
    c.allow_format_errors();
    const coco::Rle rle = any_rle(c.draw);
    const double ratio = c.draw.real(0.0, 0.3);
    c.call_and_wait([&](const auto&) {
      const coco::Rle found = coco::boundary(rle, ratio);
      expect_mask(c, found);
      const std::vector<coco::Rle> both = {rle, found};
      c.expect(coco::area(coco::merge(both, coco::RleMerge::all_of)) == coco::area(found), "a part of the mask");
      c.expect((coco::area(found) == 0) == (coco::area(rle) == 0), "what is not empty has a boundary");
    });
  });
  fuzz("coco::decode_crop", 1, [](auto& c) {
    c.allow_format_errors();
    const coco::Rle rle = any_rle(c.draw);
    const index_t height = c.draw.extent();
    const index_t width = c.draw.extent();
    const index_t x = c.draw.whole(0, 3);
    const index_t y = c.draw.whole(0, 3);
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(height * width), 9);
    c.call_and_wait([&](const auto&) {
      coco::decode_crop(rle, x, y, {pixels.data(), {height, width}, {width, 1}});
      std::uint64_t ones = 0;
      for (const std::uint8_t pixel : pixels) {
        c.expect(pixel <= 1, "0 or 1");
        ones += pixel;
      }
      c.expect(ones <= coco::area(rle), "no more than the mask has");
      const coco::Rle again =
          coco::encode_crop({pixels.data(), {height, width}, {width, 1}}, x, y, rle.height, rle.width);
      c.expect(coco::area(again) == ones, "the crop can be encoded again");
    });
  });
  fuzz("coco::box_iou", 0.5, [](auto& c) {
    const auto any_boxes = [&] {
      const std::vector<double> numbers = c.draw.template elements<double>(4 * c.draw.extent(5), 10.0F);
      std::vector<coco::BoxXywh> boxes;
      for (std::size_t i = 0; i + 3 < numbers.size(); i += 4)
        boxes.push_back({numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3]});
      return boxes;
    };
    const std::vector<coco::BoxXywh> detections = any_boxes();
    const std::vector<coco::BoxXywh> truths = any_boxes();
    const std::vector<std::uint8_t> crowd(c.draw.coin() ? truths.size() : c.draw.below(3), 1);
    c.call_and_wait([&](const auto&) {
      c.expect(coco::box_iou(detections, truths, crowd).size() == detections.size() * truths.size(),
               "one for each pair");
    });
  });
}
