#include "mrcnn/io/model_description.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/weights_in_memory.hpp"

using namespace mrcnn;
using namespace mrcnn::io;
using test::ArrayInMemory;
using test::weights_in_memory;

namespace {

/// The arrays of a Mask R-CNN, as the specification's table of shapes (5.8) lists them, with small widths.
class Model {
 public:
  explicit Model(WeightsLayout layout) : layout_(layout) {}

  void conv(const std::string& layer, index_t size, index_t in, index_t out) {
    add(layer + "/kernel", layout_ == WeightsLayout::keras ? std::vector<index_t>{size, size, in, out}
                                                           : std::vector<index_t>{out, size, size, in});
    add(layer + "/bias", {out});
  }
  void dense(const std::string& layer, index_t in, index_t out) {
    add(layer + "/kernel",
        layout_ == WeightsLayout::keras ? std::vector<index_t>{in, out} : std::vector<index_t>{out, in});
    add(layer + "/bias", {out});
  }
  void batch_norm(const std::string& layer, index_t n) {
    for (const char* weight : {"gamma", "beta", "moving_mean", "moving_variance"}) add(layer + "/" + weight, {n});
  }
  void backbone(const std::vector<int>& blocks) {
    conv("conv1", 7, 3, 6);
    batch_norm("bn_conv1", 6);
    index_t in = 6;
    for (std::size_t s = 0; s < 4; ++s) {
      const index_t width = index_t{4} << s;
      for (int b = 0; b < blocks[s]; ++b) {
        const std::string block = std::to_string(s + 2) + static_cast<char>('a' + b) + "_branch";
        conv("res" + block + "2a", 1, in, width);
        conv("res" + block + "2b", 3, width, width);
        conv("res" + block + "2c", 1, width, 4 * width);
        if (b == 0) conv("res" + block + "1", 1, in, 4 * width);
        for (const char* branch : {"2a", "2b"}) batch_norm("bn" + block + branch, width);
        batch_norm("bn" + block + "2c", 4 * width);
        if (b == 0) batch_norm("bn" + block + "1", 4 * width);
        in = 4 * width;
      }
    }
  }
  void rest(index_t classes, index_t anchors) {
    for (const char* layer : {"fpn_c5p5", "fpn_c4p4", "fpn_c3p3", "fpn_c2p2"}) conv(layer, 1, 16, 8);
    for (const char* layer : {"fpn_p5", "fpn_p4", "fpn_p3", "fpn_p2"}) conv(layer, 3, 8, 8);
    conv("rpn_conv_shared", 3, 8, 12);
    conv("rpn_class_raw", 1, 12, 2 * anchors);
    conv("rpn_bbox_pred", 1, 12, 4 * anchors);
    conv("mrcnn_class_conv1", 7, 8, 20);
    batch_norm("mrcnn_class_bn1", 20);
    conv("mrcnn_class_conv2", 1, 20, 20);
    batch_norm("mrcnn_class_bn2", 20);
    dense("mrcnn_class_logits", 20, classes);
    dense("mrcnn_bbox_fc", 20, 4 * classes);
    for (const std::string n : {"1", "2", "3", "4"}) {
      conv("mrcnn_mask_conv" + n, 3, 8, 8);
      batch_norm("mrcnn_mask_bn" + n, 8);
    }
    conv("mrcnn_mask_deconv", 2, 8, 8);
    conv("mrcnn_mask", 1, 8, classes);
  }
  void remove(const std::string& name) {
    std::erase_if(arrays_, [&](const auto& array) { return array.name == name; });
  }
  void reshape(const std::string& name, const std::vector<index_t>& shape) {
    for (auto& array : arrays_)
      if (array.name == name) array.shape = shape;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& array : arrays_) all.push_back(array.name);
    return all;
  }
  ModelDescription describe() const { return describe_model(weights_in_memory(layout_, arrays_)); }

 private:
  void add(const std::string& name, const std::vector<index_t>& shape) { arrays_.push_back({name, shape, {}}); }
  WeightsLayout layout_;
  std::vector<ArrayInMemory> arrays_;
};

}  // namespace

TEST_CASE("describe_model: structure is found from names and shapes, in both layouts") {
  for (const auto layout : {WeightsLayout::keras, WeightsLayout::native}) {
    Model model(layout);
    model.backbone({3, 4, 6, 3});
    model.rest(5, 3);
    const auto d = model.describe();
    CHECK(d.is_mask_rcnn());
    CHECK(d.blocks == std::vector<int>{3, 4, 6, 3});
    CHECK(d.widths == std::vector<index_t>{4, 8, 16, 32});
    CHECK(d.backbone() == "ResNet-50");
    CHECK(d.stem_channels == 6);
    CHECK(d.image_channels == 3);
    CHECK(d.pyramid_channels == 8);
    CHECK(d.rpn_channels == 12);
    CHECK(d.anchors == 3);
    CHECK(d.pool_size == 7);
    CHECK(d.head_channels == 20);
    CHECK(d.class_count == 5);
    CHECK(d.arrays == 384);  // ResNet-50's number of arrays
    CHECK(d.summary().find(
              "Mask R-CNN, ResNet-50, 5 classes with the background, 3 anchors at each position, 384 arrays, ") == 0);
  }
}

TEST_CASE("describe_model: other depths") {
  Model deep(WeightsLayout::keras);
  deep.backbone({3, 4, 23, 3});
  deep.rest(81, 3);
  CHECK(deep.describe().backbone() == "ResNet-101");
  CHECK(deep.describe().arrays == 690);  // the number in the specification, 4.2
  Model own(WeightsLayout::keras);
  own.backbone({1, 2, 1, 36});
  own.rest(2, 5);
  CHECK(own.describe().backbone() == "ResNet [1, 2, 1, 30]");  // blocks are named by the characters 'a' to '~'
  CHECK(own.describe().anchors == 5);
}

