#include "mrcnn/coco/confusion_matrix.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/support/detection_records.hpp"
#include "tests/support/draw.hpp"

namespace mrcnn::coco {
namespace {

using test::add_object;
using test::detection;
using test::Draw;
using Counts = std::vector<std::int64_t>;

constexpr BoxXywh box{10, 10, 10, 10};

/// Two pictures and the categories 1 and 2; an object of category 1 in picture 1.
Annotations one_object() {
  Annotations truth = test::empty_data_set(2, 2);
  add_object(truth, 1, 1, box);
  return truth;
}

Counts counts(const Annotations& truth, const std::vector<Result>& results,
              const ConfusionMatrixOptions& options = {}) {
  return confusion_matrix(truth, results, options).counts;
}

TEST_CASE("rows are what an object is, columns what it was detected as") {
  const Annotations truth = one_object();
  CHECK(counts(truth, {detection(1, 1, 0.9, box)}) == Counts{1, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(counts(truth, {detection(1, 2, 0.9, box)}) == Counts{0, 1, 0, 0, 0, 0, 0, 0, 0});
  CHECK(counts(truth, {}) == Counts{0, 0, 1, 0, 0, 0, 0, 0, 0});
  CHECK(counts(truth, {detection(2, 2, 0.9, box)}) == Counts{0, 0, 1, 0, 0, 0, 0, 1, 0});
  const ConfusionMatrix matrix = confusion_matrix(truth, std::vector{detection(1, 2, 0.9, box)});
  CHECK(matrix.category_ids == Counts{1, 2});
  CHECK(matrix.extent() == 3);
  CHECK(matrix.background() == 2);
  CHECK(matrix.at(0, 1) == 1);
}

TEST_CASE("a detection and an object go together but once") {
  const Annotations truth = one_object();
  CHECK(counts(truth, {detection(1, 1, 0.9, box), detection(1, 1, 0.8, box)}) == Counts{1, 0, 0, 0, 0, 0, 1, 0, 0});
  Annotations two = one_object();
  add_object(two, 1, 1, box);
  CHECK(counts(two, {detection(1, 1, 0.9, box)}) == Counts{1, 0, 1, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("the detection with the highest score comes first, whatever its category") {
  const Annotations truth = one_object();
  CHECK(counts(truth, {detection(1, 1, 0.8, box), detection(1, 2, 0.9, {10, 10, 10, 8})}) ==
        Counts{0, 1, 0, 0, 0, 0, 1, 0, 0});
  ConfusionMatrixOptions by_overlap;
  by_overlap.matching = ConfusionMatching::by_overlap;
  CHECK(counts(truth, {detection(1, 1, 0.8, box), detection(1, 2, 0.9, {10, 10, 10, 8})}, by_overlap) ==
        Counts{1, 0, 0, 0, 0, 0, 0, 1, 0});
}

TEST_CASE("by overlap, a detection whose object prefers another one gets none") {
  Annotations truth = one_object();
  add_object(truth, 1, 2, {10, 13, 10, 10});
  // Both overlap the first object most; the second could have had the other one.
  const std::vector results{detection(1, 1, 0.9, box), detection(1, 2, 0.8, {10, 11, 10, 10})};
  CHECK(counts(truth, results) == Counts{1, 0, 0, 0, 1, 0, 0, 0, 0});
  ConfusionMatrixOptions by_overlap;
  by_overlap.matching = ConfusionMatching::by_overlap;
  CHECK(counts(truth, results, by_overlap) == Counts{1, 0, 0, 0, 0, 1, 0, 1, 0});
}

TEST_CASE("of objects that overlap equally one of the own category is taken, else the first") {
  Annotations truth = one_object();
  add_object(truth, 1, 2, box);
  CHECK(counts(truth, {detection(1, 1, 0.9, box)}) == Counts{1, 0, 0, 0, 0, 1, 0, 0, 0});
  CHECK(counts(truth, {detection(1, 2, 0.9, box)}) == Counts{0, 0, 1, 0, 1, 0, 0, 0, 0});
  Annotations three = test::empty_data_set(1, 3);
  add_object(three, 1, 2, box);
  add_object(three, 1, 1, box);
  CHECK(confusion_matrix(three, std::vector{detection(1, 3, 0.9, box)}).at(1, 2) == 1);
}

TEST_CASE("equal scores are taken in the file's order") {
  CHECK(counts(one_object(), {detection(1, 2, 0.9, box), detection(1, 1, 0.9, box)}) ==
        Counts{0, 1, 0, 0, 0, 0, 1, 0, 0});
}

TEST_CASE("thresholds include what equals them") {
  const Annotations truth = one_object();
  CHECK(counts(truth, {detection(1, 1, 0.25, {10, 10, 10, 5})}) == Counts{1, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(counts(truth, {detection(1, 1, 0.25, {10, 10, 10, 4.9})}) == Counts{0, 0, 1, 0, 0, 0, 1, 0, 0});
  CHECK(counts(truth, {detection(1, 1, 0.2499, box)}) == Counts{0, 0, 1, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("only the best detections of a picture take part") {
  ConfusionMatrixOptions options;
  options.max_detections = 1;
  CHECK(counts(one_object(), {detection(1, 1, 0.8, box), detection(1, 2, 0.9, {50, 50, 10, 10})}, options) ==
        Counts{0, 0, 1, 0, 0, 0, 0, 1, 0});
}

TEST_CASE("a crowd is no object, and excuses detections of its category") {
  Annotations truth = one_object();
  add_object(truth, 1, 1, {50, 50, 40, 40}, true);
  const std::vector results{detection(1, 1, 0.9, {60, 60, 5, 5}), detection(1, 1, 0.8, {70, 70, 5, 5}),
                            detection(1, 2, 0.7, {60, 60, 5, 5}), detection(1, 1, 0.6, {45, 60, 10, 5})};
  const ConfusionMatrix matrix = confusion_matrix(truth, results);
  CHECK(matrix.counts == Counts{0, 0, 1, 0, 0, 0, 0, 1, 0});
  CHECK(matrix.excused == 3);
  ConfusionMatrixOptions options;
  options.crowds_excuse = false;
  CHECK(counts(truth, results, options) == Counts{0, 0, 1, 0, 0, 0, 3, 1, 0});
}

TEST_CASE("pictures and categories that are not counted count for nothing") {
  Annotations truth = one_object();
  add_object(truth, 7, 1, box);
  add_object(truth, 1, 7, box);
  add_object(truth, 2, 2, box);
  const std::vector results{detection(7, 1, 0.9, box), detection(1, 7, 0.9, box), detection(1, 1, 0.8, box)};
  CHECK(counts(truth, results) == Counts{1, 0, 0, 0, 0, 1, 0, 0, 0});
  ConfusionMatrixOptions options;
  options.image_ids = {2};
  CHECK(counts(truth, results, options) == Counts{0, 0, 0, 0, 0, 1, 0, 0, 0});
  options.category_ids = Counts{2};
  CHECK(counts(truth, results, options) == Counts{0, 1, 0, 0});
  CHECK(counts(Annotations{}, results) == Counts{0});
}

// What hotcoco 1.3.0 computes for these boxes.
TEST_CASE("the matrix is that of hotcoco") {
  struct Row {
    int image, category;
    double score;
    BoxXywh box;
  };
  const Row objects[] = {{1, 1, 0, {2.57, 7.1, 13.62, 10.99}},   {1, 1, 0, {12.99, 14.37, 5.92, 12.81}},
                         {1, 3, 0, {11.74, 15.5, 9.17, 11.04}},  {2, 1, 0, {28.69, 8.53, 11.78, 12.35}},
                         {1, 3, 0, {0.04, 29.2, 7.58, 7.77}},    {1, 3, 0, {17.55, 14.14, 13.28, 4.36}},
                         {2, 1, 0, {11.23, 2.73, 11.93, 15.18}}, {2, 1, 0, {18.9, 8.94, 12.9, 12.67}},
                         {2, 2, 0, {24.9, 19.73, 12.19, 13.84}}, {2, 2, 0, {22.76, 26.35, 5.23, 14.2}},
                         {2, 3, 0, {14.39, 4.39, 12.38, 7.5}},   {2, 1, 0, {8.26, 16.85, 8.8, 11.35}}};
  const Row found[] = {{2, 2, 0.11, {20.79, 26.42, 4.07, 15.11}},  {1, 2, 0.15, {10.64, 16.35, 10.56, 8.45}},
                       {2, 2, 0.19, {22.03, 28.26, 3.8, 14.63}},   {2, 3, 0.23, {18.87, 8.49, 10.84, 14.69}},
                       {2, 3, 0.27, {9.63, 17.27, 8.03, 10.39}},   {2, 1, 0.31, {17.15, 8.22, 12.51, 12.94}},
                       {1, 3, 0.35, {-1.46, 27.12, 7.57, 9.23}},   {2, 3, 0.39, {24.52, 20.08, 11.9, 14.82}},
                       {2, 2, 0.43, {24.77, 20.38, 12.46, 16.9}},  {1, 3, 0.47, {1.84, 26.75, 7.17, 7.04}},
                       {2, 3, 0.51, {26.31, 21.01, 10.63, 12.67}}, {2, 2, 0.55, {25.67, 22.19, 11.95, 14.76}},
                       {2, 1, 0.59, {30.8, 9.42, 13.42, 11.06}},   {2, 3, 0.63, {30.5, 9.32, 11.41, 11.81}},
                       {1, 1, 0.67, {11.87, 14.95, 8.88, 12.51}},  {2, 1, 0.71, {27.28, 6.93, 12.41, 13.37}},
                       {2, 2, 0.75, {22.9, 26.52, 3.4, 13.65}},    {1, 3, 0.79, {11.17, 14.52, 8.77, 12.06}},
                       {1, 1, 0.83, {2.39, 8.08, 14.39, 13.02}},   {1, 1, 0.87, {12.41, 14.53, 6.93, 14.11}}};
  Annotations truth = test::empty_data_set(2, 3);
  for (const Row& row : objects) add_object(truth, row.image, row.category, row.box);
  std::vector<Result> results;
  for (const Row& row : found) results.push_back(detection(row.image, row.category, row.score, row.box));
  ConfusionMatrixOptions options;
  CHECK(counts(truth, results, options) == Counts{4, 0, 1, 1, 0, 2, 0, 0, 0, 0, 2, 2, 2, 1, 4, 0});
  options.min_score = 0;
  CHECK(counts(truth, results, options) == Counts{4, 0, 1, 1, 0, 2, 0, 0, 0, 0, 2, 2, 2, 4, 5, 0});
  options.iou_threshold = 0.7;
  CHECK(counts(truth, results, options) == Counts{2, 0, 2, 2, 0, 0, 1, 1, 0, 0, 1, 3, 4, 6, 4, 0});
  options.iou_threshold = 0.5;
  options.max_detections = 3;
  CHECK(counts(truth, results, options) == Counts{3, 0, 0, 3, 0, 1, 0, 1, 0, 0, 1, 3, 0, 0, 1, 0});
}

TEST_CASE("masks are compared where they are asked for") {
  Annotations truth = one_object();
  truth.annotations[0].segmentation = Polygons{{10, 10, 10, 20, 14, 20, 14, 10}, {8}};
  ConfusionMatrixOptions options;
  options.iou_type = IouType::segm;
  CHECK(counts(truth, {detection(1, 1, 0.9, box)}, options) == Counts{0, 0, 1, 0, 0, 0, 1, 0, 0});
  CHECK(counts(truth, {detection(1, 1, 0.9, {10, 10, 4, 10})}, options) == Counts{1, 0, 0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("random problems: nothing is lost, and threads change nothing") {
  Draw draw(5);
  for (const ConfusionMatching matching : {ConfusionMatching::by_score, ConfusionMatching::by_overlap}) {
    Annotations truth = test::empty_data_set(40, 4);
    std::vector<Result> results;
    const auto any_box = [&] {
      return BoxXywh{draw.integer(0, 6) * 1.0, draw.integer(0, 6) * 1.0, draw.integer(1, 8) * 1.0,
                     draw.integer(1, 8) * 1.0};
    };
    for (int i = 0; i < 150; ++i) add_object(truth, draw.integer(1, 40), draw.integer(1, 4), any_box(), i % 15 == 0);
    for (int i = 0; i < 300; ++i)
      results.push_back(detection(draw.integer(1, 40), draw.integer(1, 4), draw.integer(0, 9) / 10.0, any_box()));
    ConfusionMatrixOptions options;
    options.matching = matching;
    options.min_score = 0;
    options.threads = 1;
    const ConfusionMatrix matrix = confusion_matrix(truth, results, options);
    options.threads = 3;
    CHECK(counts(truth, results, options) == matrix.counts);
    std::int64_t objects = 0;
    std::int64_t detections = matrix.excused;
    for (std::size_t i = 0; i < matrix.extent(); ++i)
      for (std::size_t k = 0; k < matrix.extent(); ++k) {
        objects += i < matrix.background() ? matrix.at(i, k) : 0;
        detections += k < matrix.background() ? matrix.at(i, k) : 0;
      }
    CHECK(objects == 140);
    CHECK(detections == 300);
    CHECK(matrix.excused > 0);
  }
}

TEST_CASE("the matrix as parts, as precision and recall, and as a list") {
  const ConfusionMatrix matrix{{3, 5, 8}, {6, 2, 0, 0, 1, 3, 0, 4, 0, 0, 0, 0, 2, 0, 2, 0}, 0};
  CHECK(normalized(matrix) == std::vector<double>{0.75, 0.25, 0, 0, 0.125, 0.375, 0, 0.5, 0, 0, 0, 0, 0.5, 0, 0.5, 0});
  const std::vector<double> columns = normalized(matrix, ConfusionNormalization::detected);
  CHECK(columns[0] == 6.0 / 9.0);
  CHECK(columns[5] == 3.0 / 5.0);
  CHECK(columns[14] == 1.0);
  CHECK(normalized(matrix, ConfusionNormalization::all)[7] == 4.0 / 20.0);
  const auto categories = precision_and_recall(matrix);
  REQUIRE(categories.size() == 3);
  CHECK(categories[0].category_id == 3);
  CHECK(categories[0].objects == 8);
  CHECK(categories[0].detections == 9);
  CHECK(categories[0].correct == 6);
  CHECK(categories[0].recall == 0.75);
  CHECK(categories[0].precision == 6.0 / 9.0);
  CHECK(categories[2].recall == -1.0);
  CHECK(categories[2].precision == 0.0);
  const auto pairs = most_confused(matrix, 5);
  REQUIRE(pairs.size() == 2);
  CHECK(pairs[0].truth_id == 3);
  CHECK(pairs[0].detected_id == 5);
  CHECK(pairs[0].count == 2);
  CHECK(pairs[1].truth_id == 5);
  CHECK(most_confused(matrix, 1).size() == 1);
  CHECK(normalized(ConfusionMatrix{{}, {0}, 0}) == std::vector<double>{0.0});
}

TEST_CASE("what can not be counted is named") {
  const Annotations truth = one_object();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  ConfusionMatrixOptions options;
  options.iou_threshold = 0;
  CHECK_THROWS_WITH_AS(confusion_matrix(truth, {}, options),
                       "confusion_matrix: iou_threshold is 0.000000, expected above 0, at most 1", ShapeError);
  options.iou_threshold = 0.5;
  options.min_score = nan;
  CHECK_THROWS_AS(confusion_matrix(truth, {}, options), ShapeError);
  CHECK_THROWS_AS(confusion_matrix(truth, std::vector{detection(1, 1, nan, box)}), FormatError);
  Result empty;
  empty.image_id = empty.category_id = 1;
  empty.score = 0.9;
  CHECK_THROWS_AS(confusion_matrix(truth, std::vector{empty}), FormatError);
}

}  // namespace
}  // namespace mrcnn::coco
