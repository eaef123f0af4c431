#ifndef MRCNN_OPS_UPSAMPLE_HPP
#define MRCNN_OPS_UPSAMPLE_HPP

#include <string>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/detail/channel_loop.hpp"
#include "mrcnn/detail/float_ops.hpp"

namespace mrcnn {
namespace detail {

/// One pixel of the result: that of the coarse map, plus that of `addend` unless it is null.
struct UpsamplePixel {
  const float* coarse;
  const float* addend;
  float* out;

  template <int Width>
  MRCNN_HOST_DEVICE void run(index_t c) const {
    float sum[Width];
    for (int j = 0; j < Width; ++j) sum[j] = coarse[c + j];
    if (addend != nullptr)
      for (int j = 0; j < Width; ++j) sum[j] += addend[c + j];
    for (int j = 0; j < Width; ++j) out[c + j] = sum[j];
  }
};

struct UpsampleFunctor {
  const float* coarse;
  const float* addend;
  float* out;
  Extents<4> coarse_extents;
  Extents<4> extents;
  index_t channel_step;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const index_t channels = extents[3];
    const index_t parts = ceil_div(channels, channel_step);
    const index_t pixel = i / parts;
    const index_t x = pixel % extents[2];
    const index_t y = pixel / extents[2] % extents[1];
    const index_t image = pixel / extents[2] / extents[1];
    const index_t source = (image * coarse_extents[1] + y / 2) * coarse_extents[2] + x / 2;
    const UpsamplePixel work{coarse + source * channels, addend == nullptr ? nullptr : addend + pixel * channels,
                             out + pixel * channels};
    const index_t begin = i % parts * channel_step;
    for_channel_tiles(begin, min(begin + channel_step, channels), work);
  }
};

/// Throws: ShapeError unless `fine` has twice the rows and columns of `coarse`, or one less than that.
inline void check_upsampled(const char* op, const Extents<4>& coarse, const Extents<4>& fine) {
  if (ceil_div<index_t>(fine[1], 2) != coarse[1] || ceil_div<index_t>(fine[2], 2) != coarse[2])
    throw ShapeError(std::string(op) + ": out has " + std::to_string(fine[1]) + " x " + std::to_string(fine[2]) +
                     " pixels, expected twice those of coarse (" + std::to_string(coarse[1]) + " x " +
                     std::to_string(coarse[2]) + "), or one row or column less");
}

template <class Backend>
void run_upsample(const Backend& backend, const UpsampleFunctor& functor) {
  const Extents<4>& e = functor.extents;
  backend.parallel_for(e[0] * e[1] * e[2] * ceil_div(e[3], functor.channel_step), functor,
                       max<index_t>(1, 16384 / functor.channel_step));
}

}  // namespace detail

/// A feature map with every pixel doubled in both directions: out(y, x) = coarse(y / 2, x / 2), rounded down.
///
/// @param coarse  [N, h, w, C] float32
/// @param out     [N, H, W, C] float32, H = 2h or 2h - 1, W = 2w or 2w - 1; apart from `coarse`
///
/// N = 0 and C = 0 are legal. Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on
/// every backend. Throws: ShapeError.
template <class Backend, class Coarse, class Out>
void upsample_nearest2x(const Backend& backend, const Coarse& coarse, Out&& out) {
  const auto from = input<float, 4>(backend, coarse, "upsample_nearest2x", "coarse", {any, any, any, any});
  const auto to =
      output<float, 4>(backend, out, "upsample_nearest2x", "out", {from.extent(0), any, any, from.extent(3)});
  detail::check_upsampled("upsample_nearest2x", from.extents(), to.extents());
  detail::run_upsample(backend, detail::UpsampleFunctor{from.data(), nullptr, to.data(), from.extents(), to.extents(),
                                                        detail::channels_per_call<Backend>(from.extent(3))});
}

/// `upsample_nearest2x` and a sum in one pass: out(y, x) = coarse(y / 2, x / 2) + addend(y, x). The step from one level
/// of a feature pyramid to the next finer one.
///
/// @param coarse  [N, h, w, C] float32
/// @param addend  [N, H, W, C] float32, H = 2h or 2h - 1, W = 2w or 2w - 1
/// @param out     [N, H, W, C] float32; may be `addend`
///
/// N = 0 and C = 0 are legal. Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on
/// every backend. Throws: ShapeError.
/// Source: Lin et al., "Feature pyramid networks for object detection", CVPR 2017.
template <class Backend, class Coarse, class Addend, class Out>
void upsample_nearest2x_add(const Backend& backend, const Coarse& coarse, const Addend& addend, Out&& out) {
  const auto from = input<float, 4>(backend, coarse, "upsample_nearest2x_add", "coarse", {any, any, any, any});
  const auto to =
      output<float, 4>(backend, out, "upsample_nearest2x_add", "out", {from.extent(0), any, any, from.extent(3)});
  const auto add = input<float, 4>(backend, addend, "upsample_nearest2x_add", "addend", to.extents());
  detail::check_upsampled("upsample_nearest2x_add", from.extents(), to.extents());
  detail::run_upsample(backend,
                       detail::UpsampleFunctor{from.data(), add.data(), to.data(), from.extents(), to.extents(),
                                               detail::channels_per_call<Backend>(from.extent(3))});
}

}  // namespace mrcnn

#endif
