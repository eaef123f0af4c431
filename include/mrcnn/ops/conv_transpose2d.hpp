#ifndef MRCNN_OPS_CONV_TRANSPOSE2D_HPP
#define MRCNN_OPS_CONV_TRANSPOSE2D_HPP

#include <utility>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/detail/conv_host_engine.hpp"
#include "mrcnn/ops/conv_engine.hpp"

namespace mrcnn {

struct ConvTranspose2dOptions {
  Activation activation = Activation::none;
};

/// Weights and bias of a transposed convolution in the form that the backend's engine reads. Immutable; moves, does not
/// copy.
template <class Backend>
class PackedConvTranspose2d {
 public:
  using engine = ConvEngine<Backend>;

  explicit PackedConvTranspose2d(typename engine::Packed packed) : packed_(std::move(packed)) {}

  index_t out_channels() const { return packed_.shape.out_channels; }
  index_t in_channels() const { return packed_.shape.in_channels; }
  const typename engine::Packed& packed() const { return packed_; }

 private:
  typename engine::Packed packed_;
};

/// Prepares a 2x2 transposed convolution of stride 2: once when a model is loaded.
///
/// @param kernel  [O, 2, 2, I] float32 (Keras keeps [2, 2, O, I])
/// @param bias    [O] float32, or an empty view for zeros
/// @param math    the arithmetic; the host has fp32
///
/// Synchronisation: enqueued on the backend; does not wait. Throws: ShapeError; Error for a math the backend lacks.
template <class Backend, class Kernel, class Bias>
PackedConvTranspose2d<Backend> pack_conv_transpose2d(const Backend& backend, const Kernel& kernel, const Bias& bias,
                                                     Math math = Math::fp32) {
  const auto k = input<float, 4>(backend, kernel, "pack_conv_transpose2d", "kernel", {any, 2, 2, any});
  if (k.extent(3) < 1)
    throw ShapeError("pack_conv_transpose2d: kernel has shape " + detail::to_string(k.extents()) +
                     ", expected [out channels, 2, 2, in channels] with at least one in channel");
  const bool without_bias = as_view(bias).extent(0) == 0;
  const auto b = input<float, 1>(backend, bias, "pack_conv_transpose2d", "bias", {without_bias ? 0 : k.extent(0)});
  const detail::ConvKernelShape shape{k.extent(0), 2, 2, k.extent(3), true};
  return PackedConvTranspose2d<Backend>(ConvEngine<Backend>::prepare(
      backend, shape, k.data(), without_bias ? nullptr : b.data(), math, ConvAlgorithm::direct));
}

/// Transposed convolution ("deconvolution") with a 2x2 kernel and stride 2, which doubles a feature map:
/// output(n, 2y + a, 2x + b, o) = activation(bias(o) + sum of input(n, y, x, c) kernel(o, a, b, c)).
///
/// @param input   [N, H, W, I] float32, NHWC
/// @param packed  weights from `pack_conv_transpose2d`
/// @param output  [N, 2H, 2W, O] float32, apart from `input`
///
/// N = 0 is legal. The patches do not overlap, so that every output is one sum over the channels.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: as `conv2d`. Throws: ShapeError.
template <class Backend, class Input, class Output>
void conv_transpose2d(const Backend& backend, const Input& input, const PackedConvTranspose2d<Backend>& packed,
                      const ConvTranspose2dOptions& options, Output&& output) {
  const auto in =
      mrcnn::input<float, 4>(backend, input, "conv_transpose2d", "input", {any, any, any, packed.in_channels()});
  const Extents<4> extents{{in.extent(0), 2 * in.extent(1), 2 * in.extent(2), packed.out_channels()}};
  const auto out = mrcnn::output<float, 4>(backend, output, "conv_transpose2d", "output", extents);
  const detail::ConvProblem problem{.input = in.data(),
                                    .batch = in.extent(0),
                                    .height = in.extent(1),
                                    .width = in.extent(2),
                                    .output = out.data(),
                                    .out_height = extents[1],
                                    .out_width = extents[2],
                                    .activation = options.activation};
  if (out.size() > 0) ConvEngine<Backend>::run(backend, packed.packed(), problem);
}

/// As above, packing the weights on the way.
///
/// @param kernel  [O, 2, 2, I] float32
/// @param bias    [O] float32, or an empty view
template <class Backend, tensor_like Input, tensor_like Kernel, tensor_like Bias, class Output>
void conv_transpose2d(const Backend& backend, const Input& input, const Kernel& kernel, const Bias& bias,
                      const ConvTranspose2dOptions& options, Output&& output) {
  conv_transpose2d(backend, input, pack_conv_transpose2d(backend, kernel, bias), options, output);
}

}  // namespace mrcnn

#endif
