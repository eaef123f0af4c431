// The configuration as JSON. The names and defaults are those of the specification's table.

#include "mrcnn/io/config.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/files.hpp"

using namespace mrcnn;
using mrcnn::test::message_of;

namespace {

MaskRCNNConfig parsed(const std::string& text, const MaskRCNNConfig& base = {}) {
  return io::parse_config(text, "config.json", base).config;
}
std::string refusal(const std::string& text) {
  return message_of([&] { parsed(text); });
}

/// Every name of the original's configuration, with a value other than the default.
constexpr const char* everything = R"({
  "NAME": "thing \"x\"", "GPU_COUNT": 2, "IMAGES_PER_GPU": 3, "BATCH_SIZE": 6, "STEPS_PER_EPOCH": 17,
  "VALIDATION_STEPS": 0, "BACKBONE": "resnet50", "COMPUTE_BACKBONE_SHAPE": null,
  "BACKBONE_STRIDES": [4, 8, 16, 32, 65], "FPN_CLASSIF_FC_LAYERS_SIZE": 512, "TOP_DOWN_PYRAMID_SIZE": 128,
  "NUM_CLASSES": 7, "RPN_ANCHOR_SCALES": [8, 16.5, 32, 64, 128], "RPN_ANCHOR_RATIOS": [0.3, 1],
  "RPN_ANCHOR_STRIDE": 2, "RPN_NMS_THRESHOLD": 0.9, "RPN_TRAIN_ANCHORS_PER_IMAGE": 64, "PRE_NMS_LIMIT": 5000,
  "POST_NMS_ROIS_TRAINING": 1000, "POST_NMS_ROIS_INFERENCE": 500, "USE_MINI_MASK": false,
  "MINI_MASK_SHAPE": [28, 30], "IMAGE_RESIZE_MODE": "pad64", "IMAGE_PADDING": false, "IMAGE_MIN_DIM": 512,
  "IMAGE_MAX_DIM": 640, "IMAGE_MIN_SCALE": 2.0, "IMAGE_CHANNEL_COUNT": 4, "IMAGE_SHAPE": [640, 640, 4],
  "IMAGE_META_SIZE": 19, "MEAN_PIXEL": [43.53, 39.56, 48.22], "TRAIN_ROIS_PER_IMAGE": 128,
  "ROI_POSITIVE_RATIO": 0.5, "POOL_SIZE": 9, "MASK_POOL_SIZE": 13, "MASK_SHAPE": [26, 24],
  "MAX_GT_INSTANCES": 200, "RPN_BBOX_STD_DEV": [0.2, 0.3, 0.4, 0.5], "BBOX_STD_DEV": [0.5, 0.6, 0.7, 0.8],
  "DETECTION_MAX_INSTANCES": 400, "DETECTION_MIN_CONFIDENCE": 0, "DETECTION_NMS_THRESHOLD": 0.4,
  "LEARNING_RATE": 0.02, "LEARNING_MOMENTUM": 0.8, "WEIGHT_DECAY": 0.001,
  "LOSS_WEIGHTS": {"rpn_class_loss": 1.5, "mrcnn_mask_loss": 2}, "USE_RPN_ROIS": false, "TRAIN_BN": true,
  "GRADIENT_CLIP_NORM": 4.5, "profile": "modern", "rpn_channels": 96, "mask_head_channels": 80})";

void check_everything(const MaskRCNNConfig& c) {
  CHECK(c.profile == Profile::matterport_modern);
  CHECK(c.name == "thing \"x\"");
  CHECK(c.gpu_count == 2);
  CHECK(c.images_per_gpu == 3);
  CHECK(c.steps_per_epoch == 17);
  CHECK(c.validation_steps == 0);
  CHECK(c.backbone == ResNetConfig::resnet50());
  CHECK(c.backbone_strides == std::vector<index_t>{4, 8, 16, 32, 65});
  CHECK(c.fpn_classif_fc_layers_size == 512);
  CHECK(c.top_down_pyramid_size == 128);
  CHECK(c.rpn_channels == 96);
  CHECK(c.mask_head_channels == 80);
  CHECK(c.num_classes == 7);
  CHECK(c.rpn_anchor_scales == std::vector<float>{8, 16.5F, 32, 64, 128});
  CHECK(c.rpn_anchor_ratios == std::vector<float>{0.3F, 1});
  CHECK(c.rpn_anchor_stride == 2);
  CHECK(c.rpn_nms_threshold == 0.9);
  CHECK(c.rpn_train_anchors_per_image == 64);
  CHECK(c.pre_nms_limit == 5000);
  CHECK(c.post_nms_rois_training == 1000);
  CHECK(c.post_nms_rois_inference == 500);
  CHECK_FALSE(c.use_mini_mask);
  CHECK(c.mini_mask_shape == std::array{28, 30});
  CHECK(c.image_resize_mode == ResizeMode::pad64);
  CHECK_FALSE(c.image_padding);
  CHECK(c.image_min_dim == 512);
  CHECK(c.image_max_dim == 640);
  CHECK(c.image_min_scale == 2);
  CHECK(c.image_channel_count == 4);
  CHECK(c.mean_pixel == std::array{43.53, 39.56, 48.22});
  CHECK(c.train_rois_per_image == 128);
  CHECK(c.roi_positive_ratio == 0.5);
  CHECK(c.pool_size == 9);
  CHECK(c.mask_pool_size == 13);
  CHECK(c.mask_shape == std::array{26, 24});
  CHECK(c.max_gt_instances == 200);
  CHECK(c.rpn_bbox_std_dev == std::array{0.2, 0.3, 0.4, 0.5});
  CHECK(c.bbox_std_dev == std::array{0.5, 0.6, 0.7, 0.8});
  CHECK(c.detection_max_instances == 400);
  CHECK(c.detection_min_confidence == 0);
  CHECK(c.detection_nms_threshold == 0.4);
  CHECK(c.learning_rate == 0.02);
  CHECK(c.learning_momentum == 0.8);
  CHECK(c.weight_decay == 0.001);
  CHECK(c.loss_weights == std::array{1.5, 1.0, 1.0, 1.0, 2.0});
  CHECK_FALSE(c.use_rpn_rois);
  CHECK(c.train_bn);
  CHECK(c.gradient_clip_norm == 4.5);
}

}  // namespace

