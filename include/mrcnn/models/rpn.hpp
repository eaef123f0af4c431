#ifndef MRCNN_MODELS_RPN_HPP
#define MRCNN_MODELS_RPN_HPP

#include <optional>
#include <utility>
#include <vector>

#include "mrcnn/core/tensor.hpp"
#include "mrcnn/models/fpn.hpp"
#include "mrcnn/models/mask_rcnn_config.hpp"
#include "mrcnn/nn/conv2d.hpp"
#include "mrcnn/ops/softmax.hpp"

namespace mrcnn {

namespace detail {

/// Distributes one pixel of the joint output of class and box convolutions over the anchors' rows.
struct SplitRpnOutput {
  const float* joint;  // [B, pixels, ratios * 6]: class logits of all ratios, then deltas of all ratios
  float* logits;       // [B, anchors, 2]
  float* deltas;       // [B, anchors, 4]
  index_t pixels;
  index_t ratios;
  index_t anchors;       // of all levels
  index_t first_anchor;  // of this level

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const float* in = joint + i * ratios * 6;
    const index_t row = i / pixels * anchors + first_anchor + i % pixels * ratios;
    for (index_t k = 0; k < ratios * 2; ++k) logits[row * 2 + k] = in[k];
    for (index_t k = 0; k < ratios * 4; ++k) deltas[row * 4 + k] = in[ratios * 2 + k];
  }
};

}  // namespace detail

/// What the region proposal network says of each anchor. Rows run over levels (finest first), y, x and ratio.
template <class Backend>
struct RpnOutput {
  Tensor<float, 3, Backend> logits;         ///< [B, anchors, 2]: background, foreground
  Tensor<float, 3, Backend> probabilities;  ///< [B, anchors, 2]
  Tensor<float, 3, Backend> deltas;         ///< [B, anchors, 4]: (dx, dy, log dw, log dh), in standard deviations
};

/// Region proposal network: one 3x3 convolution and two 1x1 over every level, with the same weights.
/// Source: Ren et al., "Faster R-CNN", NIPS 2015, with matterport's channel order.
template <class Backend>
class RPN {
 public:
  explicit RPN(const MaskRCNNConfig& config)
      : ratios_(static_cast<index_t>(config.rpn_anchor_ratios.size())),
        stride_(config.rpn_anchor_stride),
        channels_(config.rpn_channels),
        shared_({"rpn_conv_shared"}, {{channels_, 3, 3, config.top_down_pyramid_size}},
                {stride_, stride_, {}, Activation::relu}, nn::PaddingRule::same),
        class_({"rpn_class_raw"}, ParameterKind::conv, {2 * ratios_, 1, 1, channels_}),
        box_({"rpn_bbox_pred"}, ParameterKind::conv, {4 * ratios_, 1, 1, channels_}) {}

  RpnOutput<Backend> forward(const Backend& backend, const PyramidFeatures<Backend>& levels) const {
    const index_t batch = levels[0].extent(0);
    index_t anchors = 0;
    for (const auto& level : levels) anchors += level_anchors(level);
    auto logits = make_tensor<float>(backend, {batch, anchors, 2});
    auto deltas = make_tensor<float>(backend, {batch, anchors, 4});
    index_t first = 0;
    for (const auto& level : levels) {
      const auto hidden = shared_.forward(backend, level);
      const index_t pixels = hidden.extent(1) * hidden.extent(2);
      auto joint = make_tensor<float>(backend, {batch, hidden.extent(1), hidden.extent(2), 6 * ratios_});
      conv2d(backend, hidden, *heads_, {}, joint);
      backend.parallel_for(batch * pixels, detail::SplitRpnOutput{joint.data(), logits.data(), deltas.data(), pixels,
                                                                  ratios_, anchors, first});
      first += pixels * ratios_;
    }
    auto probabilities = make_tensor<float>(backend, {batch, anchors, 2});
    softmax(backend, logits.view().reshaped(Extents<2>{{batch * anchors, 2}}),
            probabilities.view().reshaped(Extents<2>{{batch * anchors, 2}}));
    return {std::move(logits), std::move(probabilities), std::move(deltas)};
  }

  template <class F>
  void for_each_parameter(F&& f) {
    shared_.for_each_parameter(f);
    class_.for_each(f);
    box_.for_each(f);
  }

  void prepare(const Backend& backend) {
    shared_.prepare(backend);
    // Both 1x1 convolutions read the same hidden map: one convolution with the channels of both reads it once.
    auto [kernel, bias] = class_.take_folded();
    const auto [box_kernel, box_bias] = box_.take_folded();
    kernel.insert(kernel.end(), box_kernel.begin(), box_kernel.end());
    bias.insert(bias.end(), box_bias.begin(), box_bias.end());
    heads_.emplace(pack_conv2d(backend, HostView<const float, 4>(kernel.data(), {6 * ratios_, 1, 1, channels_}),
                               HostView<const float, 1>(bias.data(), {6 * ratios_})));
  }

 private:
  index_t level_anchors(const Tensor<float, 4, Backend>& level) const {
    return detail::ceil_div(level.extent(1), stride_) * detail::ceil_div(level.extent(2), stride_) * ratios_;
  }

  index_t ratios_;
  index_t stride_;
  index_t channels_;
  nn::Conv2d<Backend> shared_;
  nn::AffineParameters class_;
  nn::AffineParameters box_;
  std::optional<PackedConv2d<Backend>> heads_;
};

}  // namespace mrcnn

#endif
