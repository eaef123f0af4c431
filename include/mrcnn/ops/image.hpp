#ifndef MRCNN_OPS_IMAGE_HPP
#define MRCNN_OPS_IMAGE_HPP

#include <array>
#include <cmath>
#include <cstdint>
#include <string>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/ops/boxes.hpp"
#include "mrcnn/ops/resize.hpp"

namespace mrcnn {

/// How a picture is brought to a size that a network takes.
enum class ResizeMode : std::uint8_t {
  square,  ///< scaled until it fits max_dim, then padded to max_dim x max_dim
  pad64,   ///< scaled, then padded to multiples of 64; max_dim does not matter
  none,    ///< as it is; both sides must be multiples of 64
  crop,    ///< a random crop, for training only: `plan_letterbox` refuses it
};

struct LetterboxOptions {
  ResizeMode mode = ResizeMode::square;
  index_t min_dim = 800;   ///< the shorter side is enlarged to this; 0: never enlarged
  index_t max_dim = 1024;  ///< the longer side is not larger than this; mode square only
  double min_scale = 0;    ///< enlarge at least this much, even beyond min_dim; 0: off
};

/// Where a picture lies in the molded picture, the network's input.
struct LetterboxPlan {
  index_t source_height = 0;
  index_t source_width = 0;
  index_t resized_height = 0;
  index_t resized_width = 0;
  index_t top = 0;  ///< of the resized picture in the molded one
  index_t left = 0;
  index_t height = 0;  ///< of the molded picture
  index_t width = 0;
  double scale = 1;  ///< as the picture was scaled, before its sides were rounded to whole pixels

  /// The resized picture, in molded pixels.
  Box window() const {
    return {static_cast<float>(left), static_cast<float>(top), static_cast<float>(left + resized_width),
            static_cast<float>(top + resized_height)};
  }
  friend bool operator==(const LetterboxPlan&, const LetterboxPlan&) = default;
};

namespace detail {

/// The network halves its maps six times.
inline constexpr index_t side_multiple = 64;

/// A molded picture has at most this many pixels: three floats of each fill 3 GiB.
inline constexpr double most_molded_pixels = 1 << 28;

inline std::string size_text(index_t height, index_t width) {
  return std::to_string(height) + " x " + std::to_string(width);
}

inline void check_letterbox(index_t height, index_t width, const LetterboxOptions& options) {
  if (height < 1 || width < 1)
    throw ShapeError("plan_letterbox: the picture is " + size_text(height, width) +
                     " pixels (height x width), expected at least 1 x 1");
  if (options.mode == ResizeMode::crop)
    throw ShapeError("plan_letterbox: the mode is crop, expected square, pad64 or none: crop belongs to training");
  if (options.min_dim < 0 || !(options.min_scale >= 0) || std::isinf(options.min_scale))
    throw ShapeError("plan_letterbox: min_dim is " + std::to_string(options.min_dim) + " and min_scale " +
                     std::to_string(options.min_scale) + ", expected numbers that are not negative");
  if (options.mode == ResizeMode::square && (options.max_dim < 1 || options.max_dim > 1 << 14))
    throw ShapeError("plan_letterbox: max_dim is " + std::to_string(options.max_dim) +
                     ", expected 1 to 16384 in mode square");
  if (options.mode == ResizeMode::pad64 && options.min_dim % side_multiple != 0)
    throw ShapeError("plan_letterbox: min_dim is " + std::to_string(options.min_dim) +
                     ", expected a multiple of 64 in mode pad64");
  if (options.mode == ResizeMode::none && (height % side_multiple != 0 || width % side_multiple != 0))
    throw ShapeError("plan_letterbox: the picture is " + size_text(height, width) +
                     " pixels (height x width), expected sides that are multiples of 64 in mode none; use mode square "
                     "or pad64, or resize it first");
}

/// How much a picture is scaled, in matterport's order of operations.
inline double letterbox_scale(double height, double width, const LetterboxOptions& options) {
  if (options.mode == ResizeMode::none) return 1.0;
  const double shorter = min(height, width);
  const double longer = max(height, width);
  double scale = 1.0;
  if (options.min_dim > 0) scale = max(1.0, static_cast<double>(options.min_dim) / shorter);
  scale = max(scale, options.min_scale);
  if (options.mode == ResizeMode::square) {
    const auto max_dim = static_cast<double>(options.max_dim);
    if (round_half_even(longer * scale) > max_dim) scale = max_dim / longer;
  }
  return scale;
}

}  // namespace detail

/// Decides how a picture of `height` x `width` pixels is scaled and padded. Runs on the host.
///
/// Sides are rounded to whole pixels, halves to even, and never to less than one pixel; of an odd amount of padding the
/// larger half goes below and to the right.
/// Throws: ShapeError for a picture without pixels, for options out of their range, for a picture whose sides are no
/// multiples of 64 in mode none, and for one that would become larger than 2^28 pixels (long strips in mode pad64).
/// Source: resize_image of matterport/Mask_RCNN; both versions agree where both have the mode.
inline LetterboxPlan plan_letterbox(index_t height, index_t width, const LetterboxOptions& options = {}) {
  detail::check_letterbox(height, width, options);
  const auto rows = static_cast<double>(height);
  const auto columns = static_cast<double>(width);
  LetterboxPlan plan;
  plan.source_height = height;
  plan.source_width = width;
  plan.scale = detail::letterbox_scale(rows, columns, options);
  const double resized_rows = detail::max(1.0, detail::round_half_even(rows * plan.scale));
  const double resized_columns = detail::max(1.0, detail::round_half_even(columns * plan.scale));
  const auto side = [&](double resized) {
    const auto multiple = static_cast<double>(detail::side_multiple);
    return options.mode == ResizeMode::square ? static_cast<double>(options.max_dim)
                                              : std::ceil(resized / multiple) * multiple;
  };
  // Dividing keeps the product of two large numbers out of it.
  if (side(resized_rows) > detail::most_molded_pixels / side(resized_columns))
    throw ShapeError("plan_letterbox: the picture of " + detail::size_text(height, width) +
                     " pixels would be scaled by " + std::to_string(plan.scale) +
                     " to more than 2^28 pixels; crop it, lower min_dim and min_scale, or use mode square");
  plan.resized_height = static_cast<index_t>(resized_rows);
  plan.resized_width = static_cast<index_t>(resized_columns);
  const bool square = options.mode == ResizeMode::square;
  plan.height = square ? options.max_dim : detail::round_up(plan.resized_height, detail::side_multiple);
  plan.width = square ? options.max_dim : detail::round_up(plan.resized_width, detail::side_multiple);
  plan.top = (plan.height - plan.resized_height) / 2;
  plan.left = (plan.width - plan.resized_width) / 2;
  return plan;
}

/// Resizes a picture and pads it with zeros, as planned.
///
/// @param source     [plan.source_height, plan.source_width, 3] uint8
/// @param resampler  whose bilinear arithmetic; not used where the plan does not resize
/// @param molded     [plan.height, plan.width, 3] uint8
///
/// Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on every backend.
/// Throws: ShapeError. Scratch: as resize_bilinear.
template <class Backend, class Source, class Molded>
void letterbox(const Backend& backend, const Source& source, const LetterboxPlan& plan, Resampler resampler,
               Molded&& molded) {
  const auto in =
      input<std::uint8_t, 3>(backend, source, "letterbox", "source", {plan.source_height, plan.source_width, 3});
  const auto out = output<std::uint8_t, 3>(backend, molded, "letterbox", "molded", {plan.height, plan.width, 3});
  detail::check_resizable("letterbox", plan.source_height, plan.source_width);
  if (plan.resized_height < 1 || plan.resized_width < 1 || plan.top < 0 || plan.left < 0 ||
      plan.top + plan.resized_height > plan.height || plan.left + plan.resized_width > plan.width)
    throw ShapeError("letterbox: the plan puts " + detail::size_text(plan.resized_height, plan.resized_width) +
                     " pixels at (" + std::to_string(plan.top) + ", " + std::to_string(plan.left) + ") of " +
                     detail::size_text(plan.height, plan.width) + "; use the plan that plan_letterbox returns");
  const index_t row_stride = plan.width * 3;
  if (plan.resized_height != plan.height || plan.resized_width != plan.width)
    backend.fill(out.data(), 0, static_cast<std::size_t>(out.size()));
  detail::resize_bytes(
      backend, in, resampler,
      {out.data() + plan.top * row_stride + plan.left * 3, plan.resized_height, plan.resized_width, row_stride});
}

namespace detail {

struct SubtractMeanFunctor {
  const std::uint8_t* molded;
  float* output;
  double red, green, blue;

