#include "mrcnn/ops/pool.hpp"

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

MaxPool2dOptions same_pool(index_t height, index_t width, index_t kernel, index_t stride) {
  return {.kernel = kernel, .stride = stride, .padding = same_padding(height, width, kernel, kernel, stride, stride)};
}

TEST_CASE_TEMPLATE("max_pool2d: 3x3 windows with stride 2 on an even map begin at its first pixel", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  std::vector<float> pixels(16);
  for (std::size_t i = 0; i < 16; ++i) pixels[i] = -static_cast<float>(i);  // the first of a window is its largest
  const auto x = tensor<float>(backend, {1, 4, 4, 1}, pixels);
  auto y = make_tensor<float>(backend, {1, 2, 2, 1});
  max_pool2d(backend, x, same_pool(4, 4, 3, 2), y);
  CHECK(to_host(backend, y) == std::vector<float>{0, -2, -8, -10});
}

TEST_CASE_TEMPLATE("max_pool2d: padding never wins, not even over negative values", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto x = tensor<float>(backend, {1, 1, 1, 2}, {-3, -infinity});
  auto y = make_tensor<float>(backend, {1, 1, 1, 2});
  max_pool2d(backend, x, {.kernel = 3, .stride = 2, .padding = {1, 1, 1, 1}}, y);
  CHECK(to_host(backend, y) == std::vector<float>{-3, -infinity});
}

TEST_CASE_TEMPLATE("max_pool2d: kernel 1 with stride 2 takes every second pixel", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto x = tensor<float>(backend, {1, 3, 4, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const MaxPool2dOptions every_second{.kernel = 1, .stride = 2};
  CHECK(max_pool2d_extents(x.extents(), every_second) == Extents<4>{{1, 2, 2, 1}});
  auto y = make_tensor<float>(backend, {1, 2, 2, 1});
  max_pool2d(backend, x, every_second, y);
  CHECK(to_host(backend, y) == std::vector<float>{1, 3, 9, 11});
}

TEST_CASE_TEMPLATE("max_pool2d: equal to a search over the padded map", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  struct Case {
    index_t n, h, w, c, kernel, stride;
  };
  for (const Case s : {Case{2, 7, 9, 5, 3, 2}, Case{1, 8, 8, 64, 3, 2}, Case{1, 5, 6, 35, 2, 1},
                       Case{3, 9, 4, 16, 4, 3}, Case{1, 1, 1, 1, 5, 2}}) {
    test::Draw draw(static_cast<unsigned>(s.h));
    const auto pixels = draw.numbers(static_cast<std::size_t>(s.n * s.h * s.w * s.c), -1, 1);
    const auto x = tensor<float>(backend, {s.n, s.h, s.w, s.c}, pixels);
    const auto options = same_pool(s.h, s.w, s.kernel, s.stride);
    const auto extents = max_pool2d_extents(x.extents(), options);
    CHECK(extents == Extents<4>{{s.n, (s.h + s.stride - 1) / s.stride, (s.w + s.stride - 1) / s.stride, s.c}});
    auto y = make_tensor<float>(backend, extents);
    max_pool2d(backend, x, options, y);
    // Scatter: every pixel offers itself to every window that contains it.
    std::vector<float> expected(static_cast<std::size_t>(extents.size()), -infinity);
    for (index_t i = 0; i < x.size(); ++i) {
      const index_t c = i % s.c;
      const index_t column = i / s.c % s.w + options.padding.left;
      const index_t row = i / s.c / s.w % s.h + options.padding.top;
      const index_t image = i / s.c / s.w / s.h;
      for (index_t oy = 0; oy < extents[1]; ++oy)
        for (index_t ox = 0; ox < extents[2]; ++ox) {
          const index_t dy = row - oy * s.stride;
          const index_t dx = column - ox * s.stride;
          if (dy < 0 || dx < 0 || dy >= s.kernel || dx >= s.kernel) continue;
          float& best = expected[static_cast<std::size_t>(((image * extents[1] + oy) * extents[2] + ox) * s.c + c)];
          best = std::fmax(best, pixels[static_cast<std::size_t>(i)]);
        }
    }
    CHECK(to_host(backend, y) == expected);
  }
}

TEST_CASE_TEMPLATE("max_pool2d: a window with NaN gives NaN, wherever it stands in it", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  for (std::size_t position = 0; position < 4; ++position) {
    std::vector<float> pixels(8, 1.0F);
    pixels[2 * position] = std::numeric_limits<float>::quiet_NaN();
    const auto x = tensor<float>(backend, {1, 2, 2, 2}, pixels);
    auto y = make_tensor<float>(backend, {1, 1, 1, 2});
    max_pool2d(backend, x, {}, y);
    CHECK(std::isnan(to_host(backend, y)[0]));
    CHECK(to_host(backend, y)[1] == 1);
  }
}

TEST_CASE_TEMPLATE("max_pool2d: no images, no channels", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto no_images = make_tensor<float>(backend, {0, 4, 4, 3});
  auto y = make_tensor<float>(backend, {0, 2, 2, 3});
  max_pool2d(backend, no_images, {}, y);
  const auto no_channels = make_tensor<float>(backend, {1, 4, 4, 0});
  auto z = make_tensor<float>(backend, {1, 2, 2, 0});
  max_pool2d(backend, no_channels, {}, z);
  CHECK(to_host(backend, z).empty());
}

TEST_CASE("max_pool2d: errors") {
  const HostBackend backend(1);
  const auto x = make_tensor<float>(backend, {1, 4, 4, 3});
  auto y = make_tensor<float>(backend, {1, 3, 3, 3});
  CHECK_THROWS_WITH_AS(max_pool2d(backend, x, {}, y),
                       "max_pool2d: output has shape [1, 3, 3, 3], expected [1, 2, 2, 3]", ShapeError);
  CHECK_THROWS_WITH_AS(max_pool2d(backend, x, {.kernel = 5}, y),
                       "max_pool2d: input has shape [1, 4, 4, 3], expected at least 5 x 5 pixels with its padding, the "
                       "size of the kernel",
                       ShapeError);
  CHECK_THROWS_WITH_AS(max_pool2d(backend, x, {.kernel = 2, .stride = 2, .padding = {2, 0, 0, 0}}, y),
                       "max_pool2d: the padding (top, left, bottom, right) is (2, 0, 0, 0), expected 0 to 1, less than "
                       "the kernel",
                       ShapeError);
  CHECK_THROWS_AS(max_pool2d(backend, x, {.kernel = 2, .stride = 0}, y), ShapeError);
  CHECK_THROWS_AS(max_pool2d(backend, x, {.kernel = 0}, y), ShapeError);
}

}  // namespace
}  // namespace mrcnn
