#ifndef MRCNN_MODELS_RESNET_HPP
#define MRCNN_MODELS_RESNET_HPP

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/core/tensor.hpp"
#include "mrcnn/models/mask_rcnn_config.hpp"
#include "mrcnn/nn/conv2d.hpp"
#include "mrcnn/ops/pool.hpp"

namespace mrcnn {

/// A residual block: 1x1 down, 3x3, 1x1 up, plus the input or its projection. The stride sits in the first 1x1, as in the
/// original ResNet; torchvision has it in the 3x3.
template <class Backend>
class Bottleneck {
 public:
  /// @param name  stage and block as Keras names them: "2a"
  Bottleneck(const std::string& name, index_t in, index_t width, index_t stride, bool project)
      : reduce_(branch(name, "2a"), {{width, 1, 1, in}}, {stride, stride, {}, Activation::relu}),
        conv_(branch(name, "2b"), {{width, 3, 3, width}}, {1, 1, {1, 1, 1, 1}, Activation::relu}),
        expand_(branch(name, "2c"), {{4 * width, 1, 1, width}}, {1, 1, {}, Activation::relu}) {
    if (project)
      project_.emplace(branch(name, "1"), Extents<4>{{4 * width, 1, 1, in}},
                       Conv2dOptions{stride, stride, {}, Activation::none});
  }

  Tensor<float, 4, Backend> forward(const Backend& backend, const Tensor<float, 4, Backend>& x) const {
    const auto reduced = conv_.forward(backend, reduce_.forward(backend, x));
    if (project_) return expand_.forward(backend, reduced, project_->forward(backend, x));
    return expand_.forward(backend, reduced, x);
  }

  template <class F>
  void for_each_layer(F&& f) {
    f(reduce_);
    f(conv_);
    f(expand_);
    if (project_) f(*project_);
  }

 private:
  static nn::LayerName branch(const std::string& name, const char* which) {
    return {"res" + name + "_branch" + which, "bn" + name + "_branch" + which};
  }

  nn::Conv2d<Backend> reduce_;
  nn::Conv2d<Backend> conv_;
  nn::Conv2d<Backend> expand_;
  std::optional<nn::Conv2d<Backend>> project_;
};

/// The feature maps of a residual network.
template <class Backend>
struct ResNetFeatures {
  Tensor<float, 4, Backend> c1;  ///< behind the stem, stride 4
  Tensor<float, 4, Backend> c2;  ///< stride 4
  Tensor<float, 4, Backend> c3;  ///< stride 8
  Tensor<float, 4, Backend> c4;  ///< stride 16
  Tensor<float, 4, Backend> c5;  ///< stride 32
};

/// ResNet with bottleneck blocks, any depth and widths. Names and arithmetic are those of Keras's ResNet-50.
template <class Backend>
class ResNet {
 public:
  explicit ResNet(const ResNetConfig& config)
      : stem_({"conv1", "bn_conv1"}, {{config.stem_channels, 7, 7, 3}}, {2, 2, {3, 3, 3, 3}, Activation::relu}) {
    index_t channels = config.stem_channels;
    for (std::size_t stage = 0; stage < config.blocks.size(); ++stage) {
      auto& blocks = stages_.emplace_back();
      for (int b = 0; b < config.blocks[stage]; ++b) {
        const std::string name = std::to_string(stage + 2) + static_cast<char>('a' + b);
        const index_t stride = b == 0 && stage > 0 ? 2 : 1;
        blocks.emplace_back(name, channels, config.widths[stage], stride, b == 0);
        channels = 4 * config.widths[stage];
      }
    }
  }

  /// @param images  [B, H, W, 3] float32, mean subtracted; H and W are multiples of 64
  ResNetFeatures<Backend> forward(const Backend& backend,
                                  const TensorView<const float, 4, typename Backend::space_type>& images) const {
    auto c1 = stem_pool(backend, stem_.forward(backend, images));
    auto c2 = run_stage(backend, 0, c1);
    auto c3 = run_stage(backend, 1, c2);
    auto c4 = run_stage(backend, 2, c3);
    auto c5 = run_stage(backend, 3, c4);
    return {std::move(c1), std::move(c2), std::move(c3), std::move(c4), std::move(c5)};
  }

  template <class F>
  void for_each_layer(F&& f) {
    f(stem_);
    for (auto& blocks : stages_)
      for (auto& block : blocks) block.for_each_layer(f);
  }

 private:
  using Feature = Tensor<float, 4, Backend>;

  static Feature stem_pool(const Backend& backend, const Feature& x) {
    MaxPool2dOptions options;
    options.kernel = 3;
    options.stride = 2;
    options.padding = same_padding(x.extent(1), x.extent(2), 3, 3, 2, 2);
    auto y = make_tensor<float>(backend, max_pool2d_extents(x.extents(), options));
    max_pool2d(backend, x, options, y);
    return y;
  }

  Feature run_stage(const Backend& backend, std::size_t stage, const Feature& input) const {
    Feature x = stages_[stage].front().forward(backend, input);
    for (std::size_t b = 1; b < stages_[stage].size(); ++b) x = stages_[stage][b].forward(backend, x);
    return x;
  }

  nn::Conv2d<Backend> stem_;
  std::vector<std::vector<Bottleneck<Backend>>> stages_;
};

}  // namespace mrcnn

#endif
