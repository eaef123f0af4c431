#include "mrcnn/data/coco.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/files.hpp"

namespace mrcnn::data {
namespace {

using test::Draw;
using test::message_of;
using Ids = std::vector<std::int64_t>;

/// Pictures 9, 7, 8 and 5 of 3 x 4 pixels; categories 90 and 1 with a gap, as COCO has them.
const std::string scene = R"({
  "info": {"year": 2017},
  "images": [{"id": 9, "height": 3, "width": 4, "file_name": "9.jpg", "license": 3},
             {"id": 7, "height": 3, "width": 4, "file_name": "7.jpg"},
             {"id": 8, "height": 3, "width": 4, "file_name": "8.jpg"},
             {"id": 5, "height": 3, "width": 4, "file_name": "5.jpg"}],
  "categories": [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person, man"}],
  "annotations": [
    {"id": 100, "image_id": 9, "category_id": 90, "iscrowd": 0, "bbox": [0, 0, 4, 3],
     "segmentation": [[1, 1, 1, 3, 3, 3, 3, 1], [0, 0, 0, 1, 1, 1, 1, 0]]},
    {"id": 101, "image_id": 9, "category_id": 1, "iscrowd": 1, "segmentation": {"size": [3, 4], "counts": [1, 4, 7]}},
    {"id": 102, "image_id": 9, "category_id": 1, "iscrowd": 0, "segmentation": {"size": [3, 4], "counts": "411101"}},
    {"id": 103, "image_id": 9, "category_id": 1, "segmentation": {"size": [3, 4], "counts": [12]}},
    {"id": 104, "image_id": 7, "category_id": 90, "iscrowd": 1, "segmentation": {"size": [2, 2], "counts": [1, 3]}},
    {"id": 105, "image_id": 7, "category_id": 90, "iscrowd": 1, "segmentation": {"size": [2, 2], "counts": [4]}},
    {"id": 106, "image_id": 8, "category_id": 77, "segmentation": [[0, 0, 4, 0, 4, 3]]},
    {"id": 107, "image_id": 6, "category_id": 1, "segmentation": [[0, 0, 4, 0, 4, 3]]}]})";

Dataset read(const std::string& text, const CocoDatasetOptions& options = {}) {
  return coco_dataset(coco::parse_annotations(text, "a.json"), "val2017", options);
}

Ids image_ids(const Dataset& dataset) {
  Ids ids;
  for (const ImageInfo& info : dataset.images()) ids.push_back(std::get<std::int64_t>(info.id));
  return ids;
}

/// A file with one picture of 3 x 4 pixels and one object of category 1, annotation 42.
Dataset with_object(const std::string& members, const CocoDatasetOptions& options = {}) {
  return read(R"({"images": [{"id": 1, "height": 3, "width": 4, "file_name": "1.jpg"}], "categories": [{"id": 1,
                  "name": "x"}], "annotations": [{"id": 42, "image_id": 1, "category_id": 1)" +
                  members + "}]}",
              options);
}

TEST_CASE("coco_dataset: classes by ascending category id, pictures with objects by ascending id") {
  const Dataset dataset = read(scene);
  CHECK(dataset.class_names() == std::vector<std::string>{"BG", "person", "toothbrush"});
  CHECK(dataset.class_id("coco.90") == 2);
  CHECK(dataset.source_class_id(1, "coco") == 1);
  CHECK(image_ids(dataset) == Ids{7, 9});
  const ImageInfo& info = dataset.image(1);
  CHECK(info.source == "coco");
  CHECK(info.path == "val2017/9.jpg");
  CHECK(info.height == 3);
  CHECK(info.width == 4);
  CHECK(info.extra == R"("license":3)");
  CHECK(!info.apply_exif_orientation);
}

TEST_CASE("coco_dataset: pictures without objects take part when asked for, and have none") {
  const Dataset dataset = read(scene, {.images_without_objects = true});
  CHECK(image_ids(dataset) == Ids{5, 7, 8, 9});
  CHECK(dataset.instances(0).empty());
  CHECK(dataset.instances(2).empty());
}

