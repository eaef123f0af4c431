// The balloons and a small part of COCO, read as data sets. The numbers are those of scikit-image 0.26 and pycocotools
// 2.0.11 for the same files.

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "mrcnn/coco/categories.hpp"
#include "mrcnn/data/balloon.hpp"
#include "mrcnn/data/coco.hpp"
#include "tests/support/shared.hpp"

using namespace mrcnn;
using namespace mrcnn::test;

namespace {

/// Of all masks together, in the data set's order.
struct Totals {
  index_t instances = 0;
  index_t crowds = 0;
  std::uint64_t area = 0;
  std::int64_t class_ids = 0;
  std::uint64_t hash = 0xCBF29CE484222325U;  ///< FNV-1a of the compressed run lengths
};

Totals totals(const data::Dataset& dataset) {
  Totals sum;
  for (index_t i = 0; i < dataset.size(); ++i)
    for (const data::Instance& instance : dataset.instances(i)) {
      ++sum.instances;
      sum.crowds += instance.is_crowd ? 1 : 0;
      sum.area += coco::area(instance.mask);
      sum.class_ids += instance.class_id;
      for (const char c : coco::to_string(instance.mask))
        sum.hash = (sum.hash ^ static_cast<std::uint8_t>(c)) * 0x100000001B3U;
    }
  return sum;
}

}  // namespace

TEST_CASE("balloons: every mask equals that of skimage.draw.polygon") {
  const auto root = shared_path("data/balloon").string();
  const auto train = data::balloon_dataset(root, "train");
  CHECK(train.size() == 61);
  CHECK(totals(train).instances == 255);
  CHECK(totals(train).area == 15312301);
  CHECK(totals(train).hash == 0x18DF74665F6CE20CU);
  const auto val = data::balloon_dataset(root, "val");
  CHECK(val.size() == 13);
  CHECK(totals(val).instances == 50);
  CHECK(totals(val).area == 1159503);
  CHECK(totals(val).hash == 0xCA95B94DFE8736CEU);
}

TEST_CASE("coco_tiny: pictures, classes, crowds and every mask are those of pycocotools") {
  const auto root = shared_path("data/coco_tiny").string();
  const auto train = data::coco_dataset(data::coco_files(root, "train"));
  CHECK(train.size() == 80);
  CHECK(train.class_count() == 81);
  CHECK(totals(train).instances == 705);
  CHECK(totals(train).crowds == 6);
  CHECK(totals(train).class_ids == 22389);
  CHECK(totals(train).area == 6402015);
  CHECK(totals(train).hash == 0x3609B22CB486A282U);
  const auto val = data::coco_dataset(data::coco_files(root, "val"));
  CHECK(val.size() == 80);
  CHECK(totals(val).instances == 815);
  CHECK(totals(val).crowds == 11);
  CHECK(totals(val).class_ids == 25810);
  CHECK(totals(val).area == 8073268);
  CHECK(totals(val).hash == 0x9B3783D492B147A2U);
  CHECK(coco::are_category_names([&] {
    auto names = val.class_names();
    names.erase(names.begin());
    return names;
  }()));
}

TEST_CASE("coco_tiny: every picture has the size that its masks have") {
  const auto val = data::coco_dataset(data::coco_files(shared_path("data/coco_tiny").string(), "val"));
  for (index_t i = 0; i < val.size(); i += 8) {
    const Image image = val.load_image(i);
    CHECK(image.height == val.image(i).height);
    CHECK(image.width == val.image(i).width);
  }
}
