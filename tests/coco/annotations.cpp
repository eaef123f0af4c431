#include "mrcnn/coco/annotations.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/files.hpp"

using namespace mrcnn;
using namespace mrcnn::coco;
using mrcnn::test::message_of;

namespace {

Annotations parse(std::string_view text) { return parse_annotations(text, "x.json"); }
std::string parse_error(const std::string& text) {
  return message_of([&] { parse(text); });
}
/// An instances file with one annotation of these members.
std::string with_annotation(const std::string& members) {
  return "{\"images\":[],\"annotations\":[{" + members + "}],\"categories\":[]}";
}
std::string annotation_error(const std::string& members) { return parse_error(with_annotation(members)); }
const std::string ids = "\"id\":7,\"image_id\":1,\"category_id\":2";

}  // namespace

TEST_CASE("annotations: every member of a file of COCO arrives") {
  const Annotations all = parse(R"({
    "info": {"year": 2017, "version": "1.0"},
    "licenses": [{"id": 1, "url": "http://a/b"}],
    "images": [{"license": 4, "file_name": "000000397133.jpg", "coco_url": "http://c/d.jpg", "height": 427,
                "width": 640, "date_captured": "2013-11-14 17:02:52", "id": 397133}],
    "annotations": [
      {"segmentation": [[1.5, 2, 3.25, 4, 5e0, 6.0], [7, 8, 9, 10, 11, 12, 13, 14]], "area": 702.1057499999998,
       "iscrowd": 0, "image_id": 289343, "bbox": [473.07, 395.93, 38.65, 28.67], "category_id": 18, "id": 1768},
      {"segmentation": {"counts": [20736, 2, 453], "size": [427, 640]}, "area": 2, "iscrowd": 1, "image_id": 2,
       "bbox": [0, 0, 1, 1], "category_id": 1, "id": 900100002299},
      {"segmentation": {"counts": "411101\\\\", "size": [3, 4]}, "image_id": 2, "category_id": 1, "id": 3}],
    "categories": [{"supercategory": "person", "id": 1, "name": "person", "keypoints": ["nose", "l\u00e9ft"]}]})");
  CHECK(all.name == "x.json");
  CHECK(all.extra == R"("info":{"year":2017,"version":"1.0"},"licenses":[{"id":1,"url":"http://a/b"}])");
  REQUIRE(all.images.size() == 1);
  CHECK(all.images[0].id == 397133);
  CHECK(all.images[0].height == 427);
  CHECK(all.images[0].width == 640);
  CHECK(all.images[0].file_name == "000000397133.jpg");
  CHECK(all.images[0].extra == R"("license":4,"coco_url":"http://c/d.jpg","date_captured":"2013-11-14 17:02:52")");
  REQUIRE(all.categories.size() == 1);
  CHECK(all.categories[0].id == 1);
  CHECK(all.categories[0].name == "person");
  CHECK(all.categories[0].supercategory == "person");
  CHECK(all.categories[0].extra ==
        "\"keypoints\":[\"nose\",\"l\xC3\xA9"
        "ft\"]");
  REQUIRE(all.annotations.size() == 3);
  const Annotation& first = all.annotations[0];
  CHECK(first.id == 1768);
  CHECK(first.image_id == 289343);
  CHECK(first.category_id == 18);
  CHECK_FALSE(first.is_crowd);
  CHECK(first.area == 702.1057499999998);
  CHECK(first.bbox == BoxXywh{473.07, 395.93, 38.65, 28.67});
  CHECK(std::get<Polygons>(first.segmentation) ==
        Polygons{{1.5, 2, 3.25, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, {6, 14}});
  CHECK(first.extra.empty());
  CHECK(all.annotations[1].id == 900100002299);
  CHECK(all.annotations[1].is_crowd);
  CHECK(std::get<Rle>(all.annotations[1].segmentation) == Rle{427, 640, {20736, 2, 453}});
  CHECK(std::get<CompressedRle>(all.annotations[2].segmentation) == CompressedRle{3, 4, "411101\\\\"});
  CHECK_FALSE(all.annotations[2].area.has_value());
  CHECK_FALSE(all.annotations[2].bbox.has_value());
}

TEST_CASE("annotations: a wrong member is named with the annotation's id, what was found and what was expected") {
  CHECK(annotation_error("\"id\":7,\"category_id\":2") ==
        "x.json: annotation 7: has no member 'image_id', expected an integer");
  CHECK(annotation_error("\"image_id\":7,\"category_id\":2") ==
        "x.json: annotations[0]: has no member 'id', expected an integer");
  CHECK(annotation_error(ids + ",\"bbox\":[1,2,3]") ==
        "x.json: annotation 7: bbox: found 3 numbers, expected [x, y, width, height]");
}