TEST_CASE("coco_dataset: only wanted categories are classes, and choose the pictures") {
  const Dataset dataset = read(scene, {.source = "mine", .category_ids = Ids{1}});
  CHECK(dataset.class_names() == std::vector<std::string>{"BG", "person"});
  CHECK(dataset.class_id("mine.1") == 1);
  CHECK(image_ids(dataset) == Ids{9});
  CHECK(dataset.instances(0).size() == 2);
  CHECK(read(scene, {.category_ids = Ids{}}).size() == 0);
  CHECK(message_of([] {
          read(scene, {.category_ids = Ids{1, 2}});
        }) == "coco_dataset: a.json has no category 2; leave it out of category_ids");
}

TEST_CASE("coco_dataset: masks of every form, without those that have no pixel") {
  const Dataset dataset = read(scene);
  const auto found = dataset.instances(dataset.image_index("coco", 9));
  REQUIRE(found.size() == 3);
  CHECK(found[0].class_id == 2);
  CHECK(found[0].annotation_id == 100);
  CHECK(!found[0].is_crowd);
  // The union of two squares: rows and columns 1 and 2, and the pixel in the corner. The bbox does not matter.
  CHECK(found[0].mask.counts == std::vector<std::uint32_t>{0, 1, 3, 2, 1, 2, 3});
  CHECK(signed_class_id(found[1]) == -1);
  CHECK(found[1].mask.counts == std::vector<std::uint32_t>{1, 4, 7});
  CHECK(found[2].mask.counts == std::vector<std::uint32_t>{4, 1, 1, 2, 1, 3});
}

TEST_CASE("coco_dataset: a crowd whose run lengths have another size covers its picture, an empty one is none") {
  const Dataset dataset = read(scene);
  const auto found = dataset.instances(dataset.image_index("coco", 7));
  REQUIRE(found.size() == 1);
  CHECK(found[0].annotation_id == 104);
  CHECK(found[0].mask == coco::Rle{3, 4, {0, 12}});
}

TEST_CASE("coco_dataset: crowds can be left out, their pictures stay") {
  const Dataset dataset = read(scene, {.crowds = false});
  CHECK(image_ids(dataset) == Ids{7, 9});
  CHECK(dataset.instances(0).empty());
  CHECK(dataset.instances(1).size() == 2);
}

TEST_CASE("coco_dataset: a mask that can not be made names its annotation, when it is asked for") {
  const auto message = [](const std::string& segmentation) {
    const Dataset dataset = with_object(segmentation);
    return message_of([&] { dataset.instances(0); });
  };
  CHECK(message("") == "a.json: annotation 42: it has no segmentation; set boxes_as_masks to take its bbox for one");
  CHECK(message(R"(, "segmentation": {"size": [4, 3], "counts": [0, 12]})") ==
        "a.json: annotation 42: the mask has 4 x 3 pixels (height x width), expected 3 x 4 as image 1");
  CHECK(message(R"(, "segmentation": {"size": [3, 4], "counts": [1, 4, 8]})") ==
        "a.json: annotation 42: Rle: the counts add up to 13, expected 3 * 4 = 12");
  for (const char* bad :
       {R"({"size": [3, 4], "counts": "41"})", R"({"size": [3, 4], "counts": "4 1"})", "[]", "[[1, 2]]"}) {
    const std::string text = message(std::string(", \"segmentation\": ") + bad);
    CAPTURE(text);
    CHECK(text.rfind("a.json: annotation 42: ", 0) == 0);
    CHECK(text.find("boxes_as_masks") == std::string::npos);
  }
}

TEST_CASE("coco_dataset: a bbox stands for the mask when asked for") {
  const CocoDatasetOptions options{.boxes_as_masks = true};
  const auto found = with_object(R"(, "bbox": [1, 0, 2, 2])", options).instances(0);
  REQUIRE(found.size() == 1);
  CHECK(found[0].mask.counts == std::vector<std::uint32_t>{3, 2, 1, 2, 4});
  const Dataset none = with_object("", options);
  CHECK(message_of([&] { none.instances(0); }) ==
        "a.json: annotation 42: it has neither a segmentation nor a bbox, expected one of them");
}

