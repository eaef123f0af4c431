#ifndef MRCNN_TESTS_SUPPORT_CONVOLUTION_HPP
#define MRCNN_TESTS_SUPPORT_CONVOLUTION_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "mrcnn/core/tensor_view.hpp"
#include "mrcnn/ops/conv2d.hpp"

// A convolution in double precision, written the other way round than the library's: every input pixel is scattered
// over the outputs that it contributes to.

namespace mrcnn::test {

/// A convolution with everything that decides its result, on the host.
struct Convolution {
  Extents<4> input{{1, 1, 1, 1}};   // [N, H, W, I]
  Extents<4> kernel{{1, 1, 1, 1}};  // [O, kh, kw, I]
  Conv2dOptions options;
  std::vector<float> values, weights, bias;

  Extents<4> output() const { return conv2d_extents(input, kernel, options); }
};

/// Values in (-1, 1), the same on every machine.
inline std::vector<float> noise(index_t n, std::uint32_t seed) {
  std::vector<float> values(static_cast<std::size_t>(n));
  std::uint32_t state = seed * 2654435761U + 1;
  for (float& value : values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(static_cast<std::int32_t>(state >> 8) - (1 << 23)) / static_cast<float>(1 << 23);
  }
  return values;
}

inline Convolution make_convolution(Extents<4> input, Extents<4> kernel, Conv2dOptions options,
                                    std::uint32_t seed = 1) {
  return {
      input, kernel, options, noise(input.size(), seed), noise(kernel.size(), seed + 1), noise(kernel[0], seed + 2)};
}

/// Result and, for each output, the sum of the magnitudes of its terms: what rounding errors are measured against.
struct Reference {
  std::vector<double> values, magnitudes;
};

/// @param residual  empty, or as many values as the output has
inline Reference reference_convolution(const Convolution& c, const std::vector<float>& residual = {}) {
  const Extents<4> out = c.output();
  const auto size = static_cast<std::size_t>(out.size());
  Reference result{std::vector<double>(size), std::vector<double>(size)};
  const auto add = [&](index_t at, double term) {
    result.values[static_cast<std::size_t>(at)] += term;
    result.magnitudes[static_cast<std::size_t>(at)] += std::abs(term);
  };
  std::size_t next = 0;
  for (index_t n = 0; n < c.input[0]; ++n)
    for (index_t y = 0; y < c.input[1]; ++y)
      for (index_t x = 0; x < c.input[2]; ++x)
        for (index_t i = 0; i < c.input[3]; ++i) {
          const double value = static_cast<double>(c.values[next++]);
          for (index_t ky = 0; ky < c.kernel[1]; ++ky)
            for (index_t kx = 0; kx < c.kernel[2]; ++kx) {
              const index_t above = y + c.options.padding.top - ky;
              const index_t before = x + c.options.padding.left - kx;
              if (above < 0 || before < 0 || above % c.options.stride_y != 0 || before % c.options.stride_x != 0)
                continue;
              const index_t oy = above / c.options.stride_y;
              const index_t ox = before / c.options.stride_x;
              if (oy >= out[1] || ox >= out[2]) continue;
              for (index_t o = 0; o < out[3]; ++o) {
                const index_t w = ((o * c.kernel[1] + ky) * c.kernel[2] + kx) * c.kernel[3] + i;
                add(((n * out[1] + oy) * out[2] + ox) * out[3] + o,
                    value * static_cast<double>(c.weights[static_cast<std::size_t>(w)]));
              }
            }
        }
  for (index_t at = 0; at < out.size(); ++at) {
    if (!c.bias.empty()) add(at, static_cast<double>(c.bias[static_cast<std::size_t>(at % out[3])]));
    if (!residual.empty()) add(at, static_cast<double>(residual[static_cast<std::size_t>(at)]));
    double& value = result.values[static_cast<std::size_t>(at)];
    if (c.options.activation == Activation::relu) value = std::max(value, 0.0);
  }
  return result;
}

/// The largest difference from the reference, in units of the terms' magnitudes.
inline double worst_error(const std::vector<float>& found, const Reference& expected) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    const double error = std::abs(static_cast<double>(found[i]) - expected.values[i]);
    worst = std::max(worst, error / std::max(expected.magnitudes[i], 1e-30));
  }
  return worst;
}

}  // namespace mrcnn::test

#endif
