#ifndef MRCNN_IO_MODEL_DESCRIPTION_HPP
#define MRCNN_IO_MODEL_DESCRIPTION_HPP

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/io/weights.hpp"

namespace mrcnn::io {

/// A part of Mask R-CNN and the arrays that a file lacks of it.
struct ModelPart {
  std::string name;                  ///< "backbone", "FPN", "RPN", "box head", "mask head"
  index_t expected = 0;              ///< arrays it consists of
  std::vector<std::string> missing;  ///< those not in the file
  bool absent() const { return static_cast<index_t>(missing.size()) == expected; }
};

/// The model that a weights file holds, as its names and shapes tell. 0 stands for what they do not tell.
struct ModelDescription {
  std::vector<int> blocks;      ///< of stages 2 to 5; 0 where a stage is absent
  std::vector<index_t> widths;  ///< inner channels of stages 2 to 5
  index_t stem_channels = 0;
  index_t image_channels = 0;
  index_t pyramid_channels = 0;  ///< of the FPN
  index_t rpn_channels = 0;
  index_t anchors = 0;        ///< at each position: the number of anchor ratios
  index_t pool_size = 0;      ///< of the box head
  index_t head_channels = 0;  ///< fully connected units of the box head
  index_t mask_channels = 0;  ///< of the mask head
  index_t class_count = 0;    ///< with the background
  index_t arrays = 0;
  index_t parameters = 0;  ///< with the statistics
  index_t statistics = 0;  ///< moving means and variances among them, which are not trained
  std::vector<ModelPart> parts;

  /// Whether nothing is missing.
  bool is_mask_rcnn() const {
    return !parts.empty() &&
           std::all_of(parts.begin(), parts.end(), [](const auto& part) { return part.missing.empty(); });
  }

  /// "ResNet-50", "ResNet-101", or the block counts of another one.
  std::string backbone() const {
    if (blocks == std::vector{3, 4, 6, 3}) return "ResNet-50";
    if (blocks == std::vector{3, 4, 23, 3}) return "ResNet-101";
    return "ResNet " + shape_text({blocks.begin(), blocks.end()});
  }

  /// One line: "Mask R-CNN, ResNet-101, 81 classes with the background, ...", or what is there and what is missing.
  std::string summary() const {
    const std::string totals =
        std::to_string(arrays) + (arrays == 1 ? " array, " : " arrays, ") + std::to_string(parameters) + " parameters";
    if (is_mask_rcnn())
      return "Mask R-CNN, " + backbone() + ", " + std::to_string(class_count) + " classes with the background, " +
             std::to_string(anchors) + " anchors at each position, " + totals;
    std::string present;
    std::string absent;
    for (const auto& part : parts) {
      std::string& list = part.absent() ? absent : present;
      if (!list.empty()) list += ", ";
      list += part.name;
      if (part.name == "backbone" && !part.absent()) (list += ' ') += backbone();
      if (part.absent() || part.missing.empty()) continue;
      list += " (" + std::to_string(part.missing.size()) + " of " + std::to_string(part.expected) + " arrays missing: ";
      list += part.missing[0] + (part.missing.size() > 1 ? ", ...)" : ")");
    }
    std::string text = "not a whole Mask R-CNN: has ";
    text += present.empty() ? "no part of it" : present;
    if (!absent.empty()) (text += "; lacks ") += absent;
    return (text += "; ") += totals;
  }
};

namespace detail {

/// Reads a model's structure off the names and shapes of its arrays.
class ModelReader {
 public:
  explicit ModelReader(const WeightsFile& file) : file_(file) {}

  ModelDescription read() {
    read_sizes();
    read_parts();
    for (const auto& array : file_.arrays()) {
      model_.parameters += array.size();
      const bool moving = array.name.find("/moving_") != std::string::npos;
      model_.statistics += moving ? array.size() : 0;
    }
    model_.arrays = static_cast<index_t>(file_.arrays().size());
    return std::move(model_);
  }

 private:
  bool has(const std::string& name) const { return file_.find(name).has_value(); }

  /// An extent of a kernel by its place in the native layout [out, kh, kw, in] or [out, in]; 0 when the array is absent
  /// or has another rank.
  index_t extent(const std::string& layer, std::size_t native, std::size_t rank) const {
    const auto index = file_.find(layer + "/kernel");
    if (!index || file_.arrays()[*index].shape.size() != rank) return 0;
    const auto& shape = file_.arrays()[*index].shape;
    if (file_.layout() == WeightsLayout::native) return shape[native];
    return native == 0 ? shape.back() : shape[native - 1];  // output channels come last in Keras's
  }
  index_t channels(const std::string& layer) const { return extent(layer, 0, 4); }