TEST_CASE("describe_model: a backbone alone is no Mask R-CNN, and it says what is missing") {
  Model model(WeightsLayout::keras);
  model.backbone({3, 4, 6, 3});
  const auto d = model.describe();
  CHECK_FALSE(d.is_mask_rcnn());
  CHECK(d.class_count == 0);
  CHECK(d.summary().find(
            "not a whole Mask R-CNN: has backbone ResNet-50; lacks FPN, RPN, box head, mask head; 318 arrays, ") == 0);
}

TEST_CASE("describe_model: single missing arrays are named") {
  Model model(WeightsLayout::keras);
  model.backbone({1, 1, 1, 1});
  model.rest(2, 3);
  model.remove("rpn_bbox_pred/bias");
  model.remove("res3a_branch1/kernel");
  const auto d = model.describe();
  CHECK_FALSE(d.is_mask_rcnn());
  CHECK(d.parts[0].missing == std::vector<std::string>{"res3a_branch1/kernel"});
  CHECK(d.parts[2].missing == std::vector<std::string>{"rpn_bbox_pred/bias"});
  CHECK(d.summary().find("RPN (1 of 6 arrays missing: rpn_bbox_pred/bias)") != std::string::npos);
}

TEST_CASE("describe_model: one array of a wrong shape changes no size but those that only it tells") {
  Model whole(WeightsLayout::keras);
  whole.backbone({1, 2, 1, 1});
  whole.rest(5, 3);
  const auto expected = whole.describe();
  for (const auto& name : whole.names()) {
    CAPTURE(name);
    for (const auto& shape : {std::vector<index_t>{}, {9408}, {3, 3}, {2, 2, 2, 2}, {1, 2, 3, 4, 5}}) {
      CAPTURE(shape_text(shape));
      Model model = whole;
      model.reshape(name, shape);
      const auto d = model.describe();
      CHECK(d.blocks == expected.blocks);
      CHECK(d.widths == expected.widths);
      CHECK(d.stem_channels == expected.stem_channels);
      CHECK(d.pyramid_channels == expected.pyramid_channels);
      CHECK(d.rpn_channels == expected.rpn_channels);
      CHECK(d.anchors == expected.anchors);
      CHECK(d.head_channels == expected.head_channels);
      CHECK(d.mask_channels == expected.mask_channels);
      CHECK(d.class_count == expected.class_count);
      if (name != "conv1/kernel") CHECK(d.image_channels == expected.image_channels);
      if (name != "mrcnn_class_conv1/kernel") CHECK(d.pool_size == expected.pool_size);
    }
  }
}

TEST_CASE("describe_model: an array with a wrong number of extents is named with its shape") {
  Model model(WeightsLayout::keras);
  model.backbone({3, 4, 6, 3});
  model.rest(5, 3);
  model.reshape("conv1/kernel", {882});
  model.reshape("mrcnn_class_logits/kernel", {4, 5, 5});
  model.reshape("mrcnn_bbox_fc/bias", {4, 5});
  const auto d = model.describe();
  CHECK_FALSE(d.is_mask_rcnn());
  CHECK(d.image_channels == 0);
  CHECK(d.parts[0].misshapen == std::vector<std::string>{"conv1/kernel has shape [882], expected 4 extents"});
  CHECK(d.summary().find("not a whole Mask R-CNN: has backbone ResNet-50 (conv1/kernel has shape [882], expected 4 "
                         "extents), FPN, RPN, box head (mrcnn_class_logits/kernel has shape [4, 5, 5], expected 2 "
                         "extents; 1 more like it), mask head; 384 arrays, ") == 0);
  model.remove("bn_conv1/beta");
  CHECK(model.describe().summary().find("(1 of 318 arrays missing: bn_conv1/beta; conv1/kernel has shape [882]") !=
        std::string::npos);
}

TEST_CASE("describe_model: most arrays decide about the class count and the anchors") {
  Model model(WeightsLayout::native);
  model.backbone({1, 1, 1, 1});
  model.rest(81, 3);
  model.reshape("mrcnn_class_logits/kernel", {3, 20});
  model.reshape("rpn_class_raw/bias", {10});
  CHECK(model.describe().class_count == 81);
  CHECK(model.describe().anchors == 3);
  model.reshape("rpn_class_raw/kernel", {7, 1, 1, 12});  // no whole number of anchors: says nothing
  model.remove("rpn_bbox_pred/kernel");
  model.remove("rpn_bbox_pred/bias");
  CHECK(model.describe().anchors == 5);
}

TEST_CASE("describe_model: a block with a kernel missing is still a block") {
  Model model(WeightsLayout::keras);
  model.backbone({3, 4, 6, 3});
  model.rest(5, 3);
  model.remove("res4c_branch2a/kernel");
  CHECK(model.describe().backbone() == "ResNet-50");
  CHECK(model.describe().parts[0].missing == std::vector<std::string>{"res4c_branch2a/kernel"});
}

TEST_CASE("describe_model: an empty file, other names, wrong ranks") {
  const auto empty = describe_model(weights_in_memory(WeightsLayout::keras, {}));
  CHECK(empty.summary() ==
        "not a whole Mask R-CNN: has no part of it; lacks backbone, FPN, RPN, box head, mask head; 0 arrays, 0 "
        "parameters");
  const auto other = describe_model(weights_in_memory(
      WeightsLayout::native,
      {{"dense/kernel", {2, 3}, {}}, {"mrcnn_class_logits/kernel", {7}, {}}, {"conv1/kernel", {}, {}}}));
  CHECK(other.class_count == 0);
  CHECK(other.stem_channels == 0);
  CHECK(other.parameters == 6 + 7 + 1);
}
