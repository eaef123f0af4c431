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

TEST_CASE("annotations: what is missing, null or [] is absent") {
  const auto annotation = [](const std::string& members) {
    return parse(with_annotation(ids + members)).annotations.at(0);
  };
  CHECK_FALSE(annotation("").is_crowd);
  CHECK_FALSE(annotation("").area.has_value());
  CHECK_FALSE(annotation(",\"bbox\":[]").bbox.has_value());
  CHECK_FALSE(annotation(",\"bbox\":null,\"area\":null").bbox.has_value());
  CHECK(std::holds_alternative<std::monostate>(annotation(",\"segmentation\":null").segmentation));
  CHECK(std::get<Polygons>(annotation(",\"segmentation\":[]").segmentation) == Polygons{});
  CHECK(std::get<Polygons>(annotation(",\"segmentation\":[[],[1,2]]").segmentation) == Polygons{{1, 2}, {0, 2}});
  CHECK(std::get<Rle>(annotation(",\"segmentation\":{\"counts\":[],\"size\":[0,0]}").segmentation) == Rle{});
  for (const std::string yes : {"1", "true", "1.0"}) CHECK(annotation(",\"iscrowd\":" + yes).is_crowd);
  for (const std::string no : {"0", "false", "0.0"}) CHECK_FALSE(annotation(",\"iscrowd\":" + no).is_crowd);
  CHECK(annotation(",\"attributes\":{\"occluded\":[true,null,-1.5]}").extra ==
        R"("attributes":{"occluded":[true,null,-1.5]})");
  CHECK(annotation(",\"id\":8").id == 8);  // the last counts, as in Python
  const Annotations empty = parse(R"({"annotations":[],"images":[ ]})");
  CHECK((empty.images.empty() && empty.annotations.empty() && empty.categories.empty() && empty.extra.empty()));
}

TEST_CASE("annotations: a wrong member is named with the annotation's id, what was found and what was expected") {
  CHECK(annotation_error("\"id\":7,\"category_id\":2") ==
        "x.json: annotation 7: has no member 'image_id', expected an integer");
  CHECK(annotation_error("\"id\":7,\"image_id\":2") ==
        "x.json: annotation 7: has no member 'category_id', expected an integer");
  CHECK(annotation_error("\"image_id\":7,\"category_id\":2") ==
        "x.json: annotations[0]: has no member 'id', expected an integer");
  CHECK(annotation_error("\"id\":\"7\",\"image_id\":7,\"category_id\":2") ==
        "x.json: annotations[0]: id: found a string, expected an integer of 64 bits");
  const auto error = [](const std::string& members) {
    const std::string message = annotation_error(ids + "," + members);
    CHECK(message.rfind("x.json: annotation 7: ", 0) == 0);
    return message.substr(std::min(message.size(), std::string("x.json: annotation 7: ").size()));
  };
  CHECK(error("\"image_id\":1.5") == "image_id: found 1.5, expected an integer of 64 bits");
  CHECK(error("\"image_id\":null") == "image_id: found null, expected an integer of 64 bits");
  CHECK(error("\"image_id\":18446744073709551615") ==
        "image_id: found 18446744073709551615, expected an integer of 64 bits");
  CHECK(error("\"area\":\"big\"") == "area: found a string, expected a number");
  CHECK(error("\"area\":true") == "area: found true, expected a number");
  CHECK(error("\"iscrowd\":2") == "iscrowd: found 2, expected an integer from 0 to 1");
  CHECK(error("\"iscrowd\":[0]") == "iscrowd: found an array, expected 0 or 1");
  CHECK(error("\"bbox\":[1,2,3]") == "bbox: found 3 numbers, expected [x, y, width, height]");
  CHECK(error("\"bbox\":[1,2,3,4,5]") == "bbox: found 5 numbers, expected [x, y, width, height]");
  CHECK(error("\"bbox\":[1,2,3,\"4\"]") == "bbox: found a string, expected a number");
  CHECK(error("\"bbox\":{\"x\":1}") == "bbox: found an object, expected [x, y, width, height]");
  const std::string forms =
      ", expected a list of polygons [[x, y, ...], ...] or {\"size\": [height, width], \"counts\": a list or a string}";
  CHECK(error("\"segmentation\":[1,2,3,4]") == "segmentation: found 1 in a list" + forms);
  CHECK(error("\"segmentation\":\"x\"") == "segmentation: found a string" + forms);
  CHECK(error("\"segmentation\":[[1,null]]") == "segmentation: found null, expected a number");
  CHECK(error("\"segmentation\":{\"size\":[1,2]}") == "segmentation: has no member 'counts'" + forms);
  CHECK(error("\"segmentation\":{\"counts\":\"\"}") == "segmentation: has no member 'size'" + forms);
  CHECK(error("\"segmentation\":{\"size\":[1],\"counts\":\"\"}") ==
        "segmentation: size is an array, expected [height, width]");
  CHECK(error("\"segmentation\":{\"size\":[-1,2],\"counts\":\"\"}") ==
        "segmentation: found -1, expected an integer from 0 to 9223372036854775807");
  CHECK(error("\"segmentation\":{\"size\":[1,2],\"counts\":7}") ==
        "segmentation: counts is 7, expected a list of run lengths or a string");
  CHECK(error("\"segmentation\":{\"size\":[1,2],\"counts\":[-2]}") ==
        "segmentation: found -2, expected an integer from 0 to 4294967295");
  CHECK(parse_error(R"({"images":[{"id":3,"height":-1}],"annotations":[]})") ==
        "x.json: image 3: height: found -1, expected an integer from 0 to 9223372036854775807");
  CHECK(parse_error(R"({"images":[{"id":3},{"width":2}],"annotations":[]})") ==
        "x.json: images[1]: has no member 'id', expected an integer");
  CHECK(parse_error(R"({"images":[],"annotations":[],"categories":[{"id":1,"name":null}]})") ==
        "x.json: category 1: name: found null, expected a string");
  CHECK(parse_error(R"({"images":[[]],"annotations":[]})") == "x.json: images[0]: found an array, expected an object");
}