  void read_sizes() {
    for (const char stage : {'2', '3', '4', '5'}) {
      int blocks = 0;
      for (char block = 'a'; block <= '~' && has(name_of_block(stage, block) + "branch2a/kernel"); ++block) ++blocks;
      model_.blocks.push_back(blocks);
      model_.widths.push_back(channels(name_of_block(stage, 'a') + "branch2a"));
    }
    model_.stem_channels = channels("conv1");
    model_.image_channels = extent("conv1", 3, 4);
    model_.pyramid_channels = channels("fpn_c5p5");
    model_.rpn_channels = channels("rpn_conv_shared");
    model_.anchors = channels("rpn_class_raw") / 2;
    model_.pool_size = extent("mrcnn_class_conv1", 1, 4);
    model_.head_channels = channels("mrcnn_class_conv1");
    model_.mask_channels = channels("mrcnn_mask_conv1");
    model_.class_count = extent("mrcnn_class_logits", 0, 2);
  }

  static std::string name_of_block(char stage, char block) { return std::string("res") + stage + block + '_'; }

  void weighted(ModelPart& part, const std::string& layer) const {
    for (const char* weight : {"/kernel", "/bias"}) expect(part, layer + weight);
  }
  void batch_norm(ModelPart& part, const std::string& layer) const {
    for (const char* weight : {"/gamma", "/beta", "/moving_mean", "/moving_variance"}) expect(part, layer + weight);
  }
  void expect(ModelPart& part, const std::string& name) const {
    ++part.expected;
    if (!has(name)) part.missing.push_back(name);
  }

  void read_parts() {
    ModelPart backbone{"backbone", 0, {}};
    weighted(backbone, "conv1");
    batch_norm(backbone, "bn_conv1");
    for (std::size_t s = 0; s < 4; ++s) {
      const char stage = static_cast<char>('2' + static_cast<char>(s));
      for (int b = 0; b < std::max(1, model_.blocks[s]); ++b) {
        const std::string block = {stage, static_cast<char>('a' + b), '_'};
        for (const char* branch : {"branch2a", "branch2b", "branch2c", "branch1"}) {
          if (b > 0 && branch == std::string("branch1")) continue;
          weighted(backbone, "res" + block + branch);
          batch_norm(backbone, "bn" + block + branch);
        }
      }
    }
    ModelPart pyramid{"FPN", 0, {}};
    for (const char* layer : {"fpn_c5p5", "fpn_c4p4", "fpn_c3p3", "fpn_c2p2", "fpn_p5", "fpn_p2", "fpn_p3", "fpn_p4"})
      weighted(pyramid, layer);
    ModelPart proposals{"RPN", 0, {}};
    for (const char* layer : {"rpn_conv_shared", "rpn_class_raw", "rpn_bbox_pred"}) weighted(proposals, layer);
    ModelPart box_head{"box head", 0, {}};
    for (const std::string number : {"1", "2"}) {
      weighted(box_head, "mrcnn_class_conv" + number);
      batch_norm(box_head, "mrcnn_class_bn" + number);
    }
    weighted(box_head, "mrcnn_class_logits");
    weighted(box_head, "mrcnn_bbox_fc");
    ModelPart mask_head{"mask head", 0, {}};
    for (const std::string number : {"1", "2", "3", "4"}) {
      weighted(mask_head, "mrcnn_mask_conv" + number);
      batch_norm(mask_head, "mrcnn_mask_bn" + number);
    }
    weighted(mask_head, "mrcnn_mask_deconv");
    weighted(mask_head, "mrcnn_mask");
    model_.parts = {std::move(backbone), std::move(pyramid), std::move(proposals), std::move(box_head),
                    std::move(mask_head)};
  }

  const WeightsFile& file_;
  ModelDescription model_;
};

}  // namespace detail

/// Finds out what model a weights file holds: depth and widths of the backbone, class count, anchors, and what is
/// missing when it is not a whole Mask R-CNN (an ImageNet ResNet, say). Looks at names and shapes only.
inline ModelDescription describe_model(const WeightsFile& file) { return detail::ModelReader(file).read(); }

}  // namespace mrcnn::io

#endif
