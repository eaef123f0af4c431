// Non-maximum suppression on memory of your own: plain pointers in, indices out. Nothing is copied.
#include <cstdint>
#include <cstdio>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/ops/nms.hpp"

namespace {

/// Writes the indices of the boxes that stay to `kept`, best score first, and returns how many they are.
///
/// @param boxes  n times x1, y1, x2, y2
/// @param kept   room for n
std::int32_t keep_best(const float* boxes, const float* scores, std::int64_t n, std::int32_t* kept) {
  const mrcnn::HostBackend cpu(4);  // threads
  std::int32_t count = 0;
  mrcnn::nms(cpu, mrcnn::HostView<const float, 2>(boxes, {n, 4}), mrcnn::HostView<const float, 1>(scores, {n}),
             {.iou_threshold = 0.5}, mrcnn::HostView<std::int32_t, 1>(kept, {n}),
             mrcnn::HostView<std::int32_t, 0>(&count, {}));
  return count;
}

}  // namespace

int main() {
  const float boxes[] = {10, 10, 60, 60, 12, 8, 62, 58, 70, 70, 90, 95, 11, 11, 61, 61};
  const float scores[] = {0.8F, 0.9F, 0.6F, 0.7F};
  std::int32_t kept[4];
  const std::int32_t count = keep_best(boxes, scores, 4, kept);
  for (std::int32_t i = 0; i < count; ++i)
    std::printf("box %d, score %.1f\n", kept[i], static_cast<double>(scores[kept[i]]));
  return count == 2 && kept[0] == 1 && kept[1] == 2 ? 0 : 1;
}
