// Each kind of finding has a file, made by hand, that holds it and nothing else. What the explanations say of
// pycocotools was seen with version 2.0.11.

#include "mrcnn/coco/check.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "tests/support/files.hpp"

using namespace mrcnn;
using namespace mrcnn::coco;
using mrcnn::test::message_of;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

Polygons polygons(const std::vector<std::vector<double>>& rings) {
  Polygons result;
  for (const auto& ring : rings) {
    result.coordinates.insert(result.coordinates.end(), ring.begin(), ring.end());
    result.ring_ends.push_back(static_cast<std::uint32_t>(result.coordinates.size()));
  }
  return result;
}

/// Pixels x..x+width-1, y..y+height-1.
std::vector<double> rectangle(double x, double y, double width, double height) {
  return {x, y, x, y + height, x + width, y + height, x + width, y};
}

Annotation object(std::int64_t id, std::int64_t image, std::int64_t category, const BoxXywh& box) {
  return {id,
          image,
          category,
          false,
          box.width * box.height,
          box,
          polygons({rectangle(box.x, box.y, box.width, box.height)}),
          ""};
}

/// A crowd of 20 x 20 pixels: columns 30 to 49, rows 10 to 29, of 40 x 60 (height x width).
Rle crowd_runs() {
  Rle rle{40, 60, {}};
  rle.counts.push_back(30 * 40 + 10);
  for (int column = 0; column < 20; ++column) {
    rle.counts.push_back(20);
    rle.counts.push_back(column < 19 ? 20 : 10 + 10 * 40);
  }
  return rle;
}

/// Two images, two categories, three objects and a crowd, with nothing to say about.
Annotations clean() {
  Annotations file{"clean.json", {}, {}, {}, ""};
  file.images = {{7, 40, 60, "a.jpg", ""}, {9, 40, 60, "b.jpg", ""}};
  file.categories = {{1, "cat", "", ""}, {3, "dog", "", ""}};
  file.annotations = {object(1, 7, 1, {2, 3, 20, 10}), object(2, 7, 3, {30, 5, 12, 30}),
                      object(3, 9, 1, {0, 0, 60, 40})};
  file.annotations.push_back({4, 9, 3, true, 400.0, BoxXywh{30, 10, 20, 20}, crowd_runs(), ""});
  return file;
}

std::vector<Result> clean_results() {
  std::vector<Result> results;
  for (const Annotation& object : clean().annotations)
    results.push_back({object.image_id, object.category_id, 0.5, object.bbox, object.segmentation});
  results[3].segmentation = compress(crowd_runs());
  return results;
}

std::string kinds(const CheckReport& report) {
  std::string text;
  for (const Finding& finding : report.findings) {
    text += text.empty() ? "" : " ";
    text += describe(finding.kind).name;
    if (finding.count != 1) text += "*" + std::to_string(finding.count);
  }
  return text;
}

template <class Change>
CheckReport check_changed(const Change& change, const CheckOptions& options = {}) {
  Annotations file = clean();
  change(file);
  return check_annotations(file, options);
}

/// The first example of the only finding, which must be this one.
struct Expected {
  const char* kind;
  std::function<void(Annotations&)> change;
  const char* text;
};

void check_expected(const std::vector<Expected>& cases) {
  for (const Expected& expected : cases) {
    CAPTURE(expected.kind);
    const CheckReport report = check_changed(expected.change);
    CHECK(kinds(report) == expected.kind);
    if (report.findings.empty()) continue;
    REQUIRE(!report.findings[0].examples.empty());
    const FindingExample& example = report.findings[0].examples[0];
    const std::string id = example.id ? std::to_string(*example.id) + ": " : std::string();
    CHECK(id + example.text == expected.text);
  }
}

}  // namespace

TEST_CASE("a clean file has no findings") {
  const CheckReport report = check_annotations(clean());
  CHECK(kinds(report).empty());
  CHECK(report.name == "clean.json");
  CHECK(report.totals.images == 2);
  CHECK(report.totals.categories == 2);
  CHECK(report.totals.annotations == 4);
  CHECK(report.totals.crowds == 1);
  CHECK(report.totals.boxes == 4);
  CHECK(report.totals.polygons == 3);
  CHECK(report.totals.run_lengths == 1);
  CHECK(report.totals.compressed_runs == 0);
  CHECK(report.count(Severity::error) == 0);
  CHECK(kinds(check_results(clean(), clean_results())).empty());
}

