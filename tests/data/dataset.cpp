#include "mrcnn/data/dataset.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "mrcnn/data/to_annotations.hpp"
#include "tests/support/files.hpp"

namespace mrcnn::data {
namespace {

using test::message_of;
using Numbers = std::vector<std::int32_t>;

/// Two sources that both have a class 1, as a set for COCO and one's own.
Dataset two_sources() {
  Dataset dataset;
  dataset.add_class("coco", 1, "person");
  dataset.add_class("coco", 17, "cat");
  dataset.add_class("street", 1, "cab, hack, taxi");
  dataset.add_image({.source = "street", .id = "corner.jpg", .path = "street/corner.jpg"});
  dataset.add_image({.source = "coco", .id = 139, .path = "val2017/000000000139.jpg", .height = 2, .width = 3});
  return dataset;
}

Instance instance(std::int32_t class_id, coco::Rle mask, bool is_crowd = false) {
  return {.class_id = class_id, .is_crowd = is_crowd, .mask = std::move(mask)};
}

TEST_CASE("Dataset: a new one has the background alone") {
  const Dataset dataset;
  CHECK(dataset.class_count() == 1);
  CHECK(dataset.class_names() == std::vector<std::string>{"BG"});
  CHECK(dataset.classes()[0].source.empty());
  CHECK(dataset.class_id("", 0) == 0);
  CHECK(dataset.class_id(".0") == 0);
  CHECK(dataset.size() == 0);
  CHECK(dataset.sources().empty());
}

TEST_CASE("Dataset: classes are numbered in the order in which they come, those of one source and id once") {
  Dataset dataset = two_sources();
  CHECK(dataset.class_count() == 4);
  CHECK(dataset.add_class("coco", 17, "kitten") == 2);
  CHECK(dataset.class_count() == 4);
  CHECK(dataset.classes()[2].name == "cat");
  CHECK(dataset.add_class("street", 2, "bus") == 4);
}

TEST_CASE("Dataset: names end at the first comma, the records keep them whole") {
  const Dataset dataset = two_sources();
  CHECK(dataset.class_names() == std::vector<std::string>{"BG", "person", "cat", "cab"});
  CHECK(dataset.classes()[3].name == "cab, hack, taxi");
}

TEST_CASE("Dataset: class numbers are found by source and id, and lead back") {
  const Dataset dataset = two_sources();
  CHECK(dataset.class_id("coco", 17) == 2);
  CHECK(dataset.class_id("coco.17") == 2);
  CHECK(dataset.class_id("street.1") == 3);
  CHECK(dataset.source_class_id(2, "coco") == 17);
  CHECK(dataset.source_class_id(3, "street") == 1);
  CHECK(dataset.source_class_id(0, "") == 0);
}

TEST_CASE("Dataset: classes that are not there, or another source's, are errors") {
  const Dataset dataset = two_sources();
  CHECK(message_of([&] { dataset.class_id("coco", 2); }) ==
        "Dataset: there is no class 2 of source 'coco'; add it with add_class");
  CHECK_THROWS_AS(dataset.class_id("street.17"), Error);
  for (const char* text : {"coco", "coco.", "coco.x", "coco.1x", "coco.1.2", "", "coco.99999999999999999999"})
    CHECK(message_of([&] { dataset.class_id(text); }) ==
          "Dataset: '" + std::string(text) + "' names no class, expected source.id such as coco.17");
  CHECK(message_of([&] { dataset.source_class_id(3, "coco"); }) ==
        "Dataset: class 3, cab, hack, taxi, belongs to source 'street', expected a class of 'coco'");
  CHECK(message_of([&] { dataset.source_class_id(4, "coco"); }) ==
        "Dataset: there is no class number 4, expected 0 to 3");
  CHECK_THROWS_AS(dataset.source_class_id(-1, "coco"), Error);
  CHECK_THROWS_AS(dataset.source_class_id(0, "coco"), Error);
}

TEST_CASE("Dataset: a source's classes always include the background") {
  const Dataset dataset = two_sources();
  CHECK(dataset.source_class_ids("coco") == Numbers{0, 1, 2});
  CHECK(dataset.source_class_ids("street") == Numbers{0, 3});
  CHECK(dataset.source_class_ids("unknown") == Numbers{0});
  CHECK(dataset.active_class_ids(0) == Numbers{1, 0, 0, 1});
  CHECK(dataset.active_class_ids(1) == Numbers{1, 1, 1, 0});
  CHECK(dataset.sources() == std::vector<std::string>{"coco", "street"});
}

TEST_CASE("Dataset: a source's name has no dot, and is not empty") {
  Dataset dataset;
  CHECK(message_of([&] { dataset.add_class("my.set", 1, "x"); }) ==
        "Dataset: the source 'my.set' has a dot in its name, expected a name without dots");
  CHECK_THROWS_AS(dataset.add_class("", 1, "x"), Error);
  CHECK_THROWS_AS(dataset.add_image({.source = "a.b", .id = 1}), Error);
  CHECK(dataset.class_count() == 1);
  CHECK(dataset.size() == 0);
}

TEST_CASE("Dataset: pictures are found by source and id, a number or a name") {
  Dataset dataset = two_sources();
  CHECK(dataset.image(0).path == "street/corner.jpg");
  CHECK(dataset.image_index("coco", 139) == 1);
  CHECK(dataset.image_index("street", "corner.jpg") == 0);
  CHECK(!dataset.find_image("coco", "139"));
  CHECK(!dataset.find_image("street", 139));
  CHECK(message_of([&] { dataset.image_index("coco", 7); }) == "Dataset: there is no image 7 of source 'coco' among 2");
  CHECK(message_of([&] { dataset.add_image({.source = "coco", .id = 139}); }) ==
        "Dataset: image 139 of source 'coco' is there already; expected each one once");
  CHECK_THROWS_AS(dataset.image(2), Error);
  CHECK_THROWS_AS(dataset.image(-1), Error);
  CHECK_THROWS_AS(dataset.active_class_ids(2), Error);
  CHECK_THROWS_AS(dataset.instances(2), Error);
  CHECK_THROWS_AS(dataset.add_image({.source = "coco", .id = 1, .height = -1}), Error);
  CHECK(dataset.size() == 2);
}

TEST_CASE("Dataset: pixels are made or read when they are asked for") {
  Dataset dataset = two_sources();
  int made = 0;
  dataset.add_image({.source = "shapes", .id = 0, .height = 4, .width = 5},
                    {.instances = {}, .pixels = [&made] { return ++made, Image(4, 5); }});
  CHECK(made == 0);
  const auto reader = [](const ImageInfo& info) {
    if (info.path == "street/corner.jpg") return Image(6, 7);
    throw FormatError(info.path + ": can not be opened");
  };
  CHECK(dataset.load_image(2, reader).width == 5);
  CHECK(made == 1);
  CHECK(dataset.load_image(0, reader).width == 7);
  CHECK(message_of([&] { dataset.load_image(1, reader); }) == "val2017/000000000139.jpg: can not be opened");
}

TEST_CASE("Dataset: a picture of another size than its source said does not fit its masks") {
  const Dataset dataset = two_sources();
  const auto turned = [](const ImageInfo&) { return Image(3, 2); };
  CHECK(
      message_of([&] { dataset.load_image(1, turned); }) ==
      "val2017/000000000139.jpg: has 3 x 2 pixels (height x width), expected 2 x 3 as source 'coco' says of image 139");
}

TEST_CASE("Dataset: objects are made when they are asked for; without a maker there are none") {
  Dataset dataset = two_sources();
  CHECK(dataset.instances(0).empty());
  dataset.add_image({.source = "coco", .id = 4, .height = 2, .width = 3},
                    {.instances =
                         [] {
                           return std::vector{instance(2, {2, 3, {1, 5}}), instance(1, {2, 3, {0, 6}}, true)};
                         },
                     .pixels = {}});
  const auto found = dataset.instances(2);
  REQUIRE(found.size() == 2);
  CHECK(signed_class_id(found[0]) == 2);
  CHECK(signed_class_id(found[1]) == -1);
  CHECK(coco::area(found[0].mask) == 5);
}

TEST_CASE("Dataset: objects of no class, or with masks of another size, are errors") {
  Dataset dataset = two_sources();
  const auto add = [&](std::int64_t id, Instance bad) {
    return dataset.add_image({.source = "coco", .id = id, .height = 2, .width = 3},
                             {.instances = [bad] { return std::vector{bad}; }, .pixels = {}});
  };
  const auto background = add(1, instance(0, {2, 3, {6}}));
  const auto beyond = add(2, instance(4, {2, 3, {6}}));
  const auto turned = add(3, instance(1, {3, 2, {6}}));
  CHECK(message_of([&] { dataset.instances(background); }) ==
        "Dataset: an object in image 1 of source 'coco' has the class number 0, expected 1 to 3");
  CHECK_THROWS_AS(dataset.instances(beyond), Error);
  CHECK(message_of([&] { dataset.instances(turned); }) ==
        "Dataset: a mask in image 3 of source 'coco' has 3 x 2 pixels (height x width), expected 2 x 3");
}

TEST_CASE("Dataset: a part keeps all classes, its pictures are numbered anew") {
  const Dataset dataset = two_sources();
  const std::vector<index_t> last = {1};
  const Dataset part = dataset.subset(last);
  CHECK(part.class_names() == dataset.class_names());
  CHECK(part.size() == 1);
  CHECK(part.image_index("coco", 139) == 0);
  CHECK(part.class_id("street.1") == 3);
  const std::vector<index_t> twice = {1, 1};
  const std::vector<index_t> beyond = {2};
  CHECK_THROWS_AS(dataset.subset(twice), Error);
  CHECK_THROWS_AS(dataset.subset(beyond), Error);
}

TEST_CASE("Dataset: of two that are joined, classes of one source and id become one, and objects follow them") {
  Dataset first;
  first.add_class("street", 1, "cab");
  first.add_class("coco", 17, "cat");
  Dataset second = two_sources();
  second.add_image({.source = "coco", .id = 5},
                   {.instances =
                        [] {
                          return std::vector{instance(2, {1, 1, {0, 1}}), instance(3, {1, 1, {0, 1}})};
                        },
                    .pixels = {}});
  first.append(second);
  CHECK(first.class_names() == std::vector<std::string>{"BG", "cab", "cat", "person"});
  CHECK(first.size() == 3);
  const auto found = first.instances(first.image_index("coco", 5));
  REQUIRE(found.size() == 2);
  CHECK(first.source_class_id(found[0].class_id, "coco") == 17);
  CHECK(first.source_class_id(found[1].class_id, "street") == 1);
  CHECK(first.active_class_ids(first.image_index("coco", 5)) == Numbers{1, 0, 1, 1});
  CHECK_THROWS_AS(first.append(second), Error);
  CHECK(first.size() == 3);
  CHECK_THROWS_AS(first.append(first), Error);
  first.append(Dataset());
  CHECK(first.class_count() == 4);
}

TEST_CASE("to_annotations: ids of one source with numbers stay, areas and boxes are those of the masks") {
  Dataset dataset;
  dataset.add_class("coco", 17, "cat");
  dataset.add_image({.source = "coco", .id = 139, .path = "a.jpg", .height = 3, .width = 4});
  dataset.add_image({.source = "coco", .id = 40}, {.instances =
                                                       [] {
                                                         // Rows 1 and 2 of columns 1 and 2 of 3 x 4 pixels.
                                                         return std::vector{instance(1, {3, 4, {4, 2, 1, 2, 3}}, true)};
                                                       },
                                                   .pixels = {}});
  const coco::Annotations records = to_annotations(dataset, "mine");
  CHECK(records.name == "mine");
  REQUIRE(records.categories.size() == 1);
  CHECK(records.categories[0].id == 17);
  REQUIRE(records.images.size() == 2);
  CHECK(records.images[0].id == 139);
  CHECK(records.images[1].height == 3);
  CHECK(records.images[1].width == 4);
  REQUIRE(records.annotations.size() == 1);
  const coco::Annotation& annotation = records.annotations[0];
  CHECK(annotation.id == 1);
  CHECK(annotation.image_id == 40);
  CHECK(annotation.category_id == 17);
  CHECK(annotation.is_crowd);
  CHECK(annotation.area == 4.0);
  CHECK(annotation.bbox == coco::BoxXywh{1, 1, 2, 2});
  CHECK(std::get<coco::Rle>(annotation.segmentation).counts == std::vector<std::uint32_t>{4, 2, 1, 2, 3});
}

TEST_CASE("to_annotations: of several sources, or of named pictures, everything is numbered from 1") {
  const coco::Annotations records = to_annotations(two_sources());
  REQUIRE(records.images.size() == 2);
  CHECK(records.images[0].id == 1);
  CHECK(records.images[1].id == 2);
  REQUIRE(records.categories.size() == 3);
  CHECK(records.categories[1].id == 2);
  CHECK(records.categories[2].name == "cab, hack, taxi");
  CHECK(to_annotations(Dataset()).images.empty());
}

}  // namespace
}  // namespace mrcnn::data
