#include "mrcnn/coco/image_ap.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/draw.hpp"
#include "tests/support/messages.hpp"

namespace mrcnn::coco {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// One class; row by row the overlaps, the scores fall.
ImageComparison comparison_of(std::vector<double> overlaps, std::size_t predictions, std::size_t truths) {
  ImageComparison comparison;
  comparison.overlaps = std::move(overlaps);
  comparison.predicted_class_ids.assign(predictions, 1);
  for (std::size_t i = 0; i < predictions; ++i) comparison.scores.push_back(1.0 - 0.01 * static_cast<double>(i));
  comparison.true_class_ids.assign(truths, 1);
  return comparison;
}

Detection detection_of(Box box, std::int32_t class_id, float score) { return {box, class_id, score, {}}; }

/// A picture of 20 x 24 pixels with the box filled; of every third the pixels in even rows and every third column lack.
MaskCrop filled(const Box& box, std::size_t index) {
  MaskCrop crop{static_cast<index_t>(box.x1),
                static_cast<index_t>(box.y1),
                static_cast<index_t>(box.x2 - box.x1),
                static_cast<index_t>(box.y2 - box.y1),
                {}};
  for (index_t y = crop.y; y < crop.y + crop.height; ++y)
    for (index_t x = crop.x; x < crop.x + crop.width; ++x)
      crop.pixels.push_back(index % 3 == 1 && y % 2 == 0 && x % 3 == 0 ? 0 : 1);
  return crop;
}

Rle rle_of(const MaskCrop& crop) {
  return encode_crop({crop.pixels.data(), {crop.height, crop.width}, {crop.width, 1}}, crop.x, crop.y, 20, 24);
}

}  // namespace

TEST_CASE("image_average_precision: hit, miss, hit of three objects is 5 / 9") {
  const auto result = image_average_precision(comparison_of({0.9, 0, 0, 0.1, 0.2, 0.3, 0, 0.6, 0}, 3, 3));
  CHECK(result.average_precision == doctest::Approx(0.555556).epsilon(1e-6));
  CHECK(result.precisions == std::vector<double>{1.0, 1.0, 2.0 / 3.0, 2.0 / 3.0, 0.0});
  const double third = static_cast<double>(1.0F / 3.0F);
  const double two_thirds = static_cast<double>(2.0F / 3.0F);
  CHECK(result.recalls == std::vector<double>{0.0, third, third, two_thirds, 1.0});
}

TEST_CASE("image_average_precision: all found is 1, nothing found or predicted is 0") {
  CHECK(image_average_precision(comparison_of({0.9, 0, 0, 0.5}, 2, 2)).average_precision == 1.0);
  CHECK(image_average_precision(comparison_of({0.4, 0, 0, 0.3}, 2, 2)).average_precision == 0.0);
  const auto nothing = image_average_precision(comparison_of({}, 0, 3));
  CHECK(nothing.average_precision == 0.0);
  CHECK(nothing.precisions == std::vector<double>{0.0, 0.0});
  CHECK(nothing.recalls == std::vector<double>{0.0, 1.0});
}

TEST_CASE("without objects every measure is 0, with predictions and without") {
  for (const std::size_t predictions : {std::size_t{0}, std::size_t{4}}) {
    const auto comparison = comparison_of({}, predictions, 0);
    CHECK(image_average_precision(comparison).average_precision == 0.0);
    CHECK(image_average_precision(comparison).recalls.size() == predictions + 2);
    CHECK(image_average_precision_range(comparison) == 0.0);
    CHECK(image_recall(comparison) == 0.0);
  }
}

TEST_CASE("image_matches: an object is taken once, and a prediction goes on to its next best") {
  const auto matches = image_matches(comparison_of({0.9, 0.6, 0.8, 0.7, 0.85, 0.4}, 3, 2));
  CHECK(matches.order == std::vector<index_t>{0, 1, 2});
  CHECK(matches.truth_of == std::vector<index_t>{0, 1, -1});
  CHECK(matches.prediction_of == std::vector<index_t>{0, 1});
}

TEST_CASE("image_matches: another class is passed over, an overlap below the threshold ends the search") {
  auto comparison = comparison_of({0.9, 0.5, 0.7}, 1, 3);
  comparison.true_class_ids = {2, 1, 3};
  CHECK(image_matches(comparison, 0.5).truth_of == std::vector<index_t>{1});
  CHECK(image_matches(comparison, 0.6).truth_of == std::vector<index_t>{-1});
  comparison.true_class_ids = {2, 1, 1};
  CHECK(image_matches(comparison, 0.6).truth_of == std::vector<index_t>{2});
}

