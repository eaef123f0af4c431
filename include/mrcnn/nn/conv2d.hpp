#ifndef MRCNN_NN_CONV2D_HPP
#define MRCNN_NN_CONV2D_HPP

#include <cstdint>
#include <optional>

#include "mrcnn/core/tensor.hpp"
#include "mrcnn/nn/affine_parameters.hpp"
#include "mrcnn/ops/conv2d.hpp"

namespace mrcnn::nn {

/// Where a convolution's padding comes from.
enum class PaddingRule : std::uint8_t {
  given,  ///< the options say it
  same,   ///< TensorFlow's "same", from each input's extents
};

/// A convolution that owns its weights, with the batch norm behind it folded in and the activation fused.
///
/// Fill the raw parameters, call `prepare` once, then `forward` as often as needed, from any number of threads.
template <class Backend>
class Conv2d {
 public:
  /// @param kernel  {out, height, width, in}
  Conv2d(const LayerName& name, const Extents<4>& kernel, const Conv2dOptions& options,
         PaddingRule padding = PaddingRule::given)
      : kernel_(kernel),
        options_(options),
        padding_(padding),
        parameters_(name, ParameterKind::conv, {kernel[0], kernel[1], kernel[2], kernel[3]}) {}

  /// Calls f(parameter) for the raw parameters.
  template <class F>
  void for_each_parameter(F&& f) {
    parameters_.for_each(f);
  }

  /// Folds, packs for the backend, and releases the raw parameters.
  void prepare(const Backend& backend) {
    const auto [kernel, bias] = parameters_.take_folded();
    packed_.emplace(pack_conv2d(backend, HostView<const float, 4>(kernel.data(), kernel_),
                                HostView<const float, 1>(bias.data(), {kernel_[0]})));
  }

  Extents<4> output_extents(const Extents<4>& input) const {
    return conv2d_extents(input, kernel_, options_for(input));
  }

  /// The output, into a tensor of `output_extents`.
  template <class Input, class Output>
  void forward_into(const Backend& backend, const Input& x, Output&& y) const {
    conv2d(backend, x, *packed_, options_for(as_view(x).extents()), y);
  }
  /// The output, in a new tensor.
  template <class Input>
  Tensor<float, 4, Backend> forward(const Backend& backend, const Input& x) const {
    auto y = make_tensor<float>(backend, output_extents(as_view(x).extents()));
    forward_into(backend, x, y);
    return y;
  }
  /// The output with `residual` added before the activation.
  template <class Input, class Addend>
  Tensor<float, 4, Backend> forward(const Backend& backend, const Input& x, const Addend& residual,
                                    Residual kind = Residual::same) const {
    auto y = make_tensor<float>(backend, output_extents(as_view(x).extents()));
    conv2d(backend, x, *packed_, residual, kind, options_for(as_view(x).extents()), y);
    return y;
  }

 private:
  Conv2dOptions options_for(const Extents<4>& input) const {
    Conv2dOptions options = options_;
    if (padding_ == PaddingRule::same)
      options.padding = same_padding(input[1], input[2], kernel_[1], kernel_[2], options.stride_y, options.stride_x);
    return options;
  }

  Extents<4> kernel_;
  Conv2dOptions options_;
  PaddingRule padding_;
  AffineParameters parameters_;
  std::optional<PackedConv2d<Backend>> packed_;
};

}  // namespace mrcnn::nn

#endif
