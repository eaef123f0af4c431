// The trained balloon model on balloon/val, from the JPEG files to the average precision, all of it ours: the data set,
// the pictures, the network, the comparison. The reference's numbers are those of its training report.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/coco/evaluate.hpp"
#include "mrcnn/coco/image_ap.hpp"
#include "mrcnn/data/balloon.hpp"
#include "mrcnn/data/to_annotations.hpp"
#include "tests/support/golden.hpp"

using namespace mrcnn;
using namespace mrcnn::test;

namespace {

/// The modern model at 512 x 512, with every score from 0.05 up.
MaskRCNN<HostBackend> balloon_network() {
  const GoldenCase golden("balloon_resnet50", "a", "modern");
  MaskRCNNConfig config = golden.config();
  config.detection_min_confidence = 0.05;
  MaskRCNN<HostBackend> network(HostBackend(), config);
  load_weights(network, golden.weights());
  return network;
}

/// Full-size masks, and the boxes around them: (x1, y1, x2, y2), x2 and y2 exclusive.
coco::ImageTruths truths_of(const std::vector<data::Instance>& instances) {
  coco::ImageTruths truths;
  for (const data::Instance& instance : instances) {
    const coco::RleBounds box = coco::bounding_box(instance.mask);
    truths.boxes.push_back({static_cast<float>(box.x), static_cast<float>(box.y), static_cast<float>(box.x + box.width),
                            static_cast<float>(box.y + box.height)});
    truths.class_ids.push_back(instance.class_id);
    truths.masks.push_back(instance.mask);
  }
  return truths;
}

double average_precision(const Detections& found, const coco::ImageTruths& truths, coco::OverlapOf of) {
  return coco::image_average_precision(coco::compare_image(found, truths, of)).average_precision;
}

void append_results(std::vector<coco::Result>& results, const Detections& found, const coco::ImageRecord& image) {
  for (const Detection& detection : found) {
    const InstanceMask& mask = detection.mask;
    coco::Result result;
    result.image_id = image.id;
    result.category_id = detection.class_id;
    result.score = static_cast<double>(detection.score);
    const auto x = static_cast<double>(detection.box.x1);
    const auto y = static_cast<double>(detection.box.y1);
    result.bbox =
        coco::BoxXywh{x, y, static_cast<double>(detection.box.x2) - x, static_cast<double>(detection.box.y2) - y};
    result.segmentation = coco::encode_crop({mask.pixels.data(), {mask.height, mask.width}, {mask.width, 1}}, mask.x,
                                            mask.y, image.height, image.width);
    results.push_back(std::move(result));
  }
}

/// Prints pycocotools' summary, and compares AP and AP50 with what pycocotools 2.0.11 says of these detections.
void check_coco_metrics(const coco::Annotations& truths, const std::vector<coco::Result>& results) {
  struct Expected {
    const char* name;
    coco::IouType type;
    double ap;
    double ap50;
  };
  for (const Expected& expected : {Expected{"bbox", coco::IouType::bbox, 0.17742001175771233, 0.40256148151760995},
                                   Expected{"segm", coco::IouType::segm, 0.19653287897240182, 0.41257137193311172}}) {
    coco::EvaluateOptions options;
    options.iou_type = expected.type;
    const coco::Evaluation evaluation = coco::evaluate(truths, results, options);
    std::printf("%s\n%s", expected.name, coco::summary_text(evaluation).c_str());
    for (const double number : evaluation.stats) std::printf(" %.17g", number);
    std::printf("\n");
    CHECK(std::abs(evaluation.stats[0] - expected.ap) < 0.03);
    CHECK(std::abs(evaluation.stats[1] - expected.ap50) < 0.03);
  }
}

}  // namespace

TEST_CASE("balloon model: on the 13 validation photographs the average precision is the reference's within 0.03") {
  const auto dataset = data::balloon_dataset(shared_path("data/balloon").string(), "val");
  REQUIRE(dataset.size() == 13);
  const auto network = balloon_network();
  const coco::Annotations annotations = data::to_annotations(dataset, "balloon/val");
  const auto report = io::JsonDocument::open(shared_path("golden/balloon_resnet50/training_report.json").string());
  std::map<std::string, io::JsonValue> reference;
  report.root()["val"].for_each_element(
      [&](const io::JsonValue& picture) { reference.emplace(picture["file"].string(), picture); });

  std::vector<coco::Result> results;
  double masks = 0;
  double boxes = 0;
  int equal = 0;
  for (index_t i = 0; i < dataset.size(); ++i) {
    const io::JsonValue theirs = reference.at(data::to_string(dataset.image(i).id));
    const Detections found = network.detect(dataset.load_image(i));
    const coco::ImageTruths truths = truths_of(dataset.instances(i));
    CHECK(static_cast<index_t>(truths.masks.size()) == theirs["gt"].integer());
    const double by_masks = average_precision(found, truths, coco::OverlapOf::masks);
    const double by_boxes = average_precision(found, truths, coco::OverlapOf::boxes);
    masks += by_masks / static_cast<double>(dataset.size());
    boxes += by_boxes / static_cast<double>(dataset.size());
    // The report has four digits.
    equal += std::abs(by_masks - theirs["mask_ap50"].number()) < 6e-5 ? 1 : 0;
    equal += std::abs(by_boxes - theirs["box_ap50"].number()) < 6e-5 ? 1 : 0;
    std::printf("%-32s %2zu of %2lld found, masks %.4f (%.4f), boxes %.4f (%.4f)\n",
                data::to_string(dataset.image(i).id).c_str(), found.size(),
                static_cast<long long>(theirs["detections"].integer()), by_masks, theirs["mask_ap50"].number(),
                by_boxes, theirs["box_ap50"].number());
    append_results(results, found, annotations.images[static_cast<std::size_t>(i)]);
  }
  const double their_masks = report.root()["mean_mask_ap50"].number();
  const double their_boxes = report.root()["mean_box_ap50"].number();
  std::printf("mean AP50: masks %.6f (reference %.6f), boxes %.6f (reference %.6f); %d of 26 numbers equal\n", masks,
              their_masks, boxes, their_boxes, equal);
  CHECK(std::abs(masks - their_masks) < 0.03);
  CHECK(std::abs(boxes - their_boxes) < 0.03);
  CHECK(equal >= 22);  // one flipped match moves one picture
  check_coco_metrics(annotations, results);
}
