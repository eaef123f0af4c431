#include "mrcnn/ops/upsample.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/draw.hpp"

namespace mrcnn {
namespace {

using test::make_backend;
using test::tensor;

TEST_CASE_TEMPLATE("upsample_nearest2x: doubles a row, does not blend it", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto coarse = tensor<float>(backend, {1, 1, 4, 1}, {1, 2, 4, 8});
  auto row = make_tensor<float>(backend, {1, 1, 8, 1});
  upsample_nearest2x(backend, coarse, row);
  CHECK(to_host(backend, row) == std::vector<float>{1, 1, 2, 2, 4, 4, 8, 8});
  auto rows = make_tensor<float>(backend, {1, 2, 7, 1});  // one column less than twice
  upsample_nearest2x(backend, coarse, rows);
  CHECK(to_host(backend, rows) == std::vector<float>{1, 1, 2, 2, 4, 4, 8, 1, 1, 2, 2, 4, 4, 8});
}

TEST_CASE_TEMPLATE("upsample_nearest2x_add: every fine pixel gets its coarse one added", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  for (const index_t channels : {1, 32, 37}) {
    const index_t n = 2, h = 3, w = 4, height = 5, width = 8;
    test::Draw draw(static_cast<unsigned>(channels));
    const auto coarse_values = draw.numbers(static_cast<std::size_t>(n * h * w * channels), -1, 1);
    const auto fine_values = draw.numbers(static_cast<std::size_t>(n * height * width * channels), -1, 1);
    const auto coarse = tensor<float>(backend, {n, h, w, channels}, coarse_values);
    auto fine = tensor<float>(backend, {n, height, width, channels}, fine_values);
    auto apart = make_tensor<float>(backend, {n, height, width, channels});
    upsample_nearest2x_add(backend, coarse, fine, apart);
    upsample_nearest2x_add(backend, coarse, fine, fine);
    // Scatter: each coarse pixel adds itself to its four.
    std::vector<float> expected = fine_values;
    for (index_t i = 0; i < coarse.size(); ++i)
      for (const index_t dy : {0, 1})
        for (const index_t dx : {0, 1}) {
          const index_t y = 2 * (i / channels / w % h) + dy;
          const index_t x = 2 * (i / channels % w) + dx;
          if (y >= height || x >= width) continue;
          const index_t image = i / channels / w / h;
          expected[static_cast<std::size_t>(((image * height + y) * width + x) * channels + i % channels)] +=
              coarse_values[static_cast<std::size_t>(i)];
        }
    CHECK(to_host(backend, apart) == expected);
    CHECK(to_host(backend, fine) == expected);
  }
}

TEST_CASE_TEMPLATE("upsample_nearest2x: nothing to do", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto no_images = make_tensor<float>(backend, {0, 2, 2, 3});
  auto out = make_tensor<float>(backend, {0, 4, 4, 3});
  upsample_nearest2x(backend, no_images, out);
  const auto no_channels = make_tensor<float>(backend, {1, 2, 2, 0});
  auto empty = make_tensor<float>(backend, {1, 4, 3, 0});
  upsample_nearest2x_add(backend, no_channels, empty, empty);
  CHECK(to_host(backend, empty).empty());
}

TEST_CASE("upsample_nearest2x: errors") {
  const HostBackend backend(1);
  const auto coarse = make_tensor<float>(backend, {1, 2, 2, 3});
  auto wrong = make_tensor<float>(backend, {1, 5, 4, 3});
  auto right = make_tensor<float>(backend, {1, 4, 4, 3});
  CHECK_THROWS_WITH_AS(
      upsample_nearest2x(backend, coarse, wrong),
      "upsample_nearest2x: out has 5 x 4 pixels, expected twice those of coarse (2 x 2), or one row or "
      "column less",
      ShapeError);
  CHECK_THROWS_WITH_AS(upsample_nearest2x_add(backend, coarse, wrong, right),
                       "upsample_nearest2x_add: addend has shape [1, 5, 4, 3], expected [1, 4, 4, 3]", ShapeError);
}

}  // namespace
}  // namespace mrcnn
