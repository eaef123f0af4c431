#include "mrcnn/models/mask_rcnn_config.hpp"

#include <doctest/doctest.h>

#include "mrcnn/models/mask_rcnn.hpp"
#include "tests/support/small_model.hpp"

using namespace mrcnn;

namespace {

/// Parameters of a network, and without the statistics of batch norm.
struct Count {
  index_t all = 0;
  index_t statistics = 0;
};

Count count(const MaskRCNNConfig& config) {
  Count sum;
  Network<HostBackend> network(config);
  network.for_each_parameter([&](nn::Parameter& p) {
    sum.all += static_cast<index_t>(p.values.size());
    if (p.name.find("/moving_") != std::string::npos) sum.statistics += static_cast<index_t>(p.values.size());
  });
  return sum;
}

}  // namespace

// Spec 4.2: totals of the published model and of its relatives.
TEST_CASE("MaskRCNNConfig: parameter counts of the original") {
  MaskRCNNConfig config = MaskRCNNConfig::coco();
  CHECK(count(config).all == 64158584);
  CHECK(count(config).statistics == 111488);
  config.num_classes = 2;
  CHECK(count(config).all == 63733406);
  config.num_classes = 4;
  CHECK(count(config).all == 63744170);
  config = MaskRCNNConfig::coco();
  config.backbone = ResNetConfig::resnet50();
  CHECK(count(config).all == 45088120);
  config.num_classes = 2;
  CHECK(count(config).all == 44662942);
}

TEST_CASE("MaskRCNNConfig: the presets of the samples (spec 2.3)") {
  const auto legacy = MaskRCNNConfig::matterport_legacy();
  CHECK(legacy.profile == Profile::matterport_legacy);
  CHECK(legacy.pre_nms_limit == 6000);
  CHECK(legacy.detection_min_confidence == 0.7);
  CHECK(MaskRCNNConfig::matterport_modern().profile == Profile::matterport_modern);
  CHECK(MaskRCNNConfig::coco().num_classes == 81);
  CHECK(MaskRCNNConfig::shapes().rpn_anchor_scales == std::vector<float>{8, 16, 32, 64, 128});
  CHECK(MaskRCNNConfig::balloon().detection_min_confidence == 0.9);
  const auto nucleus = MaskRCNNConfig::nucleus();
  CHECK(nucleus.image_resize_mode == ResizeMode::pad64);
  CHECK(nucleus.post_nms_rois_inference == 2000);
  CHECK(nucleus.detection_max_instances == 400);
  CHECK(nucleus.backbone == ResNetConfig::resnet50());
  for (const auto& config : {MaskRCNNConfig::coco(), MaskRCNNConfig::shapes(), MaskRCNNConfig::balloon(), nucleus})
    CHECK_NOTHROW(check_config(config));
}

TEST_CASE("check_config: names the setting, what it is and what it should be") {
  const auto message = [](auto change) {
    MaskRCNNConfig config = MaskRCNNConfig::coco();
    change(config);
    try {
      check_config(config);
    } catch (const ShapeError& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  CHECK(message([](auto& c) { c.image_max_dim = 1000; }) ==
        "MaskRCNNConfig: image_max_dim is 1000, expected a positive multiple of 64");
  CHECK(message([](auto& c) { c.image_resize_mode = ResizeMode::crop; }).find("crop belongs to training") !=
        std::string::npos);
  CHECK(message([](auto& c) { c.rpn_anchor_scales.pop_back(); }).find("rpn_anchor_scales is 4 numbers") !=
        std::string::npos);
  CHECK(message([](auto& c) { c.rpn_nms_threshold = 1.5; }).find("rpn_nms_threshold") != std::string::npos);
  CHECK(message([](auto& c) { c.detection_min_confidence = std::nan(""); }).find("detection_min_confidence") !=
        std::string::npos);
  CHECK(message([](auto& c) { c.mask_shape = {14, 14}; }).find("mask_shape") != std::string::npos);
  CHECK(message([](auto& c) { c.backbone.blocks = {3, 0, 6, 3}; }).find("backbone.blocks") != std::string::npos);
  CHECK(message([](auto& c) { c.backbone.blocks = {3, 4, 60, 3}; }).find("backbone.blocks") != std::string::npos);
  CHECK(message([](auto& c) { c.images_per_gpu = 0; }).find("images_per_gpu is 0") != std::string::npos);
  CHECK(message([](auto& c) { c.num_classes = 1 << 30; }).find("num_classes") != std::string::npos);
  CHECK(message([](auto& c) { c.rpn_anchor_ratios = {}; }).find("rpn_anchor_ratios") != std::string::npos);
}
