// Integer boxes where the op takes float32.
#include "mrcnn/core/host_backend.hpp"

#if defined(MRCNN_CORRECT)
using Element = float;
#else
using Element = std::int32_t;
#endif

auto view_of(const mrcnn::HostBackend& backend, const mrcnn::HostView<const Element, 2>& boxes) {
  return mrcnn::input<float, 2>(backend, boxes, "nms", "boxes", {mrcnn::any, 4});
}
