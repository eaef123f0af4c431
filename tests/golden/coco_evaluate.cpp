// Evaluations of published detections and of COCO's own annotations: to the last bit the numbers of pycocotools 2.0.11,
// which computed those written here from the same files.

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "mrcnn/coco/annotations.hpp"
#include "mrcnn/coco/evaluate.hpp"
#include "tests/support/shared.hpp"

namespace mrcnn::test {
namespace {

using Stats = std::array<double, 12>;

coco::Evaluation evaluate_files(const char* results, coco::IouType type, int threads = 0) {
  const std::string folder = shared_path("data/mask_rcnn_2go_int8").string();
  return coco::evaluate(coco::read_annotations(folder + "/instances_minival2014_100.json"),
                        coco::read_results(folder + "/output_" + results + "_coco_2014_minival_results.json"),
                        {.iou_type = type, .threads = threads});
}

TEST_CASE("MaskRCNN2Go's published boxes: all 12 numbers are pycocotools', and so is the text") {
  const coco::Evaluation found = evaluate_files("bbox", coco::IouType::bbox);
  const Stats expected = {0.30047158207669661, 0.46477816227757152,  0.32529568964696992, 0.076945640705094853,
                          0.24871641483426862, 0.54007323407814578,  0.26417626067416922, 0.35081557109066336,
                          0.3548177832287524,  0.094816265193565813, 0.31125716189077801, 0.60450783343640491};
  CHECK(found.stats == expected);
  CHECK(coco::summary_text(found) ==
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.300\n"
        " Average Precision  (AP) @[ IoU=0.50      | area=   all | maxDets=100 ] = 0.465\n"
        " Average Precision  (AP) @[ IoU=0.75      | area=   all | maxDets=100 ] = 0.325\n"
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.077\n"
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.249\n"
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 0.540\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=  1 ] = 0.264\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets= 10 ] = 0.351\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.355\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.095\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.311\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 0.605\n");
}

TEST_CASE("MaskRCNN2Go's published masks: all 12 numbers are pycocotools', with any number of threads") {
  const Stats expected = {0.2811179907578209,  0.43753619955621809,  0.30277142117414402, 0.052931183320758038,
                          0.24269171465609959, 0.50172265481477263,  0.2531701317746311,  0.32573059020722883,
                          0.32820317896823437, 0.074752734952504896, 0.29583481426668068, 0.54902262420119563};
  const coco::Evaluation one = evaluate_files("segmentations", coco::IouType::segm, 1);
  const coco::Evaluation three = evaluate_files("segmentations", coco::IouType::segm, 3);
  CHECK(one.stats == expected);
  CHECK(three.precision == one.precision);
  CHECK(three.scores == one.scores);
  CHECK(three.recall == one.recall);
}

TEST_CASE("MaskRCNN2Go's published masks by boundary IoU: pycocotools' numbers of boundaries that OpenCV erodes") {
  // pycocotools 2.0.11 with overlaps min(masks, boundaries); boundaries as Boundary IoU's API makes them with OpenCV 5.0:
  // cv2.erode, 3 x 3, round(0.02 * diagonal) times.
  const Stats expected = {0.14422220809573957, 0.3331652602571217,  0.10443611693375862, 0.05293118332075804,
                          0.18833414042395674, 0.18406223879018377, 0.13081586307527054, 0.18202217304403726,
                          0.18403677763900414, 0.0747527349525049,  0.2368232765820253,  0.20679112554112553};
  CHECK(evaluate_files("segmentations", coco::IouType::boundary).stats == expected);
}

/// Three of four objects of a file as if found, moved by some pixels, here and there twice or as a person.
std::vector<coco::Result> moved_objects(const std::vector<coco::Annotation>& annotations) {
  std::vector<coco::Result> results;
  for (std::size_t i = 0; i < annotations.size(); ++i) {
    if (i % 4 == 3) continue;
    coco::BoxXywh box = annotations[i].bbox.value();
    coco::Result exact;
    exact.image_id = annotations[i].image_id;
    exact.category_id = annotations[i].category_id;
    exact.score = static_cast<double>(i * 53 % 97) / 128;
    exact.bbox = box;
    coco::Result moved = exact;
    box.x += static_cast<double>(3 * (i % 5));
    box.y += static_cast<double>(2 * (i % 3));
    moved.bbox = box;
    moved.score = static_cast<double>(i * 37 % 101) / 128;
    if (i % 7 == 0) moved.category_id = 1;
    results.push_back(moved);
    if (i % 5 == 0) results.push_back(exact);
  }
  return results;
}

TEST_CASE("objects of COCO's val2017, moved: the numbers of boxes, and of boxes taken as masks, are pycocotools'") {
  const auto annotations =
      coco::read_annotations(shared_path("data/coco_tiny/annotations/instances_val2017.json").string());
  REQUIRE(annotations.annotations.size() == 815);
  const std::vector<coco::Result> results = moved_objects(annotations.annotations);
  REQUIRE(results.size() == 735);
  const Stats boxes = {0.39877079378604985, 0.55055470654129979, 0.39679958891915729, 0.22098210824015863,
                       0.38275991162299744, 0.59414940287922291, 0.36818842926353923, 0.44413699682890906,
                       0.44528893562476235, 0.25323289145337313, 0.4222555495430495,  0.62129014396456261};
  const Stats masks = {0.11639790082913339, 0.29398787148630834,  0.065234163318262553, 0.051380882684027435,
                       0.09889809006710594, 0.21019840480816082,  0.12084749662643265,  0.13861799075574377,
                       0.13884601109067202, 0.064692789508965995, 0.11078817340067339,  0.24112403100775195};
  CHECK(coco::evaluate(annotations, results).stats == boxes);
  CHECK(coco::evaluate(annotations, results, {.iou_type = coco::IouType::segm}).stats == masks);
}

}  // namespace
}  // namespace mrcnn::test
