#ifndef MRCNN_IO_MODEL_DESCRIPTION_HPP
#define MRCNN_IO_MODEL_DESCRIPTION_HPP

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/io/weights.hpp"

namespace mrcnn::io {

/// A part of Mask R-CNN, the arrays that a file lacks of it and those that can not belong to it.
struct ModelPart {
  std::string name;                    ///< "backbone", "FPN", "RPN", "box head", "mask head"
  index_t expected = 0;                ///< arrays it consists of
  std::vector<std::string> missing{};  ///< those not in the file
  /// Those with a wrong number of extents: "conv1/kernel has shape [9408], expected 4 extents".
  std::vector<std::string> misshapen{};
  bool absent() const { return static_cast<index_t>(missing.size()) == expected; }
  bool whole() const { return missing.empty() && misshapen.empty(); }
};

/// The model that a weights file holds, as its names and shapes tell. 0 stands for what they do not tell.
///
/// A size is what most of the arrays that have it say, so a single bad array stands out against the model instead of
/// making all others look wrong.
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

  /// Whether nothing is missing and every array has as many extents as it should.
  bool is_mask_rcnn() const {
    return !parts.empty() && std::all_of(parts.begin(), parts.end(), [](const auto& part) { return part.whole(); });
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
      if (part.absent() || part.whole()) continue;
      std::string problems;
      if (!part.missing.empty())
        problems = std::to_string(part.missing.size()) + " of " + std::to_string(part.expected) +
                   " arrays missing: " + part.missing[0] + (part.missing.size() > 1 ? ", ..." : "");
      if (!part.misshapen.empty()) {
        problems += (problems.empty() ? "" : "; ") + part.misshapen[0];
        if (part.misshapen.size() > 1) problems += "; " + std::to_string(part.misshapen.size() - 1) + " more like it";
      }
      list += " (" + problems + ")";
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
  /// The length of a vector; 0 when it is absent or no vector.
  index_t length(const std::string& name) const {
    const auto index = file_.find(name);
    return index && file_.arrays()[*index].shape.size() == 1 ? file_.arrays()[*index].shape[0] : 0;
  }

  /// What several arrays say about one size.
  class Votes {
   public:
    explicit Votes(const ModelReader& reader) : reader_(reader) {}
    /// `each`: elements that make up one of what is counted. Numbers that it does not divide say nothing.
    Votes& add(index_t number, index_t each = 1) {
      if (number > 0 && number % each == 0) numbers_.push_back(number / each);
      return *this;
    }
    /// The output channels of a layer, by its kernel of this rank and its bias.
    Votes& outputs(const std::string& layer, std::size_t rank = 4, index_t each = 1) {
      return add(reader_.extent(layer, 0, rank), each).add(reader_.length(layer + "/bias"), each);
    }
    Votes& inputs(const std::string& layer, std::size_t rank = 4) { return add(reader_.extent(layer, rank - 1, rank)); }
    Votes& batch_norm(const std::string& layer) {
      return add(reader_.length(layer + "/gamma")).add(reader_.length(layer + "/beta"));
    }
    /// What most say, of equals what was said first; 0 when nothing was.
    index_t winner() const {
      index_t best = 0;
      std::ptrdiff_t most = 0;
      for (const index_t number : numbers_) {
        const auto votes = std::count(numbers_.begin(), numbers_.end(), number);
        if (votes > most) best = number;
        most = std::max(most, votes);
      }
      return best;
    }

   private:
    const ModelReader& reader_;
    std::vector<index_t> numbers_;
  };

  void read_sizes() {
    const auto votes = [this] { return Votes(*this); };
    for (const char stage : {'2', '3', '4', '5'}) {
      int blocks = 0;
      for (char block = 'a'; block <= '~' && has_block(stage, block); ++block) ++blocks;
      model_.blocks.push_back(blocks);
      const std::string first = name_of_block(stage, 'a');
      const std::string norm = "bn" + first.substr(3);
      Votes widths(*this);
      widths.outputs(first + "branch2a").outputs(first + "branch2b").inputs(first + "branch2c");
      model_.widths.push_back(widths.batch_norm(norm + "branch2a").batch_norm(norm + "branch2b").winner());
    }
    model_.stem_channels = votes().outputs("conv1").batch_norm("bn_conv1").inputs("res2a_branch2a").winner();
    model_.image_channels = extent("conv1", 3, 4);
    Votes pyramid(*this);
    for (const char* layer : {"fpn_c5p5", "fpn_c4p4", "fpn_c3p3", "fpn_c2p2"}) pyramid.outputs(layer);
    model_.pyramid_channels = pyramid.winner();
    Votes proposals(*this);
    proposals.outputs("rpn_conv_shared").inputs("rpn_class_raw").inputs("rpn_bbox_pred");
    model_.rpn_channels = proposals.winner();
    model_.anchors = votes().outputs("rpn_class_raw", 4, 2).outputs("rpn_bbox_pred", 4, 4).winner();
    model_.pool_size = votes().add(extent("mrcnn_class_conv1", 1, 4)).add(extent("mrcnn_class_conv1", 2, 4)).winner();
    Votes head(*this);
    head.outputs("mrcnn_class_conv1").outputs("mrcnn_class_conv2").inputs("mrcnn_class_logits", 2);
    model_.head_channels = head.inputs("mrcnn_bbox_fc", 2).batch_norm("mrcnn_class_bn1").winner();
    Votes mask(*this);
    for (const char* layer : {"mrcnn_mask_conv1", "mrcnn_mask_conv2", "mrcnn_mask_conv3", "mrcnn_mask_conv4"})
      mask.outputs(layer);
    model_.mask_channels = mask.winner();
    Votes classes(*this);
    classes.outputs("mrcnn_class_logits", 2).outputs("mrcnn_bbox_fc", 2, 4).outputs("mrcnn_mask");
    model_.class_count = classes.winner();
  }

  static std::string name_of_block(char stage, char block) { return std::string("res") + stage + block + '_'; }

  /// Whether any kernel of the block is there: a single missing one is missing, not the end of the stage.
  bool has_block(char stage, char block) const {
    const std::string name = name_of_block(stage, block);
    return has(name + "branch2a/kernel") || has(name + "branch2b/kernel") || has(name + "branch2c/kernel");
  }

  void weighted(ModelPart& part, const std::string& layer, std::size_t rank = 4) const {
    expect(part, layer + "/kernel", rank);
    expect(part, layer + "/bias", 1);
  }
  void batch_norm(ModelPart& part, const std::string& layer) const {
    for (const char* weight : {"/gamma", "/beta", "/moving_mean", "/moving_variance"}) expect(part, layer + weight, 1);
  }
  void expect(ModelPart& part, const std::string& name, std::size_t rank) const {
    ++part.expected;
    const auto index = file_.find(name);
    if (!index) return part.missing.push_back(name);
    const auto& shape = file_.arrays()[*index].shape;
    if (shape.size() != rank)
      part.misshapen.push_back(name + " has shape " + shape_text(shape) + ", expected " + std::to_string(rank) +
                               (rank == 1 ? " extent" : " extents"));
  }

  void read_parts() {
    ModelPart backbone{"backbone"};
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
    ModelPart pyramid{"FPN"};
    for (const char* layer : {"fpn_c5p5", "fpn_c4p4", "fpn_c3p3", "fpn_c2p2", "fpn_p5", "fpn_p2", "fpn_p3", "fpn_p4"})
      weighted(pyramid, layer);
    ModelPart proposals{"RPN"};
    for (const char* layer : {"rpn_conv_shared", "rpn_class_raw", "rpn_bbox_pred"}) weighted(proposals, layer);
    ModelPart box_head{"box head"};
    for (const std::string number : {"1", "2"}) {
      weighted(box_head, "mrcnn_class_conv" + number);
      batch_norm(box_head, "mrcnn_class_bn" + number);
    }
    weighted(box_head, "mrcnn_class_logits", 2);
    weighted(box_head, "mrcnn_bbox_fc", 2);
    ModelPart mask_head{"mask head"};
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
