#include "mrcnn/coco/segmentation.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace mrcnn::coco {
namespace {

using Counts = std::vector<std::uint32_t>;

std::string reason(const Segmentation& segmentation) {
  try {
    to_rle(segmentation, 6, 7);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "";
}

const std::vector<double> rectangle = {1, 1, 1, 4, 5, 4, 5, 1};
const std::vector<double> triangle = {1.5, 1.5, 4.5, 1.5, 3, 4.5};

// The counts of these outlines are those of pycocotools 2.0.11.
TEST_CASE("a single ring is that polygon; several are united") {
  CHECK(to_rle(Polygons{rectangle, {8}}, 6, 7) == Rle{6, 7, {7, 3, 3, 3, 3, 3, 3, 3, 14}});
  CHECK(to_rle(Polygons{triangle, {6}}, 6, 7) == Rle{6, 7, {14, 1, 5, 2, 20}});
  std::vector<double> both = {0, 0, 0, 2, 3, 2, 3, 0};
  both.insert(both.end(), rectangle.begin(), rectangle.end());
  CHECK(to_rle(Polygons{both, {8, 16}}, 6, 7).counts == Counts{0, 2, 4, 4, 2, 4, 3, 3, 3, 3, 14});
  // A ring of four numbers that is not the first one is a polygon of two vertices: nothing.
  std::vector<double> with_line = rectangle;
  with_line.insert(with_line.end(), {0, 0, 6, 6});
  CHECK(to_rle(Polygons{with_line, {8, 12}}, 6, 7) == to_rle(Polygons{rectangle, {8}}, 6, 7));
}

TEST_CASE("a first ring of four numbers makes all rings boxes") {
  CHECK(to_rle(Polygons{{1, 1, 4, 3}, {4}}, 6, 7) == Rle{6, 7, {7, 3, 3, 3, 3, 3, 3, 3, 14}});
  CHECK(to_rle(Polygons{{1, 1, 4, 3, 0, 0, 3, 2}, {4, 8}}, 6, 7).counts == Counts{0, 2, 4, 4, 2, 4, 3, 3, 3, 3, 14});
  CHECK(reason(Polygons{{1, 1, 4, 3, 0, 0, 3, 2, 1, 1}, {4, 10}}) ==
        "to_rle: ring 1 has 6 numbers, expected 4 as ring 0, which is a box");
}

TEST_CASE("run lengths keep their own size and their form") {
  const Rle odd{2, 3, {1, 0, 2, 2, 0, 1}};
  CHECK(to_rle(Segmentation(odd), 480, 640) == odd);
  CHECK(to_rle(Segmentation(CompressedRle{3, 4, "411101"}), 480, 640) == Rle{3, 4, {4, 1, 1, 2, 1, 3}});
  CHECK(compress(Rle{3, 4, {4, 1, 1, 2, 1, 3}}) == CompressedRle{3, 4, "411101"});
  CHECK(decompress(compress(odd)) == odd);
}

TEST_CASE("what is no mask is refused with its reason") {
  CHECK(reason(Segmentation()) == "to_rle: no segmentation, expected polygons or run lengths");
  CHECK(reason(Polygons{}) == "to_rle: polygons without a ring, expected at least one");
  CHECK(reason(Polygons{{1, 2, 3}, {3}}) == "to_rle: ring 0 has 3 numbers, expected 4 for a box or 6 and more");
  CHECK(reason(Polygons{rectangle, {6, 5}}) == "to_rle: ring 1 ends at coordinate 5, expected 6 to 8");
  CHECK(reason(Polygons{rectangle, {9}}) == "to_rle: ring 0 ends at coordinate 9, expected 0 to 8");
  CHECK(reason(Rle{3, 4, {11}}) == "Rle: the counts add up to 11, expected 3 * 4 = 12");
  CHECK(reason(CompressedRle{3, 4, "4"}) ==
        "Rle: the compressed string of a mask of 3 x 4 pixels has 8 pixels too few at character 1");
}

TEST_CASE("many rings that pass many columns are refused before they take memory and time") {
  Polygons comb;
  for (int ring = 0; ring < 100; ++ring) {
    comb.coordinates.insert(comb.coordinates.end(), {0, 0, 3.3e7, 0, 3.3e7, 1, 0, 1});
    comb.ring_ends.push_back(static_cast<std::uint32_t>(comb.coordinates.size()));
  }
  CHECK_THROWS_WITH_AS(
      to_rle(comb, 1, 33500000),
      "to_rle: ring 1 brings the columns that the rings pass to 132000000, expected at most 67108864 in "
      "one object",
      FormatError);
}

TEST_CASE("many outlines share the scratch memory of a rasterizer") {
  PolygonRasterizer rasterizer;
  for (int i = 0; i < 3; ++i) {
    CHECK(to_rle(Polygons{rectangle, {8}}, 6, 7, rasterizer) == to_rle(Polygons{rectangle, {8}}, 6, 7));
    CHECK(to_rle(Polygons{triangle, {6}}, 9, 3, rasterizer) == to_rle(Polygons{triangle, {6}}, 9, 3));
  }
}

}  // namespace
}  // namespace mrcnn::coco
