#include "mrcnn/coco/box_overlap.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace mrcnn::coco {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

const std::vector<BoxXywh> detections = {{0, 0, 10, 10},   {5, 5, 10, 10},       {20, 20, 5, 5},
                                         {0, 0, 0, 10},    {0, 0, -5, 10},       {2.5, 2.5, 5.1, 5.7},
                                         {nan, 0, 10, 10}, {0, 0, infinity, 10}, {3, 3, 1e300, 1e300}};
const std::vector<BoxXywh> truths = {{0, 0, 10, 10}, {9, 9, 3, 3},           {10, 0, 5, 5},
                                     {1, 1, nan, 4}, {-1e9, -1e9, 2e9, 2e9}, {4, 4, -2, 3}};

void check_same(const std::vector<double>& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    if (std::isnan(expected[i]))
      CHECK(std::isnan(found[i]));
    else
      CHECK(found[i] == expected[i]);
  }
}

/// The numbers of a matrix, row after row.
std::vector<double> joined(const std::vector<std::vector<double>>& rows) {
  std::vector<double> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

// The overlaps are those of pycocotools 2.0.11.
TEST_CASE("box_iou equals pycocotools to the bit, also for what is no box") {
  check_same(box_iou(detections, truths), joined({{1.0, 0.009259259259259259, 0.0, nan, 2.5e-17, 0.0},
                                                  {0.14285714285714285, 0.09, 0.0, 0.0, 2.5e-17, 0.0},
                                                  {0.0, 0.0, 0.0, 0.0, 6.25e-18, 0.0},
                                                  {0.0, 0.0, 0.0, 0.0, 0.0, 0.0},
                                                  {0.0, 0.0, 0.0, 0.0, 0.0, 0.0},
                                                  {0.29069999999999996, 0.0, 0.0, nan, 7.267499999999998e-18, 0.0},
                                                  {1.0, 0.02830188679245283, 0.25, nan, 5.0000000250000005e-09, 0.0},
                                                  {0.0, 0.0, 0.0, nan, 0.0, 0.0},
                                                  {0.0, 0.0, 0.0, nan, 0.0, 0.0}}));
}

TEST_CASE("a crowd is compared with the detection's area") {
  check_same(box_iou(detections, truths, std::vector<std::uint8_t>(6, 1)),
             joined({{1.0, 0.01, 0.0, 0.36, 1.0, 0.0},
                     {0.25, 0.09, 0.0, 0.0, 1.0, 0.0},
                     {0.0, 0.0, 0.0, 0.0, 1.0, 0.0},
                     {0.0, 0.0, 0.0, 0.0, 0.0, 0.0},
                     {0.0, 0.0, 0.0, 0.0, 0.0, 0.0},
                     {0.9999999999999998, 0.0, 0.0, 0.43859649122807015, 0.9999999999999998, 0.0},
                     {1.0, 0.03, 0.25, nan, 200000000.0, 0.0},
                     {0.0, 0.0, 0.0, nan, 0.0, 0.0},
                     {0.0, 0.0, 0.0, 0.0, 0.0, 0.0}}));
  const std::vector<std::uint8_t> one = {0, 2, 0, 0, 0, 0};
  CHECK(box_iou(detections, truths, one)[0] == 1.0);
  CHECK(box_iou(detections, truths, one)[1] == 0.01);
}

TEST_CASE("no boxes, no overlaps; flags must be as many as ground truths") {
  CHECK(box_iou({}, truths).empty());
  CHECK(box_iou(detections, {}).empty());
  CHECK_THROWS_WITH_AS(box_iou(detections, truths, std::vector<std::uint8_t>(9)),
                       "box_iou: crowd has 9 flags, expected 6 as there are ground truths, or none", ShapeError);
}

}  // namespace
}  // namespace mrcnn::coco
