#include "mrcnn/ops/box_coder.hpp"

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

TEST_CASE_TEMPLATE("decode: a box worked out by the original system", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto boxes = tensor<float>(backend, {1, 4}, {200, 100, 328, 164});
  const auto deltas = tensor<float>(backend, {1, 4}, {-0.5F, 1.0F, -1.0F, 0.5F});
  auto decoded = make_tensor<float>(backend, {1, 4});
  decode(backend, BoxCoder{}, boxes, deltas, decoded);
  const std::vector<double> expected = {205.201232, 103.034531, 309.998768, 173.765469};
  const auto result = to_host(backend, decoded);
  for (std::size_t i = 0; i < 4; ++i) CHECK(result[i] == doctest::Approx(expected[i]).epsilon(1e-7));
}

TEST_CASE_TEMPLATE("encode: a box worked out by the original system", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto boxes = tensor<float>(backend, {1, 4}, {200, 100, 328, 164});
  const auto targets = tensor<float>(backend, {1, 4}, {210, 96, 300, 180});
  auto deltas = make_tensor<float>(backend, {1, 4});
  encode(backend, BoxCoder{.std_dev = {1, 1, 1, 1}}, boxes, targets, deltas);
  auto result = to_host(backend, deltas);
  CHECK(result[0] == -0.0703125F);
  CHECK(result[1] == 0.09375F);
  CHECK(result[2] == doctest::Approx(-0.352220594).epsilon(1e-7));
  CHECK(result[3] == doctest::Approx(0.271933715).epsilon(1e-7));
  encode(backend, BoxCoder{}, boxes, targets, deltas);
  result = to_host(backend, deltas);
  const std::vector<double> expected = {-0.703125, 0.9375, -1.761102968, 1.359668577};
  for (std::size_t i = 0; i < 4; ++i) CHECK(result[i] == doctest::Approx(expected[i]).epsilon(2e-7));
}

TEST_CASE_TEMPLATE("decode: zero deltas give the box back", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const std::vector<float> rows = {0, 0, 16, 8, -4, -2, 4, 6, 3, 3, 3, 3};  // the last one is empty
  auto boxes = tensor<float>(backend, {3, 4}, rows);
  const auto deltas = tensor<float>(backend, {3, 4}, std::vector<float>(12, 0.0F));
  decode(backend, BoxCoder{}, boxes, deltas, boxes);
  CHECK(to_host(backend, boxes) == rows);
}

TEST_CASE_TEMPLATE("decode: undoes encode", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  test::Draw draw(5);
  const auto boxes = tensor<float>(backend, {500, 4}, draw.boxes(500, 900, 8, 300));
  const auto rows = draw.boxes(500, 900, 8, 300);
  const auto targets = tensor<float>(backend, {500, 4}, rows);
  auto deltas = make_tensor<float>(backend, {500, 4});
  auto decoded = make_tensor<float>(backend, {500, 4});
  encode(backend, BoxCoder{}, boxes, targets, deltas);
  decode(backend, BoxCoder{}, boxes, deltas, decoded);
  const auto result = to_host(backend, decoded);
  for (std::size_t i = 0; i < rows.size(); ++i) REQUIRE(std::abs(result[i] - rows[i]) < 2e-3F);
}

