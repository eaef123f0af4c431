#include "mrcnn/ops/activation.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/draw.hpp"

namespace mrcnn {
namespace {

using test::make_backend;
using test::tensor;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

TEST_CASE_TEMPLATE("relu: negative values become 0, in place, for any rank", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  auto x = tensor<float>(backend, {2, 1, 3}, {-1, 0, 2, -infinity, infinity, 1e-30F});
  relu(backend, x, x);
  CHECK(to_host(backend, x) == std::vector<float>{0, 0, 2, 0, infinity, 1e-30F});
  auto single = tensor<float>(backend, {1}, {nan});
  relu(backend, single, single);
  CHECK(std::isnan(to_host(backend, single)[0]));
}

TEST_CASE_TEMPLATE("sigmoid: known values, limits and NaN", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto x = tensor<float>(backend, {8}, {0, 1, -1, 200, -200, infinity, -infinity, nan});
  auto y = make_tensor<float>(backend, {8});
  sigmoid(backend, x, y);
  const auto result = to_host(backend, y);
  CHECK(result[0] == 0.5F);
  CHECK(result[1] == doctest::Approx(0.7310585786).epsilon(1e-7));
  CHECK(result[2] == doctest::Approx(0.2689414214).epsilon(1e-7));
  CHECK(result[3] == 1);
  CHECK(result[4] == 0);
  CHECK(result[5] == 1);
  CHECK(result[6] == 0);
  CHECK(std::isnan(result[7]));
}

TEST_CASE_TEMPLATE("sigmoid: within two units in the last place of the exact value", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  test::Draw draw(2);
  const auto inputs = draw.numbers(20000, -20, 20);
  auto x = tensor<float>(backend, {20000}, inputs);
  sigmoid(backend, x, x);
  const auto result = to_host(backend, x);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const double exact = 1.0 / (1.0 + std::exp(-static_cast<double>(inputs[i])));
    REQUIRE(std::abs(result[i] - exact) <= 2.4e-7 * exact);
  }
}

TEST_CASE("relu, sigmoid: nothing to do, and wrong shapes") {
  const HostBackend backend(1);
  auto none = make_tensor<float>(backend, {0, 7});
  relu(backend, none, none);
  sigmoid(backend, none, none);
  auto a = make_tensor<float>(backend, {2, 3});
  auto b = make_tensor<float>(backend, {3, 2});
  CHECK_THROWS_WITH_AS(relu(backend, a, b), "relu: y has shape [3, 2], expected [2, 3]", ShapeError);
  CHECK_THROWS_WITH_AS(sigmoid(backend, a, b), "sigmoid: y has shape [3, 2], expected [2, 3]", ShapeError);
}

}  // namespace
}  // namespace mrcnn
