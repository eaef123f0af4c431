#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "mrcnn/coco/annotations.hpp"
#include "tests/support/files.hpp"

using namespace mrcnn;
using namespace mrcnn::coco;
using mrcnn::test::message_of;

namespace {

std::vector<Result> parse(std::string_view text) { return parse_results(text, "r.json"); }
std::string parse_error(const std::string& text) {
  return message_of([&] { parse(text); });
}

}  // namespace

TEST_CASE("results: boxes, masks and both") {
  const auto results = parse(R"([
    {"image_id": 42, "category_id": 18, "bbox": [258.15, 41.29, 348.26, 243.78], "score": 0.236},
    {"image_id": 73, "category_id": 11, "segmentation": {"size": [3, 4], "counts": "411101"}, "score": 1},
    {"score": 1e-3, "bbox": [], "segmentation": [[1, 2, 3, 4, 5, 6]], "category_id": 1.0, "image_id": 7, "id": "x"},
    {"score": -2, "bbox": [0, 0, 1, 1], "segmentation": {"size": [1, 2], "counts": [0, 2]}, "category_id": 3,
     "image_id": 9007199254740993}])");
  REQUIRE(results.size() == 4);
  CHECK(results[0].image_id == 42);
  CHECK(results[0].category_id == 18);
  CHECK(results[0].score == 0.236);
  CHECK(results[0].bbox == BoxXywh{258.15, 41.29, 348.26, 243.78});
  CHECK(std::holds_alternative<std::monostate>(results[0].segmentation));
  CHECK_FALSE(results[1].bbox.has_value());
  CHECK(std::get<CompressedRle>(results[1].segmentation) == CompressedRle{3, 4, "411101"});
  CHECK_FALSE(results[2].bbox.has_value());
  CHECK(std::get<Polygons>(results[2].segmentation) == Polygons{{1, 2, 3, 4, 5, 6}, {6}});
  CHECK(std::get<Rle>(results[3].segmentation) == Rle{1, 2, {0, 2}});
  CHECK(results[3].image_id == 9007199254740993);
  CHECK(parse("[]").empty());
  CHECK(parse("\xEF\xBB\xBF [ \r\n ] ").empty());
}

TEST_CASE("results: what is missing or wrong is named with the result's position") {
  CHECK(parse_error(R"([{"image_id":1,"category_id":1,"score":1,"bbox":[0,0,1,1]},{"image_id":1,"category_id":1,
                        "score":1}])") ==
        "r.json: result 1: has neither a 'bbox' nor a 'segmentation', expected at least one");
  CHECK(parse_error(R"([{"image_id":1,"category_id":1,"bbox":[0,0,1,1]}])") ==
        "r.json: result 0: has no member 'score', expected a number");
  CHECK(parse_error(R"([{"category_id":1,"score":1,"bbox":[0,0,1,1]}])") ==
        "r.json: result 0: has no member 'image_id', expected an integer");
  CHECK(parse_error(R"([{"image_id":1,"score":1,"bbox":[0,0,1,1]}])") ==
        "r.json: result 0: has no member 'category_id', expected an integer");
  CHECK(parse_error(R"([{"image_id":1,"category_id":1,"score":"0.5","bbox":[0,0,1,1]}])") ==
        "r.json: result 0: score: found a string, expected a number");
  CHECK(parse_error(R"([{"image_id":1,"category_id":1,"score":null,"bbox":[0,0,1,1]}])") ==
        "r.json: result 0: score: found null, expected a number");
  CHECK(parse_error("[3]") == "r.json: result 0: found 3, expected an object");
  CHECK(parse_error("[[]]") == "r.json: result 0: found an array, expected an object");
}

TEST_CASE("results: the top of the file") {
  CHECK(parse_error(R"({"images":[],"annotations":[]})") ==
        "r.json: found an object at the top, expected an array of results (if this is an instances file, give it "
        "as the annotations)");
  CHECK(parse_error("\"x\"").rfind("r.json: can not be read as JSON", 0) == 0);
  CHECK(parse_error("") == "r.json:1:1: is not JSON: found the end of the text, expected a value");
  CHECK(parse_error("[] []").rfind("r.json:1:4: is not JSON: text after the end", 0) == 0);
  CHECK(parse_error("[]]").rfind("r.json:1:3: is not JSON: text after the end", 0) == 0);
  CHECK(parse_error("[}").rfind("r.json:1:2: is not JSON", 0) == 0);
  CHECK(parse_error("[").rfind("r.json:1:2: is not JSON: found the end", 0) == 0);
  CHECK(parse_error(std::string(10000, '[') + std::string(10000, ']')) ==
        "r.json: can not be read as JSON: values nest deeper than 1024, expected at most that");
}

