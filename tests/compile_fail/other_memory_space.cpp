// Boxes in the memory of the simulated device, given to an op on the host.
#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/ops/iou.hpp"

#if defined(MRCNN_CORRECT)
using Space = mrcnn::space::host;
#else
using Space = mrcnn::space::sim;
#endif

void overlaps_of(const mrcnn::HostBackend& backend, float* memory, float* results) {
  const mrcnn::TensorView<float, 2, Space> boxes(memory, {10, 4});
  const mrcnn::HostView<float, 2> overlaps(results, {10, 10});
  mrcnn::box_iou(backend, boxes, boxes, {}, overlaps);
}
