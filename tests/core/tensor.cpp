#include "mrcnn/core/tensor.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/support/backends.hpp"

namespace mrcnn {
namespace {

using test::make_backend;

template <class From, class To>
inline constexpr bool converts = std::is_convertible_v<From, To>;

using Writable = HostView<float, 2>;
using Readable = HostView<const float, 2>;

static_assert(std::is_trivially_copyable_v<Writable>);
static_assert(sizeof(Writable) == sizeof(float*) + 2 * sizeof(index_t), "a dense view carries no strides");
static_assert(converts<Writable, Readable>, "writable to const");
static_assert(!converts<Readable, Writable>, "never const to writable");
static_assert(!converts<HostView<float, 2>, HostView<float, 3>>, "never across ranks");
static_assert(!converts<HostView<std::int32_t, 2>, HostView<float, 2>>, "never across element types");
static_assert(!converts<HostView<float, 2>, DeviceView<float, 2>>, "never across memory spaces");
static_assert(!converts<DeviceView<float, 2>, HostView<const float, 2>>, "never across memory spaces");
static_assert(converts<Writable, HostView<const float, 2, layout_stride>>, "dense to strided");
static_assert(converts<HostView<float, 4, layout_nchw>, HostView<float, 4, layout_stride>>, "planar to strided");
static_assert(!converts<HostView<float, 4, layout_nchw>, HostView<float, 4>>, "planar is not dense");
static_assert(tensor_like<Writable> && tensor_like<Tensor<float, 2, HostBackend>>);
static_assert(!tensor_like<std::vector<float>> && !tensor_like<float*>);
static_assert(!std::is_copy_constructible_v<Tensor<float, 2, HostBackend>>, "copies of tensors are spelled out");
static_assert(std::is_nothrow_move_constructible_v<Tensor<float, 2, HostBackend>>);
static_assert(space_accessible<space::host, space::pinned> && space_accessible<space::cuda, space::pinned>);
static_assert(!space_accessible<space::host, space::cuda> && !space_accessible<space::cuda, space::host>);
static_assert(!space_accessible<space::host, space::sim>);

std::vector<float> counting(int n) {
  std::vector<float> values;
  for (int i = 0; i < n; ++i) values.push_back(static_cast<float>(i));
  return values;
}

std::string message_of(const auto& action) {
  try {
    action();
  } catch (const ShapeError& error) {
    return error.what();
  }
  return "no ShapeError";
}

TEST_CASE("TensorView: the last index runs fastest") {
  std::vector<float> memory = counting(24);
  const HostView<float, 3> view(memory.data(), {2, 3, 4});
  CHECK(view(0, 0, 1) == 1);
  CHECK(view(0, 1, 0) == 4);
  CHECK(view(1, 0, 0) == 12);
  CHECK(view(1, 2, 3) == 23);
  CHECK(view.size() == 24);
  CHECK(view.stride(0) == 12);
  CHECK(view.stride(1) == 4);
  CHECK(view.stride(2) == 1);
}

TEST_CASE("TensorView: a planar feature map is indexed (n, y, x, c) all the same") {
  // NCHW memory of n = 2, c = 3, h = 2, w = 2 holds plane after plane.
  std::vector<float> memory = counting(24);
  const HostView<float, 4, layout_nchw> view(memory.data(), {2, 2, 2, 3});
  CHECK(view(0, 0, 0, 0) == 0);
  CHECK(view(0, 0, 1, 0) == 1);
  CHECK(view(0, 1, 0, 0) == 2);
  CHECK(view(0, 0, 0, 1) == 4);
  CHECK(view(1, 0, 0, 0) == 12);
  CHECK(view(1, 1, 1, 2) == 23);
  const HostView<float, 4, layout_stride> strided(view);
  CHECK(strided(1, 1, 1, 2) == 23);
  CHECK(strided(1, 0, 1, 1) == view(1, 0, 1, 1));
}

TEST_CASE("TensorView: strides reach the columns of a matrix") {
  std::vector<float> memory = counting(12);
  const HostView<float, 2, layout_stride> transposed(memory.data(), {4, 3}, {1, 4});
  CHECK(transposed(3, 0) == 3);
  CHECK(transposed(0, 2) == 8);
}

TEST_CASE("TensorView: slice, slices and reshaped look at the same elements") {
  std::vector<float> memory = counting(24);
  const HostView<float, 3> view(memory.data(), {2, 3, 4});
  CHECK(view.slice(1)(2, 3) == 23);
  CHECK(view.slice(1).slice(2).slice(3)() == 23);
  CHECK(view.slices(1, 1).extents() == Extents<3>{1, 3, 4});
  CHECK(view.slices(1, 1)(0, 0, 0) == 12);
  CHECK(view.slices(2, 0).empty());
  CHECK(view.reshaped(Extents<2>{6, 4})(5, 3) == 23);
  view.slice(0)(0, 0) = 100;
  CHECK(memory[0] == 100);
}

TEST_CASE("TensorView: a scalar has one element and no index; an empty view none") {
  float value = 5;
  const HostView<float, 0> scalar(&value, {});
  CHECK(scalar() == 5);
  CHECK(scalar.size() == 1);
  CHECK(HostView<float, 2>(nullptr, {0, 4}).empty());
  CHECK(HostView<float, 2>().empty());
}

TEST_CASE_TEMPLATE("Tensor: keeps what was put in", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto tensor = make_tensor_from<float>(backend, {2, 3}, counting(6));
  CHECK(tensor.extents() == Extents<2>{2, 3});
  CHECK(to_host(backend, tensor) == counting(6));
  CHECK(reinterpret_cast<std::uintptr_t>(tensor.data()) % 256 == 0);
}

TEST_CASE_TEMPLATE("Tensor: no rows, no elements", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto tensor = make_tensor_from<float>(backend, {0, 4}, {});
  CHECK(tensor.size() == 0);
  CHECK(to_host(backend, tensor).empty());
}

TEST_CASE("Tensor: moving hands the memory over and leaves nothing behind") {
  const HostBackend backend(1);
  auto first = make_tensor_from<float>(backend, {3}, {1, 2, 3});
  const float* memory = first.data();
  auto second = std::move(first);
  CHECK(second.data() == memory);
  CHECK(first.data() == nullptr);  // NOLINT(bugprone-use-after-move)
  auto third = make_tensor_from<float>(backend, {1}, {9});
  third = std::move(second);
  CHECK(third.data() == memory);
  CHECK(to_host(backend, third) == std::vector<float>{1, 2, 3});
  auto& itself = third;
  third = std::move(itself);
  CHECK(to_host(backend, third) == std::vector<float>{1, 2, 3});
}

TEST_CASE("Tensor: impossible extents are refused with their numbers") {
  const HostBackend backend(1);
  CHECK(message_of([&] {
          make_tensor<float>(backend, {2, -3});
        }) == "Tensor: the new tensor has a negative extent: [-3]");
  CHECK(message_of([&] {
          make_tensor<float>(backend, {index_t{1} << 40, index_t{1} << 40});
        }) == "Tensor: the new tensor is too large: shape [1099511627776, 1099511627776]");
  CHECK(message_of([&] {
          make_tensor<float>(backend, {std::numeric_limits<index_t>::max()});
        }).starts_with("Tensor: the new tensor is too large"));
  CHECK(message_of([&] {
          make_tensor_from<float>(backend, {2, 2}, {1, 2, 3});
        }) == "make_tensor_from: 3 elements for shape [2, 2]");
}

TEST_CASE("Tensor: more memory than there is is an Error, not a crash") {
  const HostBackend backend(1);
  CHECK_THROWS_WITH_AS(make_tensor<std::uint8_t>(backend, {index_t{1} << 55}),
                       "HostBackend: out of memory: can not allocate 36028797018963968 bytes", Error);
}

TEST_CASE("input and output: extents are checked, the message names op, argument, found and expected") {
  const HostBackend backend(1);
  const auto boxes = make_tensor<float>(backend, {4, 3});
  CHECK(message_of([&] {
          input<float, 2>(backend, boxes, "nms", "boxes", {3, 4});
        }) == "nms: boxes has shape [4, 3], expected [3, 4]");
  CHECK(message_of([&] {
          input<float, 2>(backend, boxes, "nms", "boxes", {any, 4});
        }) == "nms: boxes has shape [4, 3], expected [any, 4]");
  CHECK(message_of([&] {
          output<float, 2>(backend, HostView<float, 2>(nullptr, {2, -1}), "nms", "keep", {any, any});
        }) == "nms: keep has a negative extent: [-1]");
  CHECK(input<float, 2>(backend, boxes, "nms", "boxes", {any, 3}).extents() == Extents<2>{4, 3});
}

TEST_CASE("input: `deduced` takes the argument's own element type and layout") {
  const HostBackend backend(1);
  const HostView<std::int32_t, 4, layout_nchw> planar(nullptr, {1, 2, 2, 3});
  const auto view = input<deduced, 4>(backend, planar, "op", "map", {any, any, any, 3});
  static_assert(std::is_same_v<std::remove_cvref_t<decltype(view)>, HostView<const std::int32_t, 4, layout_nchw>>);
  CHECK(view.extent(1) == 2);
}

}  // namespace
}  // namespace mrcnn
