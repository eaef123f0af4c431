// Box arithmetic, anchors, softmax and pooling against the tensors of the original system, each fed with its inputs.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "mrcnn/io/safetensors.hpp"
#include "mrcnn/ops/anchors.hpp"
#include "mrcnn/ops/box_coder.hpp"
#include "mrcnn/ops/boxes.hpp"
#include "mrcnn/ops/iou.hpp"
#include "mrcnn/ops/pool.hpp"
#include "mrcnn/ops/softmax.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/shared.hpp"

namespace mrcnn {
namespace {

using test::make_backend;
using test::tensor;

io::SafeTensors golden(const std::string& file) {
  return io::SafeTensors::open(test::shared_path("golden/" + file + ".safetensors").string());
}

/// Rows of y, x, y, x as rows of x, y, x, y; and dy, dx, log dh, log dw as dx, dy, log dw, log dh.
template <class T>
std::vector<float> swapped(const std::vector<T>& rows) {
  std::vector<float> result;
  for (std::size_t i = 0; i < rows.size(); i += 4)
    for (const std::size_t j : {1U, 0U, 3U, 2U}) result.push_back(static_cast<float>(rows[i + j]));
  return result;
}

template <class T>
double largest_difference(const std::vector<float>& found, const std::vector<T>& expected) {
  REQUIRE(found.size() == expected.size());
  double largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i])));
  return largest;
}

TEST_CASE_TEMPLATE("box_iou, encode, decode and clip_boxes as in the original's graph", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto file = golden("training_r50/targets");
  for (const std::string profile : {"legacy/", "modern/"}) {
    CAPTURE(profile);
    const auto a = tensor<float>(backend, {40, 4}, swapped(file.read<std::int32_t>(profile + "overlaps/boxes1")));
    const auto b = tensor<float>(backend, {12, 4}, swapped(file.read<std::int32_t>(profile + "overlaps/boxes2")));
    auto overlaps = make_tensor<float>(backend, {40, 12});
    box_iou(backend, a, b, {}, overlaps);
    CHECK(largest_difference(to_host(backend, overlaps), file.read<double>(profile + "overlaps/iou")) < 1e-7);

    const BoxCoder plain{.std_dev = {1, 1, 1, 1}};
    const auto boxes = tensor<float>(backend, {40, 4}, swapped(file.read<float>(profile + "coder/boxes")));
    const auto targets = tensor<float>(backend, {40, 4}, swapped(file.read<float>(profile + "coder/gt")));
    auto out = make_tensor<float>(backend, {40, 4});
    encode(backend, plain, boxes, targets, out);
    CHECK(largest_difference(to_host(backend, out), swapped(file.read<float>(profile + "coder/refinement_graph"))) <
          1e-6);

    const auto deltas = tensor<float>(backend, {40, 4}, swapped(file.read<float>(profile + "coder/deltas")));
    const auto decoded = swapped(file.read<float>(profile + "coder/decoded_graph"));
    decode(backend, plain, boxes, deltas, out);
    CHECK(largest_difference(to_host(backend, out), decoded) < 5e-5);  // of coordinates in the hundreds

    clip_boxes(backend, tensor<float>(backend, {40, 4}, decoded), Box{10, 0, 118, 128}, out);
    CHECK(to_host(backend, out) == swapped(file.read<float>(profile + "coder/clipped_graph")));
  }
}

TEST_CASE_TEMPLATE("generate_anchors gives the original's bits, in pixels and normalised", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto file = golden("seeded_r50/case_a");
  const AnchorGenerator generator{
      .scales = {8, 16, 32, 64, 128}, .ratios = {0.5F, 1, 2}, .strides = {4, 8, 16, 32, 64}};
  auto anchors = make_tensor<float>(backend, {generator.count(128, 128), 4});
  generate_anchors(backend, generator, 128, 128, BoxFrame::pixels, anchors);
  CHECK(to_host(backend, anchors) == swapped(file.read<float>("legacy/anchors")));
  generate_anchors(backend, generator, 128, 128, BoxFrame::size_minus_one, anchors);
  CHECK(to_host(backend, anchors) == swapped(file.read<float>("modern/anchors")));
}

TEST_CASE_TEMPLATE("softmax gives the original's probabilities, of two classes and of several", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto file = golden("seeded_r50/case_a");
  for (const std::string name : {"legacy/rpn_class", "modern/rpn_class", "legacy/mrcnn_class", "modern/mrcnn_class"}) {
    CAPTURE(name);
    const auto shape = file.info(name + "_logits").shape;
    auto rows = tensor<float>(backend, {shape[0], shape[1]}, file.read<float>(name + "_logits"));
    softmax(backend, rows, rows);
    CHECK(largest_difference(to_host(backend, rows), file.read<float>(name)) < 3e-7);
  }
}

TEST_CASE_TEMPLATE("max_pool2d makes P6 of P5", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto file = golden("seeded_r50/case_a");
  const auto p5 = tensor<float>(backend, {1, 4, 4, 256}, file.read<float>("legacy/P5"));
  auto p6 = make_tensor<float>(backend, {1, 2, 2, 256});
  max_pool2d(backend, p5, {.kernel = 1, .stride = 2}, p6);
  CHECK(to_host(backend, p6) == file.read<float>("legacy/P6"));
}

}  // namespace
}  // namespace mrcnn
