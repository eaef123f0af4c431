#include "mrcnn/coco/check_file.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/files.hpp"

using namespace mrcnn;
using namespace mrcnn::coco;
using mrcnn::test::message_of;

namespace {

/// A file with these texts as the content of its arrays.
struct CheckedText {
  test::TemporaryFolder folder;
  std::string path = folder / "a.json";

  CheckedText(const std::string& images, const std::string& categories, const std::string& annotations) {
    test::write_file(path, R"({"images":[)" + images + R"(],"categories":[)" + categories + R"(],"annotations":[)" +
                               annotations + "]}");
  }
  std::string message() const {
    return message_of([&] { check_annotations_file(path); });
  }
};

constexpr const char* image = R"({"id":7,"height":40,"width":60,"file_name":"a.jpg"})";
constexpr const char* category = R"({"id":1,"name":"cat"})";
constexpr const char* good = R"({"id":1,"image_id":7,"category_id":1,"iscrowd":0,"area":200,"bbox":[2,3,20,10],)"
                             R"("segmentation":[[2,3,2,13,22,13,22,3]]})";

}  // namespace

TEST_CASE("a clean file has no findings, and its records come with the report") {
  const CheckedText text(image, category, good);
  const CheckedAnnotations checked = check_annotations_file(text.path);
  CHECK(checked.report.findings.empty());
  CHECK(checked.report.name == text.path);
  CHECK(checked.report.totals.polygons == 1);
  CHECK(checked.annotations.annotations.at(0).bbox == BoxXywh{2, 3, 20, 10});
}

TEST_CASE("all malformed records are told, in the order images, categories, annotations, and the others are checked") {
  const CheckedText text(
      std::string(image) + R"(,{"id":"8"},17)", std::string(R"({"name":"dog"},)") + category,
      std::string(R"({"id":5,"image_id":7},{"id":6,"image_id":7,"category_id":1,"bbox":[1,2,3]},)") + good +
          R"(,{"id":9,"image_id":7,"category_id":1,"area":0,"bbox":[2,3,20,9],"iscrowd":0,"segmentation":"x"})" +
          R"(,{"id":0,"image_id":7,"category_id":1,"area":200,"bbox":[9,9,20,10],"iscrowd":0,"segmentation":[]})");
  const CheckReport report = check_annotations_file(text.path, {.examples = 9}).report;
  REQUIRE(report.findings.size() == 3);
  const Finding& malformed = report.findings[0];
  CHECK(malformed.kind == Oddity::malformed_record);
  CHECK(malformed.count == 6);
  REQUIRE(malformed.examples.size() == 6);
  const char* const expected[] = {"images[1]: id: ",
                                  "images[2]: found 17, expected an object",
                                  "categories[0]: has no member 'id'",
                                  "annotation 5: has no member 'category_id'",
                                  "annotation 6: bbox: found 3 numbers",
                                  "annotation 9: segmentation: "};
  for (std::size_t i = 0; i < 6; ++i) {
    CAPTURE(malformed.examples[i].text);
    CHECK(malformed.examples[i].text.find(expected[i]) == 0);
    CHECK(!malformed.examples[i].id);
  }
  CHECK(report.findings[1].kind == Oddity::annotation_id_zero);
  CHECK(report.findings[2].kind == Oddity::polygons_empty);
  CHECK(report.totals.annotations == 2);
}

TEST_CASE("annotations without iscrowd are told, among the other errors") {
  const CheckedText text(image, category,
                         std::string(good) + R"(,{"id":2,"image_id":7,"category_id":1,"area":200,"bbox":[9,9,20,10]})");
  const CheckReport report = check_annotations_file(text.path).report;
  REQUIRE(report.findings.size() == 2);
  CHECK(report.findings[0].kind == Oddity::crowd_flag_missing);
  CHECK(report.findings[0].examples.at(0).id == 2);
  CHECK(report.findings[0].examples.at(0).text == "is in image 7");
  CHECK(report.findings[1].kind == Oddity::mask_missing);
}

