#include "mrcnn/ops/anchors.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "tests/support/backends.hpp"

namespace mrcnn {
namespace {

using test::make_backend;

AnchorGenerator coco_anchors() {
  return {.scales = {32, 64, 128, 256, 512}, .ratios = {0.5F, 1, 2}, .strides = {4, 8, 16, 32, 64}};
}

TEST_CASE("AnchorGenerator: counts for 1024 x 1024") {
  const AnchorGenerator generator = coco_anchors();
  const std::vector<index_t> counts = {196608, 49152, 12288, 3072, 768};
  for (index_t level = 0; level < 5; ++level)
    CHECK(generator.level_count(level, 1024, 1024) == counts[static_cast<std::size_t>(level)]);
  CHECK(generator.count(1024, 1024) == 261888);
  CHECK(generator.count(128, 128) == 4092);
  AnchorGenerator sparse = generator;
  sparse.anchor_stride = 2;
  CHECK(sparse.count(1024, 1024) == 65472);
}

TEST_CASE("AnchorGenerator: a feature map of an odd size counts its last row and column") {
  AnchorGenerator generator{.scales = {8}, .ratios = {1, 2}, .strides = {4}};
  CHECK(generator.level_grid(0, 9, 17) == Extents<2>{{3, 5}});
  generator.anchor_stride = 2;
  CHECK(generator.level_grid(0, 9, 17) == Extents<2>{{2, 3}});
  CHECK(generator.count(9, 17) == 12);
}

TEST_CASE_TEMPLATE("generate_anchors: rows known from the original system", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  auto anchors = make_tensor<float>(backend, {261888, 4});
  generate_anchors(backend, coco_anchors(), 1024, 1024, BoxFrame::pixels, anchors);
  const auto rows = to_host(backend, anchors);
  struct Known {
    std::size_t index;
    double y1, x1, y2, x2;
  };
  const std::vector<Known> table = {
      {0, -22.627417, -11.313708, 22.627417, 11.313708},
      {1, -16, -16, 16, 16},
      {2, -11.313708, -22.627417, 11.313708, 22.627417},
      {3, -22.627417, -7.313708, 22.627417, 15.313708},
      {4, -16, -12, 16, 20},
      {768, -18.627417, -11.313708, 26.627417, 11.313708},
      {196607, 1008.686292, 997.372583, 1031.313708, 1042.627417},
      {196608, -45.254834, -22.627417, 45.254834, 22.627417},
      {261887, 778.980664, 597.961328, 1141.019336, 1322.038672},
  };
  for (const Known& known : table) {
    CAPTURE(known.index);
    const float* row = rows.data() + 4 * known.index;
    CHECK(row[0] == doctest::Approx(known.x1).epsilon(1e-7));
    CHECK(row[1] == doctest::Approx(known.y1).epsilon(1e-7));
    CHECK(row[2] == doctest::Approx(known.x2).epsilon(1e-7));
    CHECK(row[3] == doctest::Approx(known.y2).epsilon(1e-7));
  }
}

TEST_CASE_TEMPLATE("generate_anchors: normalised by the size less one", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  auto anchors = make_tensor<float>(backend, {261888, 4});
  generate_anchors(backend, coco_anchors(), 1024, 1024, BoxFrame::size_minus_one, anchors);
  const auto rows = to_host(backend, anchors);
  const std::vector<double> first = {-0.011059344, -0.022118688, 0.010081827, 0.021141170,
                                     -0.015640274, -0.015640274, 0.014662757, 0.014662757};
  for (std::size_t i = 0; i < first.size(); ++i) CHECK(std::abs(rows[i] - first[i]) < 6e-10);
}

TEST_CASE_TEMPLATE("generate_anchors: the order is level, y, x, ratio", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  // Ratios whose roots are exact: 16 x 16, then 32 wide and 8 high. Maps of 2 x 3 and 1 x 2 positions.
  const AnchorGenerator generator{.scales = {16, 32}, .ratios = {1, 4}, .strides = {8, 16}};
  REQUIRE(generator.count(16, 24) == 2 * 3 * 2 + 1 * 2 * 2);
  auto anchors = make_tensor<float>(backend, {16, 4});
  generate_anchors(backend, generator, 16, 24, BoxFrame::pixels, anchors);
  std::vector<float> expected;
  const auto add = [&expected](float x, float y, float half_width, float half_height) {
    expected.insert(expected.end(), {x - half_width, y - half_height, x + half_width, y + half_height});
  };
  for (const float y : {0.0F, 8.0F})
    for (const float x : {0.0F, 8.0F, 16.0F}) {
      add(x, y, 8, 8);
      add(x, y, 16, 4);
    }
  for (const float x : {0.0F, 16.0F}) {
    add(x, 0, 16, 16);
    add(x, 0, 32, 8);
  }
  CHECK(to_host(backend, anchors) == expected);
}

TEST_CASE_TEMPLATE("generate_anchors: with a stride of 2 every second position", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  AnchorGenerator generator{.scales = {4}, .ratios = {1}, .strides = {4}, .anchor_stride = 2};
  auto anchors = make_tensor<float>(backend, {4, 4});
  generate_anchors(backend, generator, 16, 12, BoxFrame::pixels, anchors);
  CHECK(to_host(backend, anchors) == std::vector<float>{-2, -2, 2, 2, 6, -2, 10, 2, -2, 6, 2, 10, 6, 6, 10, 10});
}

TEST_CASE_TEMPLATE("generate_anchors: an image without pixels has none", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  auto none = make_tensor<float>(backend, {0, 4});
  generate_anchors(backend, coco_anchors(), 0, 1024, BoxFrame::size_minus_one, none);
  CHECK(to_host(backend, none).empty());
}

TEST_CASE("generate_anchors: errors") {
  const HostBackend backend(1);
  auto anchors = make_tensor<float>(backend, {7, 4});
  CHECK_THROWS_WITH_AS(generate_anchors(backend, coco_anchors(), 1024, 1024, BoxFrame::pixels, anchors),
                       "generate_anchors: anchors has shape [7, 4], expected [261888, 4]", ShapeError);
  AnchorGenerator generator = coco_anchors();
  generator.scales.pop_back();
  CHECK_THROWS_WITH_AS(generate_anchors(backend, generator, 64, 64, BoxFrame::pixels, anchors),
                       "generate_anchors: there are 4 scales and 5 strides, expected one of each for every level",
                       ShapeError);
  generator = coco_anchors();
  generator.anchor_stride = 0;
  CHECK_THROWS_AS(generate_anchors(backend, generator, 64, 64, BoxFrame::pixels, anchors), ShapeError);
  generator = coco_anchors();
  generator.ratios[1] = -1;
  CHECK_THROWS_AS(generate_anchors(backend, generator, 64, 64, BoxFrame::pixels, anchors), ShapeError);
  generator = coco_anchors();
  generator.strides[0] = 0;
  CHECK_THROWS_AS(generate_anchors(backend, generator, 64, 64, BoxFrame::pixels, anchors), ShapeError);
}

}  // namespace
}  // namespace mrcnn