TEST_CASE("every name of the original is read, in upper and in lower case") {
  check_everything(parsed(everything));
  std::string lower = everything;
  for (std::size_t i = 0; i + 1 < lower.size(); ++i)
    if (lower[i] >= 'A' && lower[i] <= 'Z') lower[i] = static_cast<char>(lower[i] + 32);
  check_everything(parsed(lower));
}

TEST_CASE("what is written reads back the same, bit for bit") {
  check_everything(parsed(io::config_to_json(parsed(everything))));
  MaskRCNNConfig config = MaskRCNNConfig::nucleus();
  config.learning_rate = 0.1 + 0.2;
  config.rpn_anchor_ratios = {1.0F / 3.0F, 1e-7F};
  config.backbone = {{1, 2, 3, 4}, {8, 16, 24, 32}, 12};
  const auto back = parsed(io::config_to_json(config));
  CHECK(back.learning_rate == config.learning_rate);
  CHECK(back.rpn_anchor_ratios == config.rpn_anchor_ratios);
  CHECK(back.backbone == config.backbone);
  CHECK(io::config_to_json(back) == io::config_to_json(config));
  CHECK(io::config_to_json(parsed(io::config_to_json(config, {}))) == io::config_to_json(config));
}

TEST_CASE("only what the text names changes, and it is known what that is") {
  const MaskRCNNConfig base = MaskRCNNConfig::nucleus();
  const auto nothing = io::parse_config("{}", "config.json", base);
  CHECK(nothing.names.empty());
  CHECK(io::config_to_json(nothing.config) == io::config_to_json(base));
  const auto some = io::parse_config(R"({"IMAGE_MIN_DIM": 64, "pre_nms_limit": 10})", "config.json", base);
  CHECK(some.names == std::set<std::string, std::less<>>{"image_min_dim", "pre_nms_limit"});
  CHECK(some.sets("image_min_dim"));
  CHECK(!some.sets("image_max_dim"));
  CHECK(some.config.image_min_dim == 64);
  CHECK(some.config.detection_max_instances == 400);
}

TEST_CASE("an unknown key is named with the nearest known one") {
  CHECK(refusal(R"({"NUM_CLASES": 2})") ==
        "config.json: has the unknown setting 'NUM_CLASES', expected a member of MaskRCNNConfig; did you mean "
        "'num_classes'?");
  CHECK(refusal(R"({"VALIDATION_STPES": 50})").find("did you mean 'validation_steps'?") != std::string::npos);
  CHECK(refusal(R"({"Num_Classes": 2})").find("did you mean 'num_classes'?") != std::string::npos);
  CHECK(refusal(R"({"": 2})").find("unknown setting ''") != std::string::npos);
  CHECK(refusal(R"({"zzzzzzzz": 2})").find("did you mean") == std::string::npos);
}

TEST_CASE("a key may stand there once, in one spelling") {
  CHECK(refusal(R"({"num_classes": 2, "NUM_CLASSES": 2})").find("sets 'num_classes' twice") != std::string::npos);
  CHECK(refusal(R"({"num_classes": 2, "num_classes": 3})").find("sets 'num_classes' twice") != std::string::npos);
}