TEST_CASE("image_matches: the later of equal scores and of equal overlaps comes first") {
  auto comparison = comparison_of({0.8, 0.8, 0.8, 0.8, 0.8, 0.8}, 3, 2);
  comparison.scores = {0.5, 0.9, 0.5};
  const auto matches = image_matches(comparison);
  CHECK(matches.order == std::vector<index_t>{1, 2, 0});
  CHECK(matches.truth_of == std::vector<index_t>{-1, 1, 0});
  CHECK(matches.prediction_of == std::vector<index_t>{2, 1});
}

TEST_CASE("image_recall: objects that are the best of some prediction, of equal overlaps the first") {
  CHECK(image_recall(comparison_of({0.6, 0.7, 0, 0.2, 0.8, 0, 0.55, 0.4, 0}, 3, 3)) == 2.0 / 3.0);
  CHECK(image_recall(comparison_of({0.6, 0.7, 0, 0.2, 0.8, 0, 0.55, 0.4, 0}, 3, 3), 0.6) == 1.0 / 3.0);
  CHECK(image_recall(comparison_of({0.6, 0.6, 0.6, 0.6}, 2, 2)) == 0.5);
  CHECK(image_recall(comparison_of({}, 0, 2)) == 0.0);
}

TEST_CASE("image_iou_thresholds equals numpy.arange(0.5, 1.0, 0.05)") {
  CHECK(image_iou_thresholds() == std::vector<double>{0.5, 0.55, 0.6000000000000001, 0.6500000000000001,
                                                      0.7000000000000002, 0.7500000000000002, 0.8000000000000003,
                                                      0.8500000000000003, 0.9000000000000004, 0.9500000000000004});
}

