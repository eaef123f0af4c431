// Strided boxes where the op needs them dense.
#include "mrcnn/core/host_backend.hpp"

#if defined(MRCNN_CORRECT)
using Layout = mrcnn::layout_right;
#else
using Layout = mrcnn::layout_stride;
#endif

auto view_of(const mrcnn::HostBackend& backend, const mrcnn::HostView<const float, 2, Layout>& boxes) {
  return mrcnn::input<float, 2>(backend, boxes, "nms", "boxes", {mrcnn::any, 4});
}