TEST_CASE("coco_dataset: pictures listed twice or without pixels are errors") {
  const std::string category = R"(], "categories": [{"id": 1, "name": "x"}], "annotations": []})";
  const std::string image = R"({"id": 3, "height": 3, "width": 4, "file_name": "3.jpg"})";
  const CocoDatasetOptions all{.images_without_objects = true};
  CHECK(message_of([&] { read(R"({"images": [)" + image + "," + image + category, all); }) ==
        "a.json: image 3 is listed twice, expected each image once");
  CHECK(message_of([&] { read(R"({"images": [{"id": 3, "file_name": "3.jpg"})" + category, all); }) ==
        "a.json: image 3 has 0 x 0 pixels (height x width), expected at least 1 x 1");
}

TEST_CASE("coco_dataset: the data set outlives the records, and copies share them") {
  std::optional<Dataset> copy;
  {
    const Dataset dataset = read(scene);
    copy = dataset;
  }
  CHECK(copy->instances(1).size() == 3);
}

TEST_CASE("coco_dataset: a file of nothing is a data set of nothing") {
  const Dataset dataset = read(R"({"images": [], "annotations": []})");
  CHECK(dataset.size() == 0);
  CHECK(dataset.class_count() == 1);
  CHECK(coco_dataset(coco::Annotations{}, "").size() == 0);
}

TEST_CASE("coco_dataset: files that were cut or damaged are errors or data sets, never worse") {
  Draw draw(3);
  int whole = 0;
  const auto use = [&](const std::string& text) {
    try {
      const Dataset dataset = read(text, {.images_without_objects = true});
      for (index_t i = 0; i < dataset.size(); ++i) dataset.instances(i);
      ++whole;
    } catch (const Error&) {
      // which is as it should be
    }
  };
  for (std::size_t length = 0; length < scene.size(); length += 3) use(scene.substr(0, length));
  CHECK(whole == 0);
  for (int round = 0; round < 600; ++round) {
    std::string text = scene;
    for (int k = 0; k < 3; ++k) text[draw.below(text.size())] = "0123456789-.,[]{}\":eE "[draw.below(22)];
    use(text);
  }
  use(scene);
  CHECK(whole > 0);
}

TEST_CASE("coco_files: where COCO keeps its subsets") {
  const CocoFiles val = coco_files("/data/coco", "val", 2017);
  CHECK(val.annotations == "/data/coco/annotations/instances_val2017.json");
  CHECK(val.images == "/data/coco/val2017");
  CHECK(coco_files("/data/coco", "train").images == "/data/coco/train2017");
  const CocoFiles minival = coco_files("/data/coco", "minival", 2014);
  CHECK(minival.annotations == "/data/coco/annotations/instances_minival2014.json");
  CHECK(minival.images == "/data/coco/val2014");
  CHECK(coco_files("/data/coco", "valminusminival", 2014).images == "/data/coco/val2014");
  CHECK(coco_files("/data/coco", "val35k", 2014).images == "/data/coco/val2014");
  CHECK(message_of([] { coco_files("x", "minival", 2017); }) ==
        "coco_files: there is no subset 'minival' of 2017, expected train or val of 2014 or 2017, or minival or "
        "valminusminival of 2014");
  CHECK_THROWS_AS(coco_files("x", "test", 2017), Error);
  CHECK_THROWS_AS(coco_files("x", "val", 2015), Error);
}

TEST_CASE("coco_files: pictures in a folder images are found, and read with their annotations") {
  const test::TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "images" / "val2017");
  std::filesystem::create_directories(folder.path() / "annotations");
  const CocoFiles files = coco_files(folder.path().string(), "val", 2017);
  CHECK(files.images == folder / "images/val2017");
  CHECK_THROWS_AS(coco_dataset(files), FormatError);
  test::write_file(files.annotations, scene);
  CHECK(coco_dataset(files).size() == 2);
  CHECK(coco_dataset(files).image(0).path == folder / "images/val2017/7.jpg");
}

}  // namespace
}  // namespace mrcnn::data