TEST_CASE("results: NaN, infinity and numbers beyond a double are named with their place") {
  const auto with_score = [](const std::string& score) {
    return "[\n{\"image_id\": 1, \"category_id\": 1, \"bbox\": [0, 0, 1, 1], \"score\": " + score + "}]";
  };
  const std::string rest = ", which is not JSON; expected a finite number (Python's json module writes such words)";
  CHECK(parse_error(with_score("NaN")) == "r.json:2:66: score is NaN" + rest);
  CHECK(parse_error(with_score("Infinity")) == "r.json:2:66: score is Infinity" + rest);
  CHECK(parse_error(with_score("-Infinity")) == "r.json:2:66: score is -Infinity" + rest);
  CHECK(parse_error("[NaN]") == "r.json:1:2: a value is NaN" + rest);
  CHECK(parse_error(with_score("1e400")) == "r.json:2:66: score is 1e400, expected a number that 64 bits can hold");
  CHECK(parse_error(with_score("-123456789012345678901234567890")) ==
        "r.json:2:66: score is -123456789012345678901234567890, expected a number that 64 bits can hold");
  CHECK(parse(with_score("1.7976931348623157e308")).at(0).score == std::numeric_limits<double>::max());
  CHECK(parse(with_score("4.9e-324")).at(0).score == std::numeric_limits<double>::denorm_min());
  CHECK(parse(with_score("1e-400")).at(0).score == 0.0);
  CHECK(parse(with_score("12345678901234567890")).at(0).score == 12345678901234567890.0);
  CHECK(parse(with_score("0.1000000000000000055511151231257827021181583404541015625")).at(0).score == 0.1);
}

TEST_CASE("results: a text that ends anywhere is an error with line and column") {
  const std::string text =
      R"([{"image_id":1,"category_id":1,"score":0.5,"segmentation":{"size":[3,4],"counts":"4\\\"é"}},{"image_id":1,
"category_id":1,"score":-1.25e-3,"bbox":[1,2,3,4]}])";
  REQUIRE(parse(text).size() == 2);
  for (std::size_t size = 0; size < text.size(); ++size) {
    const std::string message = parse_error(text.substr(0, size));
    CHECK_MESSAGE(message.rfind("r.json:", 0) == 0, size << ": " << message);
    CHECK(message.find(": is not JSON") != std::string::npos);
  }
}

TEST_CASE("results: masks are left out on request, and then not looked at") {
  const auto results =
      parse_results(R"([{"image_id":1,"category_id":1,"score":1,"segmentation":[7]}])", "r", {.segmentations = false});
  REQUIRE(results.size() == 1);
  CHECK(std::holds_alternative<std::monostate>(results[0].segmentation));
}

TEST_CASE("results: what is written reads back as the same records") {
  std::vector<Result> results(3);
  results[0] = {1, 2, 0.1, BoxXywh{0.5, 1, 2, 3}, {}};
  results[1] = {std::numeric_limits<std::int64_t>::min(), 90, 1e-320, std::nullopt, CompressedRle{3, 4, "4111\\01"}};
  results[2] = {3, 4, -0.0, BoxXywh{}, Rle{3, 4, {4, 1, 1, 2, 1, 3}}};
  const std::string text = to_json(results);
  CHECK(text.rfind(R"([{"image_id":1,"category_id":2,"bbox":[0.5,1,2,3],"score":0.1},)", 0) == 0);
  const auto read = parse(text);
  REQUIRE(read.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(read[i].image_id == results[i].image_id);
    CHECK(read[i].category_id == results[i].category_id);
    CHECK(read[i].score == results[i].score);
    CHECK(read[i].bbox == results[i].bbox);
    CHECK(read[i].segmentation == results[i].segmentation);
  }
  CHECK(to_json(std::span<const Result>()) == "[]");
  io::JsonWriter writer;
  writer.begin_array();
  for (const Result& result : results) append_result(writer, result);
  CHECK(writer.end_array().text() == text);

  const test::TemporaryFolder folder;
  write_results(folder / "r.json", results);
  CHECK(test::file_bytes(folder / "r.json") == text);
  CHECK(read_results(folder / "r.json").size() == 3);
  results[1].score = std::numeric_limits<double>::infinity();
  CHECK(message_of([&] { to_json(results); }) ==
        "result 1 can not be written: JsonWriter: NaN and infinity can not be written as JSON");
}
