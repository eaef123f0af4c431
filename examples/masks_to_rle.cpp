// From a network's small masks to COCO's run lengths in a large picture, without a plane of the picture's size.
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "mrcnn/coco/rle.hpp"
#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/ops/paste_masks.hpp"

int main() {
  const mrcnn::HostBackend cpu;
  constexpr mrcnn::index_t height = 3000;
  constexpr mrcnn::index_t width = 4000;

  // Two masks of 28 x 28 probabilities: 1 in the left half of the first, everywhere in the second.
  constexpr mrcnn::index_t side = 28;
  std::vector<float> masks(2 * side * side, 1.0F);
  for (std::size_t i = 0; i < side * side; ++i) masks[i] = i % side < side / 2 ? 1.0F : 0.0F;
  const std::vector<float> boxes{100, 200, 300, 1200, 3900, 2900, 4100, 3100};  // the second reaches beyond the picture

  const auto rles =
      mrcnn::paste_masks_to_rle(cpu, mrcnn::HostView<const float, 3>(masks.data(), {2, side, side}),
                                mrcnn::HostView<const float, 2>(boxes.data(), {2, 4}),
                                {.convention = mrcnn::MaskPasteConvention::matterport_modern}, height, width);
  for (const mrcnn::coco::Rle& rle : rles) {
    const auto box = mrcnn::coco::bounding_box(rle);
    std::printf("%llu pixels in %lld x %lld at (%lld, %lld); %zu characters of JSON\n",
                static_cast<unsigned long long>(mrcnn::coco::area(rle)), static_cast<long long>(box.width),
                static_cast<long long>(box.height), static_cast<long long>(box.x), static_cast<long long>(box.y),
                mrcnn::coco::to_string(rle).size());
  }

  const bool round_trip = mrcnn::coco::from_string(mrcnn::coco::to_string(rles[0]), height, width) == rles[0];
  return round_trip ? 0 : 1;
}