TEST_CASE_TEMPLATE("decode: every operation is rounded to float32, in the stated order", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  test::Draw draw(8);
  const auto rows = draw.boxes(300, 900, 1, 300);
  const auto raw = draw.numbers(1200, -2, 2);
  const auto boxes = tensor<float>(backend, {300, 4}, rows);
  const auto deltas = tensor<float>(backend, {300, 4}, raw);
  auto decoded = make_tensor<float>(backend, {300, 4});
  decode(backend, BoxCoder{.std_dev = {1, 1, 1, 1}}, boxes, deltas, decoded);
  const auto result = to_host(backend, decoded);
  // A volatile variable holds a rounded float: nothing is fused, nothing is kept wider.
  const auto corners = [](float low, float high, float shift, float log_scale) {
    volatile float extent = high - low;
    volatile float half = 0.5F * extent;
    volatile float center = low + half;
    volatile float step = shift * extent;
    center = center + step;
    extent = extent * static_cast<float>(std::exp(static_cast<double>(log_scale)));
    half = 0.5F * extent;
    volatile float first = center - half;
    volatile float last = first + extent;
    return std::vector<float>{first, last};
  };
  for (std::size_t i = 0; i < 300; ++i)
    for (std::size_t axis = 0; axis < 2; ++axis) {
      const auto expected =
          corners(rows[4 * i + axis], rows[4 * i + axis + 2], raw[4 * i + axis], raw[4 * i + axis + 2]);
      REQUIRE(result[4 * i + axis] == expected[0]);
      REQUIRE(result[4 * i + axis + 2] == expected[1]);
    }
}

TEST_CASE_TEMPLATE("decode: the scale can be limited", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto boxes = tensor<float>(backend, {1, 4}, {-8, -8, 8, 8});
  const auto deltas = tensor<float>(backend, {1, 4}, {0, 0, 1000, -1000});
  auto decoded = make_tensor<float>(backend, {1, 4});
  decode(backend, BoxCoder{.max_log_scale = std::log(1000.0F / 16.0F)}, boxes, deltas, decoded);
  const auto limited = to_host(backend, decoded);
  CHECK(limited[0] == doctest::Approx(-500));
  CHECK(limited[2] == doctest::Approx(500));
  CHECK(limited[1] == 0);  // a very small height is not limited
  CHECK(limited[3] == 0);
  decode(backend, BoxCoder{}, boxes, deltas, decoded);
  CHECK(to_host(backend, decoded)[0] == -infinity);
}

TEST_CASE_TEMPLATE("encode, decode: degenerate boxes give what the arithmetic gives", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto boxes = tensor<float>(backend, {3, 4}, {0, 0, 4, 4, 1, 1, 1, 1, 4, 4, 0, 0});
  const auto targets = tensor<float>(backend, {3, 4}, {2, 2, 2, 2, 0, 0, 4, 4, 0, 0, 4, 4});
  auto deltas = make_tensor<float>(backend, {3, 4});
  encode(backend, BoxCoder{}, boxes, targets, deltas);
  const auto result = to_host(backend, deltas);
  CHECK(result[2] == -infinity);  // an empty target
  CHECK(result[4] == infinity);   // an empty box
  CHECK(std::isnan(result[10]));  // a reversed box
  const auto poisoned = tensor<float>(backend, {3, 4}, {nan, 0, 0, 0, 0, 0, nan, 0, 0, 0, 0, 0});
  auto decoded = make_tensor<float>(backend, {3, 4});
  decode(backend, BoxCoder{}, boxes, poisoned, decoded);
  CHECK(std::isnan(to_host(backend, decoded)[0]));
  CHECK(std::isnan(to_host(backend, decoded)[6]));
  CHECK(to_host(backend, decoded)[8] == 4);  // reversed stays reversed
  CHECK(to_host(backend, decoded)[10] == 0);
}

TEST_CASE("encode, decode: no boxes, and wrong shapes") {
  const HostBackend backend(1);
  auto none = make_tensor<float>(backend, {0, 4});
  auto two = make_tensor<float>(backend, {2, 4});
  encode(backend, BoxCoder{}, none, none, none);
  decode(backend, BoxCoder{}, none, none, none);
  CHECK_THROWS_WITH_AS(encode(backend, BoxCoder{}, two, none, two), "encode: targets has shape [0, 4], expected [2, 4]",
                       ShapeError);
  CHECK_THROWS_WITH_AS(decode(backend, BoxCoder{}, none, none, two),
                       "decode: decoded has shape [2, 4], expected [0, 4]", ShapeError);
}

}  // namespace
}  // namespace mrcnn
