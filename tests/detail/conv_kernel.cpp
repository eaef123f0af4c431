#include "mrcnn/detail/conv_kernel.hpp"

#include <doctest/doctest.h>

#include <Eigen/Core>
#include <cmath>
#include <string>
#include <vector>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/ops/conv2d.hpp"
#include "tests/support/convolution.hpp"

// Every instruction set that this machine has, not only the one that would be chosen, against a sum in double precision
// and against Eigen's matrix product of a patch matrix.

namespace mrcnn {
namespace {

using detail::Isa;
using test::Convolution;
using test::make_convolution;
using Engine = ConvEngine<HostBackend>;
using Floats = std::vector<float>;

Floats run(const HostBackend& backend, const Convolution& c, Isa isa, ConvAlgorithm algorithm = ConvAlgorithm::direct) {
  const detail::ConvKernelShape shape{c.kernel[0], c.kernel[1], c.kernel[2], c.kernel[3]};
  const PackedConv2d<HostBackend> packed(Engine::prepare(backend, shape, c.weights.data(), c.bias.data(), Math::fp32,
                                                         algorithm, detail::conv_kernel(isa)));
  Floats output(static_cast<std::size_t>(c.output().size()));
  conv2d(backend, HostView<const float, 4>(c.values.data(), c.input), packed, c.options,
         HostView<float, 4>(output.data(), c.output()));
  return output;
}

Floats eigen_convolution(const Convolution& c) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Extents<4> out = c.output();
  const index_t products = c.kernel[1] * c.kernel[2] * c.kernel[3];
  Matrix patches = Matrix::Zero(out[0] * out[1] * out[2], products);
  for (index_t row = 0; row < patches.rows(); ++row)
    for (index_t column = 0; column < products; ++column) {
      const index_t channel = column % c.kernel[3];
      const index_t tap = column / c.kernel[3];
      const index_t y = row / out[2] % out[1] * c.options.stride_y + tap / c.kernel[2] - c.options.padding.top;
      const index_t x = row % out[2] * c.options.stride_x + tap % c.kernel[2] - c.options.padding.left;
      if (y < 0 || y >= c.input[1] || x < 0 || x >= c.input[2]) continue;
      const index_t n = row / out[2] / out[1];
      const index_t at = ((n * c.input[1] + y) * c.input[2] + x) * c.input[3] + channel;
      patches(row, column) = c.values[static_cast<std::size_t>(at)];
    }
  const Eigen::Map<const Matrix> kernel(c.weights.data(), c.kernel[0], products);
  const Eigen::Map<const Eigen::RowVectorXf> bias(c.bias.data(), c.kernel[0]);
  Matrix result = (patches * kernel.transpose()).rowwise() + bias;
  if (c.options.activation == Activation::relu) result = result.cwiseMax(0.0F);
  return Floats(result.data(), result.data() + result.size());
}

/// Shapes with every width of a last panel, every height of a last tile, one and several steps, merged and single taps.
std::vector<Convolution> shapes() {
  const Conv2dOptions same{.padding = {1, 1, 1, 1}};
  std::vector<Convolution> all;
  for (const index_t out : {1, 2, 4, 6, 8, 15, 16, 17, 18, 33, 48, 63, 64, 65, 81, 100, 324})
    all.push_back(make_convolution({{1, 3, 4, 10}}, {{out, 1, 1, 10}}, {}, static_cast<std::uint32_t>(out)));
  for (index_t width = 1; width <= 13; ++width)
    all.push_back(make_convolution({{1, 1, width, 6}}, {{20, 1, 3, 6}}, {.padding = {0, 1, 0, 1}}));
  for (const index_t in : {1, 2, 3, 7, 21, 22, 64, 255, 256, 257, 600})
    all.push_back(make_convolution({{1, 5, 6, in}}, {{12, 3, 3, in}}, same));
  all.push_back(
      make_convolution({{1, 33, 31, 3}}, {{64, 7, 7, 3}}, {.stride_y = 2, .stride_x = 2, .padding = {3, 3, 3, 3}}));
  all.push_back(make_convolution({{2, 17, 19, 64}}, {{130, 3, 3, 64}},
                                 {.padding = {1, 1, 1, 1}, .activation = Activation::relu}));
  all.push_back(make_convolution({{5, 7, 7, 24}}, {{70, 7, 7, 24}}, {}));
  return all;
}

TEST_CASE("every instruction set computes a convolution like a sum in double and like Eigen") {
  const HostBackend backend(2);
  for (const Convolution& c : shapes()) {
    const test::Reference expected = test::reference_convolution(c);
    const Floats eigen = eigen_convolution(c);
    CHECK(test::worst_error(eigen, expected) < 2e-6);
    for (const Isa isa : detail::all_isas) {
      if (!detail::supported(isa)) continue;
      CAPTURE(detail::name(isa));
      CAPTURE(detail::to_string(c.input));
      CAPTURE(detail::to_string(c.kernel));
      const Floats found = run(backend, c, isa);
      CHECK(test::worst_error(found, expected) < 2e-6);
      float furthest = 0;
      for (std::size_t i = 0; i < found.size(); ++i)
        furthest = std::max(furthest, std::abs(found[i] - eigen[i]) / static_cast<float>(expected.magnitudes[i]));
      CHECK(furthest < 2e-6F);
    }
  }
}

TEST_CASE("every instruction set computes Winograd's algorithm close to a sum in double") {
  const HostBackend backend(2);
  const Conv2dOptions same{.padding = {1, 1, 1, 1}};
  for (const Convolution& c : {make_convolution({{1, 6, 9, 3}}, {{5, 3, 3, 3}}, same),
                               make_convolution({{2, 17, 18, 65}}, {{81, 3, 3, 65}}, same),
                               make_convolution({{1, 4, 4, 300}}, {{16, 3, 3, 300}}, same)}) {
    const test::Reference expected = test::reference_convolution(c);
    for (const Isa isa : detail::all_isas) {
      if (!detail::supported(isa)) continue;
      CAPTURE(detail::name(isa));
      CHECK(test::worst_error(run(backend, c, isa, ConvAlgorithm::winograd), expected) < 2e-5);
    }
  }
}

TEST_CASE("instruction sets with fused multiply-add give the same bits") {
  if (!detail::supported(Isa::avx512)) return;
  const HostBackend backend(2);
  for (const Convolution& c : shapes()) CHECK(run(backend, c, Isa::avx2) == run(backend, c, Isa::avx512));
}

TEST_CASE("bits do not depend on threads, for any instruction set") {
  const Convolution c = make_convolution({{2, 15, 14, 40}}, {{150, 3, 3, 40}}, {.padding = {1, 1, 1, 1}});
  for (const Isa isa : detail::all_isas) {
    if (!detail::supported(isa)) continue;
    CAPTURE(detail::name(isa));
    const Floats one = run(HostBackend(1), c, isa);
    CHECK(run(HostBackend(2), c, isa) == one);
    CHECK(run(HostBackend(7), c, isa) == one);
  }
}

}  // namespace
}  // namespace mrcnn
