#include "mrcnn/coco/curves.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/messages.hpp"

namespace mrcnn::coco {
namespace {

/// Two thresholds, four recalls, three categories, two areas, two numbers of detections. The third category has no
/// objects. Precisions of the first: 1, 0.8, 0.4, 0 at 0.5 and 0.5, 0, 0, 0 at 0.75; of the second: 0.5, 0.4, 0, 0 and
/// all 0. These are of the first area and the larger number of detections; other entries hold what must not show.
Evaluation evaluation_of() {
  Evaluation evaluation;
  evaluation.iou_thresholds = {0.5, 0.75};
  evaluation.recall_thresholds = {0, 0.25, 0.5, 1};
  evaluation.category_ids = {3, 18, 90};
  evaluation.areas = {{"all", 0, 1e10}, {"small", 0, 1024}};
  evaluation.max_detections = {1, 100};
  const double precisions[2][3][4] = {{{1, 0.8, 0.4, 0}, {0.5, 0.4, 0, 0}, {-1, -1, -1, -1}},
                                      {{0.5, 0, 0, 0}, {0, 0, 0, 0}, {-1, -1, -1, -1}}};
  for (const auto& threshold : precisions)
    for (std::size_t r = 0; r < 4; ++r)
      for (const auto& category : threshold)
        for (std::size_t area = 0; area < 2; ++area)
          for (std::size_t most = 0; most < 2; ++most)
            evaluation.precision.push_back(area == 0 && most == 1 ? category[r] : (area == 1 ? -1.0 : 0.125));
  return evaluation;
}

using Numbers = std::vector<double>;

}  // namespace

TEST_CASE("precision_recall_curve: one category is its entries, down to its first 0") {
  const auto curve = precision_recall_curve(evaluation_of(), {.category_id = 3, .iou_threshold = 0.5}, "cat");
  CHECK(curve.name == "cat");
  CHECK(curve.x == Numbers{0, 0.25, 0.5, 1});
  CHECK(curve.y == Numbers{1, 0.8, 0.4, 0});
  CHECK(curve.value == "0.550");
  const auto other = precision_recall_curve(evaluation_of(), {.category_id = 18, .iou_threshold = 0.5}, "dog");
  CHECK(other.x == Numbers{0, 0.25, 0.5});
  CHECK(other.y == Numbers{0.5, 0.4, 0});
  CHECK(other.value == "0.225");
}

TEST_CASE("precision_recall_curve: the mean leaves out categories without objects") {
  const auto curve = precision_recall_curve(evaluation_of(), {}, "mean");
  CHECK(curve.x == Numbers{0, 0.25, 0.5, 1});
  REQUIRE(curve.y.size() == 4);
  CHECK(curve.y[0] == 0.75);
  CHECK(curve.y[1] == doctest::Approx(0.6));
  CHECK(curve.y[2] == 0.2);
  CHECK(curve.y[3] == 0.0);
  CHECK(curve.value == "0.388");  // 3.1 / 8
}

TEST_CASE("precision_recall_curve: without objects there is no curve, with nothing found one point") {
  const auto none = precision_recall_curve(evaluation_of(), {.category_id = 90}, "hair drier");
  CHECK(none.x.empty());
  CHECK(none.y.empty());
  CHECK(none.value == "-");
  CHECK(precision_recall_curve(evaluation_of(), {.area = "small"}, "s").value == "-");
  const auto missed = precision_recall_curve(evaluation_of(), {.category_id = 18, .iou_threshold = 0.75}, "dog");
  CHECK(missed.x == Numbers{0});
  CHECK(missed.y == Numbers{0});
  CHECK(missed.value == "0.000");
}

TEST_CASE("precision_recall_curve: the number of detections is selected") {
  const auto curve = precision_recall_curve(evaluation_of(), {.category_id = 3, .max_detections = 1}, "one");
  CHECK(curve.y == Numbers{0.125, 0.125, 0.125, 0.125});
}

TEST_CASE("precision_recall_curves: one for each threshold") {
  const auto curves = precision_recall_curves(evaluation_of());
  REQUIRE(curves.size() == 2);
  CHECK(curves[0].name == "IoU 0.50");
  CHECK(curves[1].name == "IoU 0.75");
  CHECK(curves[0].value == "0.388");
  CHECK(curves[1].value == "0.062");  // 0.5 / 8 = 0.0625: halves to even, as printf rounds
  CHECK(curves[0].color == vis::scale_color(0));
  CHECK(curves[1].color == vis::scale_color(1));
  CHECK(precision_recall_curves(evaluation_of(), {.category_id = 18})[0].value == "0.225");
  CHECK(vis::draw_curves(curves, {.width = 200, .height = 100}).width == 200);
  CHECK(precision_recall_curves({}).empty());
}

TEST_CASE(
    "precision_recall_curve: thresholds are found in spite of their last bit, and named with the digits they have") {
  Evaluation evaluation = evaluation_of();
  evaluation.iou_thresholds = {linspace(0.5, 0.95, 10)[2], 0.955};
  CHECK(precision_recall_curve(evaluation, {.iou_threshold = 0.6}, "").value == "0.388");
  CHECK(precision_recall_curves(evaluation)[0].name == "IoU 0.60");
  CHECK(precision_recall_curves(evaluation)[1].name == "IoU 0.955");
}

TEST_CASE("precision_recall_curve: what the evaluation does not have is named, with what it has") {
  const auto message = [](const CurveSelection& selection) {
    return test::message_of<ShapeError>([&] { precision_recall_curve(evaluation_of(), selection, ""); });
  };
  CHECK(message({.iou_threshold = 0.55}) ==
        "precision_recall_curve: the evaluation has no IoU threshold 0.55, expected one of 0.50, 0.75");
  CHECK(message({.area = "huge"}) ==
        "precision_recall_curve: the evaluation has no area huge, expected one of all, small");
  CHECK(message({.category_id = 4}) ==
        "precision_recall_curve: the evaluation has no category 4, expected one of 3, 18, 90");
  CHECK(message({.max_detections = 10}) ==
        "precision_recall_curve: the evaluation has no max_detections 10, expected one of 1, 100");
  Evaluation cut = evaluation_of();
  cut.precision.pop_back();
  CHECK(test::message_of<ShapeError>([&] { precision_recall_curve(cut, {}, ""); }) ==
        "precision_recall_curve: precision has 95 entries, expected 96 as the evaluation's thresholds say");
  CHECK(test::message_of<ShapeError>([&] { precision_recall_curve({}, {}, ""); }).find("no IoU threshold") !=
        std::string::npos);
}

}  // namespace mrcnn::coco