TEST_CASE("annotations: integers of 64 bits and whole numbers with a point are ids") {
  const auto id = [](const std::string& text) {
    return parse(R"({"images":[{"id":)" + text + R"(}],"annotations":[]})").images.at(0).id;
  };
  CHECK(id("3.0") == 3);
  CHECK(id("-1e3") == -1000);
  CHECK(id("9223372036854775807") == std::numeric_limits<std::int64_t>::max());
  CHECK(id("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
  CHECK(parse_error(R"({"images":[{"id":1e300}],"annotations":[]})") ==
        "x.json: images[0]: id: found 1e+300, expected an integer of 64 bits");
  CHECK(parse_error("{\"images\":[\n {\"id\": 123456789012345678901}],\"annotations\":[]}") ==
        "x.json:2:9: id is 123456789012345678901, expected a number that 64 bits can hold");
}

TEST_CASE("annotations: the top of the file") {
  const std::string expected = "', expected an instances file with the arrays images and annotations";
  CHECK(parse_error(R"({"images":[]})") == "x.json: has no member 'annotations" + expected);
  CHECK(parse_error("{}") == "x.json: has no member 'images" + expected);
  CHECK(parse_error(R"({"images":{},"annotations":[]})") ==
        "x.json: images: found an object, expected an array of objects");
  CHECK(parse_error(R"({"images":[],"annotations":null})") ==
        "x.json: annotations: found null, expected an array of objects");
  for (const std::string twice :
       {R"({"images":[{"id":1}],"annotations":[],"images":[{"id":2}]})",
        R"({"images":[],"annotations":[],"images":[]})", R"({"images":[],"annotations":[],"images":3,"images":[]})",
        R"({"images":[{"id":1}],"annotations":[],"im\u0061ges":[{"id":2}]})"})
    CHECK_MESSAGE(parse_error(twice).rfind("x.json: ", 0) == 0, twice);
  CHECK(parse_error(R"({"images":[{"id":1}],"annotations":[],"images":[{"id":2}]})") ==
        "x.json: has several members 'images', expected one");
  CHECK(parse_error("[]").rfind("x.json: found an array at the top, expected an object with the arrays images", 0) ==
        0);
  CHECK(parse_error("3").rfind("x.json: can not be read as JSON", 0) == 0);
  CHECK(parse_error("") == "x.json:1:1: is not JSON: found the end of the text, expected a value");
  CHECK(parse_error(" \n ") == "x.json:2:2: is not JSON: found the end of the text, expected a value");
  const Annotations other = parse(R"({"images":[],"a":{"images":[{"id":"no"}]},"annotations":[],"\u0062\n":[1,[2]]})");
  CHECK(other.extra == R"("a":{"images":[{"id":"no"}]},"b\n":[1,[2]])");
  const Annotations escaped = parse(R"({"im\u0061ges":[{"id":4}],"annotations":[]})");
  CHECK(escaped.images.at(0).id == 4);
}

TEST_CASE("annotations: text that is not JSON is located") {
  CHECK(parse_error("{\"images\":[],\n\"annotations\":[{\"id\":1 \"image_id\":2}]}") ==
        "x.json:2:24: is not JSON: found '\"', expected ',' or '}'");
  CHECK(parse_error("{\"images\":[] \"annotations\":[]}") ==
        "x.json:1:14: is not JSON: found '\"', expected ',' or '}'");
  CHECK(parse_error("{\"images\":[{\"id\":1},],\"annotations\":[]}") ==
        "x.json:1:21: is not JSON: found ']', expected a value");
  CHECK(parse_error("{\"images\":[,{\"id\":1}],\"annotations\":[]}").rfind("x.json:1:12: is not JSON", 0) == 0);
  CHECK(parse_error("{\"images\":[,],\"annotations\":[]}").rfind("x.json:1:12: is not JSON", 0) == 0);
  CHECK(parse_error("{\"images\":[{\"id\":1}{\"id\":2}],\"annotations\":[]}").rfind("x.json:1:20: is not JSON", 0) ==
        0);
  CHECK(parse_error("{\"images\":[],\"annotations\":[]} x").rfind("x.json:1:32: is not JSON: text after", 0) == 0);
  CHECK(parse_error("{\"images\":[],\"annotations\":[]}]").rfind("x.json:1:31: is not JSON: text after", 0) == 0);
  CHECK(parse_error("{\"images\":[]],\"annotations\":[]}").rfind("x.json:1:13: is not JSON", 0) == 0);
  CHECK(parse_error("{\"images\":[],\"annotations\":[], \"x\": 1 2}").rfind("x.json:1:39: is not JSON", 0) == 0);
  CHECK(parse_error("{\"images\":[{\"id\":1,\"file_name\":\"a\xFF\"}],\"annotations\":[]}").find("not UTF-8") !=
        std::string::npos);
  CHECK(parse_error("{\"images\":[],\"annotations\":[{\"id\":1,\"area\": -Infinity}]}") ==
        "x.json:1:45: area is -Infinity, which is not JSON; expected a finite number (Python's json module writes such "
        "words)");
  CHECK(parse_error("{\"images\":[],\"annotations\":[{\"id\":1,\"area\": 1e400}]}") ==
        "x.json:1:45: area is 1e400, expected a number that 64 bits can hold");
  CHECK(parse(with_annotation(ids + ",\"area\":1e-400")).annotations.at(0).area == 0.0);
}

TEST_CASE("annotations: a text that ends anywhere is an error with line and column") {
  const std::string text =
      "\xEF\xBB\xBF" + with_annotation(ids + R"(,"segmentation":[[1,2,3,4,5,6.5]],"a":"\u00e9\"")");
  REQUIRE(parse(text).annotations.size() == 1);
  for (std::size_t size = 0; size < text.size(); ++size) {
    const std::string message = parse_error(text.substr(0, size));
    CHECK_MESSAGE(message.rfind("x.json:1:", 0) == 0, size << ": " << message);
    CHECK(message.find("is not JSON") != std::string::npos);
  }
}

TEST_CASE("annotations: a byte-order mark, carriage returns and spaces anywhere") {
  const std::string spaced =
      "\xEF\xBB\xBF\r\n { \"images\" :\r\n[ { \"id\" : 1 } , { \"id\" : 2 } ] ,\r\n\t\"annotations\" : [\r\n] }\r\n";
  CHECK(parse(spaced).images.size() == 2);
  CHECK(parse_error("\xEF\xBB\xBF{\"images\":x").rfind("x.json:1:11: is not JSON: found 'x'", 0) == 0);
}

TEST_CASE("annotations: nesting of any depth does not overflow the stack") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  const std::string deep = "values nest deeper than 1024, expected at most that";
  CHECK_NOTHROW(parse(with_annotation(ids + ",\"a\":" + nested(1000))));
  CHECK(annotation_error(ids + ",\"a\":" + nested(10000)) == "x.json: can not be read as JSON: " + deep);
  CHECK(parse_error("{\"images\":[],\"annotations\":[],\"a\":" + nested(10000) + "}") ==
        "x.json: can not be read as JSON: " + deep);
  for (const std::size_t depth : {std::size_t{10000}, std::size_t{1000000}}) {
    CHECK(parse_error("{\"images\":" + nested(depth) + ",\"annotations\":[]}").find(deep) != std::string::npos);
    CHECK(parse_error("{\"images\":" + std::string(depth, '[')).rfind("x.json:1:", 0) == 0);
    CHECK(parse_error(std::string(depth, '{')).rfind("x.json:1:2: is not JSON", 0) == 0);
  }
}

namespace {

/// Enough annotations for several windows of the file.
std::string long_file(std::size_t annotations) {
  test::Draw draw(7);
  std::string text = "{\"annotations\": [";
  for (std::size_t i = 0; i < annotations; ++i) {
    text += i == 0 ? "" : ", ";
    text += "{\"segmentation\": [[";
    for (std::size_t k = 6 + draw.below(300); k > 0; --k) text += std::to_string(draw.below(640)) + ".25, ";
    text += "1, 2]], \"note\": \"" + std::string(2 * draw.below(40), '\\') + "],{[\\\"" +
            std::string(draw.below(64), 'x') +
            "\", \"image_id\": 1, \"category_id\": " + std::to_string(draw.below(90)) +
            ", \"id\": " + std::to_string(i) + "}";
  }
  return text + "], \"images\": [{\"id\": 1}]}";
}
bool same(const Annotation& a, const Annotation& b) {
  return a.id == b.id && a.image_id == b.image_id && a.category_id == b.category_id && a.is_crowd == b.is_crowd &&
         a.area == b.area && a.bbox == b.bbox && a.segmentation == b.segmentation && a.extra == b.extra;
}

}  // namespace

TEST_CASE("annotations: a long file is the same for any number of threads, in the order of the file") {
  const std::string text = long_file(9000);
  const test::TemporaryFolder folder;
  test::write_file(folder / "a.json", text);
  std::atomic<int> calls{0};
  ReadOptions one{.threads = 1};
  std::uint64_t last = 0;
  one.progress = [&](std::uint64_t done, std::uint64_t bytes) {
    ++calls;
    CHECK(done > last);
    CHECK(bytes == text.size());
    last = done;
    return true;
  };
  const Annotations first = read_annotations(folder / "a.json", one);
  CHECK(calls > 1);
  CHECK(last == text.size());
  REQUIRE(first.annotations.size() == 9000);
  bool in_order = true;
  for (std::size_t i = 0; i < 9000; ++i) in_order = in_order && first.annotations[i].id == static_cast<std::int64_t>(i);
  CHECK(in_order);
  for (const int threads : {2, 5}) {
    const Annotations other = read_annotations(folder / "a.json", {.threads = threads});
    bool equal = other.annotations.size() == 9000;
    for (std::size_t i = 0; equal && i < 9000; ++i) equal = same(first.annotations[i], other.annotations[i]);
    CHECK(equal);
  }
  const Annotations boxes = read_annotations(folder / "a.json", {.segmentations = false});
  CHECK(std::holds_alternative<std::monostate>(boxes.annotations.back().segmentation));
  CHECK(boxes.annotations.back().extra == first.annotations.back().extra);

  ReadOptions stop;
  stop.progress = [](std::uint64_t, std::uint64_t) { return false; };
  CHECK_THROWS_AS(read_annotations(folder / "a.json", stop), Cancelled);

  // Of two problems the first in the file is told, whoever finds it.
  std::string broken = text;
  broken.replace(broken.find("\"id\": 8000}"), 11, "\"ID\": 8000}");
  broken.replace(broken.find("\"id\": 8100}"), 11, "\"id\": 8100]");
  for (const int threads : {1, 2, 5})
    CHECK(message_of([&] { parse_annotations(broken, "x.json", {.threads = threads}); }) ==
          "x.json: annotations[8000]: has no member 'id', expected an integer");
}

TEST_CASE("annotations: many tiny elements that are no records do not take memory for as many records") {
  std::string text = "{\"images\":[],\"annotations\":[{}";
  for (int i = 0; i < 3000000; ++i) text += ",1";
  CHECK(parse_error(text + "]}") == "x.json: annotations[0]: has no member 'id', expected an integer");
}

TEST_CASE("annotations: files that can not be read") {
  const test::TemporaryFolder folder;
  CHECK(message_of([&] { read_annotations(folder / "none.json"); }) ==
        (folder / "none.json") + ": can not be opened: no such file; check the path");
  CHECK(message_of([&] { read_results(folder.path().string()); }) ==
        folder.path().string() + ": can not be read: is a directory, expected a file");
  test::write_file(folder / "empty.json", "");
  CHECK(message_of([&] { read_annotations(folder / "empty.json"); }).find("empty.json:1:1: is not JSON") !=
        std::string::npos);
}

TEST_CASE("annotations: what is written reads back as the same records") {
  Annotations all;
  all.extra = R"("info":{"year":2017},"licenses":[])";
  all.images = {{1, 480, 640, "a \"b\"\\\n\xC3\xA9.jpg", R"("license":3)"}, {-5, 0, 0, "", ""}};
  all.categories = {{1, "person", "being", R"("keypoints":["nose"])"}, {90, "", "", ""}};
  all.annotations.resize(5);
  all.annotations[0] = {1, 1, 1, false, 0.1, BoxXywh{1e-300, -2.5, 3e300, 4}, Polygons{{1, 2.25, 3}, {0, 3}}, ""};
  all.annotations[1] = {2, 1, 90, true, std::nullopt, std::nullopt, Rle{3, 4, {4, 1, 1, 2, 1, 3}}, R"("a":[null])"};
  all.annotations[2] = {3, 1, 1, false, 5.0, std::nullopt, CompressedRle{3, 4, "4111\\01"}, ""};
  all.annotations[3] = {std::numeric_limits<std::int64_t>::max(), 1, 1, false, 1e22, std::nullopt, {}, ""};
  all.annotations[4] = {5, 1, 1, false, std::nullopt, std::nullopt, Polygons{}, ""};
  const std::string text = to_json(all);
  const Annotations read = parse(text);
  CHECK(read.extra == all.extra);
  REQUIRE(read.annotations.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) CHECK(same(read.annotations[i], all.annotations[i]));
  REQUIRE(read.images.size() == 2);
  CHECK(read.images[0].file_name == all.images[0].file_name);
  CHECK(read.images[0].height == 480);
  CHECK(read.images[0].extra == all.images[0].extra);
  REQUIRE(read.categories.size() == 2);
  CHECK(read.categories[0].supercategory == "being");
  CHECK(to_json(read) == text);
  CHECK(to_json(Annotations{}) == R"({"images":[],"annotations":[],"categories":[]})");

  const test::TemporaryFolder folder;
  write_annotations(folder / "a.json", all);
  CHECK(test::file_bytes(folder / "a.json") == text);
  CHECK(read_annotations(folder / "a.json").name == folder / "a.json");
}

TEST_CASE("annotations: what JSON can not hold is not written, and leaves no file") {
  Annotations all;
  all.annotations.resize(2);
  all.annotations[1].id = 17;
  all.annotations[1].area = std::nan("");
  CHECK(message_of([&] { to_json(all); }) ==
        "annotation 17 can not be written: JsonWriter: NaN and infinity can not be written as JSON");
  all.annotations[1].area = 1;
  all.annotations[1].segmentation = Polygons{{1, 2}, {4}};
  CHECK(message_of([&] { to_json(all); }) ==
        "annotation 17 can not be written: a ring ends at 4 of 2 coordinates and begins at 0");
  const test::TemporaryFolder folder;
  CHECK_THROWS_AS(write_annotations(folder / "a.json", all), Error);
  CHECK(folder.entries() == 0);
}