TEST_CASE("a file with nothing in it lists what lacks, and does not throw") {
  CHECK(kinds(check_annotations(Annotations{})) == "no_images no_categories no_annotations");
  CHECK(kinds(check_results(Annotations{}, {})) == "no_results");
  CHECK(kinds(check_image_files(Annotations{}, "nowhere")).empty());
}

TEST_CASE("oddities of images") {
  check_expected({
      {"duplicate_image_id",
       [](Annotations& f) {
         f.images.push_back({7, 40, 60, "c.jpg", ""});
       },
       "7: images[2] 'c.jpg' has the id of images[0] 'a.jpg'"},
      {"image_without_size image_without_annotations",
       [](Annotations& f) {
         f.images.push_back({8, 0, 60, "c", ""});
       },
       "8: its size (height x width) is 0 x 60"},
      {"image_too_large image_without_annotations",
       [](Annotations& f) {
         f.images.push_back({8, 65536, 65536, "c", ""});
       },
       "8: its size (height x width) is 65536 x 65536"},
      {"image_without_file_name", [](Annotations& f) { f.images[1].file_name.clear(); }, "9: file_name is empty"},
      {"image_without_file_name*2", [](Annotations& f) { f.images[0].file_name = f.images[1].file_name = ""; },
       "7: file_name is empty"},
      {"duplicate_file_name", [](Annotations& f) { f.images[1].file_name = "a.jpg"; }, "9: 'a.jpg' is also image 7"},
      {"image_without_annotations",
       [](Annotations& f) {
         f.images.push_back({8, 40, 60, "c.jpg", ""});
       },
       "8: has no annotation"},
  });
}

TEST_CASE("oddities of categories") {
  check_expected({
      {"duplicate_category_id",
       [](Annotations& f) {
         f.categories.push_back({3, "wolf", "", ""});
       },
       "3: 'wolf' has the id of 'dog'"},
      {"category_without_name", [](Annotations& f) { f.categories[0].name.clear(); }, "1: its name is empty"},
      {"duplicate_category_name", [](Annotations& f) { f.categories[1].name = "cat"; }, "3: 'cat' is also category 1"},
      {"category_id_zero",
       [](Annotations& f) {
         f.categories[0].id = 0;
         f.annotations[0].category_id = f.annotations[2].category_id = 0;
       },
       "0: 'cat'"},
      {"category_without_annotations",
       [](Annotations& f) {
         f.categories.push_back({4, "cow", "", ""});
       },
       "4: has no annotation"},
  });
}

TEST_CASE("oddities of ids and of objects that come twice") {
  check_expected({
      {"duplicate_annotation_id", [](Annotations& f) { f.annotations[2].id = 1; },
       "1: annotations[2] has the id of annotations[0]"},
      {"annotation_id_zero", [](Annotations& f) { f.annotations[1].id = 0; }, "0: is in image 7"},
      {"unknown_image", [](Annotations& f) { f.annotations[0].image_id = 8; }, "1: image_id is 8"},
      {"unknown_category", [](Annotations& f) { f.annotations[0].category_id = 2; }, "1: category_id is 2"},
      {"repeated_object",
       [](Annotations& f) {
         f.annotations.push_back(object(5, 7, 1, {2, 3, 20, 10}));
       },
       "5: has image, category and box of 1"},
      {"",
       [](Annotations& f) {
         f.annotations.push_back(object(5, 9, 1, {2, 3, 20, 10}));
       },
       ""},
      {"",
       [](Annotations& f) {
         f.annotations.push_back(object(5, 7, 3, {2, 3, 20, 10}));
       },
       ""},
  });
}

