#ifndef MRCNN_MODELS_FPN_HPP
#define MRCNN_MODELS_FPN_HPP

#include <array>
#include <string>

#include "mrcnn/core/tensor.hpp"
#include "mrcnn/models/resnet.hpp"
#include "mrcnn/nn/conv2d.hpp"
#include "mrcnn/ops/pool.hpp"

namespace mrcnn {

/// P2 to P6, finest first: [B, H / stride, W / stride, width] with strides 4, 8, 16, 32, 64.
template <class Backend>
using PyramidFeatures = std::array<Tensor<float, 4, Backend>, 5>;

/// Feature pyramid: 1x1 laterals added to the upsampled (nearest neighbour) coarser sum, then a 3x3 on each sum; P6 is
/// every second pixel of P5.
/// Source: Lin et al., "Feature pyramid networks for object detection", CVPR 2017, as matterport builds it.
template <class Backend>
class FPN {
 public:
  FPN(const ResNetConfig& backbone, index_t width)
      : lateral5_(lateral("fpn_c5p5", width, backbone.widths[3])),
        lateral4_(lateral("fpn_c4p4", width, backbone.widths[2])),
        lateral3_(lateral("fpn_c3p3", width, backbone.widths[1])),
        lateral2_(lateral("fpn_c2p2", width, backbone.widths[0])),
        smooth5_(smooth("fpn_p5", width)),
        smooth4_(smooth("fpn_p4", width)),
        smooth3_(smooth("fpn_p3", width)),
        smooth2_(smooth("fpn_p2", width)) {}

  PyramidFeatures<Backend> forward(const Backend& backend, const ResNetFeatures<Backend>& c) const {
    const auto sum5 = lateral5_.forward(backend, c.c5);
    const auto sum4 = lateral4_.forward(backend, c.c4, sum5, Residual::nearest2x);
    const auto sum3 = lateral3_.forward(backend, c.c3, sum4, Residual::nearest2x);
    const auto sum2 = lateral2_.forward(backend, c.c2, sum3, Residual::nearest2x);
    auto p5 = smooth5_.forward(backend, sum5);
    MaxPool2dOptions every_second;
    every_second.kernel = 1;
    every_second.stride = 2;
    auto p6 = make_tensor<float>(backend, max_pool2d_extents(p5.extents(), every_second));
    max_pool2d(backend, p5, every_second, p6);
    return {smooth2_.forward(backend, sum2), smooth3_.forward(backend, sum3), smooth4_.forward(backend, sum4),
            std::move(p5), std::move(p6)};
  }

  template <class F>
  void for_each_layer(F&& f) {
    for (auto* layer : {&lateral5_, &lateral4_, &lateral3_, &lateral2_, &smooth5_, &smooth2_, &smooth3_, &smooth4_})
      f(*layer);
  }

 private:
  static nn::Conv2d<Backend> lateral(const char* name, index_t width, index_t stage_width) {
    return {{name}, {{width, 1, 1, 4 * stage_width}}, {1, 1, {}, Activation::none}};
  }
  static nn::Conv2d<Backend> smooth(const char* name, index_t width) {
    return {{name}, {{width, 3, 3, width}}, {1, 1, {1, 1, 1, 1}, Activation::none}};
  }

  nn::Conv2d<Backend> lateral5_, lateral4_, lateral3_, lateral2_;
  nn::Conv2d<Backend> smooth5_, smooth4_, smooth3_, smooth2_;
};

}  // namespace mrcnn

#endif
