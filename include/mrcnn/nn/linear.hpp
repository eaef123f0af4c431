#ifndef MRCNN_NN_LINEAR_HPP
#define MRCNN_NN_LINEAR_HPP

#include <optional>
#include <vector>

#include "mrcnn/core/tensor.hpp"
#include "mrcnn/nn/affine_parameters.hpp"
#include "mrcnn/ops/linear.hpp"

namespace mrcnn::nn {

/// A linear layer that owns its weights, with the batch norm behind it folded in and the activation fused.
///
/// A convolution whose kernel covers its whole input is such a layer over the flattened input, in (y, x, channel) order:
/// give its kernel {out, height, width, in} as the shape.
template <class Backend>
class Linear {
 public:
  /// @param kernel  {out, in}, or {out, height, width, in}
  Linear(const LayerName& name, const std::vector<index_t>& kernel, Activation activation)
      : activation_(activation),
        parameters_(name, kernel.size() == 2 ? ParameterKind::dense : ParameterKind::conv, kernel) {}

  /// Calls f(parameter) for the raw parameters.
  template <class F>
  void for_each_parameter(F&& f) {
    parameters_.for_each(f);
  }

  /// Folds, packs for the backend, and releases the raw parameters.
  void prepare(const Backend& backend) {
    const auto [kernel, bias] = parameters_.take_folded();
    const auto out = static_cast<index_t>(bias.size());
    const auto in = static_cast<index_t>(kernel.size()) / out;
    packed_.emplace(pack_linear(backend, HostView<const float, 2>(kernel.data(), {out, in}),
                                HostView<const float, 1>(bias.data(), {out})));
  }

  /// @param x  [N, in]
  /// @return [N, out], in a new tensor
  template <class Input>
  Tensor<float, 2, Backend> forward(const Backend& backend, const Input& x) const {
    auto y = make_tensor<float>(backend, {as_view(x).extent(0), out_features()});
    linear(backend, x, *packed_, {activation_}, y);
    return y;
  }

  index_t out_features() const { return parameters_.kernel_shape()[0]; }

 private:
  Activation activation_;
  AffineParameters parameters_;
  std::optional<PackedLinear<Backend>> packed_;
};

}  // namespace mrcnn::nn

#endif
