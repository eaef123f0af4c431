#ifndef MRCNN_NN_CONV_TRANSPOSE2D_HPP
#define MRCNN_NN_CONV_TRANSPOSE2D_HPP

#include <optional>

#include "mrcnn/core/tensor.hpp"
#include "mrcnn/nn/affine_parameters.hpp"
#include "mrcnn/ops/conv_transpose2d.hpp"

namespace mrcnn::nn {

/// A 2x2 transposed convolution of stride 2 that owns its weights, with the activation fused.
template <class Backend>
class ConvTranspose2d {
 public:
  ConvTranspose2d(const LayerName& name, index_t out, index_t in, Activation activation)
      : kernel_{{out, 2, 2, in}},
        activation_(activation),
        parameters_(name, ParameterKind::conv_transpose, {out, 2, 2, in}) {}

  /// Calls f(parameter) for the raw parameters.
  template <class F>
  void for_each_parameter(F&& f) {
    parameters_.for_each(f);
  }

  /// Packs for the backend and releases the raw parameters.
  void prepare(const Backend& backend) {
    const auto [kernel, bias] = parameters_.take_folded();
    packed_.emplace(pack_conv_transpose2d(backend, HostView<const float, 4>(kernel.data(), kernel_),
                                          HostView<const float, 1>(bias.data(), {kernel_[0]})));
  }

  /// @param x  [N, H, W, in]
  /// @param y  [N, 2H, 2W, out]
  template <class Input, class Output>
  void forward_into(const Backend& backend, const Input& x, Output&& y) const {
    conv_transpose2d(backend, x, *packed_, {activation_}, y);
  }

  Extents<4> output_extents(const Extents<4>& input) const {
    return {{input[0], 2 * input[1], 2 * input[2], kernel_[0]}};
  }

 private:
  Extents<4> kernel_;
  Activation activation_;
  AffineParameters parameters_;
  std::optional<PackedConvTranspose2d<Backend>> packed_;
};

}  // namespace mrcnn::nn

#endif
