// What the check finds in COCO's own files and in published detections. The counts are those of a script that made the
// masks with pycocotools 2.0.11 and compared boxes and areas with theirs.

#include "mrcnn/coco/check_file.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/shared.hpp"

namespace mrcnn::test {
namespace {

using coco::Oddity;

std::uint64_t count(const coco::CheckReport& report, Oddity kind) {
  const coco::Finding* finding = report.find(kind);
  return finding == nullptr ? 0 : finding->count;
}

TEST_CASE("a part of COCO 2017: boxes and areas that lie off their masks are counted as pycocotools' masks tell") {
  struct Part {
    const char* name;
    std::uint64_t annotations, crowds, polygons, boxes_off_by_2, areas_off_by_5_percent;
  };
  for (const Part& part : {Part{"train", 705, 6, 699, 5, 5}, Part{"val", 815, 11, 804, 10, 7}}) {
    CAPTURE(part.name);
    const std::string path =
        shared_path(std::string("data/coco_tiny/annotations/instances_") + part.name + "2017.json").string();
    const coco::CheckReport report =
        coco::check_annotations_file(path, {.box_tolerance = 2, .area_tolerance = 0.05}).report;
    CHECK(report.totals.images == 80);
    CHECK(report.totals.categories == 80);
    CHECK(report.totals.annotations == part.annotations);
    CHECK(report.totals.crowds == part.crowds);
    CHECK(report.totals.polygons == part.polygons);
    CHECK(report.totals.run_lengths == part.crowds);
    CHECK(report.findings.size() == 2);
    CHECK(count(report, Oddity::box_differs) == part.boxes_off_by_2);
    CHECK(count(report, Oddity::area_differs) == part.areas_off_by_5_percent);
  }
}

TEST_CASE("a part of COCO 2017: with the tolerances of every day one box and one area are odd") {
  const auto report_of = [](const std::string& name) {
    return coco::check_annotations_file(shared_path("data/coco_tiny/annotations/" + name).string()).report;
  };
  CHECK(report_of("instances_train2017.json").findings.empty());
  const coco::CheckReport report = report_of("instances_val2017.json");
  CHECK(report.count(coco::Severity::error) == 0);
  REQUIRE(report.findings.size() == 2);
  CHECK(report.findings[0].kind == Oddity::box_differs);
  CHECK(report.findings[0].count == 1);
  CHECK(report.findings[0].examples.at(0).id == 294465);
  CHECK(report.findings[1].kind == Oddity::area_differs);
  CHECK(report.findings[1].count == 1);
  CHECK(report.findings[1].examples.at(0).id == 900100376322);
  CHECK(report.findings[1].examples.at(0).text == "area 12561; its mask has 6963 pixels");
}

TEST_CASE("MaskRCNN2Go's published detections: eight masks without a pixel are all that is odd") {
  const std::string folder = shared_path("data/mask_rcnn_2go_int8").string();
  const auto file = coco::check_annotations_file(folder + "/instances_minival2014_100.json");
  CHECK(file.report.count(coco::Severity::error) == 0);
  CHECK(file.report.count(coco::Severity::warning) == 0);
  CHECK(count(file.report, Oddity::image_without_annotations) == 2);
  CHECK(count(file.report, Oddity::category_without_annotations) == 12);
  const auto boxes = coco::check_results_file(file.annotations, folder + "/output_bbox_coco_2014_minival_results.json");
  CHECK(boxes.totals.results == 2481);
  CHECK(boxes.count(coco::Severity::error) + boxes.count(coco::Severity::warning) == 0);
  const auto masks =
      coco::check_results_file(file.annotations, folder + "/output_segmentations_coco_2014_minival_results.json");
  CHECK(masks.totals.compressed_runs == 2481);
  CHECK(masks.count(coco::Severity::error) == 0);
  CHECK(masks.count(coco::Severity::warning) == 8);
  CHECK(count(masks, Oddity::result_mask_empty) == 8);
}

}  // namespace
}  // namespace mrcnn::test