TEST_CASE("oddities of boxes") {
  const auto with_box = [](const BoxXywh& box) {
    return [=](Annotations& f) {
      f.annotations[0].bbox = box;
      f.annotations[0].segmentation = polygons({rectangle(2, 3, 20, 10)});
    };
  };
  check_expected({
      {"box_missing", [](Annotations& f) { f.annotations[0].bbox.reset(); }, "1: is in image 7"},
      {"no_boxes",
       [](Annotations& f) {
         for (Annotation& object : f.annotations) object.bbox.reset();
       },
       "no annotation has a bbox"},
      {"box_not_finite", with_box({not_a_number, 3, 20, 10}), "1: x NaN, y 3, width 20, height 10"},
      {"box_not_finite", with_box({2, 3, infinity, 10}), "1: x 2, y 3, width inf, height 10"},
      {"box_negative box_differs", with_box({22, 3, -20, 10}), "1: x 22, y 3, width -20, height 10"},
      {"box_empty box_differs", with_box({2, 3, 20, 0}), "1: x 2, y 3, width 20, height 0"},
      {"box_outside box_differs", with_box({60, 3, 20, 10}),
       "1: x 60, y 3, width 20, height 10 lies outside of image 7 of 40 x 60 (height x width)"},
      {"box_outside box_differs", with_box({2, -10, 20, 10}),
       "1: x 2, y -10, width 20, height 10 lies outside of image 7 of 40 x 60 (height x width)"},
      {"box_beyond", with_box({-1.5, 3, 23.5, 10}),
       "1: x -1.5, y 3, width 23.5, height 10 reaches 1.5 beyond image 7 of 40 x 60 (height x width)"},
      {"box_beyond box_differs", with_box({2, 3, 20, 42}),
       "1: x 2, y 3, width 20, height 42 reaches 5 beyond image 7 of 40 x 60 (height x width)"},
      {"", with_box({-1, 3, 23, 10}), ""},
      {"", with_box({6, 3, 16, 10}), ""},
      {"box_differs", with_box({6.5, 3, 15.5, 10}),
       "1: box x 6.5, y 3, width 15.5, height 10; its mask's x 2, y 3, width 20, height 10: off by up to 4.5"},
      {"box_differs", with_box({2, 3, 20, 5}),
       "1: box x 2, y 3, width 20, height 5; its mask's x 2, y 3, width 20, height 10: off by up to 5"},
  });
}

TEST_CASE("oddities of areas") {
  const auto with_area = [](double area) { return [=](Annotations& f) { f.annotations[0].area = area; }; };
  const auto without_mask = [](double area) {
    return [=](Annotations& f) {
      for (Annotation& object : f.annotations) object.segmentation = {};
      f.annotations[0].area = area;
    };
  };
  check_expected({
      {"area_missing", [](Annotations& f) { f.annotations[0].area.reset(); }, "1: is in image 7"},
      {"area_invalid", with_area(-200), "1: area -200"},
      {"area_invalid", with_area(not_a_number), "1: area NaN"},
      {"area_zero", with_area(0), "1: is in image 7"},
      {"", with_area(150), ""},  // a quarter of the mask's 200
      {"area_differs", with_area(149.5), "1: area 149.5; its mask has 200 pixels"},
      {"", with_area(266), ""},
      {"area_differs", with_area(267), "1: area 267; its mask has 200 pixels"},
      {"no_masks", without_mask(20), "no annotation has a segmentation"},  // of an object that does not fill its box
      {"area_differs no_masks", without_mask(267), "1: area 267; its box has 200 pixels"},
  });
}

TEST_CASE("oddities of polygons") {
  const auto with_rings = [](const std::vector<std::vector<double>>& rings) {
    return [=](Annotations& f) { f.annotations[0].segmentation = polygons(rings); };
  };
  const auto good = rectangle(2, 3, 20, 10);
  check_expected({
      {"mask_missing", [](Annotations& f) { f.annotations[0].segmentation = {}; }, "1: is in image 7"},
      {"polygons_empty", with_rings({}), "1: is in image 7"},
      {"ring_too_short", with_rings({good, {}}), "1: segmentation[1] has 0 numbers"},
      {"ring_too_short", with_rings({good, {3, 4, 5, 6}}), "1: segmentation[1] has 4 numbers"},
      {"ring_too_short", with_rings({good, {3, 4, 5, 6, 7}}), "1: segmentation[1] has 5 numbers"},
      {"ring_too_short", with_rings({{3, 4}, good}), "1: segmentation[0] has 2 numbers"},
      {"ring_box", with_rings({{2, 3, 20, 10}}), "1: segmentation[0] has 4 numbers"},
      {"ring_odd", with_rings({good, {3, 4, 5, 6, 7, 8, 9}}), "1: segmentation[1] has 7 numbers"},
      {"ring_not_finite", with_rings({good, {3, 4, 5, not_a_number, 7, 8}}), "1: is in image 7"},
      {"ring_not_finite", with_rings({good, {3, 4, 5, infinity, 7, 8}}), "1: is in image 7"},
      {"polygon_beyond", with_rings({good, rectangle(-5, 3, 10, 10)}),
       "1: reaches 5 beyond image 7 of 40 x 60 (height x width)"},
      {"polygon_beyond", with_rings({good, rectangle(2, -2, 20, 15)}),
       "1: reaches 2 beyond image 7 of 40 x 60 (height x width)"},
      {"polygon_far", with_rings({good, rectangle(5e6, 3, 10, 10)}),
       "1: reaches 4.99995e+06 beyond image 7 of 40 x 60 (height x width)"},
      {"mask_unreadable polygon_far", with_rings({good, rectangle(5e8, 3, 10, 10)}),
       "1: rasterize_polygon: coordinate 0 is 5e+08, expected a number from -400000000 to 400000000"},
      {"mask_empty", with_rings({{3.1, 3.1, 3.2, 3.1, 3.2, 3.2}}), "1: is in image 7 of 40 x 60 (height x width)"},
      {"polygons_without_size image_without_size",
       [](Annotations& f) {
         f.images[1] = {9, 40, 0, "b.jpg", ""};
       },
       "3: is in image 9"},
      {"mask_unreadable", [](Annotations& f) { std::get<Polygons>(f.annotations[0].segmentation).ring_ends = {9000}; },
       "1: ring_ends do not fit the coordinates"},
  });
}

