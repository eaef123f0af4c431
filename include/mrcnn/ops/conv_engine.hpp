#ifndef MRCNN_OPS_CONV_ENGINE_HPP
#define MRCNN_OPS_CONV_ENGINE_HPP

#include <cstdint>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/detail/float_ops.hpp"

// What convolution, transposed convolution and linear layers have in common: the words of their options, and the engine
// of a backend that does the arithmetic for all three.

namespace mrcnn {

/// The arithmetic of the products. The host computes in fp32.
enum class Math : std::uint8_t {
  fp32,    ///< 32-bit products and sums
  tf32,    ///< factors rounded to 10 bits of mantissa (tensor cores)
  bf16x3,  ///< factors split into two bfloat16 each, three products: accurate like fp32
  bf16,    ///< factors rounded to bfloat16
};

/// Applied to every output before it is stored.
enum class Activation : std::uint8_t {
  none,
  relu,  ///< negative values become 0; NaN stays NaN
};

/// A tensor that is added to the output before the activation.
enum class Residual : std::uint8_t {
  none,
  same,       ///< has the output's shape
  nearest2x,  ///< has half the output's height and width: (y, x) reads (y / 2, x / 2), as a top-down pyramid does
};

/// How a convolution is computed. The choice is made when its weights are packed.
enum class ConvAlgorithm : std::uint8_t {
  direct,    ///< one fused multiply-add per product, in the order (ky, kx, channel)
  winograd,  ///< F(4x4, 3x3) where the kernel is 3x3, which must then run with stride 1; others are direct. A quarter
             ///< of the products, four times the memory for weights, rounding errors about five times as large.
};

namespace detail {

/// The shape of the weights [out_channels, height, width, in_channels].
struct ConvKernelShape {
  index_t out_channels = 0;
  index_t height = 1;
  index_t width = 1;
  index_t in_channels = 0;
  bool transposed = false;  ///< each input pixel is spread over a height x width patch of its own of the output
};

/// One call of an engine: checked pointers and geometry.
struct ConvProblem {
  const float* input = nullptr;  // [batch, height, width, in_channels]
  index_t batch = 0, height = 0, width = 0;
  float* output = nullptr;  // [batch, out_height, out_width, out_channels]
  index_t out_height = 0, out_width = 0;
  index_t stride_y = 1, stride_x = 1;
  index_t top = 0, left = 0;  // zeros around the input
  const float* residual = nullptr;
  Residual residual_kind = Residual::none;
  Activation activation = Activation::none;
};

MRCNN_HOST_DEVICE inline float activate(float value, Activation activation) {
  return activation == Activation::relu && value < 0.0F ? 0.0F : value;
}

/// One output value, straight from the definition.
struct ConvElement {
  ConvKernelShape kernel;
  ConvProblem problem;
  const float* weights;
  const float* bias;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const index_t o = i % kernel.out_channels;
    const index_t pixel = i / kernel.out_channels;
    const index_t x = pixel % problem.out_width;
    const index_t y = pixel / problem.out_width % problem.out_height;
    const index_t n = pixel / problem.out_width / problem.out_height;
    float value = (kernel.transposed ? spread(n, y, x, o) : gather(n, y, x, o)) + bias[o];
    if (problem.residual_kind == Residual::same) value += problem.residual[i];
    if (problem.residual_kind == Residual::nearest2x) {
      const index_t source = (n * (problem.out_height / 2) + y / 2) * (problem.out_width / 2) + x / 2;
      value += problem.residual[source * kernel.out_channels + o];
    }
    problem.output[i] = activate(value, problem.activation);
  }

 private:
  MRCNN_HOST_DEVICE const float* pixel(index_t n, index_t y, index_t x) const {
    return problem.input + ((n * problem.height + y) * problem.width + x) * kernel.in_channels;
  }
  MRCNN_HOST_DEVICE const float* tap(index_t o, index_t ky, index_t kx) const {
    return weights + ((o * kernel.height + ky) * kernel.width + kx) * kernel.in_channels;
  }
  MRCNN_HOST_DEVICE float dot(const float* a, const float* b, float sum) const {
    for (index_t c = 0; c < kernel.in_channels; ++c) sum += product(a[c], b[c]);
    return sum;
  }
  MRCNN_HOST_DEVICE float gather(index_t n, index_t y, index_t x, index_t o) const {
    float sum = 0.0F;
    for (index_t ky = 0; ky < kernel.height; ++ky)
      for (index_t kx = 0; kx < kernel.width; ++kx) {
        const index_t iy = y * problem.stride_y + ky - problem.top;
        const index_t ix = x * problem.stride_x + kx - problem.left;
        if (iy < 0 || iy >= problem.height || ix < 0 || ix >= problem.width) continue;
        sum = dot(pixel(n, iy, ix), tap(o, ky, kx), sum);
      }
    return sum;
  }
  MRCNN_HOST_DEVICE float spread(index_t n, index_t y, index_t x, index_t o) const {
    return dot(pixel(n, y / kernel.height, x / kernel.width), tap(o, y % kernel.height, x % kernel.width), 0.0F);
  }
};

}  // namespace detail

/// The engine of a backend: `prepare` turns weights into what its kernels like to read, `run` computes a convolution, a
/// transposed convolution or (as a 1x1 convolution) a linear layer with them. Backends specialise it; this general one
/// works on every backend and computes each output on its own.
template <class Backend>
struct ConvEngine {
  /// Weights and bias, ready for `run`. Immutable; moves.
  struct Packed {
    detail::ConvKernelShape shape;
    Tensor<float, 1, Backend> weights;
    Tensor<float, 1, Backend> bias;
  };

  /// @param kernel  [out_channels, height, width, in_channels] in the backend's memory
  /// @param bias    [out_channels], or null for zeros
  static Packed prepare(const Backend& backend, const detail::ConvKernelShape& shape, const float* kernel,
                        const float* bias, Math math, ConvAlgorithm) {
    if (math != Math::fp32) throw Error("conv2d: this backend has no other math than fp32; pack with Math::fp32");
    const index_t size = shape.out_channels * shape.height * shape.width * shape.in_channels;
    Packed packed{shape, make_tensor<float>(backend, {size}), make_tensor<float>(backend, {shape.out_channels})};
    backend.copy(packed.weights.data(), kernel, static_cast<std::size_t>(size) * sizeof(float));
    const std::size_t bias_bytes = static_cast<std::size_t>(shape.out_channels) * sizeof(float);
    if (bias != nullptr)
      backend.copy(packed.bias.data(), bias, bias_bytes);
    else
      backend.fill(packed.bias.data(), 0, bias_bytes);
    return packed;
  }

  static void run(const Backend& backend, const Packed& packed, const detail::ConvProblem& problem) {
    const index_t outputs = problem.batch * problem.out_height * problem.out_width * packed.shape.out_channels;
    backend.parallel_for(outputs, detail::ConvElement{packed.shape, problem, packed.weights.data(), packed.bias.data()},
                         64);
  }
};

}  // namespace mrcnn

#endif
