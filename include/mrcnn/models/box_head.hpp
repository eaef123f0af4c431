#ifndef MRCNN_MODELS_BOX_HEAD_HPP
#define MRCNN_MODELS_BOX_HEAD_HPP

#include <utility>

#include "mrcnn/core/tensor.hpp"
#include "mrcnn/models/mask_rcnn_config.hpp"
#include "mrcnn/nn/linear.hpp"
#include "mrcnn/ops/softmax.hpp"

namespace mrcnn {

/// What the box head says of each proposal.
template <class Backend>
struct BoxHeadOutput {
  Tensor<float, 2, Backend> logits;         ///< [N, classes]
  Tensor<float, 2, Backend> probabilities;  ///< [N, classes]
  Tensor<float, 2, Backend> deltas;         ///< [N, classes * 4]: (dx, dy, log dw, log dh), in standard deviations
};

/// Class and box of a pooled proposal: two fully connected layers, then one for the classes and one for their boxes.
template <class Backend>
class BoxHead {
 public:
  explicit BoxHead(const MaskRCNNConfig& config)
      : hidden1_({"mrcnn_class_conv1", "mrcnn_class_bn1"},
                 {config.fpn_classif_fc_layers_size, config.pool_size, config.pool_size, config.top_down_pyramid_size},
                 Activation::relu),
        hidden2_({"mrcnn_class_conv2", "mrcnn_class_bn2"},
                 {config.fpn_classif_fc_layers_size, 1, 1, config.fpn_classif_fc_layers_size}, Activation::relu),
        class_({"mrcnn_class_logits"}, {config.num_classes, config.fpn_classif_fc_layers_size}, Activation::none),
        box_({"mrcnn_bbox_fc"}, {4 * config.num_classes, config.fpn_classif_fc_layers_size}, Activation::none) {}

  /// @param pooled  [N, pool_size, pool_size, width]
  BoxHeadOutput<Backend> forward(const Backend& backend, const Tensor<float, 4, Backend>& pooled) const {
    const auto flat =
        pooled.view().reshaped(Extents<2>{{pooled.extent(0), pooled.extent(1) * pooled.extent(2) * pooled.extent(3)}});
    const auto hidden = hidden2_.forward(backend, hidden1_.forward(backend, flat));
    auto logits = class_.forward(backend, hidden);
    auto deltas = box_.forward(backend, hidden);
    auto probabilities = make_tensor<float>(backend, logits.extents());
    softmax(backend, logits, probabilities);
    return {std::move(logits), std::move(probabilities), std::move(deltas)};
  }

  template <class F>
  void for_each_layer(F&& f) {
    f(hidden1_);
    f(hidden2_);
    f(class_);
    f(box_);
  }

 private:
  nn::Linear<Backend> hidden1_;
  nn::Linear<Backend> hidden2_;
  nn::Linear<Backend> class_;
  nn::Linear<Backend> box_;
};

}  // namespace mrcnn

#endif
