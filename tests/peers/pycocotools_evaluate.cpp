// Thousands of small evaluations beside pycocotools, compared bit by bit; see pycocotools_evaluate.py.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mrcnn/coco/annotations.hpp"
#include "mrcnn/coco/evaluate.hpp"
#include "mrcnn/io/json.hpp"
#include "mrcnn/io/safetensors.hpp"
#include "tests/support/peer.hpp"

namespace mrcnn {
namespace {

std::vector<coco::AreaRange> read_areas(const io::JsonValue& value) {
  std::vector<coco::AreaRange> areas;
  value.for_each_element([&](const io::JsonValue& area) {
    areas.push_back({std::string(area.at(0).string()), area.at(1).number(), area.at(2).number()});
  });
  return areas;
}

coco::EvaluateOptions read_options(const io::JsonValue& value) {
  coco::EvaluateOptions options;
  value.for_each_member([&](std::string_view name, const io::JsonValue& option) {
    if (name == "iou_type")
      options.iou_type = option.string() == "segm" ? coco::IouType::segm : coco::IouType::bbox;
    else if (name == "iou_thresholds")
      options.iou_thresholds = option.numbers();
    else if (name == "recall_thresholds")
      options.recall_thresholds = option.numbers();
    else if (name == "areas")
      options.areas = read_areas(option);
    else if (name == "max_detections")
      options.max_detections = option.integers();
    else if (name == "image_ids")
      options.image_ids = option.integers();
    else if (name == "category_ids")
      options.category_ids = option.integers();
    else
      options.class_agnostic = option.boolean();
  });
  return options;
}

/// pycocotools' tables, a problem's behind those of the one before.
class Expected {
 public:
  Expected() : file_(io::SafeTensors::open(test::peer_file())), extents_(file_.read<std::int32_t>("extents")) {}

  std::array<std::size_t, 5> extents(std::size_t problem) const {
    std::array<std::size_t, 5> extents{};
    for (std::size_t i = 0; i < 5; ++i) extents[i] = static_cast<std::size_t>(extents_.at(problem * 5 + i));
    return extents;
  }
  std::size_t problems() const { return extents_.size() / 5; }

 private:
  io::SafeTensors file_;
  std::vector<std::int32_t> extents_;
};

struct Table {
  explicit Table(const char* table_name)
      : name(table_name), numbers(io::SafeTensors::open(test::peer_file()).read<double>(table_name)) {}

  const char* name;
  std::vector<double> numbers;
  std::size_t next = 0;

  /// Takes the next numbers of the table and tells where the first others are; empty when all bits agree.
  std::string compare(std::span<const double> found) {
    REQUIRE(next + found.size() <= numbers.size());
    const auto same = [](double a, double b) {
      return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
    };
    const double* expected = numbers.data() + next;
    next += found.size();
    const auto at = std::mismatch(found.begin(), found.end(), expected, same);
    if (at.first == found.end()) return {};
    return std::string(name) + "[" + std::to_string(at.first - found.begin()) + "] is " + std::to_string(*at.first) +
           ", expected " + std::to_string(*at.second);
  }
};

TEST_CASE("pycocotools: every entry of precision, recall and scores, the 12 numbers and their text") {
  const Expected expected;
  Table precision("precision");
  Table scores("scores");
  Table recall("recall");
  Table stats("stats");
  const auto problems = io::JsonDocument::open(test::peer_file() + ".json");
  std::size_t number = 0;
  problems.root().for_each_element([&](const io::JsonValue& problem) {
    CAPTURE(number);
    const std::string shown = "problem " + std::to_string(number);
    coco::EvaluateOptions options = read_options(problem["options"]);
    options.threads = 1 + static_cast<int>(number % 2);
    const auto annotations = coco::parse_annotations(problem["annotations"].minified(), shown);
    const auto results = coco::parse_results(problem["results"].minified(), shown);
    const coco::Evaluation found = coco::evaluate(annotations, results, options);

    const std::array<std::size_t, 5> extents{found.iou_thresholds.size(), found.recall_thresholds.size(),
                                             found.category_ids.size(), found.areas.size(),
                                             found.max_detections.size()};
    REQUIRE(extents == expected.extents(number));
    CHECK(precision.compare(found.precision) == "");
    CHECK(scores.compare(found.scores) == "");
    CHECK(recall.compare(found.recall) == "");
    const io::JsonValue text = problem["text"];
    if (text.is_null()) {  // pycocotools can not sum up these
      stats.next += found.stats.size();
    } else {
      CHECK(stats.compare(found.stats) == "");
      CHECK(coco::summary_text(found) == text.string());
    }
    ++number;
  });
  CHECK(number == expected.problems());
  CHECK(number >= 1000);
}

}  // namespace
}  // namespace mrcnn
