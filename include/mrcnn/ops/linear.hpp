#ifndef MRCNN_OPS_LINEAR_HPP
#define MRCNN_OPS_LINEAR_HPP

#include <utility>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/detail/conv_host_engine.hpp"
#include "mrcnn/ops/conv_engine.hpp"

namespace mrcnn {

struct LinearOptions {
  Activation activation = Activation::none;
};

/// Weights and bias of a linear layer in the form that the backend's engine reads. Immutable; moves, does not copy.
template <class Backend>
class PackedLinear {
 public:
  using engine = ConvEngine<Backend>;

  explicit PackedLinear(typename engine::Packed packed) : packed_(std::move(packed)) {}

  index_t out_features() const { return packed_.shape.out_channels; }
  index_t in_features() const { return packed_.shape.in_channels; }
  const typename engine::Packed& packed() const { return packed_; }

 private:
  typename engine::Packed packed_;
};

/// Prepares a linear layer: once when a model is loaded.
///
/// @param weights  [O, I] float32 (Keras keeps the transpose, [I, O])
/// @param bias     [O] float32, or an empty view for zeros
/// @param math     the arithmetic; the host has fp32
///
/// Memory: as much as `weights`, with O rounded up to the engine's vector width.
/// Synchronisation: enqueued on the backend; does not wait. Throws: ShapeError; Error for a math the backend lacks.
template <class Backend, class Weights, class Bias>
PackedLinear<Backend> pack_linear(const Backend& backend, const Weights& weights, const Bias& bias,
                                  Math math = Math::fp32) {
  const auto w = input<float, 2>(backend, weights, "pack_linear", "weights", {any, any});
  if (w.extent(1) < 1)
    throw ShapeError("pack_linear: weights has shape " + detail::to_string(w.extents()) +
                     ", expected [out features, in features] with at least one in feature");
  const bool without_bias = as_view(bias).extent(0) == 0;
  const auto b = input<float, 1>(backend, bias, "pack_linear", "bias", {without_bias ? 0 : w.extent(0)});
  const detail::ConvKernelShape shape{w.extent(0), 1, 1, w.extent(1)};
  return PackedLinear<Backend>(ConvEngine<Backend>::prepare(backend, shape, w.data(), without_bias ? nullptr : b.data(),
                                                            math, ConvAlgorithm::direct));
}

/// A linear (dense, fully connected) layer: output(n, o) = activation(bias(o) + sum of input(n, i) weights(o, i)).
///
/// @param input   [N, I] float32
/// @param packed  weights from `pack_linear`
/// @param output  [N, O] float32, apart from `input`
///
/// N = 0 is legal. NaN and infinity propagate as in the sums.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: each sum runs in the order of i whatever the
/// threads and the row, the bias comes after it. Throws: ShapeError.
template <class Backend, class Input, class Output>
void linear(const Backend& backend, const Input& input, const PackedLinear<Backend>& packed,
            const LinearOptions& options, Output&& output) {
  const auto in = mrcnn::input<float, 2>(backend, input, "linear", "input", {any, packed.in_features()});
  const auto out = mrcnn::output<float, 2>(backend, output, "linear", "output", {in.extent(0), packed.out_features()});
  // A row is a pixel: a 1x1 convolution over an image one pixel high.
  const detail::ConvProblem problem{.input = in.data(),
                                    .batch = 1,
                                    .height = 1,
                                    .width = in.extent(0),
                                    .output = out.data(),
                                    .out_height = 1,
                                    .out_width = in.extent(0),
                                    .activation = options.activation};
  if (out.size() > 0) ConvEngine<Backend>::run(backend, packed.packed(), problem);
}

/// As above, packing the weights on the way.
///
/// @param weights  [O, I] float32
/// @param bias     [O] float32, or an empty view
template <class Backend, tensor_like Input, tensor_like Weights, tensor_like Bias, class Output>
void linear(const Backend& backend, const Input& input, const Weights& weights, const Bias& bias,
            const LinearOptions& options, Output&& output) {
  linear(backend, input, pack_linear(backend, weights, bias), options, output);
}

}  // namespace mrcnn

#endif
