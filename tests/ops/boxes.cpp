#include "mrcnn/ops/boxes.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
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

TEST_CASE("Box: the order is x1, y1, x2, y2, also for the rows of a tensor") {
  const std::vector<float> rows = {0, 0, 0, 0, 1, 2, 3, 4};
  const HostView<const float, 2> view(rows.data(), {{2, 4}});
  const Box box = as_boxes(view)[1];
  CHECK(box == Box{1, 2, 3, 4});
  for (int i = 0; i < 4; ++i) CHECK(box[i] == static_cast<float>(i + 1));
}

TEST_CASE_TEMPLATE("clip_boxes: values worked by hand", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  auto boxes = tensor<float>(backend, {4, 4},
                             {-5, 10, 50, 130,     // hangs over the left and the lower edge
                              20, 20, 30, 30,      // inside
                              200, -50, 300, -10,  // outside: nothing is left of it
                              30, 120, 20, 110});  // reversed, and it stays so
  clip_boxes(backend, boxes, Box{0, 5, 100, 100}, boxes);
  CHECK(to_host(backend, boxes) ==
        std::vector<float>{0, 10, 50, 100, 20, 20, 30, 30, 100, 5, 100, 5, 30, 100, 20, 100});
}

TEST_CASE_TEMPLATE("clip_boxes: infinity comes to the edge, NaN stays", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto boxes = tensor<float>(backend, {1, 4}, {-infinity, nan, infinity, 7});
  auto clipped = make_tensor<float>(backend, {1, 4});
  clip_boxes(backend, boxes, Box{0, 0, 10, 10}, clipped);
  const auto result = to_host(backend, clipped);
  CHECK(result[0] == 0);
  CHECK(std::isnan(result[1]));
  CHECK(result[2] == 10);
  CHECK(result[3] == 7);
}

TEST_CASE_TEMPLATE("normalize_boxes: the two frames of 1024 x 1024", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  // The first two anchors of that image and, in x1, y1, x2, y2, what the original system makes of them.
  const auto boxes =
      tensor<float>(backend, {2, 4}, {-11.313708F, -22.627417F, 11.313708F, 22.627417F, -16, -16, 16, 16});
  auto normalized = make_tensor<float>(backend, {2, 4});

  normalize_boxes(backend, boxes, {.frame = BoxFrame::size_minus_one, .height = 1024, .width = 1024}, normalized);
  const std::vector<float> modern = {-0.011059344F, -0.022118688F, 0.010081827F, 0.021141170F,
                                     -0.015640274F, -0.015640274F, 0.014662757F, 0.014662757F};
  CHECK(to_host(backend, normalized) == modern);

  normalize_boxes(backend, boxes, {.frame = BoxFrame::size, .height = 1024, .width = 1024}, normalized);
  CHECK(to_host(backend, normalized)[4] == -0.015625F);
  CHECK(to_host(backend, normalized)[7] == 0.015625F);

  normalize_boxes(backend, boxes, {.frame = BoxFrame::pixels}, normalized);
  CHECK(to_host(backend, normalized) == to_host(backend, boxes));
}

TEST_CASE_TEMPLATE("normalize_boxes: x goes with the width, y with the height", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto boxes = tensor<float>(backend, {1, 4}, {8, 8, 33, 33});
  auto normalized = make_tensor<float>(backend, {1, 4});
  normalize_boxes(backend, boxes, {.frame = BoxFrame::size, .height = 32, .width = 64}, normalized);
  CHECK(to_host(backend, normalized) == std::vector<float>{0.125F, 0.25F, 0.515625F, 1.03125F});
  normalize_boxes(backend, boxes, {.frame = BoxFrame::size_minus_one, .height = 33, .width = 65}, normalized);
  CHECK(to_host(backend, normalized) == std::vector<float>{0.125F, 0.25F, 0.5F, 1.0F});
}

TEST_CASE_TEMPLATE("denormalize_boxes: whole pixels, halves to even, come back unchanged", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  for (const BoxFrame frame : {BoxFrame::size, BoxFrame::size_minus_one}) {
    test::Draw draw(3);
    std::vector<float> pixels;
    for (int i = 0; i < 4000; ++i) pixels.push_back(static_cast<float>(draw.integer(-50, 1400)));
    const NormalizeOptions options{.frame = frame, .height = 769, .width = 1023};
    auto boxes = tensor<float>(backend, {1000, 4}, pixels);
    normalize_boxes(backend, boxes, options, boxes);
    denormalize_boxes(backend, boxes, options, boxes);
    CHECK(to_host(backend, boxes) == pixels);
  }
  auto halves = tensor<float>(backend, {1, 4}, {0.5F, 1.5F, 2.5F, -0.5F});
  const NormalizeOptions one_pixel{.frame = BoxFrame::size, .height = 1, .width = 1};
  denormalize_boxes(backend, halves, one_pixel, halves);
  CHECK(to_host(backend, halves) == std::vector<float>{0, 2, 2, 0});
}

TEST_CASE_TEMPLATE("denormalize_boxes: without rounding", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto boxes = tensor<float>(backend, {1, 4}, {0.25F, 0.5F, 0.75F, 1});
  auto pixels = make_tensor<float>(backend, {1, 4});
  NormalizeOptions options{.frame = BoxFrame::size_minus_one, .height = 4, .width = 6};
  options.whole_pixels = false;
  denormalize_boxes(backend, boxes, options, pixels);
  CHECK(to_host(backend, pixels) == std::vector<float>{1.25F, 1.5F, 4.75F, 4});
}

TEST_CASE_TEMPLATE("clip_boxes, normalize_boxes, denormalize_boxes: no boxes", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  auto none = make_tensor<float>(backend, {0, 4});
  clip_boxes(backend, none, Box{0, 0, 1, 1}, none);
  normalize_boxes(backend, none, {.frame = BoxFrame::size, .height = 1, .width = 1}, none);
  denormalize_boxes(backend, none, {.frame = BoxFrame::size, .height = 1, .width = 1}, none);
  CHECK(to_host(backend, none).empty());
}

TEST_CASE("normalize_boxes: errors say what was found and what was expected") {
  const HostBackend backend(1);
  auto boxes = make_tensor<float>(backend, {2, 4});
  auto three = make_tensor<float>(backend, {3, 4});
  auto narrow = make_tensor<float>(backend, {2, 3});
  const NormalizeOptions options{.frame = BoxFrame::size, .height = 10, .width = 10};
  CHECK_THROWS_WITH_AS(normalize_boxes(backend, boxes, options, three),
                       "normalize_boxes: normalized has shape [3, 4], expected [2, 4]", ShapeError);
  CHECK_THROWS_WITH_AS(clip_boxes(backend, narrow, Box{}, narrow),
                       "clip_boxes: boxes has shape [2, 3], expected [any, 4]", ShapeError);
  CHECK_THROWS_WITH_AS(
      normalize_boxes(backend, boxes, {.frame = BoxFrame::size_minus_one, .height = 1, .width = 5}, boxes),
      "normalize_boxes: the image is 1 x 5 pixels, expected at least 2 x 2; set height and width in the options",
      ShapeError);
  CHECK_THROWS_AS(denormalize_boxes(backend, boxes, {}, boxes), ShapeError);
}

}  // namespace
}  // namespace mrcnn
