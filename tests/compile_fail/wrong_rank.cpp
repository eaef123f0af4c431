// Boxes with one index too few.
#include "mrcnn/core/host_backend.hpp"

#if defined(MRCNN_CORRECT)
constexpr int rank = 2;
#else
constexpr int rank = 1;
#endif

auto view_of(const mrcnn::HostBackend& backend, const mrcnn::HostView<const float, rank>& boxes) {
  return mrcnn::input<float, 2>(backend, boxes, "nms", "boxes", {mrcnn::any, 4});
}
