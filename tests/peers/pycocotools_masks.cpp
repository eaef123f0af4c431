// Masks beside pycocotools, compared to the last bit; see pycocotools_masks.py.

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mrcnn/coco/box_overlap.hpp"
#include "mrcnn/coco/segmentation.hpp"
#include "mrcnn/io/safetensors.hpp"
#include "tests/support/peer.hpp"

namespace mrcnn::coco {
namespace {

const io::SafeTensors& peer() {
  static const io::SafeTensors file = io::SafeTensors::open(test::peer_file());
  return file;
}
template <class T>
std::vector<T> values(const std::string& name) {
  return peer().read<T>(name);
}
std::vector<std::string> texts(const std::string& name) {
  std::vector<std::string> lines(1);
  for (const std::uint8_t c : values<std::uint8_t>(name)) {
    if (c == '\n')
      lines.emplace_back();
    else
      lines.back() += static_cast<char>(c);
  }
  lines.pop_back();
  return lines;
}

struct Sizes {
  std::vector<std::int32_t> table;

  explicit Sizes(const std::string& name) : table(values<std::int32_t>(name)) {}
  std::size_t count() const { return table.size() / 2; }
  index_t height(std::size_t i) const { return table[2 * i]; }
  index_t width(std::size_t i) const { return table[2 * i + 1]; }
};

/// Area, box and string of a mask are those of line `i`.
void check_measures(const Rle& rle, std::size_t i, const std::vector<double>& areas, const std::vector<double>& boxes) {
  CHECK(static_cast<double>(area(rle)) == areas[i]);
  const RleBounds box = bounding_box(rle);
  CHECK(static_cast<double>(box.x) == boxes[4 * i]);
  CHECK(static_cast<double>(box.y) == boxes[4 * i + 1]);
  CHECK(static_cast<double>(box.width) == boxes[4 * i + 2]);
  CHECK(static_cast<double>(box.height) == boxes[4 * i + 3]);
}

void check_same_bits(const std::vector<double>& found, std::span<const double> expected) {
  REQUIRE(found.size() == expected.size());
  std::size_t different = 0;
  for (std::size_t i = 0; i < found.size(); ++i)
    if (std::bit_cast<std::uint64_t>(found[i]) != std::bit_cast<std::uint64_t>(expected[i]) &&
        !(std::isnan(found[i]) && std::isnan(expected[i])))
      ++different;
  CHECK(different == 0);
}

TEST_CASE("pycocotools: outlines, and their unions and intersections") {
  const Sizes sizes("outlines/sizes");
  const std::vector<double> coordinates = values<double>("outlines/coordinates");
  const auto ring_ends = values<std::int32_t>("outlines/ring_ends");
  const auto object_ends = values<std::int32_t>("outlines/object_ends");
  const auto rings = texts("outlines/rings"), unions = texts("outlines/unions"),
             common = texts("outlines/intersections");
  REQUIRE(sizes.count() == unions.size());
  PolygonRasterizer rasterizer;
  std::size_t ring = 0, begin = 0;
  for (std::size_t i = 0; i < sizes.count(); ++i) {
    CAPTURE(i);
    const index_t height = sizes.height(i), width = sizes.width(i);
    Polygons polygons;
    std::vector<Rle> masks;
    for (; ring < static_cast<std::size_t>(object_ends[i]); ++ring) {
      const auto end = static_cast<std::size_t>(ring_ends[ring]);
      const std::span<const double> xy(coordinates.data() + begin, end - begin);
      polygons.coordinates.insert(polygons.coordinates.end(), xy.begin(), xy.end());
      polygons.ring_ends.push_back(static_cast<std::uint32_t>(polygons.coordinates.size()));
      masks.push_back(rasterizer.rasterize(xy, height, width));
      CHECK(to_string(masks.back()) == rings[ring]);
      begin = end;
    }
    CHECK(to_string(to_rle(polygons, height, width)) == unions[i]);
    CHECK(to_string(merge(masks, RleMerge::all_of)) == common[i]);
  }
}

TEST_CASE("pycocotools: boxes as masks") {
  const std::vector<double> boxes = values<double>("boxes/boxes");
  const auto masks = texts("boxes/masks");
  REQUIRE(boxes.size() == 4 * masks.size());
  for (std::size_t i = 0; i < masks.size(); ++i)
    CHECK(to_string(rasterize_box(std::span<const double, 4>(boxes.data() + 4 * i, 4), 30, 40)) == masks[i]);
}

TEST_CASE("pycocotools: pixels to strings and back, areas and boxes") {
  const Sizes sizes("masks/sizes");
  const auto pixels = values<std::uint8_t>("masks/pixels");
  const auto strings = texts("masks/texts");
  const auto areas = values<double>("masks/areas"), boxes = values<double>("masks/boxes");
  REQUIRE(sizes.count() == strings.size());
  std::size_t begin = 0;
  for (std::size_t i = 0; i < strings.size(); ++i) {
    CAPTURE(i);
    const index_t height = sizes.height(i), width = sizes.width(i);
    const std::size_t end = begin + static_cast<std::size_t>(height * width);
    const Rle rle = encode({pixels.data() + begin, {height, width}, {width, 1}});
    CHECK(to_string(rle) == strings[i]);
    CHECK(from_string(strings[i], height, width) == rle);
    CHECK(std::equal(pixels.begin() + static_cast<std::ptrdiff_t>(begin),
                     pixels.begin() + static_cast<std::ptrdiff_t>(end), decode(rle).begin()));
    check_measures(rle, i, areas, boxes);
    begin = end;
  }
}

TEST_CASE("pycocotools: lists of run lengths, for pictures of up to 2^32 pixels") {
  const Sizes sizes("lists/sizes");
  const auto counts = values<std::int32_t>("lists/counts");
  const auto ends = values<std::int32_t>("lists/count_ends");
  const auto strings = texts("lists/texts");
  const auto areas = values<double>("lists/areas"), boxes = values<double>("lists/boxes");
  std::size_t begin = 0;
  for (std::size_t i = 0; i < strings.size(); ++i) {
    CAPTURE(i);
    Rle list{sizes.height(i), sizes.width(i), {}};
    for (; begin < static_cast<std::size_t>(ends[i]); ++begin)
      list.counts.push_back(static_cast<std::uint32_t>(counts[begin]));
    const Rle rle = to_rle(Segmentation(list), 1, 1);
    CHECK(compress(rle).counts == strings[i]);
    CHECK(decompress({rle.height, rle.width, strings[i]}) == rle);
    check_measures(rle, i, areas, boxes);
  }
}

TEST_CASE("pycocotools: overlaps of masks, with and without crowds") {
  const auto problems = values<std::int32_t>("overlaps/problems");
  const auto detection_texts = texts("overlaps/detections"), truth_texts = texts("overlaps/truths");
  const auto crowds = values<std::uint8_t>("overlaps/crowds");
  const auto overlaps = values<double>("overlaps/overlaps");
  std::size_t d = 0, g = 0, at = 0;
  for (std::size_t i = 0; i + 3 < problems.size(); i += 4) {
    const index_t height = problems[i], width = problems[i + 1];
    const auto n = static_cast<std::size_t>(problems[i + 2]), m = static_cast<std::size_t>(problems[i + 3]);
    std::vector<Rle> detections, truths;
    for (std::size_t k = 0; k < n; ++k) detections.push_back(from_string(detection_texts[d + k], height, width));
    for (std::size_t k = 0; k < m; ++k) truths.push_back(from_string(truth_texts[g + k], height, width));
    CAPTURE(i);
    check_same_bits(mask_iou(detections, truths, std::span<const std::uint8_t>(crowds.data() + g, m)),
                    std::span<const double>(overlaps.data() + at, n * m));
    d += n;
    g += m;
    at += n * m;
  }
  CHECK(at == overlaps.size());
}

TEST_CASE("pycocotools: overlaps of boxes, also of what is none") {
  const auto boxes = [](const std::string& name) {
    const std::vector<double> numbers = values<double>(name);
    std::vector<BoxXywh> all;
    for (std::size_t i = 0; i + 3 < numbers.size(); i += 4)
      all.push_back({numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3]});
    return all;
  };
  check_same_bits(box_iou(boxes("box_overlaps/detections"), boxes("box_overlaps/truths"),
                          values<std::uint8_t>("box_overlaps/crowds")),
                  values<double>("box_overlaps/overlaps"));
}

}  // namespace
}  // namespace mrcnn::coco