TEST_CASE("oddities of crowds and run lengths") {
  const auto with_runs = [](const Segmentation& runs) {
    return [=](Annotations& f) { f.annotations[3].segmentation = runs; };
  };
  Rle turned = crowd_runs();
  std::swap(turned.height, turned.width);
  Rle too_few = crowd_runs();
  too_few.counts.pop_back();
  Rle too_many = crowd_runs();
  too_many.counts.back() = 0xFFFFFF00U;
  check_expected({
      {"crowd_polygons", [](Annotations& f) { f.annotations[0].is_crowd = true; }, "1: is in image 7"},
      {"object_rle", [](Annotations& f) { f.annotations[3].is_crowd = false; }, "4: is in image 9"},
      {"", with_runs(compress(crowd_runs())), ""},
      {"rle_size", with_runs(turned), "4: its size is 60 x 40; image 9 is 40 x 60 (height x width)"},
      {"rle_size", with_runs(compress(turned)), "4: its size is 60 x 40; image 9 is 40 x 60 (height x width)"},
      {"rle_counts", with_runs(too_few), "4: Rle: the counts add up to 1990, expected 40 * 60 = 2400"},
      {"rle_counts", with_runs(too_many), "4: Rle: the counts add up to 4294969030, expected 40 * 60 = 2400"},
      {"rle_counts", with_runs(Rle{40, 60, {}}), "4: Rle: the counts add up to 0, expected 40 * 60 = 2400"},
      {"mask_empty", with_runs(Rle{40, 60, {2400}}), "4: is in image 9 of 40 x 60 (height x width)"},
  });
  const auto broken = [](const std::string& counts) {
    const CheckReport report = check_changed([&](Annotations& f) {
      f.annotations[3].segmentation = CompressedRle{40, 60, counts};
    });
    CHECK(kinds(report) == "rle_string");
    return report.findings.empty() ? std::string() : report.findings[0].examples[0].text;
  };
  CHECK(broken("").find("2400 pixels too few") != std::string::npos);
  CHECK(broken("a b").find("invalid character") != std::string::npos);
  CHECK(broken("oooo").find("unfinished number") != std::string::npos);
  CHECK(broken(compress(crowd_runs()).counts + "1").find("more pixels") != std::string::npos);
}

TEST_CASE("sizes that no mask can have are findings, not exceptions") {
  constexpr index_t most = std::numeric_limits<index_t>::max();
  for (const index_t size : {index_t{-1}, index_t{1} << 33, most}) {
    const CheckReport report = check_changed([&](Annotations& f) {
      f.annotations[3].segmentation = CompressedRle{size, size, "1"};
    });
    CHECK(kinds(report) == "rle_size rle_string");
    const CheckReport large = check_changed([&](Annotations& f) { f.images[1].height = f.images[1].width = size; });
    CHECK(kinds(large) ==
          (size < 0 ? "polygons_without_size image_without_size" : "image_too_large polygons_without_size"));
  }
}

