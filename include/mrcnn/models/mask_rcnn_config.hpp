#ifndef MRCNN_MODELS_MASK_RCNN_CONFIG_HPP
#define MRCNN_MODELS_MASK_RCNN_CONFIG_HPP

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/ops/image.hpp"

namespace mrcnn {

/// A coherent set of conventions: how pictures are resized, boxes normalised and rounded, masks pasted.
enum class Profile : std::uint8_t {
  matterport_legacy,  ///< matterport/Mask_RCNN of 2017 and v2.1; the published COCO weights were trained with it
  matterport_modern,  ///< matterport/Mask_RCNN since April 2018
};

/// A residual network of bottleneck blocks.
struct ResNetConfig {
  std::vector<int> blocks = {3, 4, 23, 3};        ///< blocks of stages 2 to 5
  std::vector<int> widths = {64, 128, 256, 512};  ///< inner channels of a stage; its output has 4 times as many
  int stem_channels = 64;

  static ResNetConfig resnet50() { return {{3, 4, 6, 3}, {64, 128, 256, 512}, 64}; }
  static ResNetConfig resnet101() { return {{3, 4, 23, 3}, {64, 128, 256, 512}, 64}; }
  friend bool operator==(const ResNetConfig&, const ResNetConfig&) = default;
};

/// Everything that can be set about a Mask R-CNN, under matterport's names in lower case and with its defaults.
///
/// The defaults are those of matterport's V2.0 with the legacy conventions. Boxes and standard deviations are in our
/// order (x, y, width, height); all of matterport's are symmetric in it.
struct MaskRCNNConfig {
  // What is not a number of the original: the conventions.
  Profile profile = Profile::matterport_legacy;

  std::string name;
  int gpu_count = 1;
  int images_per_gpu = 2;
  int steps_per_epoch = 1000;
  int validation_steps = 50;

  ResNetConfig backbone = ResNetConfig::resnet101();
  std::vector<index_t> backbone_strides = {4, 8, 16, 32, 64};  ///< of P2 .. P6
  int fpn_classif_fc_layers_size = 1024;
  int top_down_pyramid_size = 256;
  int rpn_channels = 512;        ///< hidden channels of the region proposal network (512 in the original)
  int mask_head_channels = 256;  ///< hidden channels of the mask head (256 in the original)
  int num_classes = 1;           ///< with the background

  std::vector<float> rpn_anchor_scales = {32, 64, 128, 256, 512};  ///< side in pixels, one for each level
  std::vector<float> rpn_anchor_ratios = {0.5F, 1, 2};             ///< width / height
  int rpn_anchor_stride = 1;
  double rpn_nms_threshold = 0.7;
  int rpn_train_anchors_per_image = 256;
  int pre_nms_limit = 6000;
  int post_nms_rois_training = 2000;
  int post_nms_rois_inference = 1000;

  bool use_mini_mask = true;
  std::array<int, 2> mini_mask_shape = {56, 56};  ///< height, width

  ResizeMode image_resize_mode = ResizeMode::square;
  bool image_padding = true;
  int image_min_dim = 800;
  int image_max_dim = 1024;
  double image_min_scale = 0;  ///< 0: off
  int image_channel_count = 3;
  std::array<double, 3> mean_pixel = {123.7, 116.8, 103.9};  ///< red, green, blue

  int train_rois_per_image = 200;
  double roi_positive_ratio = 0.33;
  int pool_size = 7;
  int mask_pool_size = 14;
  std::array<int, 2> mask_shape = {28, 28};
  int max_gt_instances = 100;
  std::array<double, 4> rpn_bbox_std_dev = {0.1, 0.1, 0.2, 0.2};
  std::array<double, 4> bbox_std_dev = {0.1, 0.1, 0.2, 0.2};
  int detection_max_instances = 100;
  double detection_min_confidence = 0.7;  ///< 0: off
  double detection_nms_threshold = 0.3;

