#include "mrcnn/ops/softmax.hpp"

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

TEST_CASE_TEMPLATE("softmax: values worked by hand", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const float ln3 = std::log(3.0F);
  auto rows = tensor<float>(backend, {3, 2}, {0, 0, ln3, 0, -1000, 1000});
  softmax(backend, rows, rows);
  const auto p = to_host(backend, rows);
  CHECK(p[0] == 0.5F);
  CHECK(p[1] == 0.5F);
  CHECK(p[2] == doctest::Approx(0.75));
  CHECK(p[3] == doctest::Approx(0.25));
  CHECK(p[4] == 0);
  CHECK(p[5] == 1);
}

TEST_CASE_TEMPLATE("softmax: near the exact value, for any number of classes", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  for (const index_t classes : {1, 2, 3, 81, 2500}) {
    const index_t n = 64;
    test::Draw draw(static_cast<unsigned>(classes));
    const auto logits = draw.numbers(static_cast<std::size_t>(n * classes), -9, 9);
    const auto x = tensor<float>(backend, {n, classes}, logits);
    auto y = make_tensor<float>(backend, {n, classes});
    softmax(backend, x, y);
    const auto p = to_host(backend, y);
    for (index_t i = 0; i < n; ++i) {
      const auto at = [i, classes](index_t c) { return static_cast<std::size_t>(i * classes + c); };
      double sum = 0;
      for (index_t c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(logits[at(c)]));
      for (index_t c = 0; c < classes; ++c) {
        const double exact = std::exp(static_cast<double>(logits[at(c)])) / sum;
        // One rounding of a difference up to 18, and one for each term of the sum.
        REQUIRE(std::abs(p[at(c)] - exact) <= (2e-6 + 6e-8 * static_cast<double>(classes)) * exact);
      }
    }
  }
}

TEST_CASE_TEMPLATE("softmax: NaN takes its whole row and no other; infinity takes everything", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  auto rows = tensor<float>(backend, {5, 2}, {nan, 1, 1, nan, infinity, 3, infinity, infinity, -infinity, -infinity});
  softmax(backend, rows, rows);
  const auto p = to_host(backend, rows);
  for (std::size_t i = 0; i < 4; ++i) CHECK(std::isnan(p[i]));
  CHECK(std::vector<float>(p.begin() + 4, p.end()) == std::vector<float>{1, 0, 0.5F, 0.5F, 0.5F, 0.5F});
}

TEST_CASE("softmax: rows of two classes have a path of their own, with the same bits") {
  const HostBackend backend(1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  test::Draw draw(6);
  auto logits = draw.numbers(4000, -30, 30);
  const std::vector<float> edges = {0, -0.0F, 5, infinity, -infinity, nan};
  for (const float first : edges)
    for (const float second : edges) logits.insert(logits.end(), {first, second});
  const auto n = static_cast<index_t>(logits.size() / 2);
  auto rows = tensor<float>(backend, {n, 2}, logits);
  softmax(backend, rows, rows);
  const auto paired = to_host(backend, rows);
  std::vector<float> general(logits.size());
  const detail::SoftmaxFunctor functor{logits.data(), general.data(), 2};
  for (index_t i = 0; i < n; ++i) functor(i);
  for (std::size_t i = 0; i < general.size(); ++i)
    REQUIRE((paired[i] == general[i] || (std::isnan(paired[i]) && std::isnan(general[i]))));
}

TEST_CASE("softmax: one and three threads give the same bits") {
  test::Draw draw(17);
  const index_t n = 30001;
  const auto logits = draw.numbers(static_cast<std::size_t>(2 * n), -9, 9);
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 3}) {
    const HostBackend backend(threads);
    auto rows = tensor<float>(backend, {n, 2}, logits);
    softmax(backend, rows, rows);
    results.push_back(to_host(backend, rows));
  }
  CHECK(results[0] == results[1]);
}

TEST_CASE("softmax: no rows, no classes, wrong shape") {
  const HostBackend backend(1);
  auto no_rows = make_tensor<float>(backend, {0, 3});
  auto no_classes = make_tensor<float>(backend, {3, 0});
  softmax(backend, no_rows, no_rows);
  softmax(backend, no_classes, no_classes);
  auto x = make_tensor<float>(backend, {2, 3});
  CHECK_THROWS_WITH_AS(softmax(backend, x, no_rows), "softmax: probabilities has shape [0, 3], expected [2, 3]",
                       ShapeError);
}

}  // namespace
}  // namespace mrcnn