TEST_CASE("masks of unknown images are checked as far as that goes") {
  const CheckReport report = check_changed([](Annotations& f) {
    f.annotations[0].image_id = f.annotations[1].image_id = 8;
    f.images.erase(f.images.begin());
    f.annotations[1].segmentation = CompressedRle{40, 60, "a b"};
  });
  CHECK(kinds(report) == "unknown_image*2 rle_string object_rle");
}

TEST_CASE("oddities of results") {
  struct ResultCase {
    const char* kind;
    std::function<void(std::vector<Result>&)> change;
    const char* text;
  };
  const std::vector<ResultCase> cases = {
      {"result_unknown_image", [](auto& r) { r[1].image_id = 77; }, "1: image_id is 77"},
      {"result_unknown_category", [](auto& r) { r[1].category_id = 77; }, "1: category_id is 77"},
      {"result_empty",
       [](auto& r) {
         r[1].bbox.reset();
         r[1].segmentation = {};
       },
       "1: is for image 7"},
      {"score_not_finite", [](auto& r) { r[2].score = not_a_number; }, "2: its score is NaN"},
      {"score_not_finite", [](auto& r) { r[2].score = -infinity; }, "2: its score is -inf"},
      {"score_range", [](auto& r) { r[2].score = 1.5; }, "2: its score is 1.5"},
      {"score_range", [](auto& r) { r[2].score = -0.1; }, "2: its score is -0.1"},
      {"", [](auto& r) { r[2].score = 1; }, ""},
      {"box_missing", [](auto& r) { r[1].bbox.reset(); }, "1: is in image 7"},
      {"mask_missing", [](auto& r) { r[1].segmentation = {}; }, "1: is in image 7"},
      {"repeated_object", [](auto& r) { r.push_back(r[0]); }, "4: has image, category and box of 0"},
      {"box_negative box_differs", [](auto& r) { r[0].bbox->width = -20; }, "0: x 2, y 3, width -20, height 10"},
      {"box_differs result_box_empty", [](auto& r) { r[0].bbox->width = 0; },
       "0: box x 2, y 3, width 0, height 10; its mask's x 2, y 3, width 20, height 10: off by up to 20"},
      {"result_mask_empty",
       [](auto& r) {
         r[3].segmentation = Rle{40, 60, {2400}};
       },
       "3: is in image 9 of 40 x 60 (height x width)"},
      {"rle_string",
       [](auto& r) {
         r[3].segmentation = CompressedRle{40, 60, "!"};
       },
       "3: Rle: the compressed string of a mask of 40 x 60 pixels has an invalid character at character 0"},
      {"image_without_results", [](auto& r) { r.resize(2); }, "9: has no result"},
      {"no_masks",
       [](auto& r) {
         for (Result& result : r) result.segmentation = {};
       },
       "no result has a segmentation"},
      {"no_boxes",
       [](auto& r) {
         for (Result& result : r) result.bbox.reset();
       },
       "no result has a bbox"},
      {"no_results", [](auto& r) { r.clear(); }, "the list is empty"},
  };
  for (const ResultCase& expected : cases) {
    CAPTURE(expected.kind);
    std::vector<Result> results = clean_results();
    expected.change(results);
    const CheckReport report = check_results(clean(), results);
    CHECK(kinds(report) == expected.kind);
    if (report.findings.empty()) continue;
    const FindingExample& example = report.findings[0].examples.at(0);
    const std::string id = example.id ? std::to_string(*example.id) + ": " : std::string();
    CHECK(id + example.text == expected.text);
  }
}

TEST_CASE("a hundred results of an image are usual, one more is noted, and of one category cut") {
  std::vector<Result> results;
  for (int i = 0; i < 100; ++i) results.push_back({7, 1, i / 200.0, BoxXywh{2, 3, 20, 10}, {}});
  results.push_back({9, 1, 0.5, BoxXywh{2, 3, 20, 10}, {}});
  CHECK(kinds(check_results(clean(), results)) == "no_masks");
  results.push_back({7, 3, 0.5, BoxXywh{2, 3, 20, 10}, {}});
  CHECK(kinds(check_results(clean(), results)) == "no_masks many_results");
  results.push_back({7, 1, 0.75, BoxXywh{2, 3, 20, 10}, {}});
  const CheckReport report = check_results(clean(), results);
  CHECK(kinds(report) == "no_masks results_cut many_results");
  CHECK(report.find(Oddity::results_cut)->examples[0].text == "101 results of category 1");
  CHECK(report.find(Oddity::many_results)->examples[0].text == "102 results");
}

