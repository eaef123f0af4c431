#include "mrcnn/coco/error_analysis.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/detection_records.hpp"
#include "tests/support/draw.hpp"

namespace mrcnn::coco {
namespace {

using test::add_object;
using test::detection;
using test::Draw;

Annotations data_set(std::size_t pictures = 2) { return test::empty_data_set(pictures, 3); }

/// One object of category 1 in picture 1, 10 x 10 pixels.
Annotations one_object(std::size_t pictures = 2) {
  Annotations truth = data_set(pictures);
  add_object(truth, 1, 1, {10, 10, 10, 10});
  return truth;
}

std::vector<std::int64_t> counts(const ErrorAnalysis& analysis) {
  std::vector<std::int64_t> numbers;
  for (const ErrorKind kind : error_kinds) numbers.push_back(analysis.of(kind).count);
  return numbers;
}

/// The kind of the only error.
std::string only_kind(const ErrorAnalysis& analysis) {
  return analysis.records.size() == 1 ? name_of(analysis.records[0].kind)
                                      : std::to_string(analysis.records.size()) + " errors";
}

TEST_CASE("a detection of everything has no errors") {
  const ErrorAnalysis analysis = analyze_errors(one_object(), std::vector{detection(1, 1, 0.9, {10, 10, 10, 10})});
  CHECK(analysis.ap == 1.0);
  CHECK(analysis.hits == 1);
  CHECK(analysis.records.empty());
  CHECK(counts(analysis) == std::vector<std::int64_t>(6, 0));
  CHECK(analysis.false_positives.count == 0);
  CHECK(analysis.false_negatives.count == 0);
}

TEST_CASE("each kind of error, worked by hand") {
  const Annotations truth = one_object();
  SUBCASE("localisation: 10 x 4 of 10 x 10 pixels overlap") {
    const auto analysis = analyze_errors(truth, std::vector{detection(1, 1, 0.9, {10, 10, 10, 4})});
    CHECK(only_kind(analysis) == "localisation");
    const ErrorRecord& record = analysis.records[0];
    CHECK(record.iou == 0.4);
    CHECK(record.result == 0U);
    CHECK(record.annotation == 0U);
    CHECK(record.image_id == 1);
    CHECK(record.score == 0.9);
    CHECK(analysis.ap == 0.0);
    CHECK(analysis.of(ErrorKind::localisation).delta_ap == 1.0);
    CHECK(analysis.of(ErrorKind::missed).delta_ap == 0.0);
    CHECK(analysis.false_negatives.count == 1);
    CHECK(analysis.false_positives.count == 1);
    CHECK(analysis.false_positives.delta_ap == 0.0);
  }
  SUBCASE("classification: the right box of another category") {
    const auto analysis = analyze_errors(truth, std::vector{detection(1, 2, 0.9, {10, 10, 10, 10})});
    CHECK(only_kind(analysis) == "classification");
    CHECK(analysis.records[0].annotation == 0U);
    CHECK(analysis.records[0].iou == 1.0);
    CHECK(analysis.ap == 0.0);
    CHECK(analysis.of(ErrorKind::classification).delta_ap == 1.0);
  }
  SUBCASE("both: another category, and too far away") {
    const auto analysis = analyze_errors(truth, std::vector{detection(1, 2, 0.9, {10, 10, 10, 4})});
    CHECK(counts(analysis) == std::vector<std::int64_t>{0, 0, 1, 0, 0, 1});
    CHECK(analysis.records[0].kind == ErrorKind::both);
    CHECK(analysis.records[0].annotation == 0U);
    CHECK(analysis.records[0].iou == 0.4);
    CHECK(analysis.records[1].kind == ErrorKind::missed);
    CHECK(!analysis.records[1].result.has_value());
    CHECK(analysis.records[1].annotation == 0U);
    CHECK(analysis.records[1].iou == 0.4);
  }
  SUBCASE("duplicate: a second detection of what is found") {
    const std::vector results{detection(1, 1, 0.5, {10, 10, 10, 9}), detection(1, 1, 0.9, {10, 10, 10, 10})};
    const auto analysis = analyze_errors(truth, results);
    CHECK(only_kind(analysis) == "duplicate");
    CHECK(analysis.records[0].result == 0U);
    CHECK(analysis.records[0].annotation == 0U);
    CHECK(analysis.records[0].iou == 0.9);
    CHECK(analysis.ap == 1.0);
  }
  SUBCASE("background: next to it") {
    const auto analysis = analyze_errors(truth, std::vector{detection(1, 1, 0.9, {10, 10, 10, 0.5})});
    CHECK(counts(analysis) == std::vector<std::int64_t>{0, 0, 0, 0, 1, 1});
    CHECK(!analysis.records[0].annotation.has_value());
    CHECK(analysis.records[0].iou == 0.05);
  }
  SUBCASE("background: in a picture without objects") {
    const std::vector results{detection(2, 1, 0.9, {10, 10, 10, 10}), detection(1, 1, 0.8, {10, 10, 10, 10})};
    const auto analysis = analyze_errors(truth, results);
    CHECK(only_kind(analysis) == "background");
    CHECK(analysis.records[0].image_id == 2);
    CHECK(analysis.ap == 0.5);
    CHECK(analysis.of(ErrorKind::background).delta_ap == 0.5);
    CHECK(analysis.false_positives.delta_ap == 0.5);
  }
  SUBCASE("missed: nothing is there") {
    const auto analysis = analyze_errors(truth, {});
    CHECK(only_kind(analysis) == "missed");
    CHECK(analysis.ap == 0.0);
    CHECK(analysis.records[0].iou == 0.0);
    CHECK(analysis.false_negatives.count == 1);
    CHECK(analysis.of(ErrorKind::missed).delta_ap == 0.0);  // no object is left that an AP could be of
  }
}

TEST_CASE("thresholds include what equals them as tidecv's do") {
  const Annotations truth = one_object();
  const auto kinds = [&](const BoxXywh& box, std::int64_t category) {
    return counts(analyze_errors(truth, std::vector{detection(1, category, 0.9, box)}));
  };
  CHECK(kinds({10, 10, 10, 5}, 1) == std::vector<std::int64_t>(6, 0));              // 0.5 is a hit
  CHECK(kinds({10, 10, 10, 1}, 1) == std::vector<std::int64_t>{0, 1, 0, 0, 0, 0});  // 0.1 is misplaced
  CHECK(kinds({10, 10, 10, 5}, 2) == std::vector<std::int64_t>{1, 0, 0, 0, 0, 0});
  CHECK(kinds({10, 10, 10, 1}, 2) == std::vector<std::int64_t>{0, 0, 0, 0, 1, 1});  // 0.1 is background
  // A second detection with exactly 0.5 is misplaced, not a duplicate.
  const std::vector results{detection(1, 1, 0.9, {10, 10, 10, 10}), detection(1, 1, 0.8, {10, 10, 10, 5})};
  CHECK(counts(analyze_errors(truth, results)) == std::vector<std::int64_t>{0, 1, 0, 0, 0, 0});
}

TEST_CASE("a repair makes one hit of each object, from the detection with the highest score") {
  Annotations truth = one_object();
  add_object(truth, 1, 2, {50, 50, 10, 10});
  // Three misplaced detections of the same object, and one of the other category on it.
  const std::vector results{detection(1, 1, 0.5, {10, 10, 10, 4}), detection(1, 1, 0.7, {10, 10, 10, 3}),
                            detection(1, 1, 0.6, {10, 10, 10, 4}), detection(1, 2, 0.9, {10, 10, 10, 10}),
                            detection(1, 2, 0.8, {50, 50, 10, 10})};
  const auto analysis = analyze_errors(truth, results);
  CHECK(counts(analysis) == std::vector<std::int64_t>{1, 3, 0, 0, 0, 0});
  CHECK(analysis.ap == doctest::Approx(0.25).epsilon(1e-12));  // category 1: 0; 2: 1/2
  // The misnamed one has the highest score, so it is the one that would find the object: 1 and 1 ...
  CHECK(analysis.of(ErrorKind::classification).delta_ap == doctest::Approx(0.75).epsilon(1e-12));
  // ... and the misplaced ones only go away.
  CHECK(analysis.of(ErrorKind::localisation).delta_ap == 0.0);
  std::vector<double> scores;
  for (const ErrorRecord& record : analysis.records) scores.push_back(record.score);
  CHECK(scores == std::vector{0.9, 0.7, 0.6, 0.5});
}

TEST_CASE("a free object is taken before one that overlaps more but is found") {
  Annotations truth = one_object();
  add_object(truth, 1, 1, {10, 12, 10, 10});
  const std::vector results{detection(1, 1, 0.9, {10, 10, 10, 10}), detection(1, 1, 0.8, {10, 10.5, 10, 10})};
  CHECK(analyze_errors(truth, results).hits == 2);
}

TEST_CASE("of objects that overlap equally the first is taken") {
  Annotations truth = one_object();
  add_object(truth, 1, 1, {10, 10, 10, 10});
  const auto analysis = analyze_errors(truth, std::vector{detection(1, 1, 0.9, {10, 10, 10, 10})});
  CHECK(only_kind(analysis) == "missed");
  CHECK(analysis.records[0].annotation == 1U);
}

TEST_CASE("a crowd excuses detections of its category") {
  Annotations truth = one_object();
  add_object(truth, 1, 1, {50, 0, 50, 50}, true);
  const std::vector results{detection(1, 1, 0.9, {60, 10, 10, 10}), detection(1, 2, 0.8, {60, 10, 10, 10}),
                            detection(1, 1, 0.7, {45, 10, 10, 10}), detection(1, 1, 0.6, {10, 10, 10, 10})};
  auto analysis = analyze_errors(truth, results);
  // The third lies in the crowd with exactly half of it, which tidecv does not excuse.
  CHECK(counts(analysis) == std::vector<std::int64_t>{0, 0, 0, 0, 3, 0});
  CHECK(analysis.records[0].excused);
  CHECK(!analysis.records[1].excused);
  CHECK(!analysis.records[2].excused);
  CHECK(analysis.false_positives.count == 2);
  CHECK(analysis.false_negatives.count == 0);
  CHECK(analysis.ap == doctest::Approx(0.25).epsilon(1e-12));  // 1/2 for category 1, 0 for category 2
  analysis = analyze_errors(truth, results, {.ap_categories = ApCategories::with_objects, .count_excused = false});
  CHECK(counts(analysis) == std::vector<std::int64_t>{0, 0, 0, 0, 2, 0});
  CHECK(analysis.ap == doctest::Approx(0.5).epsilon(1e-12));
}

TEST_CASE("an excused detection repairs an object only where it counts") {
  Annotations truth = one_object();
  add_object(truth, 1, 1, {0, 0, 50, 50}, true);
  const std::vector results{detection(1, 1, 0.9, {10, 10, 10, 4})};
  auto analysis = analyze_errors(truth, results);
  CHECK(counts(analysis) == std::vector<std::int64_t>{0, 1, 0, 0, 0, 0});
  CHECK(analysis.of(ErrorKind::localisation).delta_ap == 1.0);
  analysis = analyze_errors(truth, results, {.count_excused = false});
  CHECK(counts(analysis) == std::vector<std::int64_t>{0, 0, 0, 0, 0, 1});
}

TEST_CASE("a category whose objects a repair takes away leaves tidecv's mean, and stays in pycocotools' one") {
  Annotations truth = one_object();
  add_object(truth, 1, 2, {50, 50, 10, 10});
  const std::vector results{detection(1, 1, 0.9, {10, 10, 10, 10})};
  ErrorAnalysisOptions options;
  CHECK(analyze_errors(truth, results).ap == 0.5);
  CHECK(analyze_errors(truth, results).of(ErrorKind::missed).delta_ap == 0.5);
  CHECK(analyze_errors(truth, results).false_negatives.delta_ap == 0.5);
  options.ap_categories = ApCategories::with_objects;
  CHECK(analyze_errors(truth, results, options).ap == 0.5);
  CHECK(analyze_errors(truth, results, options).of(ErrorKind::missed).delta_ap == 0.0);
  CHECK(analyze_errors(truth, results, options).false_negatives.delta_ap == 0.0);
}

TEST_CASE("the AP is that of 101 recalls") {
  Annotations truth = data_set();
  for (const double x : {0.0, 30.0, 60.0}) add_object(truth, 1, 1, {x, 0, 10, 10});
  const std::vector results{detection(1, 1, 0.9, {0, 0, 10, 10}), detection(1, 1, 0.8, {0, 60, 10, 10}),
                            detection(1, 1, 0.7, {60, 0, 10, 10})};
  const auto analysis = analyze_errors(truth, results);  // hit, miss, hit of three objects
  CHECK(analysis.ap == doctest::Approx(0.554455445544554).epsilon(1e-12));
  CHECK(analysis.of(ErrorKind::background).delta_ap == doctest::Approx(67.0 / 101.0 - analysis.ap).epsilon(1e-12));
  CHECK(analysis.of(ErrorKind::missed).delta_ap ==
        doctest::Approx((51.0 + 50.0 * 2.0 / 3.0) / 101.0 - analysis.ap).epsilon(1e-12));
}

TEST_CASE("only the best detections of a picture take part") {
  const std::vector results{detection(1, 2, 0.9, {60, 60, 10, 10}), detection(1, 1, 0.8, {10, 10, 10, 10})};
  CHECK(analyze_errors(one_object(), results).hits == 1);
  const auto analysis = analyze_errors(one_object(), results, {.max_detections = 1});
  CHECK(counts(analysis) == std::vector<std::int64_t>{0, 0, 0, 0, 1, 1});
  CHECK(counts(analyze_errors(one_object(), results, {.max_detections = 0})) ==
        std::vector<std::int64_t>{0, 0, 0, 0, 0, 1});
}

TEST_CASE("pictures and categories that are not analysed count for nothing") {
  Annotations truth = one_object();
  add_object(truth, 2, 1, {10, 10, 10, 10});
  add_object(truth, 1, 2, {10, 10, 10, 10});
  add_object(truth, 7, 1, {10, 10, 10, 10});  // no such picture
  add_object(truth, 1, 9, {10, 10, 10, 10});  // no such category
  const std::vector results{detection(1, 1, 0.9, {10, 10, 10, 10}), detection(7, 1, 0.9, {10, 10, 10, 10}),
                            detection(1, 9, 0.9, {10, 10, 10, 10}), detection(2, 2, 0.8, {10, 10, 10, 10})};
  CHECK(counts(analyze_errors(truth, results)) == std::vector<std::int64_t>{1, 0, 0, 0, 0, 1});
  const ErrorAnalysis some = analyze_errors(
      truth, results, {.image_ids = std::vector<std::int64_t>{1}, .category_ids = std::vector<std::int64_t>{1}});
  CHECK(some.ap == 1.0);
  CHECK(some.records.empty());
}

TEST_CASE("without objects there is no AP") {
  for (const bool with_detection : {false, true}) {
    const std::vector<Result> results(with_detection ? 1 : 0, detection(1, 1, 0.9, {10, 10, 10, 10}));
    const auto analysis = analyze_errors(data_set(), results);
    CHECK(analysis.ap == -1.0);
    for (const ErrorFigure& figure : analysis.figures) CHECK(figure.delta_ap == 0.0);
    CHECK(analysis.of(ErrorKind::background).count == (with_detection ? 1 : 0));
  }
  CHECK(analyze_errors(Annotations{}, {}).ap == -1.0);
}

TEST_CASE("masks are compared where they are asked for, and a box stands in for a missing mask") {
  Annotations truth = data_set();
  add_object(truth, 1, 1, {10, 10, 20, 20});
  // The lower left triangle of the box.
  truth.annotations[0].segmentation = Polygons{{10, 10, 10, 30, 30, 30}, {6}};
  const std::vector boxes{detection(1, 1, 0.9, {10, 10, 20, 20})};
  CHECK(only_kind(analyze_errors(truth, boxes)) == "0 errors");
  const auto analysis = analyze_errors(truth, boxes, {.iou_type = IouType::segm, .positive_threshold = 0.6});
  CHECK(only_kind(analysis) == "localisation");
  CHECK(analysis.records[0].iou == doctest::Approx(0.5).epsilon(0.06));
  std::vector masks = boxes;
  masks[0].bbox.reset();
  masks[0].segmentation = truth.annotations[0].segmentation;
  CHECK(analyze_errors(truth, masks, {.iou_type = IouType::segm}).hits == 1);
  CHECK(analyze_errors(truth, masks).hits == 1);  // the mask's box
}

TEST_CASE("records do not depend on the number of threads") {
  Draw draw(7);
  Annotations truth = data_set(59);
  std::vector<Result> results;
  const auto box = [&] {
    return BoxXywh{static_cast<double>(draw.integer(0, 8)), static_cast<double>(draw.integer(0, 8)),
                   static_cast<double>(draw.integer(1, 8)), static_cast<double>(draw.integer(1, 8))};
  };
  for (int i = 0; i < 200; ++i) add_object(truth, draw.integer(1, 59), draw.integer(1, 3), box(), i % 20 == 0);
  for (int i = 0; i < 600; ++i)
    results.push_back(detection(draw.integer(1, 59), draw.integer(1, 3), draw.integer(0, 9) / 10.0, box()));
  const ErrorAnalysis one = analyze_errors(truth, results, {.threads = 1});
  const ErrorAnalysis three = analyze_errors(truth, results, {.threads = 3});
  REQUIRE(one.records.size() == three.records.size());
  CHECK(one.ap == three.ap);
  for (std::size_t i = 0; i < one.records.size(); ++i) {
    const ErrorRecord& a = one.records[i];
    const ErrorRecord& b = three.records[i];
    CHECK((a.kind == b.kind && a.result == b.result && a.annotation == b.annotation && a.iou == b.iou));
    if (i > 0 && a.kind != ErrorKind::missed) CHECK(one.records[i - 1].score >= a.score);
    CHECK(a.result.has_value() != (a.kind == ErrorKind::missed));
  }
  // Every detection is a hit, an error or excused, every object found, missed or to be repaired.
  std::int64_t false_detections = 0;
  for (const ErrorRecord& record : one.records) false_detections += record.result && !record.excused ? 1 : 0;
  CHECK(false_detections == one.false_positives.count);
  CHECK(one.hits + one.false_negatives.count == 190);
}

TEST_CASE("the worst pictures have the largest sum of missed objects and scores") {
  Annotations truth = one_object(3);
  add_object(truth, 3, 1, {10, 10, 10, 10});
  const std::vector results{detection(2, 1, 0.75, {10, 10, 10, 10}), detection(2, 1, 0.5, {10, 10, 10, 10}),
                            detection(3, 1, 0.4, {10, 60, 10, 10})};
  const auto analysis = analyze_errors(truth, results);
  const auto worst = worst_pictures(analysis, 9);
  REQUIRE(worst.size() == 3);
  CHECK(worst[0].image_id == 2);
  CHECK(worst[0].weight == 1.25);
  CHECK(worst[0].records == std::vector<std::size_t>{0, 1});
  CHECK(worst[1].image_id == 1);
  CHECK(worst[2].image_id == 3);  // as bad, but with a larger id
  CHECK(worst[2].weight == 1.0);
  CHECK(worst_pictures(analysis, 9, 0.0)[0].image_id == 3);
  CHECK(worst_pictures(analysis, 1).size() == 1);
  CHECK(worst_pictures(ErrorAnalysis{}, 3).empty());
}

TEST_CASE("the table of errors") {
  const std::vector results{detection(2, 1, 0.9, {10, 10, 10, 10}), detection(1, 1, 0.8, {10, 10, 10, 10})};
  CHECK(error_text(analyze_errors(one_object(), results)) ==
        "AP at IoU 0.50: 50.00\n"
        "errors               count     dAP\n"
        "classification           0    0.00\n"
        "localisation             0    0.00\n"
        "both                     0    0.00\n"
        "duplicate                0    0.00\n"
        "background               1   50.00\n"
        "missed                   0    0.00\n"
        "false positives          1   50.00\n"
        "false negatives          0    0.00\n");
  CHECK(error_text(ErrorAnalysis{}).substr(0, 45) == "AP at IoU 0.50: none, there are no objects\ner");
}

TEST_CASE("what can not be analysed is named") {
  const Annotations truth = one_object();
  const std::vector results{detection(1, 1, 0.9, {10, 10, 10, 10})};
  CHECK_THROWS_WITH_AS(analyze_errors(truth, results, {.positive_threshold = 0.3, .background_threshold = 0.4}),
                       "analyze_errors: background_threshold is 0.400000 and positive_threshold 0.300000, expected "
                       "0 <= background <= positive <= 1 and positive above 0",
                       ShapeError);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(analyze_errors(truth, results, {.positive_threshold = nan}), ShapeError);
  CHECK_THROWS_AS(analyze_errors(truth, results, {.positive_threshold = 0.0, .background_threshold = 0.0}), ShapeError);
  CHECK_THROWS_WITH_AS(analyze_errors(truth, results, {.max_detections = -1}),
                       "analyze_errors: max_detections is -1, expected 0 or more", ShapeError);
  CHECK_THROWS_WITH_AS(analyze_errors(truth, results, {.iou_type = IouType::boundary}),
                       "analyze_errors: iou_type is boundary, expected bbox or segm", ShapeError);
  CHECK_THROWS_WITH_AS(analyze_errors(truth, std::vector{detection(1, 1, nan, {1, 1, 1, 1})}),
                       "analyze_errors: result 0 (image_id 1) has the score NaN, expected a number", FormatError);
  Annotations without_box = truth;
  without_box.name = "a.json";
  without_box.annotations[0].bbox.reset();
  CHECK_THROWS_WITH_AS(analyze_errors(without_box, results), "a.json: annotation 1 has no bbox, expected [x, y, w, h]",
                       FormatError);
}

TEST_CASE("boxes of NaN and infinity overlap nothing and do no harm") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  Annotations truth = one_object();
  add_object(truth, 1, 1, {nan, 0, 1, 1});
  add_object(truth, 1, 1, {0, 0, -5, 3});
  const std::vector results{detection(1, 1, infinity, {nan, nan, nan, nan}), detection(1, 1, 0.9, {0, 0, infinity, 1}),
                            detection(1, 1, -infinity, {10, 10, 10, 10})};
  const auto analysis = analyze_errors(truth, results);
  CHECK(analysis.hits == 1);
  CHECK(analysis.false_positives.count == 2);
}

}  // namespace
}  // namespace mrcnn::coco
