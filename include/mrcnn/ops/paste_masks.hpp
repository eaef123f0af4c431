#ifndef MRCNN_OPS_PASTE_MASKS_HPP
#define MRCNN_OPS_PASTE_MASKS_HPP

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "mrcnn/coco/rle.hpp"
#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/detail/paste_mask.hpp"
#include "mrcnn/ops/mask_crop.hpp"

namespace mrcnn {

/// How a mask of the network, a small grid of probabilities, is enlarged to its box.
enum class MaskPasteConvention : std::uint8_t {
  /// matterport of 2017: probabilities stretched to bytes over their own range, Pillow's 8-bit resampler, byte / 255
  /// against the threshold. The threshold is thus relative to the range of the mask; a constant mask paints nothing.
  matterport_legacy,
  /// matterport since 2018: skimage's resampler in double, zero around the mask, against the absolute threshold.
  matterport_modern,
};

struct PasteMasksOptions {
  MaskPasteConvention convention = MaskPasteConvention::matterport_legacy;
  double threshold = 0.5;  ///< a pixel belongs to the object from this value on
};

namespace detail {

inline PasteRule paste_rule(const PasteMasksOptions& options) {
  PasteRule rule;
  rule.bytes = options.convention == MaskPasteConvention::matterport_legacy;
  rule.threshold = options.threshold;
  while (rule.threshold_byte < 256 && !(static_cast<double>(rule.threshold_byte) / 255.0 >= options.threshold))
    ++rule.threshold_byte;
  return rule;
}

/// The masks and boxes of a call, on the host.
struct HostMasks {
  std::vector<float> masks;
  std::vector<float> boxes;
  index_t count;
  index_t mask_height;
  index_t mask_width;

