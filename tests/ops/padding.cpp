#include "mrcnn/ops/padding.hpp"

#include <doctest/doctest.h>

namespace mrcnn {
namespace {

TEST_CASE("same_padding: kernel 3, stride 2") {
  CHECK(same_padding(512, 3, 2).low == 0);  // even: nothing before, one behind
  CHECK(same_padding(512, 3, 2).high == 1);
  CHECK(same_padding(7, 3, 2).low == 1);
  CHECK(same_padding(7, 3, 2).high == 1);
}

TEST_CASE("same_padding: the output has ceil(extent / stride) elements, and never more padding than that needs") {
  for (index_t extent = 1; extent < 40; ++extent)
    for (index_t kernel = 1; kernel < 8; ++kernel)
      for (index_t stride = 1; stride < 5; ++stride) {
        const AxisPadding padding = same_padding(extent, kernel, stride);
        const index_t padded = extent + padding.low + padding.high;
        REQUIRE(padding.low >= 0);
        REQUIRE((padding.high == padding.low || padding.high == padding.low + 1));
        if (padded < kernel) continue;  // stride beyond the kernel: nothing is padded
        REQUIRE((padded - kernel) / stride + 1 == (extent + stride - 1) / stride);
      }
}

TEST_CASE("same_padding: rows go to top and bottom, columns to left and right") {
  const Padding2d padding = same_padding(8, 7, 5, 3, 2, 2);
  CHECK(padding.top == 1);
  CHECK(padding.bottom == 2);
  CHECK(padding.left == 1);
  CHECK(padding.right == 1);
}

}  // namespace
}  // namespace mrcnn