TEST_CASE("many malformed records: a count, the first examples, the same for any number of threads") {
  std::string records;
  for (int i = 0; i < 60000; ++i) {
    if (i > 0) records += ',';
    records += i % 3 == 0 ? std::string("1") : i % 3 == 1 ? R"({"id":)" + std::to_string(i) + "}" : std::string(good);
  }
  const CheckedText text(image, category, records);
  const auto text_of = [&](int threads) {
    const CheckReport report = check_annotations_file(text.path, {.examples = 3, .threads = threads}).report;
    std::string all;
    for (const Finding& finding : report.findings) {
      all += std::string(describe(finding.kind).name) + " " + std::to_string(finding.count) + "\n";
      for (const FindingExample& example : finding.examples) all += example.text + "\n";
    }
    return all;
  };
  const std::string one = text_of(1);
  CHECK(one.find("malformed_record 40000\nannotations[0]: found 1, expected an object\nannotation 1: has no member "
                 "'image_id', expected an integer\nannotations[3]: found 1, expected an object\n"
                 "duplicate_annotation_id 19999\n") == 0);
  CHECK(one == text_of(2));
  CHECK(one == text_of(5));
}

TEST_CASE("malformed results are told, and the others checked") {
  const CheckedText text(image, category, good);
  const Annotations annotations = check_annotations_file(text.path).annotations;
  const std::string path = text.folder / "r.json";
  test::write_file(path, R"([{"image_id":7,"category_id":1,"score":"high","bbox":[2,3,20,10]},)"
                         R"({"image_id":7,"category_id":1,"score":0.5},)"
                         R"({"image_id":7,"category_id":1,"score":2,"bbox":[2,3,20,10]}])");
  const CheckReport report = check_results_file(annotations, path);
  CHECK(report.name == path);
  CHECK(report.totals.results == 1);
  REQUIRE(report.findings.size() == 3);
  CHECK(report.findings[0].kind == Oddity::malformed_record);
  CHECK(report.findings[0].count == 2);
  CHECK(report.findings[0].examples.at(0).text.find("result 0: score: found a string, expected a number") == 0);
  CHECK(report.findings[0].examples.at(1).text.find("result 1: has neither a 'bbox' nor a 'segmentation'") == 0);
  CHECK(report.findings[1].kind == Oddity::score_range);
  CHECK(report.findings[2].kind == Oddity::no_masks);
}

TEST_CASE("what is no annotation file at all is an error of reading") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "a.json";
  const auto message = [&](const std::string& text) {
    test::write_file(path, text);
    return message_of([&] { check_annotations_file(path); });
  };
  CHECK(message("").find(path) == 0);
  CHECK(message("[]").find("found an array at the top") != std::string::npos);
  CHECK(message("{}").find("has no member 'images'") != std::string::npos);
  CHECK(message(R"({"images":[],"annotations":[]} x)").find(":1:") != std::string::npos);
  CHECK(message(R"({"images":[],"annotations":[],"images":[]})").find("several members 'images'") != std::string::npos);
  CHECK(message(R"({"images":[{"id":1}],"annotations":[],"images":[{"id":1}]})").find("several members 'images'") !=
        std::string::npos);
  CHECK(message(R"({"images":{},"annotations":[]})").find("images: found an object") != std::string::npos);
  CHECK(message(std::string(10000, '[')).find(path) == 0);
  CHECK(message(R"({"images":[)" + std::string(10000, '[')).find(path) == 0);
  CHECK(message(R"({"images":[{"id":1},{"id":)").find(path) == 0);
  CHECK(message_of([&] { check_annotations_file(folder / "none.json"); }).find("no such file") != std::string::npos);
  CHECK(message_of([&] { check_results_file({}, path); }).find(path) == 0);
  test::write_file(path, "{}");
  CHECK(message_of([&] { check_results_file({}, path); }).find("found an object at the top") != std::string::npos);
}

TEST_CASE("a file cut anywhere is a clear error, never a crash") {
  const CheckedText text(image, category, good);
  const std::string whole = test::file_bytes(text.path);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    test::write_file(text.path, whole.substr(0, length));
    CAPTURE(length);
    CHECK(text.message().find(text.path) == 0);
  }
}

TEST_CASE("progress is told of, and may stop the check") {
  std::string records = good;
  for (int i = 0; i < 40000; ++i) records += std::string(",") + good;
  const CheckedText text(image, category, records);
  std::vector<index_t> seen;
  CheckOptions options;
  options.progress = [&](index_t done, index_t total) {
    CHECK(total == 40001);
    seen.push_back(done);
    return true;
  };
  check_annotations_file(text.path, options);
  REQUIRE(seen.size() >= 2);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.back() == 40001);
  options.progress = [](index_t, index_t) { return false; };
  CHECK_THROWS_AS(check_annotations_file(text.path, options), Cancelled);
}