  const float* mask(index_t i) const { return masks.data() + i * mask_height * mask_width; }
  PasteRegion region(index_t i, index_t height, index_t width) const {
    return paste_region(boxes.data() + 4 * i, mask_height * mask_width, height, width);
  }
};

template <class Backend, class Masks, class Boxes>
HostMasks masks_to_host(const Backend& backend, const char* op, const Masks& masks, const Boxes& boxes) {
  const auto m = input<float, 3>(backend, masks, op, "masks", {any, any, any});
  const auto b = input<float, 2>(backend, boxes, op, "boxes", {m.extent(0), 4});
  return {to_host(backend, m), to_host(backend, b), m.extent(0), m.extent(1), m.extent(2)};
}

/// task(i) for i in [0, n) on the threads of a host backend, one after the other for a backend without threads.
template <class Backend, class Task>
void for_each_mask(const Backend& backend, index_t n, const Task& task) {
  if constexpr (requires { backend.run_tasks(n, [](index_t, int) {}); })
    backend.run_tasks(n, [&task](index_t i, int) { task(i); });
  else
    for (index_t i = 0; i < n; ++i) task(i);
}

inline void check_picture(const char* op, index_t height, index_t width) {
  check_extents(op, "the picture", Extents<2>{height, width});
}

}  // namespace detail

/// Enlarges each mask to its box and writes it into a plane of the picture's size.
///
/// @param masks   [N, h, w] float32, probabilities; NaN counts as the lowest
/// @param boxes   [N, 4] float32, (x1, y1, x2, y2), whole pixels of the picture, x2 and y2 exclusive (fractions are cut
///                off)
/// @param planes  [N, H, W] uint8, 1 where the object is, 0 elsewhere
///
/// The mask is resized to the whole box, of which the part inside the picture is kept: a box may reach beyond the picture
/// and be as large as it likes. Boxes that are empty or reversed, and those with a coordinate that is NaN or beyond
/// 2^30, paint nothing. N = 0 is legal. Prefer `paste_masks_into_crops` or `paste_masks_to_rle`, which need memory for
/// the boxes only.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on every backend.
/// Throws: ShapeError. Scratch: N h (w + W) bytes (legacy), 8 N bytes (modern).
/// Source: matterport's `unmold_mask`; see `MaskPasteConvention`.
template <class Backend, class Masks, class Boxes, class Planes>
void paste_masks(const Backend& backend, const Masks& masks, const Boxes& boxes, const PasteMasksOptions& options,
                 Planes&& planes) {
  const auto m = input<float, 3>(backend, masks, "paste_masks", "masks", {any, any, any});
  const index_t n = m.extent(0);
  const auto b = input<float, 2>(backend, boxes, "paste_masks", "boxes", {n, 4});
  const auto out = output<std::uint8_t, 3>(backend, planes, "paste_masks", "planes", {n, any, any});
  const index_t height = out.extent(1);
  const index_t width = out.extent(2);
  const index_t pixels = m.extent(1) * m.extent(2);
  const detail::PasteRule rule = detail::paste_rule(options);
  auto ranges = make_tensor<detail::MaskRange>(backend, {n});
  backend.parallel_for(n, detail::MaskRangeFunctor{m.data(), pixels, ranges.data()}, 16);
  detail::PasteRowFunctor paste{m.data(),    b.data(), ranges.data(), nullptr, m.extent(1),
                                m.extent(2), height,   width,         rule,    out.data()};
  if (!rule.bytes) return backend.parallel_for(n * height, paste, 8);
  auto bytes = make_tensor<std::uint8_t>(backend, {n, pixels});
  auto columns = make_tensor<std::uint8_t>(backend, {n, m.extent(1), width});
  backend.parallel_for(n * pixels, detail::StretchFunctor{m.data(), ranges.data(), pixels, bytes.data()});
  backend.parallel_for(
      n * width,
      detail::PasteColumnFunctor{bytes.data(), b.data(), m.extent(1), m.extent(2), height, width, columns.data()}, 64);
  paste.columns = columns.data();
  backend.parallel_for(n * height, paste, 8);
}

/// As `paste_masks`, each mask into a crop of its own: the part of its box that lies inside the picture.
///
/// @param image_height, image_width  size of the picture
///
/// Memory: the crops, and mask height x crop width bytes for each thread.
/// Synchronisation: waits for the backend. Throws: ShapeError.
template <class Backend, class Masks, class Boxes>
std::vector<MaskCrop> paste_masks_into_crops(const Backend& backend, const Masks& masks, const Boxes& boxes,
                                             const PasteMasksOptions& options, index_t image_height,
                                             index_t image_width) {
  detail::check_picture("paste_masks_into_crops", image_height, image_width);
  const auto host = detail::masks_to_host(backend, "paste_masks_into_crops", masks, boxes);
  const detail::PasteRule rule = detail::paste_rule(options);
  std::vector<MaskCrop> crops(static_cast<std::size_t>(host.count));
  detail::for_each_mask(backend, host.count, [&](index_t i) {
    const detail::PasteRegion region = host.region(i, image_height, image_width);
    if (region.empty()) return;
    MaskCrop& crop = crops[static_cast<std::size_t>(i)];
    crop = {region.left, region.top, region.right - region.left, region.bottom - region.top, {}};
    crop.pixels.resize(static_cast<std::size_t>(crop.width * crop.height));
    detail::MaskPainter painter(host.mask(i), host.mask_height, host.mask_width, region, rule);
    for (index_t y = 0; y < crop.height; ++y) painter.row(region.top + y, crop.pixels.data() + y * crop.width);
  });
  return crops;
}

/// As `paste_masks`, each mask into COCO's run lengths in a picture of image_height x image_width pixels.
///
/// Memory: the run lengths, and for each thread mask height x box width bytes and the outline of one mask; no plane is
/// held at any time.
/// Synchronisation: waits for the backend. Throws: ShapeError; FormatError when the picture has 2^32 pixels or more.
template <class Backend, class Masks, class Boxes>
std::vector<coco::Rle> paste_masks_to_rle(const Backend& backend, const Masks& masks, const Boxes& boxes,
                                          const PasteMasksOptions& options, index_t image_height, index_t image_width) {
  detail::check_picture("paste_masks_to_rle", image_height, image_width);
  coco::detail::check_rle_size(image_height, image_width);
  const auto host = detail::masks_to_host(backend, "paste_masks_to_rle", masks, boxes);
  const detail::PasteRule rule = detail::paste_rule(options);
  std::vector<coco::Rle> rles(static_cast<std::size_t>(host.count));
  detail::for_each_mask(backend, host.count, [&](index_t i) {
    const detail::PasteRegion region = host.region(i, image_height, image_width);
    const index_t width = region.empty() ? 0 : region.right - region.left;
    coco::RleRowEncoder encoder(width);
    if (width > 0) {
      std::vector<std::uint8_t> row(static_cast<std::size_t>(width));
      detail::MaskPainter painter(host.mask(i), host.mask_height, host.mask_width, region, rule);
      for (index_t y = region.top; y < region.bottom; ++y) {
        painter.row(y, row.data());
        encoder.add_row(row.data());
      }
    }
    rles[static_cast<std::size_t>(i)] = width > 0 ? encoder.finish(region.left, region.top, image_height, image_width)
                                                  : encoder.finish(0, 0, image_height, image_width);
  });
  return rles;
}

}  // namespace mrcnn

#endif
