// What a stranger's project compiles: a tensor, the pool, a kernel of his own.
#include <cstdio>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/core/tensor.hpp"

#if defined(PROGRAM_USES_EIGEN)
#include <Eigen/Core>
#endif
#if defined(PROGRAM_USES_SIMDJSON)
#include <simdjson.h>
#endif

struct Square {
  float* values;
  MRCNN_HOST_DEVICE void operator()(mrcnn::index_t i) const { values[i] *= values[i]; }
};

int main() {
  const mrcnn::HostBackend backend(2);
  auto values = mrcnn::make_tensor_from<float>(backend, {3}, {1, 2, 3});
  backend.parallel_for(values.size(), Square{values.data()});
  const bool right = mrcnn::to_host(backend, values) == std::vector<float>{1, 4, 9};
  std::puts(right ? "right" : "wrong");
  return right ? 0 : 1;
}
