#ifndef MRCNN_OPS_BOXES_HPP
#define MRCNN_OPS_BOXES_HPP

#include <cstdint>
#include <string>
#include <type_traits>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor_view.hpp"
#include "mrcnn/detail/float_ops.hpp"

namespace mrcnn {

/// A rectangle of continuous coordinates, x to the right and y down; area (x2 - x1) * (y2 - y1).
struct Box {
  float x1, y1, x2, y2;

  MRCNN_HOST_DEVICE constexpr float operator[](int i) const { return i == 0 ? x1 : i == 1 ? y1 : i == 2 ? x2 : y2; }
  MRCNN_HOST_DEVICE constexpr float& operator[](int i) { return i == 0 ? x1 : i == 1 ? y1 : i == 2 ? x2 : y2; }
  MRCNN_HOST_DEVICE friend constexpr bool operator==(const Box& a, const Box& b) {
    return a.x1 == b.x1 && a.y1 == b.y1 && a.x2 == b.x2 && a.y2 == b.y2;
  }
};
static_assert(sizeof(Box) == 16 && std::is_trivial_v<Box>);

/// The rows of a dense [..., 4] tensor of (x1, y1, x2, y2).
template <class T, int Rank, class Space>
MRCNN_HOST_DEVICE auto as_boxes(const TensorView<T, Rank, Space>& view) {
  static_assert(std::is_same_v<std::remove_const_t<T>, float>, "mrcnn: boxes are float32");
  using Row = std::conditional_t<std::is_const_v<T>, const Box, Box>;
  return reinterpret_cast<Row*>(view.data());
}

/// The unit of a box, for an image of `height` x `width` pixels.
enum class BoxFrame : std::uint8_t {
  pixels,          ///< pixels; x2 and y2 lie behind the last pixel
  size,            ///< (x1 / W, y1 / H, x2 / W, y2 / H): Mask R-CNN by matterport up to V2.1
  size_minus_one,  ///< (x1 / (W - 1), y1 / (H - 1), (x2 - 1) / (W - 1), (y2 - 1) / (H - 1)): matterport since then
};

struct NormalizeOptions {
  BoxFrame frame = BoxFrame::size;  ///< the frame to convert to, or for `denormalize_boxes` from
  index_t height = 0;               ///< of the image, in pixels
  index_t width = 0;
  bool whole_pixels = true;  ///< `denormalize_boxes` only: round to whole pixels, halves to even, as matterport does
};

namespace detail {

/// Coordinates moved into the window, one by one; NaN stays.
MRCNN_HOST_DEVICE inline Box clip_box(Box box, Box window) {
  return {max(min(box.x1, window.x2), window.x1), max(min(box.y1, window.y2), window.y1),
          max(min(box.x2, window.x2), window.x1), max(min(box.y2, window.y2), window.y1)};
}

/// The conversion between pixels and a frame: normalised = (pixel - shift) / scale, shift for x2 and y2 only.
struct FrameScale {
  double width = 1;
  double height = 1;
  double shift = 0;
};

/// From pixels. The quotient of doubles, rounded to float once.
MRCNN_HOST_DEVICE inline Box normalize_box(double x1, double y1, double x2, double y2, FrameScale scale) {
  return {static_cast<float>(x1 / scale.width), static_cast<float>(y1 / scale.height),
          static_cast<float>((x2 - scale.shift) / scale.width), static_cast<float>((y2 - scale.shift) / scale.height)};
}
MRCNN_HOST_DEVICE inline Box normalize_box(Box box, FrameScale scale) {
  return normalize_box(box.x1, box.y1, box.x2, box.y2, scale);
}

MRCNN_HOST_DEVICE inline float denormalize(float value, double scale, double shift, bool whole_pixels) {
  const double pixel = product(static_cast<double>(value), scale) + shift;
  return static_cast<float>(whole_pixels ? round_half_even(pixel) : pixel);
}

/// To pixels, in double.
MRCNN_HOST_DEVICE inline Box denormalize_box(Box box, FrameScale scale, bool whole_pixels) {
  return {denormalize(box.x1, scale.width, 0, whole_pixels), denormalize(box.y1, scale.height, 0, whole_pixels),
          denormalize(box.x2, scale.width, scale.shift, whole_pixels),
          denormalize(box.y2, scale.height, scale.shift, whole_pixels)};
}

/// Throws: ShapeError when the image is too small for the frame.
inline FrameScale frame_scale(const char* op, BoxFrame frame, index_t height, index_t width) {
  if (frame == BoxFrame::pixels) return {};
  const index_t least = frame == BoxFrame::size_minus_one ? 2 : 1;
  if (height < least || width < least)
    throw ShapeError(std::string(op) + ": the image is " + std::to_string(height) + " x " + std::to_string(width) +
                     " pixels, expected at least " + std::to_string(least) + " x " + std::to_string(least) +
                     "; set height and width in the options");
  const double less = frame == BoxFrame::size_minus_one ? 1 : 0;
  return {static_cast<double>(width) - less, static_cast<double>(height) - less, less};
}

struct ClipFunctor {
  const Box* boxes;
  Box* clipped;
  Box window;
  MRCNN_HOST_DEVICE void operator()(index_t i) const { clipped[i] = clip_box(boxes[i], window); }
};

struct NormalizeFunctor {
  const Box* boxes;
  Box* normalized;
  FrameScale scale;
  MRCNN_HOST_DEVICE void operator()(index_t i) const { normalized[i] = normalize_box(boxes[i], scale); }
};

struct DenormalizeFunctor {
  const Box* boxes;
  Box* pixels;
  FrameScale scale;
  bool whole_pixels;
  MRCNN_HOST_DEVICE void operator()(index_t i) const { pixels[i] = denormalize_box(boxes[i], scale, whole_pixels); }
};

}  // namespace detail

/// Moves every coordinate into a window: x = max(min(x, window.x2), window.x1), y likewise.
///
/// @param boxes    [N, 4] float32, (x1, y1, x2, y2), in the window's unit
/// @param window   (0, 0, width, height) clips to an image
/// @param clipped  [N, 4] float32; may be `boxes`
///
/// A box outside the window becomes empty on its edge; reversed corners stay reversed; NaN stays NaN. N = 0 is legal.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on every backend.
/// Throws: ShapeError.
template <class Backend, class Boxes, class Clipped>
void clip_boxes(const Backend& backend, const Boxes& boxes, Box window, Clipped&& clipped) {
  const auto in = input<float, 2>(backend, boxes, "clip_boxes", "boxes", {any, 4});
  const auto out = output<float, 2>(backend, clipped, "clip_boxes", "clipped", {in.extent(0), 4});
  backend.parallel_for(in.extent(0), detail::ClipFunctor{as_boxes(in), as_boxes(out), window});
}

/// Converts boxes from pixels to a normalised frame.
///
/// @param boxes       [N, 4] float32, (x1, y1, x2, y2), pixels
/// @param options     the frame, and the image that it refers to; `pixels` copies
/// @param normalized  [N, 4] float32; may be `boxes`
///
/// Computed in double and rounded once, which for whole pixels equals a float32 computation. Boxes beyond the image are
/// scaled like others; NaN and infinity stay. N = 0 is legal.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on every backend.
/// Throws: ShapeError, also when the image has no size, or in frame `size_minus_one` only one row or column.
/// Source: matterport's Mask_RCNN, utils.norm_boxes, and the division in its older proposal layer.
template <class Backend, class Boxes, class Normalized>
void normalize_boxes(const Backend& backend, const Boxes& boxes, const NormalizeOptions& options,
                     Normalized&& normalized) {
  const auto in = input<float, 2>(backend, boxes, "normalize_boxes", "boxes", {any, 4});
  const auto out = output<float, 2>(backend, normalized, "normalize_boxes", "normalized", {in.extent(0), 4});
  const auto scale = detail::frame_scale("normalize_boxes", options.frame, options.height, options.width);
  backend.parallel_for(in.extent(0), detail::NormalizeFunctor{as_boxes(in), as_boxes(out), scale});
}

/// Converts boxes from a normalised frame to pixels; the inverse of `normalize_boxes`, up to rounding.
///
/// @param boxes    [N, 4] float32, (x1, y1, x2, y2), in `options.frame`
/// @param options  the frame, the image, and whether to round to whole pixels (halves to even; the default)
/// @param pixels   [N, 4] float32; may be `boxes`
///
/// Computed in double, the rounding too. NaN and infinity stay. N = 0 is legal.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on every backend.
/// Throws: ShapeError, as `normalize_boxes`.
/// Source: matterport's Mask_RCNN, utils.denorm_boxes.
template <class Backend, class Boxes, class Pixels>
void denormalize_boxes(const Backend& backend, const Boxes& boxes, const NormalizeOptions& options, Pixels&& pixels) {
  const auto in = input<float, 2>(backend, boxes, "denormalize_boxes", "boxes", {any, 4});
  const auto out = output<float, 2>(backend, pixels, "denormalize_boxes", "pixels", {in.extent(0), 4});
  const auto scale = detail::frame_scale("denormalize_boxes", options.frame, options.height, options.width);
  backend.parallel_for(in.extent(0),
                       detail::DenormalizeFunctor{as_boxes(in), as_boxes(out), scale, options.whole_pixels});
}

}  // namespace mrcnn

#endif
