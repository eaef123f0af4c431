// A view into a memory space that the backend can not reach.
#include "mrcnn/core/host_backend.hpp"

#if defined(MRCNN_CORRECT)
using Space = mrcnn::space::host;
#else
using Space = mrcnn::space::sim;
#endif

auto view_of(const mrcnn::HostBackend& backend, float* memory) {
  const mrcnn::TensorView<float, 2, Space> boxes(memory, {10, 4});
  return mrcnn::input<float, 2>(backend, boxes, "nms", "boxes", {mrcnn::any, 4});
}