TEST_CASE("image_overlaps of boxes: intersection over union, nothing without area") {
  const std::vector<Box> a{{0, 0, 10, 10}, {3, 3, 3, 9}, {8, 0, 2, 10}, {std::nanf(""), 0, 5, 5}};
  const std::vector<Box> b{{5, 0, 15, 10}, {0, 0, 10, 10}, {10, 0, 20, 10}, {3, 3, 3, 9}};
  const double third = 50.0 / 150.0;
  CHECK(image_overlaps(a, b) == std::vector<double>{third, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<Box> endless{{-infinity, -infinity, infinity, infinity}};
  CHECK(image_overlaps(endless, endless) == std::vector<double>{0});
}

TEST_CASE("image_overlaps of boxes: areas beyond float32 are exact") {
  const std::vector<Box> a{{0, 0, 30001, 30001}};
  const std::vector<Box> b{{0, 0, 30000, 30001}};
  CHECK(image_overlaps(a, b) == std::vector<double>{900030000.0 / 900060001.0});
}

TEST_CASE("overlaps of masks are float32, of boxes double: 3 / 5 reaches numpy's 0.6 only as masks") {
  const std::vector<Detection> found{{{0, 0, 3, 1}, 1, 0.9F, {0, 0, 3, 1, {1, 1, 1}}}};
  ImageTruths truths{{{0, 0, 5, 1}}, {1}, {rle_of({0, 0, 5, 1, {1, 1, 1, 1, 1}})}};
  const auto boxes = compare_image(found, truths);
  const auto masks = compare_image(found, truths, OverlapOf::masks);
  CHECK(boxes.overlaps == std::vector<double>{0.6});
  CHECK(masks.overlaps == std::vector<double>{static_cast<double>(0.6F)});
  CHECK(image_average_precision_range(boxes) == doctest::Approx(0.2));
  CHECK(image_average_precision_range(masks) == doctest::Approx(0.3));
}

TEST_CASE("image_overlaps of masks: empty masks overlap nothing, other sizes are an error") {
  const std::vector<Rle> masks{encode_crop({nullptr, {0, 0}, {0, 1}}, 0, 0, 4, 4), {4, 4, {0, 16}}};
  CHECK(image_overlaps(masks, masks) == std::vector<double>{0, 0, 0, 1});
  const std::vector<Rle> other{{4, 5, {0, 20}}};
  CHECK(test::message_of<ShapeError>([&] { image_overlaps(masks, other); }) ==
        "image_overlaps: the predicted mask 0 has 4 x 4 pixels, expected 4 x 5 as true mask 0");
}

// Computed with numpy 2.4.6 from the same boxes.
TEST_CASE("a picture with equal scores equals numpy") {
  const float t = 2.0F / 3.0F;
  const std::vector<Detection> found{
      detection_of({5, 0, 7, 2}, 2, 0), detection_of({1, 2, 8, 3}, 1, t),    detection_of({4, 12, 8, 16}, 2, 0),
      detection_of({4, 0, 9, 5}, 2, t), detection_of({4, 10, 11, 14}, 1, 0), detection_of({9, 2, 15, 4}, 2, t),
      detection_of({5, 2, 6, 5}, 1, t), detection_of({10, 0, 13, 3}, 1, t),  detection_of({4, 11, 9, 16}, 2, 1.0F / 3)};
  const ImageTruths truths{{{9, 2, 14, 7}, {1, 0, 7, 4}, {11, 1, 16, 7}, {0, 1, 3, 5}, {3, 0, 7, 4}, {2, 10, 9, 16}},
                           {1, 2, 1, 2, 1, 2},
                           {}};
  const auto comparison = compare_image(found, truths);
  const auto result = image_average_precision(comparison);
  CHECK(result.average_precision == 0.027777778605620064);
  CHECK(image_average_precision_range(comparison) == 0.005555555721124013);
  CHECK(image_recall(comparison) == 0.16666666666666666);
  CHECK(result.recalls[6] == 0.1666666716337204);
  CHECK(result.precisions[7] == 0.14285714285714285);
}

TEST_CASE("a picture compared by boxes and by masks equals numpy") {
  std::vector<Detection> found{detection_of({0, 8, 5, 16}, 2, 0.961F), detection_of({0, 3, 10, 11}, 1, 0.406F),
                               detection_of({1, 4, 8, 12}, 1, 0.706F), detection_of({0, 2, 6, 10}, 1, 0.367F),
                               detection_of({3, 2, 9, 8}, 1, 0.639F)};
  ImageTruths truths{
      {{1, 4, 8, 10}, {10, 1, 14, 4}, {0, 9, 4, 16}, {2, 4, 6, 10}, {5, 10, 12, 13}}, {1, 2, 2, 2, 1}, {}};
  for (std::size_t i = 0; i < 5; ++i) {
    found[i].mask = filled(found[i].box, i);
    truths.masks.push_back(rle_of(filled(truths.boxes[i], i)));
  }
  const auto boxes = compare_image(found, truths);
  const auto result = image_average_precision(boxes);
  CHECK(result.average_precision == 0.4000000059604645);
  CHECK(image_average_precision_range(boxes) == 0.17000000253319741);
  CHECK(image_recall(boxes, 0.7) == 0.4);
  CHECK(result.precisions == std::vector<double>{1.0, 1.0, 1.0, 0.6666666666666666, 0.5, 0.4, 0.0});
  CHECK(result.recalls == std::vector<double>{0.0, 0.20000000298023224, 0.4000000059604645, 0.4000000059604645,
                                              0.4000000059604645, 0.4000000059604645, 1.0});
  const auto masks = compare_image(found, truths, OverlapOf::masks);
  CHECK(masks.overlaps[0] == 0.10810811072587967);
  CHECK(masks.overlaps[2] == 0.699999988079071);
  CHECK(masks.overlaps[8] == 0.31343284249305725);
  CHECK(masks.overlaps[10] == 0.75);
  CHECK(masks.overlaps[23] == 0.22727273404598236);
  CHECK(image_average_precision(masks).average_precision == 0.4000000059604645);
  CHECK(image_average_precision_range(masks) == 0.17000000253319741);
  CHECK(image_recall(masks, 0.6) == 0.4);
  truths.boxes.clear();
  CHECK(compare_image(found, truths, OverlapOf::masks).overlaps == masks.overlaps);
}

TEST_CASE("compare_image leaves padding out, wherever it stands, with all that belongs to it") {
  const std::vector<Detection> found{detection_of({0, 0, 0, 0}, 7, 0.1F), detection_of({1, 1, 5, 5}, 2, 0.8F)};
  const ImageTruths truths{{{1, 1, 5, 5}, {0, 0, 0, 0}, {0, 0, 5, 5}}, {2, 0, 3}, {}};
  const auto comparison = compare_image(found, truths);
  CHECK(comparison.detection_indices == std::vector<index_t>{1});
  CHECK(comparison.truth_indices == std::vector<index_t>{0, 2});
  CHECK(comparison.predicted_class_ids == std::vector<std::int64_t>{2});
  CHECK(comparison.true_class_ids == std::vector<std::int64_t>{2, 3});
  CHECK(comparison.scores == std::vector<double>{static_cast<double>(0.8F)});
  CHECK(comparison.overlaps == std::vector<double>{1.0, 16.0 / 25.0});
  CHECK(image_average_precision(comparison).average_precision == 0.5);
}

TEST_CASE("the order of predictions and objects does not matter where nothing is equal") {
  test::Draw draw(3);
  for (int round = 0; round < 200; ++round) {
    const auto p = static_cast<std::size_t>(draw.integer(0, 9));
    const auto g = static_cast<std::size_t>(draw.integer(1, 9));
    auto comparison = comparison_of({}, p, g);
    for (std::size_t i = 0; i < p * g; ++i) comparison.overlaps.push_back(static_cast<double>(draw.number(0, 1)));
    auto mirrored = comparison;
    std::reverse(mirrored.scores.begin(), mirrored.scores.end());
    std::reverse(mirrored.overlaps.begin(), mirrored.overlaps.end());
    CHECK(image_average_precision_range(comparison) == image_average_precision_range(mirrored));
    CHECK(image_recall(comparison) == image_recall(mirrored));
    const auto matches = image_matches(comparison, 0.5);
    for (std::size_t i = 0; i < p; ++i)
      if (matches.truth_of[i] >= 0)
        CHECK(matches.prediction_of[static_cast<std::size_t>(matches.truth_of[i])] == static_cast<index_t>(i));
    const double precision = image_average_precision(comparison).average_precision;
    CHECK(precision >= 0.0);
    CHECK(precision <= 1.0 + 1e-6);
  }
}

TEST_CASE("wrong arguments are named") {
  auto comparison = comparison_of({0.5, 0.5}, 2, 1);
  CHECK(test::message_of<ShapeError>([&] { image_matches(comparison, nan); }) ==
        "image_matches: the IoU threshold is nan, expected 0 to 1");
  CHECK(test::message_of<ShapeError>([&] { image_recall(comparison, 50); }) ==
        "image_recall: the IoU threshold is 50.000000, expected 0 to 1");
  CHECK(test::message_of<ShapeError>([&] { image_average_precision_range(comparison, {}); }) ==
        "image_average_precision_range: there are no thresholds, expected at least one");
  comparison.scores[1] = nan;
  CHECK(test::message_of<ShapeError>([&] { image_average_precision(comparison); }) ==
        "image_matches: scores[1] is NaN, expected a number");
  comparison.scores[1] = 0.5;
  comparison.overlaps[0] = nan;
  CHECK(test::message_of<ShapeError>([&] { image_recall(comparison); }) ==
        "image_recall: overlaps[0] is NaN, expected a number");
  comparison.overlaps.pop_back();
  CHECK(test::message_of<ShapeError>([&] { image_recall(comparison); }) ==
        "image_recall: overlaps has 1 entries, expected 2 for 2 predictions and 1 true objects");
  comparison.predicted_class_ids.clear();
  CHECK(test::message_of<ShapeError>([&] { image_recall(comparison); }) ==
        "image_recall: predicted_class_ids has 0 entries, expected 2 as there are scores");

  std::vector<Detection> found{detection_of({0, 0, 2, 2}, 1, 1)};
  ImageTruths truths{{}, {1}, {}};
  CHECK(test::message_of<ShapeError>([&] { compare_image(found, truths); }) ==
        "compare_image: truths.boxes has 0 boxes, expected 1 as there are class ids");
  CHECK(test::message_of<ShapeError>([&] { compare_image(found, truths, OverlapOf::masks); }) ==
        "compare_image: truths.masks has 0 masks, expected 1 as there are class ids; compare OverlapOf::boxes without "
        "masks");
  truths.masks = {{4, 4, {16}}};
  found[0].mask = {0, 0, 2, 2, {1, 1, 1}};
  CHECK(test::message_of<ShapeError>([&] { compare_image(found, truths, OverlapOf::masks); }) ==
        "compare_image: the mask of detection 0 has 3 pixels, expected 2 x 2");
  found[0].mask = {3, 3, 2, 2, {1, 1, 1, 1}};
  CHECK(test::message_of<ShapeError>([&] { compare_image(found, truths, OverlapOf::masks); }).find("reaches beyond") !=
        std::string::npos);
}

}  // namespace mrcnn::coco