  MRCNN_HOST_DEVICE void operator()(index_t pixel) const {
    const std::uint8_t* bytes = molded + 3 * pixel;
    float* values = output + 3 * pixel;
    values[0] = static_cast<float>(static_cast<double>(bytes[0]) - red);
    values[1] = static_cast<float>(static_cast<double>(bytes[1]) - green);
    values[2] = static_cast<float>(static_cast<double>(bytes[2]) - blue);
  }
};

}  // namespace detail

/// Bytes minus a constant for each channel. Padding becomes minus that constant, not zero.
///
/// @param molded  [height, width, 3] uint8
/// @param mean    of red, green, blue; subtracted in double, then rounded to float32
/// @param output  [height, width, 3] float32
///
/// No pixels are legal. Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on every
/// backend. Throws: ShapeError. Source: mold_image of matterport/Mask_RCNN.
template <class Backend, class Molded, class Output>
void subtract_mean(const Backend& backend, const Molded& molded, const std::array<double, 3>& mean, Output&& output) {
  const auto in = input<std::uint8_t, 3>(backend, molded, "subtract_mean", "molded", {any, any, 3});
  const auto out = mrcnn::output<float, 3>(backend, output, "subtract_mean", "output", {in.extent(0), in.extent(1), 3});
  backend.parallel_for(in.extent(0) * in.extent(1),
                       detail::SubtractMeanFunctor{in.data(), out.data(), mean[0], mean[1], mean[2]}, 4096);
}

struct MoldOptions {
  Resampler resampler = Resampler::pillow;
  std::array<double, 3> mean_pixel = {123.7, 116.8, 103.9};  ///< red, green, blue
};

/// From a picture to the network's input: `letterbox`, then `subtract_mean`.
///
/// @param source  [plan.source_height, plan.source_width, 3] uint8
/// @param molded  [plan.height, plan.width, 3] float32, for example a slice of a batch
///
/// Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on every backend.
/// Throws: ShapeError. Scratch: the molded picture in bytes, and as resize_bilinear.
template <class Backend, class Source, class Molded>
void mold_image(const Backend& backend, const Source& source, const LetterboxPlan& plan, const MoldOptions& options,
                Molded&& molded) {
  const auto out = output<float, 3>(backend, molded, "mold_image", "molded", {plan.height, plan.width, 3});
  auto bytes = make_tensor<std::uint8_t>(backend, {plan.height, plan.width, 3});
  letterbox(backend, source, plan, options.resampler, bytes);
  subtract_mean(backend, bytes, options.mean_pixel, out);
}

}  // namespace mrcnn

#endif
