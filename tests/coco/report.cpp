#include "mrcnn/coco/report.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "mrcnn/coco/evaluate.hpp"
#include "mrcnn/io/json.hpp"
#include "tests/support/detection_records.hpp"
#include "tests/support/draw.hpp"

namespace mrcnn::coco {
namespace {

using test::Draw;

/// Numbers from 0 to 1, and a fifth of -1.
std::vector<double> numbers(std::size_t count) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = i / 3 % 5 == 2 ? -1.0 : static_cast<double>((i * 7919 + 13) % 1009) / 1009.0;
  return values;
}

/// Three categories; nothing is known of the last.
Evaluation made_up() {
  const EvaluateOptions options;
  Evaluation evaluation;
  evaluation.iou_thresholds = options.iou_thresholds;
  evaluation.recall_thresholds = options.recall_thresholds;
  evaluation.areas = options.areas;
  evaluation.max_detections = options.max_detections;
  evaluation.category_ids = {2, 5, 7};
  evaluation.precision = numbers(10 * 101 * 3 * 4 * 3);
  evaluation.recall = numbers(10 * 3 * 4 * 3);
  for (auto* table : {&evaluation.precision, &evaluation.recall})
    for (std::size_t i = 0; i < table->size(); ++i)
      if (i / 12 % 3 == 2) (*table)[i] = -1;
  for (std::size_t i = 0; i < 12; ++i) evaluation.stats[i] = static_cast<double>(i + 1) / 13.0;
  return evaluation;
}

std::vector<CategoryRecord> names() {
  std::vector<CategoryRecord> records(3);
  records[0].id = 5;
  records[0].name = "dog";
  records[1].id = 2;
  records[1].name = "caf\xC3\xA9";
  records[2].id = 3;
  records[2].name = "none";
  return records;
}

std::vector<double> all_numbers(const CategoryMetrics& c) {
  std::vector<double> values = {c.ap, c.ap50, c.ap75, c.ap_small, c.ap_medium, c.ap_large};
  values.insert(values.end(), c.ar.begin(), c.ar.end());
  values.insert(values.end(), {c.ar_small, c.ar_medium, c.ar_large});
  return values;
}

// The numbers of numpy 2.4.6 for these arrays.
TEST_CASE("numbers of categories are numpy's means to the bit") {
  const auto metrics = category_metrics(made_up(), names());
  REQUIRE(metrics.size() == 3);
  CHECK(metrics[0].id == 2);
  CHECK(metrics[0].name == "caf\xC3\xA9");
  CHECK(metrics[1].name == "dog");
  CHECK(metrics[2].name == "");
  CHECK(all_numbers(metrics[0]) == std::vector<double>{0.4995989068678919, 0.49738770815744715, 0.4840020066316729,
                                                       0.4981380447261773, 0.4998221452472304, 0.4995989068678919,
                                                       0.45825074331020815, 0.556615460852329, 0.52998017839445,
                                                       0.4295094152626363, 0.5054509415262636, 0.52998017839445});
  CHECK(all_numbers(metrics[1]) == std::vector<double>{0.4993756684885535, 0.4991496286507849, 0.4981096061373563,
                                                       0.4998221452472304, 0.4995989068678919, 0.4988077598641925,
                                                       0.6077799801783944, 0.45614469772051536, 0.5545094152626363,
                                                       0.38045094152626363, 0.52998017839445, 0.4809217046580773});
  CHECK(all_numbers(metrics[2]) == std::vector<double>(12, -1.0));
}

TEST_CASE("numbers of areas are numpy's means to the bit") {
  const auto metrics = area_metrics(made_up());
  REQUIRE(metrics.size() == 4);
  CHECK(metrics[2].area.name == "medium");
  CHECK(metrics[2].area.high == 9216);
  const std::vector<std::vector<double>> expected = {{0.4994872876782227, 0.49826866840411604, 0.4910558063845147,
                                                      0.5330153617443014, 0.5063800792864221, 0.5422447968285431},
                                                     {0.49898009498670376, 0.4928850224522507, 0.49801783944499506,
                                                      0.5207507433102081, 0.49411546085232905, 0.40498017839444994},
                                                     {0.49971052605756117, 0.5034934040837432, 0.4945552142518575,
                                                      0.508486124876115, 0.4193508424182359, 0.5177155599603567},
                                                     {0.4992033333660422, 0.4935702897524762, 0.4970544601690376,
                                                      0.5587215064420218, 0.46958622398414274, 0.5054509415262637}};
  for (std::size_t a = 0; a < 4; ++a) {
    std::vector<double> values = {metrics[a].ap, metrics[a].ap50, metrics[a].ap75};
    values.insert(values.end(), metrics[a].ar.begin(), metrics[a].ar.end());
    CHECK(values == expected[a]);
  }
}

TEST_CASE("of one category, and of all areas, the numbers are pycocotools' 12") {
  Draw draw(3);
  Annotations truth = test::empty_data_set(10, 1);
  std::vector<Result> results;
  const auto box = [&] {
    return BoxXywh{draw.integer(0, 60) * 1.0, draw.integer(0, 60) * 1.0, draw.integer(5, 110) * 1.0,
                   draw.integer(5, 110) * 1.0};
  };
  for (int i = 0; i < 40; ++i) {
    test::add_object(truth, draw.integer(1, 10), 1, box());
    const Annotation object = truth.annotations.back();
    BoxXywh near = *object.bbox;
    near.x += draw.integer(-2, 2);
    near.width += draw.integer(-2, 2);
    results.push_back(test::detection(object.image_id, 1, draw.number(0, 1), i % 4 == 0 ? box() : near));
  }
  const Evaluation evaluation = evaluate(truth, results);
  const auto& stats = evaluation.stats;
  CHECK(stats[0] > 0.2);
  CHECK(all_numbers(category_metrics(evaluation)[0]) == std::vector<double>(stats.begin(), stats.end()));
  const auto areas = area_metrics(evaluation);
  CHECK(areas[0].ap == stats[0]);
  CHECK(areas[0].ap50 == stats[1]);
  CHECK(areas[0].ap75 == stats[2]);
  CHECK(areas[0].ar == std::vector<double>(stats.begin() + 6, stats.begin() + 9));
  for (std::size_t a = 1; a < 4; ++a) {
    CHECK(areas[a].ap == stats[2 + a]);
    CHECK(areas[a].ar[2] == stats[8 + a]);
  }
}

TEST_CASE("an evaluation with other thresholds, areas and limits has the numbers that it can have") {
  Evaluation evaluation;
  evaluation.iou_thresholds = {0.5, 0.6};
  evaluation.recall_thresholds = {0, 0.5, 1};
  evaluation.category_ids = {-1};
  evaluation.areas = {{"all", 0, 1e10}, {"tiny", 0, 64}};
  evaluation.max_detections = {300};
  evaluation.precision = {1, 0.5, 1, -1, 0.25, -1, 0.5, 0, 0.5, 0, 0.5, 0};
  evaluation.recall = {1, 0.5, 0.5, 0.25};
  const auto metrics = category_metrics(evaluation);
  REQUIRE(metrics.size() == 1);
  CHECK(metrics[0].ap == (1 + 1 + 0.25 + 0.5 + 0.5 + 0.5) / 6);
  CHECK(metrics[0].ap50 == 0.75);
  CHECK(metrics[0].ap75 == -1);
  CHECK(metrics[0].ap_small == -1);
  CHECK(metrics[0].ar == std::vector<double>{0.75});
  CHECK(area_metrics(evaluation)[1].ap == 0.125);
  CHECK(area_table(evaluation) ==
        "area     AP   AP50  AP75  AR300\n"
        "all   0.625  0.750     -  0.750\n"
        "tiny  0.125  0.500     -  0.375\n");
  CHECK(category_table(evaluation) ==
        "category     AP   AP50  AP75  APs  APm  APl  AR300\n"
        "-1        0.625  0.750     -    -    -    -  0.750\n");
}

TEST_CASE("an evaluation of nothing makes empty tables") {
  CHECK(category_metrics(Evaluation{}).empty());
  CHECK(area_metrics(Evaluation{}).empty());
  CHECK(category_table(Evaluation{}) == "category  AP  AP50  AP75  APs  APm  APl\n");
  CHECK(area_table(Evaluation{}) == "area  AP  AP50  AP75\n");
  Evaluation no_category = made_up();
  no_category.category_ids.clear();
  no_category.precision.clear();
  no_category.recall.clear();
  CHECK(area_metrics(no_category)[0].ap == -1);
}

TEST_CASE("names stand in columns, whatever characters they have") {
  Evaluation evaluation = made_up();
  auto records = names();
  records[0].name = "a\n\x1B[2J";
  const std::string table = category_table(evaluation, records);
  CHECK(table.substr(0, table.find('\n')) == "category     AP   AP50   AP75    APs    APm    APl    AR1   AR10  AR100");
  CHECK(table.find("\ncaf\xC3\xA9      0.") != std::string::npos);
  CHECK(table.find("\na??[2J    0.") != std::string::npos);
  CHECK(table.find("\n7             -      -      -") != std::string::npos);
}

TEST_CASE("metrics as JSON hold every number at full precision, in order and by name") {
  std::vector<Evaluation> evaluations(2, made_up());
  evaluations[1].iou_type = IouType::segm;
  const auto document = io::JsonDocument::parse(metrics_json(evaluations, names()), "metrics");
  const auto segm = document.root()["segm"];
  const auto& stats = evaluations[1].stats;
  CHECK(segm["stats"].numbers() == std::vector<double>(stats.begin(), stats.end()));
  const char* keys[] = {"AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"};
  for (std::size_t i = 0; i < 12; ++i) CHECK(segm[keys[i]].number() == stats[i]);
  const auto metrics = category_metrics(evaluations[1], names());
  std::size_t k = 0;
  segm["per_category"].for_each_element([&](const io::JsonValue& category) {
    CHECK(category["id"].integer() == metrics[k].id);
    CHECK(category["name"].string() == metrics[k].name);
    const std::vector<double> expected = all_numbers(metrics[k++]);
    for (std::size_t i = 0; i < 12; ++i) CHECK(category[keys[i]].number() == expected[i]);
  });
  CHECK(k == 3);
  CHECK(document.root()["bbox"]["AP"].number() == stats[0]);
  CHECK(metrics_json({}) == "{}\n");
}

TEST_CASE("arrays that do not fit are named") {
  Evaluation evaluation = made_up();
  evaluation.precision.pop_back();
  CHECK_THROWS_WITH_AS(category_metrics(evaluation),
                       "Evaluation: precision has 36359 entries, expected 36360 as its thresholds, categories, areas "
                       "and limits say",
                       ShapeError);
  evaluation = made_up();
  evaluation.recall.clear();
  CHECK_THROWS_AS(area_table(evaluation), ShapeError);
  evaluation = made_up();
  evaluation.stats[0] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(metrics_json({&evaluation, 1}), Error);
}

}  // namespace
}  // namespace mrcnn::coco