TEST_CASE("image files: there or not, readable or not, of their record's size or not") {
  const test::TemporaryFolder folder;
  const Annotations file = clean();
  CHECK(kinds(check_image_files(file, folder.path().string())) == "image_file_missing*2");
  test::write_file(folder / "a.jpg", "40 60");
  test::write_file(folder / "b.jpg", "60 40");
  const auto size_of = [&](const std::string& path) -> std::pair<index_t, index_t> {
    const std::string text = test::file_bytes(path);
    if (text.size() != 5) throw FormatError(path + ": is no picture");
    return {std::stoi(text.substr(0, 2)), std::stoi(text.substr(3))};
  };
  CHECK(kinds(check_image_files(file, folder.path().string())).empty());
  const CheckReport sizes = check_image_files(file, folder.path().string(), size_of);
  CHECK(kinds(sizes) == "image_file_size");
  CHECK(sizes.findings.at(0).examples.at(0).text ==
        "'" + folder / "b.jpg" + "' is 60 x 40 (height x width); its record says 40 x 60");
  test::write_file(folder / "b.jpg", "");
  CHECK(kinds(check_image_files(file, folder.path().string(), size_of)) == "image_file_unreadable");
  Annotations odd = file;
  odd.images[0].file_name = std::string("a.jpg\0b", 7);
  odd.images[1].file_name = ".";
  CHECK(kinds(check_image_files(odd, folder.path().string())) == "image_file_missing*2");
}

TEST_CASE("findings come by severity and then by kind, with the first examples, for any number of threads") {
  test::Draw draw(5);
  Annotations file = clean();
  for (std::int64_t id = 10; id < 3000; ++id) {
    const std::int64_t image = draw.below(10) == 0 ? 8 : 7;  // one by one: compilers order arguments differently
    const std::int64_t category = draw.below(10) == 0 ? 2 : 1;
    const double x = static_cast<double>(draw.below(81)) - 10;
    const double width = static_cast<double>(draw.below(12)) - 2;
    Annotation next = object(id, image, category, {x, 3, width, 4});
    if (draw.below(10) == 0) next.segmentation = CompressedRle{40, 60, "1"};
    file.annotations.push_back(next);
  }
  const auto text_of = [&](int threads, std::size_t examples) {
    const CheckReport report = check_annotations(file, {.examples = examples, .threads = threads});
    std::string text;
    for (const Finding& finding : report.findings) {
      text += std::string(describe(finding.kind).name) + " " + std::to_string(finding.count) + "\n";
      std::optional<std::int64_t> last;
      CHECK(finding.examples.size() == std::min<std::size_t>(examples, finding.count));
      for (const FindingExample& example : finding.examples) {
        text += std::to_string(example.id.value_or(-1)) + " " + example.text + "\n";
        if (last && example.id && finding.kind != Oddity::repeated_object) CHECK(*last <= *example.id);
        last = example.id;
      }
    }
    for (std::size_t i = 1; i < report.findings.size(); ++i) {
      const OddityText& before = describe(report.findings[i - 1].kind);
      const OddityText& after = describe(report.findings[i].kind);
      CHECK((before.severity < after.severity || (before.severity == after.severity && before.kind < after.kind)));
    }
    return text;
  };
  const std::string one = text_of(1, 5);
  CHECK(one == text_of(2, 5));
  CHECK(one == text_of(7, 5));
  CHECK(one.size() < text_of(3, 50).size());
  CHECK(text_of(1, 0).find("unknown_image ") == 0);
}

TEST_CASE("every kind has a name of its own, a title, an explanation and a fix") {
  std::set<std::string_view> names;
  for (const OddityText& text : coco::detail::oddity_texts) {
    CAPTURE(std::string(text.name));
    CHECK(names.insert(text.name).second);
    CHECK(!text.title.empty());
    CHECK(text.explanation.ends_with("."));
    CHECK(text.fix.ends_with("."));
    CHECK(describe(text.kind).name == text.name);
  }
}

TEST_CASE("options that are no tolerances are refused") {
  CHECK(message_of([] { check_annotations({}, {.box_tolerance = -1}); }) ==
        "CheckOptions: box_tolerance is -1.000000, expected a number from 0");
  CHECK_THROWS_AS(check_results({}, {}, {.area_tolerance = not_a_number}), ShapeError);
  CHECK_THROWS_AS(check_image_files({}, "", {}, {.beyond_tolerance = not_a_number}), ShapeError);
}
