#include "mrcnn/coco/evaluate.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "mrcnn/coco/detail/numpy_mean.hpp"
#include "tests/support/draw.hpp"

// Equality with pycocotools on thousands of problems is proven in tests/peers/pycocotools_evaluate.cpp; here are cases
// that can be worked by hand.

namespace mrcnn::coco {
namespace {

Annotation object(std::int64_t id, std::int64_t image, std::int64_t category, BoxXywh box) {
  return {.id = id,
          .image_id = image,
          .category_id = category,
          .is_crowd = false,
          .area = box.width * box.height,
          .bbox = box,
          .segmentation = {},
          .extra = {}};
}
Result found(std::int64_t image, std::int64_t category, double score, BoxXywh box) {
  return {.image_id = image, .category_id = category, .score = score, .bbox = box, .segmentation = {}};
}
/// Pictures 1 to 3 of 100 x 100 pixels, categories 7 and 9.
Annotations data_set(std::vector<Annotation> annotations) {
  Annotations all;
  all.name = "made.json";
  for (std::int64_t id = 1; id <= 3; ++id) all.images.push_back({id, 100, 100, "", ""});
  all.categories = {{7, "cat", "", ""}, {9, "dog", "", ""}};
  all.annotations = std::move(annotations);
  return all;
}
constexpr BoxXywh near{10, 10, 20, 20};
constexpr BoxXywh far{60, 60, 20, 20};

double precision(const Evaluation& e, std::size_t t, std::size_t r, std::size_t k, std::size_t a, std::size_t m) {
  return e.precision[e.precision_place(t, r, k, a, m)];
}

TEST_CASE("a hit, a miss and a hit of three objects: AP 0.554455 of the published rule") {
  const Annotations truth = data_set({object(1, 1, 7, near), object(2, 2, 7, near), object(3, 3, 7, near)});
  const std::vector<Result> results{found(1, 7, 0.9, near), found(1, 7, 0.8, far), found(2, 7, 0.7, near)};
  const Evaluation e = evaluate(truth, results);
  // 34 recalls up to 1/3 have precision 1, 33 up to 2/3 have 2/3: (34 + 33 * 2/3) / 101.
  CHECK(e.stats[0] == doctest::Approx(0.554455445).epsilon(1e-8));
  CHECK(e.stats[1] == e.stats[0]);
  CHECK(e.stats[8] == doctest::Approx(2.0 / 3).epsilon(1e-12));
  CHECK(e.stats[6] == doctest::Approx(2.0 / 3).epsilon(1e-12));
  CHECK(precision(e, 0, 0, 0, 0, 2) == doctest::Approx(1.0).epsilon(1e-12));
  CHECK(precision(e, 0, 33, 0, 0, 2) == doctest::Approx(1.0).epsilon(1e-12));
  CHECK(precision(e, 0, 34, 0, 0, 2) == doctest::Approx(2.0 / 3).epsilon(1e-12));
  CHECK(precision(e, 0, 67, 0, 0, 2) == 0.0);
  CHECK(precision(e, 0, 0, 1, 0, 2) == -1.0);  // no dogs
  CHECK(e.stats[3] == e.stats[0]);             // 400 pixels are small
  CHECK(e.stats[4] == -1.0);
}

TEST_CASE("the thresholds are numpy's, to the bit") {
  const EvaluateOptions options;
  REQUIRE(options.iou_thresholds.size() == 10);
  REQUIRE(options.recall_thresholds.size() == 101);
  // numpy 2.4: np.linspace(.5, .95, 10) and np.linspace(0, 1, 101)
  CHECK(options.iou_thresholds[1] == 0.55);
  CHECK(options.iou_thresholds[2] == 0.6);
  CHECK(options.iou_thresholds[5] == 0.75);
  CHECK(options.iou_thresholds[8] == 0.8999999999999999);
  CHECK(options.iou_thresholds[9] == 0.95);
  CHECK(options.recall_thresholds[29] == 0.29);
  CHECK(options.recall_thresholds[35] == 0.35000000000000003);
  CHECK(options.recall_thresholds[57] == 0.5700000000000001);
  CHECK(options.recall_thresholds[100] == 1.0);
}

TEST_CASE("sums go in numpy's order, by halves and eights") {
  std::vector<double> numbers(1000);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = 1.0 / static_cast<double>(i + 1);
  // numpy 2.4: np.mean(1 / np.arange(1, n + 1)), repr
  CHECK(detail::numpy_mean(std::span(numbers).first(7)) == 0.37040816326530607);
  CHECK(detail::numpy_mean(std::span(numbers).first(127)) == 0.04271917002038718);
  CHECK(detail::numpy_mean(numbers) == 0.007485470860550345);
}

TEST_CASE("without objects all is -1, without results all is 0, without both -1") {
  const Evaluation nothing = evaluate(data_set({}), {});
  for (const double number : nothing.stats) CHECK(number == -1.0);
  const Evaluation no_truth = evaluate(data_set({}), std::vector<Result>{found(1, 7, 0.5, near)});
  for (const double number : no_truth.stats) CHECK(number == -1.0);
  const Evaluation missed = evaluate(data_set({object(1, 1, 7, near)}), {});
  CHECK(missed.stats[0] == 0.0);
  CHECK(missed.stats[8] == 0.0);
  CHECK(missed.stats[5] == -1.0);
  CHECK(evaluate(Annotations{}, {}).stats[0] == -1.0);
}

TEST_CASE("the annotation of id 0 is no match in pycocotools, and one on demand") {
  // Three objects, all found: 0.442 as measured with pycocotools 2.0.11.
  const Annotations truth = data_set({object(0, 1, 7, near), object(1, 2, 7, near), object(2, 3, 7, near)});
  const std::vector<Result> results{found(1, 7, 0.9, near), found(2, 7, 0.8, near), found(3, 7, 0.7, near)};
  CHECK(evaluate(truth, results).stats[0] == doctest::Approx(0.442).epsilon(1e-3));
  CHECK(evaluate(truth, results, {.match_id_zero = true}).stats[0] == doctest::Approx(1.0).epsilon(1e-12));
}

TEST_CASE("a crowd takes any number of detections and counts for nothing") {
  Annotation crowd = object(2, 1, 7, {50, 50, 40, 40});
  crowd.is_crowd = true;
  const Annotations truth = data_set({object(1, 1, 7, near), crowd});
  const std::vector<Result> results{found(1, 7, 0.9, {55, 55, 10, 10}), found(1, 7, 0.8, {70, 70, 10, 10}),
                                    found(1, 7, 0.7, near)};
  CHECK(evaluate(truth, results).stats[0] == doctest::Approx(1.0).epsilon(1e-12));
}

TEST_CASE("of equal overlaps the later object is taken") {
  // The detection covers half of each; the first object then goes to nobody, and the second detection misses.
  const Annotations truth = data_set({object(1, 1, 7, {0, 0, 10, 10}), object(2, 1, 7, {10, 0, 10, 10})});
  const std::vector<Result> results{found(1, 7, 0.9, {5, 0, 10, 10}), found(1, 7, 0.8, {10, 0, 10, 10})};
  const Evaluation e = evaluate(truth, results, {.iou_thresholds = {0.3}});
  CHECK(e.recall[2] == 0.5);
  const std::vector<Result> other{found(1, 7, 0.9, {5, 0, 10, 10}), found(1, 7, 0.8, {0, 0, 10, 10})};
  CHECK(evaluate(truth, other, {.iou_thresholds = {0.3}}).recall[2] == 1.0);
}

TEST_CASE("classes matter unless told otherwise, pictures and categories can be chosen") {
  const Annotations truth = data_set({object(1, 1, 7, near), object(2, 2, 9, near)});
  const std::vector<Result> results{found(1, 9, 0.9, near), found(2, 9, 0.8, near)};
  CHECK(evaluate(truth, results, {.class_agnostic = true}).stats[0] == doctest::Approx(1.0).epsilon(1e-12));
  const Evaluation dogs = evaluate(truth, results, {.category_ids = {{9}}});
  CHECK(dogs.category_ids == std::vector<std::int64_t>{9});
  CHECK(dogs.stats[0] == doctest::Approx(0.5).epsilon(1e-12));
  CHECK(evaluate(truth, results, {.image_ids = {{2}}, .category_ids = {{9}}}).stats[0] ==
        doctest::Approx(1.0).epsilon(1e-12));
}

TEST_CASE("detections beyond the limit count for nothing") {
  std::vector<Result> results;
  for (int i = 0; i < 100; ++i) results.push_back(found(1, 7, 0.9, far));
  results.push_back(found(1, 7, 0.1, near));
  const Annotations truth = data_set({object(1, 1, 7, near)});
  CHECK(evaluate(truth, results).stats[8] == 0.0);
  const Evaluation more = evaluate(truth, results, {.max_detections = {1, 100, 101}});
  CHECK(more.stats[8] == 1.0);
  CHECK(more.stats[0] == 0.0);  // the first number is that of 100 detections
  CHECK(evaluate(truth, results, {.max_detections = {5}}).stats[0] == -1.0);
}

TEST_CASE("masks: results without one are their boxes, and run lengths bring their own size") {
  Annotation box = object(1, 1, 7, near);
  box.segmentation = Polygons{{10, 10, 10, 30, 30, 30, 30, 10}, {8}};
  const Annotations truth = data_set({box});
  const EvaluateOptions options{.iou_type = IouType::segm};
  CHECK(evaluate(truth, std::vector<Result>{found(1, 7, 0.9, near)}, options).stats[0] ==
        doctest::Approx(1.0).epsilon(1e-12));
  // Rows and columns 10 to 29 of 100.
  Rle rle{100, 100, {1010}};
  for (int column = 0; column < 19; ++column) rle.counts.insert(rle.counts.end(), {20, 80});
  rle.counts.insert(rle.counts.end(), {20, 7070});
  Result masked = found(1, 7, 0.9, far);
  masked.segmentation = rle;
  CHECK(evaluate(truth, std::vector<Result>{masked}, options).stats[0] == doctest::Approx(1.0).epsilon(1e-12));
  masked.bbox.reset();
  CHECK(evaluate(truth, std::vector<Result>{masked}, options).stats[0] == doctest::Approx(1.0).epsilon(1e-12));
  CHECK(evaluate(truth, std::vector<Result>{masked}).stats[0] == doctest::Approx(1.0).epsilon(1e-12));
  CHECK(evaluate(truth, std::vector<Result>{masked}, {.iou_type = IouType::boundary}).stats[0] ==
        doctest::Approx(1.0).epsilon(1e-12));
}

TEST_CASE("the summary is pycocotools' text") {
  const Annotations truth = data_set({object(1, 1, 7, near), object(2, 2, 7, near), object(3, 3, 7, near)});
  const std::vector<Result> results{found(1, 7, 0.9, near), found(1, 7, 0.8, far), found(2, 7, 0.7, near)};
  // Printed by pycocotools 2.0.11 for this problem.
  CHECK(summary_text(evaluate(truth, results)) ==
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.554\n"
        " Average Precision  (AP) @[ IoU=0.50      | area=   all | maxDets=100 ] = 0.554\n"
        " Average Precision  (AP) @[ IoU=0.75      | area=   all | maxDets=100 ] = 0.554\n"
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.554\n"
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = -1.000\n"
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = -1.000\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=  1 ] = 0.667\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets= 10 ] = 0.667\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.667\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.667\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = -1.000\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = -1.000\n");
}

TEST_CASE("a threshold that is NaN asks for nothing, wherever it stands") {
  // pycocotools 2.0.11: recalls 1 and 0.
  const Annotations truth = data_set({object(1, 1, 7, near)});
  const std::vector<Result> apart{found(1, 7, 0.9, far)};
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const Evaluation first = evaluate(truth, apart, {.iou_thresholds = {nan, 0.5}});
  CHECK(first.recall[first.recall_place(0, 0, 0, 2)] == 1.0);
  CHECK(first.recall[first.recall_place(1, 0, 0, 2)] == 0.0);
}

TEST_CASE("what can not be evaluated is named") {
  const Annotations truth = data_set({object(1, 1, 7, near)});
  const auto evaluate_one = [&](const Result& result) { evaluate(truth, std::vector<Result>{result}); };
  CHECK_THROWS_WITH_AS(
      evaluate_one(found(4, 7, 0.5, near)),
      "evaluate: result 0 (image_id 4, category_id 7) is of a picture that the annotations do not have, "
      "expected one of theirs; are both files of one data set?",
      FormatError);
  CHECK_THROWS_WITH_AS(evaluate_one(found(1, 7, std::numeric_limits<double>::quiet_NaN(), near)),
                       "evaluate: result 0 (image_id 1, category_id 7) has the score NaN, expected a number",
                       FormatError);
  CHECK_THROWS_AS(evaluate(truth, std::vector<Result>{found(4, 7, 0.5, near)}, {.image_ids = {{4}}}), FormatError);
  CHECK_NOTHROW(evaluate_one(found(1, 8, 0.5, near)));
  Annotations no_area = truth;
  no_area.annotations[0].area.reset();
  CHECK_THROWS_WITH_AS(evaluate(no_area, {}), "made.json: annotation 1 has no area, expected the number of its pixels",
                       FormatError);
  Annotations no_box = truth;
  no_box.annotations[0].bbox.reset();
  CHECK_THROWS_WITH_AS(evaluate(no_box, {}), "made.json: annotation 1 has no bbox, expected [x, y, w, h]", FormatError);
  CHECK_THROWS_WITH_AS(evaluate(truth, {}, {.iou_type = IouType::segm}),
                       "made.json: annotation 1 has no segmentation, expected polygons or run lengths", FormatError);
  CHECK_THROWS_WITH_AS(evaluate(truth, {}, {.max_detections = {-1}}),
                       "evaluate: max_detections has -1, expected none below 0", ShapeError);
  CHECK_THROWS_AS(evaluate(truth, {}, {.progress = [](index_t, index_t) { return false; }}), Cancelled);
}

TEST_CASE("any number of threads gives the same bits") {
  test::Draw draw(5);
  std::vector<Annotation> annotations;
  std::vector<Result> results;
  for (int i = 0; i < 400; ++i) {
    const std::vector<float> numbers = draw.numbers(4, 1, 60);
    const BoxXywh box{numbers[0], numbers[1], numbers[2], numbers[3]};
    annotations.push_back(object(i + 1, 1 + i % 3, i % 2 == 0 ? 7 : 9, box));
    results.push_back(
        found(1 + i % 3, i % 4 == 0 ? 9 : 7, draw.number(0, 1), {box.x + 2, box.y, box.width, box.height}));
  }
  const Annotations truth = data_set(annotations);
  const Evaluation one = evaluate(truth, results, {.threads = 1});
  const Evaluation four = evaluate(truth, results, {.threads = 4});
  CHECK(one.precision == four.precision);
  CHECK(one.recall == four.recall);
  CHECK(one.scores == four.scores);
  CHECK(one.stats == four.stats);
}

}  // namespace
}  // namespace mrcnn::coco
