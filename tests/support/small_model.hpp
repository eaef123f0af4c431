#ifndef MRCNN_TESTS_SUPPORT_SMALL_MODEL_HPP
#define MRCNN_TESTS_SUPPORT_SMALL_MODEL_HPP

#include <cmath>
#include <string>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/core/image.hpp"
#include "mrcnn/core/random.hpp"
#include "mrcnn/models/mask_rcnn.hpp"

namespace mrcnn::test {

/// A network small enough for tests: one block a stage, few channels, pictures of 128 x 128.
inline MaskRCNNConfig small_config(Profile profile = Profile::matterport_legacy) {
  MaskRCNNConfig config = MaskRCNNConfig::shapes();
  config.profile = profile;
  config.backbone = {{1, 1, 1, 1}, {8, 8, 16, 16}, 8};
  config.top_down_pyramid_size = 24;
  config.rpn_channels = 32;
  config.mask_head_channels = 20;
  config.fpn_classif_fc_layers_size = 40;
  config.post_nms_rois_inference = 60;
  config.detection_max_instances = 20;
  config.detection_min_confidence = 0;
  return config;
}

/// Fills a model with seeded random weights of a size that keeps activations near 1, and prepares it.
/// The bias of the background decides how many detections there are: the lower, the more.
template <class Net>
void fill_with_random_weights(Net& net, std::uint64_t seed = 1, float background_bias = -1.0F) {
  std::uint32_t index = 0;
  net.for_each_parameter([&](nn::Parameter& p) {
    Philox random(seed, 0, 0, index++);
    const auto ends_with = [&](const std::string& end) {
      return p.name.size() >= end.size() && p.name.compare(p.name.size() - end.size(), end.size(), end) == 0;
    };
    index_t fan_in = 1;
    for (std::size_t i = 1; i < p.shape.size(); ++i) fan_in *= p.shape[i];
    float bound = p.kind == ParameterKind::vector ? 0.1F : std::sqrt(6.0F / static_cast<float>(fan_in));
    if (p.name == "conv1/kernel") bound *= 0.01F;     // pixels reach 128
    if (ends_with("branch2c/kernel")) bound *= 0.2F;  // else every block doubles what it adds to
    for (const char* last :
         {"rpn_class_raw/kernel", "rpn_bbox_pred/kernel", "mrcnn_class_logits/kernel", "mrcnn_bbox_fc/kernel"})
      if (p.name == last) bound *= 0.2F;
    for (float& value : p.values) value = bound * (2 * random.uniform() - 1);
    if (ends_with("gamma") || ends_with("moving_variance"))
      for (float& value : p.values) value += 1.0F;
    if (p.name == "mrcnn_class_logits/bias") p.values[0] = background_bias;  // not everything is background
  });
  net.prepare();
}

/// A picture of seeded coloured blocks with noise.
inline Image random_picture(index_t height, index_t width, std::uint64_t seed) {
  Image picture(height, width);
  Philox random(seed, 1);
  std::uint8_t blocks[8][8][3];
  for (auto& row : blocks)
    for (auto& block : row)
      for (auto& channel : block) channel = static_cast<std::uint8_t>(random.below(224));
  for (index_t y = 0; y < height; ++y)
    for (index_t x = 0; x < width; ++x)
      for (index_t c = 0; c < 3; ++c)
        picture.pixels[static_cast<std::size_t>((y * width + x) * 3 + c)] =
            static_cast<std::uint8_t>(blocks[y * 8 / height][x * 8 / width][c] + random.below(32));
  return picture;
}

/// Whether two results are the same to the last bit.
inline bool identical(const Detections& a, const Detections& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool same = a[i].box == b[i].box && a[i].class_id == b[i].class_id && a[i].score == b[i].score &&
                      a[i].mask.x == b[i].mask.x && a[i].mask.y == b[i].mask.y && a[i].mask.width == b[i].mask.width &&
                      a[i].mask.height == b[i].mask.height && a[i].mask.pixels == b[i].mask.pixels;
    if (!same) return false;
  }
  return true;
}

}  // namespace mrcnn::test

#endif
