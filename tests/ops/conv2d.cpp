#include "mrcnn/ops/conv2d.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/core/workspace.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/convolution.hpp"

namespace mrcnn {
namespace {

using test::Convolution;
using test::make_backend;
using test::make_convolution;
using test::tensor;
using Floats = std::vector<float>;

const HostView<const float, 1> no_bias;
constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

template <class Backend, int Rank>
auto upload(const Backend& backend, const Extents<Rank>& extents, const Floats& elements) {
  auto copy = make_tensor<float>(backend, extents);
  backend.copy_from_host(copy.data(), elements.data(), elements.size() * sizeof(float));
  return copy;
}

template <class Backend>
Floats run(const Backend& backend, const Convolution& c, ConvAlgorithm algorithm = ConvAlgorithm::direct) {
  const auto bias = upload(backend, Extents<1>{{c.kernel[0]}}, c.bias);
  const auto packed = pack_conv2d(backend, upload(backend, c.kernel, c.weights), bias, Math::fp32, algorithm);
  auto output = make_tensor<float>(backend, c.output());
  conv2d(backend, upload(backend, c.input, c.values), packed, c.options, output);
  return to_host(backend, output);
}

TEST_CASE_TEMPLATE("conv2d: a 2x2 kernel worked by hand", Backend, MRCNN_HOST_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto input = tensor<float>(backend, {1, 3, 3, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  const auto kernel = tensor<float>(backend, {1, 2, 2, 1}, {1, 0, 0, -1});
  const auto bias = tensor<float>(backend, {1}, {10});
  auto output = make_tensor<float>(backend, {1, 2, 2, 1});
  conv2d(backend, input, kernel, bias, {}, output);
  CHECK(to_host(backend, output) == Floats{6, 6, 6, 6});  // 10 + a - (a + 4): not flipped
}

TEST_CASE_TEMPLATE("conv2d: kernels are [out, ky, kx, in] and maps [n, y, x, c]", Backend, MRCNN_HOST_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto input = tensor<float>(backend, {1, 1, 2, 2}, {1, 10, 100, 1000});
  const auto kernel = tensor<float>(backend, {2, 1, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  auto output = make_tensor<float>(backend, {1, 1, 1, 2});
  conv2d(backend, input, kernel, no_bias, {}, output);
  CHECK(to_host(backend, output) == Floats{4321, 8765});
}

TEST_CASE_TEMPLATE("conv2d: padding is zeros, and may differ on all four sides", Backend, MRCNN_HOST_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto input = tensor<float>(backend, {1, 1, 1, 1}, {2});
  const auto kernel = tensor<float>(backend, {1, 2, 2, 1}, {1, 10, 100, 1000});
  auto output = make_tensor<float>(backend, {1, 3, 2, 1});
  conv2d(backend, input, kernel, no_bias, {.padding = {.top = 2, .left = 1, .bottom = 1, .right = 1}}, output);
  CHECK(to_host(backend, output) == Floats{0, 0, 2000, 200, 20, 2});
}

TEST_CASE_TEMPLATE("conv2d: strides of rows and columns are independent", Backend, MRCNN_HOST_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto input = tensor<float>(backend, {1, 3, 5, 1}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14});
  const auto kernel = tensor<float>(backend, {1, 1, 1, 1}, {1});
  auto output = make_tensor<float>(backend, {1, 2, 2, 1});
  conv2d(backend, input, kernel, no_bias, {.stride_y = 2, .stride_x = 3}, output);
  CHECK(to_host(backend, output) == Floats{0, 3, 10, 13});
}

TEST_CASE_TEMPLATE("conv2d: bias, then residual, then ReLU", Backend, MRCNN_HOST_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto input = tensor<float>(backend, {1, 1, 3, 1}, {1, 2, 3});
  const auto packed =
      pack_conv2d(backend, tensor<float>(backend, {1, 1, 1, 1}, {1}), tensor<float>(backend, {1}, {-2}));
  const auto residual = tensor<float>(backend, {1, 1, 3, 1}, {5, 0, -3});
  auto output = make_tensor<float>(backend, {1, 1, 3, 1});
  conv2d(backend, input, packed, residual, Residual::same, {}, output);
  CHECK(to_host(backend, output) == Floats{4, 0, -2});
  conv2d(backend, input, packed, residual, Residual::same, {.activation = Activation::relu}, output);
  CHECK(to_host(backend, output) == Floats{4, 0, 0});
  conv2d(backend, input, packed, residual, Residual::none, {.activation = Activation::relu}, output);
  CHECK(to_host(backend, output) == Floats{0, 0, 1});
}

TEST_CASE_TEMPLATE("conv2d: the residual may be the output itself", Backend, MRCNN_HOST_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto packed = pack_conv2d(backend, tensor<float>(backend, {1, 1, 1, 1}, {10}), no_bias);
  auto sum = tensor<float>(backend, {1, 1, 3, 1}, {1, 2, 3});
  conv2d(backend, tensor<float>(backend, {1, 1, 3, 1}, {4, 5, 6}), packed, sum, Residual::same, {}, sum);
  CHECK(to_host(backend, sum) == Floats{41, 52, 63});
}

TEST_CASE_TEMPLATE("conv2d: a residual of half the size is repeated twice in both directions", Backend,
                   MRCNN_HOST_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto packed = pack_conv2d(backend, tensor<float>(backend, {1, 1, 1, 1}, {1}), no_bias);
  const auto input = tensor<float>(backend, {2, 2, 4, 1}, Floats(16, 0.5F));
  const auto coarse = tensor<float>(backend, {2, 1, 2, 1}, {10, 20, 30, 40});
  auto output = make_tensor<float>(backend, {2, 2, 4, 1});
  conv2d(backend, input, packed, coarse, Residual::nearest2x, {}, output);
  CHECK(to_host(backend, output) == Floats{10.5, 10.5, 20.5, 20.5, 10.5, 10.5, 20.5, 20.5,  //
                                           30.5, 30.5, 40.5, 40.5, 30.5, 30.5, 40.5, 40.5});
}

TEST_CASE_TEMPLATE("conv2d: equals a scattered sum in double for every kind of shape", Backend,
                   MRCNN_HOST_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const Conv2dOptions same{.padding = {1, 1, 1, 1}};
  const Convolution shapes[] = {
      make_convolution({{1, 1, 1, 1}}, {{1, 1, 1, 1}}, {}),
      make_convolution({{2, 5, 7, 3}}, {{18, 3, 3, 3}}, same),  // few channels
      make_convolution({{1, 23, 17, 3}}, {{64, 7, 7, 3}}, {.stride_y = 2, .stride_x = 2, .padding = {3, 3, 3, 3}}),
      make_convolution({{1, 9, 11, 40}}, {{81, 1, 1, 40}}, {}),  // 64 + 16 + 1
      make_convolution({{1, 8, 9, 33}}, {{6, 1, 1, 33}}, {.stride_y = 2, .stride_x = 2}),
      make_convolution({{3, 7, 7, 16}}, {{40, 7, 7, 16}}, {}),  // one sum a map
      make_convolution({{1, 6, 5, 130}}, {{130, 3, 3, 130}}, {.padding = {1, 1, 1, 1}, .activation = Activation::relu}),
      make_convolution({{1, 20, 20, 64}}, {{64, 3, 3, 64}}, same),  // several chunks
      make_convolution({{1, 2, 3, 700}}, {{324, 1, 1, 700}}, {}),   // several steps
      make_convolution({{2, 4, 3, 5}}, {{2, 3, 2, 5}}, {.stride_x = 2, .padding = {0, 1, 2, 0}}),
      make_convolution({{1, 5, 4, 2}}, {{3, 2, 3, 2}}, {.padding = {4, 5, 3, 6}}),  // whole windows outside
  };
  for (const Convolution& c : shapes) {
    CAPTURE(detail::to_string(c.input));
    CAPTURE(detail::to_string(c.kernel));
    CHECK(test::worst_error(run(backend, c), test::reference_convolution(c)) < 2e-6);
  }
}

TEST_CASE_TEMPLATE("conv2d: Winograd is close to the sum in double, also off its 4x4 tiles", Backend,
                   MRCNN_HOST_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const Conv2dOptions same{.padding = {1, 1, 1, 1}};
  const Convolution shapes[] = {
      make_convolution({{1, 8, 8, 64}}, {{64, 3, 3, 64}}, same),
      make_convolution({{2, 5, 7, 19}}, {{21, 3, 3, 19}}, same),
      make_convolution({{1, 14, 14, 256}}, {{80, 3, 3, 256}},
                       {.padding = {1, 1, 1, 1}, .activation = Activation::relu}),
      make_convolution({{1, 3, 3, 4}}, {{4, 3, 3, 4}}, {}),
      make_convolution({{3, 6, 1, 8}}, {{5, 3, 3, 8}}, {.padding = {2, 1, 0, 3}}),
      make_convolution({{1, 9, 9, 16}}, {{16, 1, 1, 16}}, {.stride_y = 2, .stride_x = 2}),  // no Winograd: not 3x3
  };
  for (const Convolution& c : shapes) {
    CAPTURE(detail::to_string(c.input));
    CAPTURE(detail::to_string(c.kernel));
    CHECK(test::worst_error(run(backend, c, ConvAlgorithm::winograd), test::reference_convolution(c)) < 2e-5);
  }
}

TEST_CASE_TEMPLATE("conv2d: Winograd adds bias and residual and applies ReLU as the direct algorithm does", Backend,
                   MRCNN_HOST_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  for (const Residual kind : {Residual::same, Residual::nearest2x}) {
    const Convolution c =
        make_convolution({{2, 6, 10, 5}}, {{21, 3, 3, 5}}, {.padding = {1, 1, 1, 1}, .activation = Activation::relu});
    const Extents<4> half{{2, 3, 5, 21}};
    const Extents<4> extents = kind == Residual::same ? c.output() : half;
    const auto residual = upload(backend, extents, test::noise(extents.size(), 9));
    const auto input = upload(backend, c.input, c.values);
    const auto kernel = upload(backend, c.kernel, c.weights);
    const auto bias = upload(backend, Extents<1>{{21}}, c.bias);
    auto direct = make_tensor<float>(backend, c.output());
    auto winograd = make_tensor<float>(backend, c.output());
    conv2d(backend, input, pack_conv2d(backend, kernel, bias), residual, kind, c.options, direct);
    conv2d(backend, input, pack_conv2d(backend, kernel, bias, Math::fp32, ConvAlgorithm::winograd), residual, kind,
           c.options, winograd);
    const Floats expected = to_host(backend, direct);
    const Floats found = to_host(backend, winograd);
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(std::abs(found[i] - expected[i]) < 1e-4F);
  }
}

TEST_CASE_TEMPLATE("conv2d: a batch gives the bits of its images one by one", Backend, MRCNN_HOST_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  for (const ConvAlgorithm algorithm : {ConvAlgorithm::direct, ConvAlgorithm::winograd}) {
    const Convolution batch = make_convolution({{4, 13, 11, 24}}, {{70, 3, 3, 24}}, {.padding = {1, 1, 1, 1}});
    const Floats together = run(backend, batch, algorithm);
    Floats alone;
    for (index_t n = 0; n < 4; ++n) {
      Convolution one = batch;
      one.input[0] = 1;
      const index_t size = one.input.size();
      one.values.assign(batch.values.begin() + n * size, batch.values.begin() + (n + 1) * size);
      const Floats result = run(backend, one, algorithm);
      alone.insert(alone.end(), result.begin(), result.end());
    }
    CHECK(together == alone);
  }
}

TEST_CASE("conv2d: the number of threads leaves no trace in the bits") {
  for (const ConvAlgorithm algorithm : {ConvAlgorithm::direct, ConvAlgorithm::winograd}) {
    const Convolution c = make_convolution({{1, 19, 21, 32}}, {{200, 3, 3, 32}}, {.padding = {1, 1, 1, 1}});
    const Floats one = run(HostBackend(1), c, algorithm);
    for (const int threads : {2, 3, 8}) CHECK(run(HostBackend(threads), c, algorithm) == one);
  }
}

TEST_CASE_TEMPLATE("conv2d: no images, no output channels", Backend, MRCNN_HOST_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  CHECK(run(backend, make_convolution({{0, 5, 5, 3}}, {{4, 3, 3, 3}}, {})).empty());
  CHECK(run(backend, make_convolution({{1, 5, 5, 3}}, {{0, 3, 3, 3}}, {})).empty());
}

TEST_CASE_TEMPLATE("conv2d: NaN and infinity propagate where they are read, and nowhere else", Backend,
                   MRCNN_HOST_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto input = tensor<float>(backend, {1, 1, 5, 1}, {nan, 1, 1, 1, infinity});
  const auto kernel = tensor<float>(backend, {1, 1, 3, 1}, {1, 1, 1});
  auto output = make_tensor<float>(backend, {1, 1, 5, 1});
  conv2d(backend, input, kernel, no_bias, {.padding = {0, 1, 0, 1}, .activation = Activation::relu}, output);
  const Floats result = to_host(backend, output);
  CHECK(std::isnan(result[0]));  // ReLU keeps NaN
  CHECK(std::isnan(result[1]));
  CHECK(result[2] == 3.0F);
  CHECK(result[3] == infinity);
  CHECK(result[4] == infinity);
}

TEST_CASE("conv2d: in a workspace it takes no memory after the first run") {
  const HostBackend backend(2);
  const Convolution c = make_convolution({{1, 9, 9, 8}}, {{20, 3, 3, 8}}, {.padding = {1, 1, 1, 1}});
  const HostView<const float, 4> input(c.values.data(), c.input);
  const auto packed = pack_conv2d(backend, HostView<const float, 4>(c.weights.data(), c.kernel),
                                  HostView<const float, 1>(c.bias.data(), {{20}}));
  auto output = make_tensor<float>(backend, c.output());
  Workspace workspace;
  for (int i = 0; i < 3; ++i)
    workspace.run(backend, c.input, [&](const HostBackend& arena) { conv2d(arena, input, packed, c.options, output); });
  CHECK(to_host(backend, output) == run(backend, c));
}

TEST_CASE("same_padding: the sizes of TensorFlow's rule") {
  const Padding2d three = same_padding(5, 6, 3, 3);
  CHECK(three.top == 1);
  CHECK(three.bottom == 1);
  const Padding2d strided = same_padding(4, 5, 3, 3, 2, 2);  // 4 -> 2: one row is missing, and goes below
  CHECK(strided.top == 0);
  CHECK(strided.bottom == 1);
  CHECK(strided.left == 1);
  CHECK(strided.right == 1);
  const Padding2d wide = same_padding(8, 8, 1, 1, 2, 2);
  CHECK(wide.bottom == 0);
}

TEST_CASE("conv2d: wrong shapes are named with what was expected") {
  const HostBackend backend(1);
  const auto input = make_tensor<float>(backend, {1, 4, 5, 3});
  const auto packed = pack_conv2d(backend, make_tensor<float>(backend, {2, 3, 3, 3}), no_bias);
  auto output = make_tensor<float>(backend, {1, 2, 3, 2});
  const auto call = [&](const auto& in, const Conv2dOptions& options) { conv2d(backend, in, packed, options, output); };
  CHECK_THROWS_WITH_AS(call(make_tensor<float>(backend, {1, 4, 5, 4}), {}),
                       "conv2d: input has shape [1, 4, 5, 4], expected [any, any, any, 3]", ShapeError);
  CHECK_THROWS_WITH_AS(call(input, {.padding = {1, 1, 1, 1}}),
                       "conv2d: output has shape [1, 2, 3, 2], expected [1, 4, 5, 2]", ShapeError);
  CHECK_THROWS_WITH_AS(
      call(make_tensor<float>(backend, {1, 2, 5, 3}), {}),
      "conv2d: input has shape [1, 2, 5, 3], expected at least 3 x 3 pixels with its padding, the size "
      "of the kernel",
      ShapeError);
  CHECK_THROWS_WITH_AS(call(input, {.stride_y = 0}), "conv2d: the stride is 0 x 1, expected at least 1 x 1",
                       ShapeError);
  CHECK_THROWS_AS(call(input, {.padding = {-1, 0, 0, 0}}), ShapeError);
  CHECK_THROWS_WITH_AS(
      conv2d(backend, input, packed, make_tensor<float>(backend, {1, 1, 1, 2}), Residual::same, {}, output),
      "conv2d: residual has shape [1, 1, 1, 2], expected [1, 2, 3, 2]", ShapeError);
  CHECK_THROWS_WITH_AS(
      conv2d(backend, input, packed, make_tensor<float>(backend, {1, 1, 1, 2}), Residual::nearest2x, {}, output),
      "conv2d: output has shape [1, 2, 3, 2], expected an even height and width for a residual of half the size",
      ShapeError);
  CHECK_THROWS_WITH_AS(
      pack_conv2d(backend, make_tensor<float>(backend, {2, 3, 3, 3}), make_tensor<float>(backend, {3})),
      "pack_conv2d: bias has shape [3], expected [2]", ShapeError);
  CHECK_THROWS_AS(pack_conv2d(backend, make_tensor<float>(backend, {2, 3, 3, 0}), no_bias), ShapeError);
  const auto winograd =
      pack_conv2d(backend, make_tensor<float>(backend, {2, 3, 3, 3}), no_bias, Math::fp32, ConvAlgorithm::winograd);
  auto small = make_tensor<float>(backend, {1, 1, 2, 2});
  CHECK_THROWS_WITH_AS(
      conv2d(backend, input, winograd, {.stride_y = 2, .stride_x = 2}, small),
      "conv2d: the stride is 2 x 2, but the weights were packed with ConvAlgorithm::winograd, which has "
      "stride 1; pack them with ConvAlgorithm::direct",
      ShapeError);
  CHECK_THROWS_AS(pack_conv2d(backend, make_tensor<float>(backend, {2, 3, 3, 3}), no_bias, Math::bf16), Error);
}

}  // namespace
}  // namespace mrcnn