TEST_CASE("wrong types and ranges name the key, what was found and what was expected") {
  const auto says = [](const std::string& text, const std::vector<std::string>& parts) {
    const std::string message = refusal(text);
    CAPTURE(message);
    CHECK(message.rfind("config.json: ", 0) == 0);
    CHECK(message.find('\n') == std::string::npos);
    for (const auto& part : parts) CHECK_MESSAGE(message.find(part) != std::string::npos, part);
  };
  says(R"({"num_classes": "2"})", {"num_classes", "a string", "expected an integer"});
  says(R"({"num_classes": 2.5})", {"num_classes", "2.5", "expected an integer"});
  says(R"({"num_classes": 0})", {"num_classes", "found 0", "from 1"});
  says(R"({"num_classes": 3000000000})", {"num_classes", "3000000000", "2147483647"});
  says(R"({"rpn_nms_threshold": 1.5})", {"rpn_nms_threshold", "1.5", "from 0 to 1"});
  says(R"({"rpn_nms_threshold": null})", {"rpn_nms_threshold", "null", "a number"});
  says(R"({"use_mini_mask": 1})", {"use_mini_mask", "a number", "true or false"});
  says(R"({"name": 5})", {"name", "a number", "a string"});
  says(R"({"mean_pixel": [1, 2]})", {"mean_pixel", "2 numbers", "expected 3"});
  says(R"({"mean_pixel": 128})", {"mean_pixel", "a number", "an array"});
  says(R"({"rpn_anchor_scales": []})", {"rpn_anchor_scales", "empty"});
  says(R"({"rpn_anchor_scales": [8, 0]})", {"rpn_anchor_scales[1]", "0", "above 0"});
  says(R"({"rpn_anchor_scales": [8, "x"]})", {"rpn_anchor_scales[1]", "a string"});
  says(R"({"image_resize_mode": "round"})", {"image_resize_mode", "'round'", "square, pad64, none or crop"});
  says(R"({"profile": "torchvision"})", {"profile", "'torchvision'", "legacy or modern"});
  says(R"({"backbone": "vgg"})", {"backbone", "vgg", "resnet50"});
  says(R"({"backbone": 50})", {"backbone", "50", "resnet50"});
  says(R"({"backbone": {"widths": [1, 2, 3, 4]}})", {"backbone", "blocks"});
  says(R"({"backbone": {"blocks": [1, 2, 3]}})", {"backbone.blocks", "3 numbers", "expected 4"});
  says(R"({"backbone": {"blocks": [1, 2, 3, 4], "depth": 50}})", {"backbone", "depth"});
  says(R"({"loss_weights": {"mask_loss": 1}})", {"loss_weights", "mask_loss", "mrcnn_mask_loss"});
  says(R"({"loss_weights": [1, 1]})", {"loss_weights", "2 numbers", "expected 5"});
  says("[]", {"an array", "an object"});
  says(R"({"compute_backbone_shape": "f"})", {"compute_backbone_shape", "null"});
  CHECK(refusal("{\"num_classes\": NaN}").rfind("config.json:1:17: is not JSON", 0) == 0);
}

TEST_CASE("settings that follow from others must agree with them") {
  CHECK(parsed(R"({"BATCH_SIZE": 2})").batch_size() == 2);
  CHECK(refusal(R"({"BATCH_SIZE": 3})").find("images_per_gpu * gpu_count = 2") != std::string::npos);
  CHECK(parsed(R"({"IMAGE_SHAPE": [64, 64, 3], "IMAGE_MAX_DIM": 64})").image_max_dim == 64);
  CHECK(refusal(R"({"IMAGE_SHAPE": [64, 64, 3]})").find("expected [1024, 1024, 3]") != std::string::npos);
  CHECK(parsed(R"({"IMAGE_META_SIZE": 89, "NUM_CLASSES": 81})").num_classes == 81);
  CHECK(parsed(R"({"IMAGE_META_SIZE": 93, "NUM_CLASSES": 81})").num_classes == 81);
  CHECK(refusal(R"({"IMAGE_META_SIZE": 90, "NUM_CLASSES": 81})").find("num_classes + 12 = 93") != std::string::npos);
}

TEST_CASE("a backbone is known by name or by its stages") {
  CHECK(parsed(R"({"backbone": "resnet101"})").backbone == ResNetConfig::resnet101());
  CHECK(parsed(R"({"backbone": {"blocks": [3, 4, 6, 3]}})").backbone == ResNetConfig::resnet50());
  const auto own =
      parsed(R"({"backbone": {"blocks": [1, 2, 1, 2], "widths": [8, 8, 8, 8], "stem_channels": 4}})").backbone;
  CHECK(own == ResNetConfig{{1, 2, 1, 2}, {8, 8, 8, 8}, 4});
}

TEST_CASE("a file is read by path; a missing one is named") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "c.json", R"({"IMAGE_MIN_DIM": 77})");
  CHECK(io::read_config(folder / "c.json").config.image_min_dim == 77);
  CHECK(message_of([&] { io::read_config(folder / "none.json"); }).find("none.json: can not be opened") !=
        std::string::npos);
}
