// Work of your own on the library's threads: a functor of one element, and a kernel of blocks of threads.
#include <cstdio>
#include <vector>

#include "mrcnn/core/host_backend.hpp"

namespace {

/// scaled[i] = factor * values[i]. Runs wherever its backend does.
struct Scale {
  const float* values;
  float factor;
  float* scaled;
  MRCNN_HOST_DEVICE void operator()(mrcnn::index_t i) const { scaled[i] = factor * values[i]; }
};

/// One block sums one row: every thread a part of it, then one thread the parts.
struct SumRows {
  mrcnn::HostView<const float, 2> rows;
  float* sums;

  template <class Block>
  MRCNN_HOST_DEVICE void operator()(Block& block) const {
    const auto parts = block.template shared<float>(block.threads());
    const auto row = rows.slice(block.index(0));
    block.each_thread([&](int t) {
      parts[t] = 0.0F;
      for (mrcnn::index_t i = t; i < row.extent(0); i += block.threads()) parts[t] += row(i);
    });
    block.one_thread([&] {
      float sum = 0.0F;
      for (int t = 0; t < block.threads(); ++t) sum += parts[t];
      sums[block.index(0)] = sum;
    });
  }
};

}  // namespace

int main() {
  const mrcnn::HostBackend backend;
  const auto values = mrcnn::make_tensor_from<float>(backend, {2, 3}, {1, 2, 3, 4, 5, 6});
  auto scaled = mrcnn::make_tensor<float>(backend, {2, 3});
  auto sums = mrcnn::make_tensor<float>(backend, {2});
  backend.parallel_for(values.size(), Scale{values.data(), 10.0F, scaled.data()});
  backend.launch_blocks({.grid = {{2, 1, 1}}, .threads = 2, .shared_bytes = 2 * sizeof(float)},
                        SumRows{scaled.view(), sums.data()});
  const std::vector<float> found = mrcnn::to_host(backend, sums);
  std::printf("%g %g\n", static_cast<double>(found[0]), static_cast<double>(found[1]));
  return found == std::vector<float>{60, 150} ? 0 : 1;
}
