#ifndef MRCNN_MODELS_MASK_HEAD_HPP
#define MRCNN_MODELS_MASK_HEAD_HPP

#include <string>
#include <vector>

#include "mrcnn/core/tensor.hpp"
#include "mrcnn/models/mask_rcnn_config.hpp"
#include "mrcnn/nn/conv2d.hpp"
#include "mrcnn/nn/conv_transpose2d.hpp"

namespace mrcnn {

/// The masks of a pooled detection, one for each class: four 3x3 convolutions, a transposed one that doubles the map, a
/// 1x1 for the classes. Returns logits; a mask's probabilities are their sigmoid.
template <class Backend>
class MaskHead {
 public:
  explicit MaskHead(const MaskRCNNConfig& config)
      : upsample_({"mrcnn_mask_deconv"}, config.mask_head_channels, config.mask_head_channels, Activation::relu),
        classes_({"mrcnn_mask"}, {{config.num_classes, 1, 1, config.mask_head_channels}}, {}) {
    const index_t width = config.mask_head_channels;
    index_t in = config.top_down_pyramid_size;
    for (int i = 1; i <= 4; ++i) {
      const std::string number = std::to_string(i);
      convolutions_.emplace_back(nn::LayerName{"mrcnn_mask_conv" + number, "mrcnn_mask_bn" + number},
                                 Extents<4>{{width, 3, 3, in}}, Conv2dOptions{1, 1, {1, 1, 1, 1}, Activation::relu});
      in = width;
    }
  }

  /// @param pooled  [N, mask_pool_size, mask_pool_size, channels]
  /// @param live    rows that matter, from the first on; what stands in the others is not computed
  /// @return [N, 2 mask_pool_size, 2 mask_pool_size, classes]
  Tensor<float, 4, Backend> forward(const Backend& backend, const Tensor<float, 4, Backend>& pooled,
                                    index_t live) const {
    auto x = run(backend, convolutions_[0], pooled, live);
    for (std::size_t i = 1; i < convolutions_.size(); ++i) x = run(backend, convolutions_[i], x, live);
    x = run(backend, upsample_, x, live);
    return run(backend, classes_, x, live);
  }

  template <class F>
  void for_each_layer(F&& f) {
    for (auto& layer : convolutions_) f(layer);
    f(upsample_);
    f(classes_);
  }

 private:
  template <class Layer>
  static Tensor<float, 4, Backend> run(const Backend& backend, const Layer& layer, const Tensor<float, 4, Backend>& x,
                                       index_t live) {
    auto y = make_tensor<float>(backend, layer.output_extents(x.extents()));
    layer.forward_into(backend, x.view().slices(0, live), y.view().slices(0, live));
    return y;
  }

  std::vector<nn::Conv2d<Backend>> convolutions_;
  nn::ConvTranspose2d<Backend> upsample_;
  nn::Conv2d<Backend> classes_;
};

}  // namespace mrcnn

#endif
