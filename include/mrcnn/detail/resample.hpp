#ifndef MRCNN_DETAIL_RESAMPLE_HPP
#define MRCNN_DETAIL_RESAMPLE_HPP

#include <cmath>
#include <cstdint>

#include "mrcnn/core/config.hpp"
#include "mrcnn/detail/float_ops.hpp"

// The arithmetic of the two bilinear resamplers, one output position at a time. `ops/resize.hpp` resizes images with it,
// mask paste single masks. Both must give the very bits of the programs whose conventions they follow, so the order of
// the operations is part of the contract and products are never fused into sums.

namespace mrcnn::detail {

/// Binary digits behind the point of a Pillow weight.
inline constexpr int pillow_weight_bits = 22;

/// One pass of Pillow's resampler, from `in` samples to `out`: a triangle filter, as wide as an output sample when it
/// shrinks (so that it averages), as wide as an input sample when it enlarges.
struct PillowPass {
  index_t in = 0;
  index_t out = 0;
  double step = 1;          // input samples for one output sample
  double filter_scale = 1;  // half the filter's width, in input samples

  PillowPass() = default;
  MRCNN_HOST_DEVICE PillowPass(index_t samples_in, index_t samples_out)
      : in(samples_in),
        out(samples_out),
        step(static_cast<double>(samples_in) / static_cast<double>(samples_out)),
        filter_scale(max(step, 1.0)) {}

  /// No output sample takes part of more input samples than this.
  MRCNN_HOST_DEVICE index_t max_taps() const { return min(in, 2 * static_cast<index_t>(std::ceil(filter_scale)) + 1); }
};

/// The input samples [first, first + count) that make up one output sample, with what their weights need.
struct PillowTaps {
  index_t first;
  index_t count;
  double centre;
  double sum;  // of the weights before they are normalised
};

MRCNN_HOST_DEVICE inline double pillow_raw_weight(const PillowPass& pass, double centre, index_t x) {
  const double distance = product(static_cast<double>(x) - centre + 0.5, 1.0 / pass.filter_scale);
  const double magnitude = distance < 0 ? -distance : distance;
  return magnitude < 1.0 ? 1.0 - magnitude : 0.0;
}

/// The samples of output sample `i`.
MRCNN_HOST_DEVICE inline PillowTaps pillow_taps(const PillowPass& pass, index_t i) {
  PillowTaps taps{};
  taps.centre = product(static_cast<double>(i) + 0.5, pass.step);
  taps.first = max(index_t{0}, static_cast<index_t>(taps.centre - pass.filter_scale + 0.5));
  taps.count = min(pass.in, static_cast<index_t>(taps.centre + pass.filter_scale + 0.5)) - taps.first;
  for (index_t k = 0; k < taps.count; ++k) taps.sum += pillow_raw_weight(pass, taps.centre, taps.first + k);
  return taps;
}

/// The weight of the `k`-th sample of `taps`, in units of 2^-22.
MRCNN_HOST_DEVICE inline std::int32_t pillow_weight(const PillowPass& pass, const PillowTaps& taps, index_t k) {
  const double raw = pillow_raw_weight(pass, taps.centre, taps.first + k);
  const double weight = taps.sum != 0.0 ? raw / taps.sum : raw;
  return static_cast<std::int32_t>(0.5 + product(weight, static_cast<double>(1 << pillow_weight_bits)));
}

/// What a sum of weighted bytes starts from, so that `pillow_byte` rounds. The sum can not leave 32 bits: the weights add
/// up to 2^22 plus half for each one that is not 0, and at most 2^23 are not.
inline constexpr std::int32_t pillow_sum_start = 1 << (pillow_weight_bits - 1);

/// The output byte of a sum of weight * byte.
MRCNN_HOST_DEVICE inline std::uint8_t pillow_byte(std::int32_t sum) {
  return static_cast<std::uint8_t>(clamp(sum >> pillow_weight_bits, 0, 255));
}

/// A position between two samples of an axis: `first` with weight 1 - fraction, `first + 1` with weight fraction. Either
/// may lie outside.
struct LinearPosition {
  index_t first;
  double fraction;
};

/// Where output sample `i` lies for skimage, centre on centre. `step`: input samples for one output sample.
MRCNN_HOST_DEVICE inline LinearPosition skimage_position(double step, index_t i) {
  const double position = product(step, static_cast<double>(i) + 0.5) - 0.5;
  const double first = std::floor(position);
  return {static_cast<index_t>(first), position - first};
}

/// The value of one channel at (y, x), zero outside, in skimage's order of operations.
///
/// @param source  [height, width, channels], dense, from the channel wanted on
template <class T>
MRCNN_HOST_DEVICE double skimage_sample(const T* source, index_t height, index_t width, index_t channels,
                                        const LinearPosition& y, const LinearPosition& x) {
  double sum = 0.0;
  for (int j = 0; j < 2; ++j) {
    const index_t row = y.first + j;
    const double row_weight = j == 0 ? 1.0 - y.fraction : y.fraction;
    for (int i = 0; i < 2; ++i) {
      const index_t column = x.first + i;
      const bool inside = row >= 0 && row < height && column >= 0 && column < width;
      const double value = inside ? static_cast<double>(source[(row * width + column) * channels]) : 0.0;
      sum += product(product(value, row_weight), i == 0 ? 1.0 - x.fraction : x.fraction);
    }
  }
  return sum;
}

/// skimage's last step: limits an interpolated value to the range of the input, but leaves the 0 of the surroundings
/// alone where that lies outside of the range. NaN stays NaN.
MRCNN_HOST_DEVICE inline double skimage_clip(double value, double lowest, double highest) {
  if (value == 0.0 && (lowest > 0.0 || highest < 0.0)) return value;
  return clamp(value, lowest, highest);
}

}  // namespace mrcnn::detail

#endif