  double learning_rate = 0.001;
  double learning_momentum = 0.9;
  double weight_decay = 0.0001;
  /// Of rpn_class_loss, rpn_bbox_loss, mrcnn_class_loss, mrcnn_bbox_loss, mrcnn_mask_loss.
  std::array<double, 5> loss_weights = {1, 1, 1, 1, 1};
  bool use_rpn_rois = true;
  bool train_bn = false;
  double gradient_clip_norm = 5.0;

  index_t batch_size() const { return index_t{images_per_gpu} * gpu_count; }

  /// The conventions of the published weights (V2.0).
  static MaskRCNNConfig matterport_legacy() { return {}; }
  /// The conventions of matterport's last state.
  static MaskRCNNConfig matterport_modern() {
    MaskRCNNConfig config;
    config.profile = Profile::matterport_modern;
    return config;
  }

  /// The published COCO model, for pictures: 81 classes, minimum confidence 0.7. Evaluation wants 0.
  static MaskRCNNConfig coco() {
    MaskRCNNConfig config;
    config.name = "coco";
    config.num_classes = 81;
    return config;
  }
  /// The synthetic shapes sample: 128 x 128, squares, circles and triangles.
  static MaskRCNNConfig shapes() {
    MaskRCNNConfig config;
    config.name = "shapes";
    config.images_per_gpu = 8;
    config.num_classes = 4;
    config.image_min_dim = 128;
    config.image_max_dim = 128;
    config.rpn_anchor_scales = {8, 16, 32, 64, 128};
    config.train_rois_per_image = 32;
    config.steps_per_epoch = 100;
    config.validation_steps = 5;
    return config;
  }
  static MaskRCNNConfig balloon() {
    MaskRCNNConfig config;
    config.name = "balloon";
    config.num_classes = 2;
    config.steps_per_epoch = 100;
    config.detection_min_confidence = 0.9;
    return config;
  }
  /// The nucleus sample as it detects: modern conventions, pad64.
  static MaskRCNNConfig nucleus() {
    MaskRCNNConfig config = matterport_modern();
    config.name = "nucleus";
    config.images_per_gpu = 6;
    config.num_classes = 2;
    config.backbone = ResNetConfig::resnet50();
    config.image_resize_mode = ResizeMode::pad64;
    config.image_min_dim = 512;
    config.image_max_dim = 512;
    config.image_min_scale = 2.0;
    config.rpn_anchor_scales = {8, 16, 32, 64, 128};
    config.post_nms_rois_training = 1000;
    config.post_nms_rois_inference = 2000;
    config.rpn_nms_threshold = 0.7;
    config.rpn_train_anchors_per_image = 64;
    config.mean_pixel = {43.53, 39.56, 48.22};
    config.train_rois_per_image = 128;
    config.max_gt_instances = 200;
    config.detection_max_instances = 400;
    config.detection_min_confidence = 0;
    config.steps_per_epoch = (657 - 25) / 6;
    config.validation_steps = 25 / 6;
    return config;
  }
};

/// Throws a ShapeError that names the first setting with which no network can be built or run.
inline void check_config(const MaskRCNNConfig& config) {
  const auto fail = [](const std::string& setting, const std::string& found, const std::string& expected) {
    throw ShapeError("MaskRCNNConfig: " + setting + " is " + found + ", expected " + expected);
  };
  const auto text = [](double value) {
    const bool whole = value > -1e15 && value < 1e15 && value == static_cast<double>(static_cast<std::int64_t>(value));
    return whole ? std::to_string(static_cast<std::int64_t>(value)) : std::to_string(value);
  };
  const auto at_least = [&](const char* setting, double value, double least) {
    if (!(value >= least)) fail(setting, text(value), "at least " + text(least));
  };
  const auto between = [&](const char* setting, double value, double least, double most) {
    if (!(value >= least && value <= most)) fail(setting, text(value), text(least) + " to " + text(most));
  };
  const auto fraction = [&](const char* setting, double value) {
    if (!(value >= 0 && value <= 1)) fail(setting, std::to_string(value), "a number from 0 to 1");
  };
  // The upper bounds are far beyond any network and keep products of a few of them within 64 bits.
  constexpr double most_channels = 1 << 16;
  if (config.num_classes < 2)
    fail("num_classes", std::to_string(config.num_classes), "at least 2: background and one more");
  between("num_classes", config.num_classes, 2, most_channels);
  between("gpu_count", config.gpu_count, 1, 1 << 12);
  between("images_per_gpu", config.images_per_gpu, 1, 1 << 12);
  between("top_down_pyramid_size", config.top_down_pyramid_size, 1, most_channels);
  between("fpn_classif_fc_layers_size", config.fpn_classif_fc_layers_size, 1, most_channels);
  between("rpn_channels", config.rpn_channels, 1, most_channels);
  between("mask_head_channels", config.mask_head_channels, 1, most_channels);
  between("backbone.stem_channels", config.backbone.stem_channels, 1, most_channels);
  between("rpn_anchor_stride", config.rpn_anchor_stride, 1, 16);
  between("pre_nms_limit", config.pre_nms_limit, 1, 10'000'000);
  between("post_nms_rois_inference", config.post_nms_rois_inference, 1, 1'000'000);
  between("pool_size", config.pool_size, 1, 256);
  between("mask_pool_size", config.mask_pool_size, 1, 256);
  between("detection_max_instances", config.detection_max_instances, 1, 100'000);
  between("image_min_dim", config.image_min_dim, 1, 16384);
  between("image_max_dim", config.image_max_dim, 1, 16384);
  at_least("image_min_scale", config.image_min_scale, 0);
  fraction("rpn_nms_threshold", config.rpn_nms_threshold);
  fraction("detection_nms_threshold", config.detection_nms_threshold);
  fraction("detection_min_confidence", config.detection_min_confidence);
  if (config.image_channel_count != 3)
    fail("image_channel_count", std::to_string(config.image_channel_count), "3: pictures are RGB");
  if (config.backbone_strides != std::vector<index_t>{4, 8, 16, 32, 64})
    fail("backbone_strides", "another list", "4, 8, 16, 32, 64: the strides of a ResNet's stages");
  if (config.backbone.blocks.size() != 4 || config.backbone.widths.size() != 4)
    fail("backbone", std::to_string(config.backbone.blocks.size()) + " stages", "block counts and widths of 4 stages");
  for (std::size_t stage = 0; stage < 4; ++stage) {
    at_least("backbone.blocks", config.backbone.blocks[stage], 1);
    if (config.backbone.blocks[stage] > 26)
      fail("backbone.blocks", std::to_string(config.backbone.blocks[stage]), "at most 26: blocks are named a to z");
    between("backbone.widths", config.backbone.widths[stage], 1, most_channels);
  }
  if (config.rpn_anchor_scales.size() != config.backbone_strides.size())
    fail("rpn_anchor_scales", std::to_string(config.rpn_anchor_scales.size()) + " numbers", "one for each of 5 levels");
  if (config.rpn_anchor_ratios.empty()) fail("rpn_anchor_ratios", "empty", "at least one ratio");
  for (const float scale : config.rpn_anchor_scales) at_least("rpn_anchor_scales", scale, 1e-3);
  for (const float ratio : config.rpn_anchor_ratios) at_least("rpn_anchor_ratios", ratio, 1e-3);
  if (config.mask_shape[0] != 2 * config.mask_pool_size || config.mask_shape[1] != 2 * config.mask_pool_size)
    fail("mask_shape", std::to_string(config.mask_shape[0]) + " x " + std::to_string(config.mask_shape[1]),
         "twice mask_pool_size in both directions: the mask head doubles its input");
  if (config.image_resize_mode == ResizeMode::square && (config.image_max_dim % 64 != 0 || config.image_max_dim < 64))
    fail("image_max_dim", std::to_string(config.image_max_dim), "a positive multiple of 64");
  if (config.image_resize_mode == ResizeMode::pad64 && config.image_min_dim % 64 != 0)
    fail("image_min_dim", std::to_string(config.image_min_dim), "a multiple of 64 in mode pad64");
  if (config.image_resize_mode == ResizeMode::crop)
    fail("image_resize_mode", "crop", "square, pad64 or none: crop belongs to training");
  if (!config.image_padding) fail("image_padding", "false", "true: pictures are padded to the network's size");
}

}  // namespace mrcnn

#endif
