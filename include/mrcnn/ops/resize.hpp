#ifndef MRCNN_OPS_RESIZE_HPP
#define MRCNN_OPS_RESIZE_HPP

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/detail/resample.hpp"

namespace mrcnn {

/// Whose bilinear arithmetic a resize follows. They differ by more than rounding: wherever an image shrinks, and along
/// the border wherever it grows.
enum class Resampler : std::uint8_t {
  /// Pillow's BILINEAR on bytes, as of 2.7 to 9.4: averages when it shrinks, repeats the border when it grows, rounds to
  /// bytes between the horizontal pass, which is first, and the vertical one.
  pillow,
  /// skimage.transform.resize with order 1, mode "constant", no anti-aliasing, range preserved: four neighbours at any
  /// scale, zero outside the image (so that the border of an enlarged image darkens), limited to the input's range.
  skimage,
};

struct ResizeOptions {
  Resampler resampler = Resampler::pillow;
};

namespace detail {

/// Output elements of a row that one work item makes.
inline constexpr index_t resize_strip = 16;

/// Where a strip lies: work item i of rows cut into `strips` strips each.
struct Strip {
  index_t row;
  index_t begin;
  index_t end;

  MRCNN_HOST_DEVICE Strip(index_t i, index_t strips, index_t row_length)
      : row(i / strips), begin(i % strips * resize_strip), end(min(begin + resize_strip, row_length)) {}
};

/// The weights of one Pillow pass: those of output sample i are weights[i * stride], [i * stride + 1], ...
struct PillowTable {
  const std::int32_t* first;
  const std::int32_t* count;
  const std::int32_t* weights;
  index_t stride;
};

struct PillowTableFunctor {
  PillowPass pass;
  std::int32_t* first;
  std::int32_t* count;
  std::int32_t* weights;
  index_t stride;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const PillowTaps taps = pillow_taps(pass, i);
    first[i] = static_cast<std::int32_t>(taps.first);
    count[i] = static_cast<std::int32_t>(taps.count);
    for (index_t k = 0; k < taps.count; ++k) weights[i * stride + k] = pillow_weight(pass, taps, k);
  }
};

/// The horizontal pass, [height, width, channels] to [height, out_width, channels]; one item is a strip of pixels.
struct PillowHorizontalFunctor {
  const std::uint8_t* source;
  std::uint8_t* resized;
  PillowTable table;
  index_t width, out_width, channels, strips;
  index_t resized_stride;

  MRCNN_HOST_DEVICE void operator()(index_t item) const {
    const Strip strip(item, strips, out_width);
    const std::uint8_t* row = source + strip.row * width * channels;
    std::uint8_t* out = resized + strip.row * resized_stride + strip.begin * channels;
    for (index_t x = strip.begin; x < strip.end; ++x, out += channels) {
      const std::uint8_t* samples = row + table.first[x] * channels;
      const std::int32_t* weights = table.weights + x * table.stride;
      if (channels == 3)
        rgb(samples, weights, table.count[x], out);
      else
        for (index_t c = 0; c < channels; ++c) out[c] = one_channel(samples + c, weights, table.count[x]);
    }
  }

  MRCNN_HOST_DEVICE static void rgb(const std::uint8_t* samples, const std::int32_t* weights, std::int32_t count,
                                    std::uint8_t* out) {
    std::int32_t red = pillow_sum_start;
    std::int32_t green = pillow_sum_start;
    std::int32_t blue = pillow_sum_start;
    for (std::int32_t k = 0; k < count; ++k) {
      red += weights[k] * samples[3 * k];
      green += weights[k] * samples[3 * k + 1];
      blue += weights[k] * samples[3 * k + 2];
    }
    out[0] = pillow_byte(red);
    out[1] = pillow_byte(green);
    out[2] = pillow_byte(blue);
  }
  MRCNN_HOST_DEVICE std::uint8_t one_channel(const std::uint8_t* samples, const std::int32_t* weights,
                                             std::int32_t count) const {
    std::int32_t sum = pillow_sum_start;
    for (std::int32_t k = 0; k < count; ++k) sum += weights[k] * samples[k * channels];
    return pillow_byte(sum);
  }
};

/// The vertical pass, over rows of `row_length` bytes; one item is a strip of bytes.
struct PillowVerticalFunctor {
  const std::uint8_t* source;
  std::uint8_t* resized;
  PillowTable table;
  index_t row_length, strips;
  index_t resized_stride;

  MRCNN_HOST_DEVICE void operator()(index_t item) const {
    const Strip strip(item, strips, row_length);
    const std::uint8_t* samples = source + table.first[strip.row] * row_length + strip.begin;
    const std::int32_t* weights = table.weights + strip.row * table.stride;
    std::uint8_t* out = resized + strip.row * resized_stride + strip.begin;
    const std::int32_t count = table.count[strip.row];
    if (strip.end - strip.begin == resize_strip) {
      std::int32_t sums[resize_strip];
      for (std::int32_t& sum : sums) sum = pillow_sum_start;
      for (std::int32_t k = 0; k < count; ++k, samples += row_length)
        for (index_t b = 0; b < resize_strip; ++b) sums[b] += weights[k] * samples[b];
      for (index_t b = 0; b < resize_strip; ++b) out[b] = pillow_byte(sums[b]);
      return;
    }
    for (index_t b = 0; b < strip.end - strip.begin; ++b) {
      std::int32_t sum = pillow_sum_start;
      for (std::int32_t k = 0; k < count; ++k) sum += weights[k] * samples[k * row_length + b];
      out[b] = pillow_byte(sum);
    }
  }
};

struct CopyRowsFunctor {
  const std::uint8_t* source;
  std::uint8_t* copy;
  index_t row_length, strips;
  index_t copy_stride;

  MRCNN_HOST_DEVICE void operator()(index_t item) const {
    const Strip strip(item, strips, row_length);
    for (index_t b = strip.begin; b < strip.end; ++b)
      copy[strip.row * copy_stride + b] = source[strip.row * row_length + b];
  }
};

struct SkimagePositionsFunctor {
  double step;
  LinearPosition* positions;

  MRCNN_HOST_DEVICE void operator()(index_t i) const { positions[i] = skimage_position(step, i); }
};

template <class T, class Out>
struct SkimageFunctor {
  const T* source;
  Out* resized;
  const LinearPosition* columns;
  const T* lowest;
  const T* highest;
  double row_step;
  index_t height, width, channels, out_width, strips;
  index_t resized_stride;

  MRCNN_HOST_DEVICE void operator()(index_t item) const {
    const Strip strip(item, strips, out_width);
    const LinearPosition y = skimage_position(row_step, strip.row);
    const bool rows_inside = y.first >= 0 && y.first + 1 < height;
    const double low = static_cast<double>(*lowest);
    const double high = static_cast<double>(*highest);
    Out* out = resized + strip.row * resized_stride + strip.begin * channels;
    for (index_t column = strip.begin; column < strip.end; ++column) {
      const LinearPosition x = columns[column];
      const bool inside = rows_inside && x.first >= 0 && x.first + 1 < width;
      for (index_t c = 0; c < channels; ++c) {
        const double value =
            inside ? sample_inside(y, x, c) : skimage_sample(source + c, height, width, channels, y, x);
        *out++ = static_cast<Out>(skimage_clip(value, low, high));  // bytes: truncated
      }
    }
  }

  /// `skimage_sample` where all four neighbours exist.
  MRCNN_HOST_DEVICE double sample_inside(const LinearPosition& y, const LinearPosition& x, index_t channel) const {
    const T* top = source + (y.first * width + x.first) * channels + channel;
    const T* bottom = top + width * channels;
    const double up = 1.0 - y.fraction;
    const double left = 1.0 - x.fraction;
    double sum = product(product(static_cast<double>(top[0]), up), left);
    sum += product(product(static_cast<double>(top[channels]), up), x.fraction);
    sum += product(product(static_cast<double>(bottom[0]), y.fraction), left);
    return sum + product(product(static_cast<double>(bottom[channels]), y.fraction), x.fraction);
  }
};

template <class T>
struct SmallerOf {
  MRCNN_HOST_DEVICE T operator()(T a, T b) const { return min(a, b); }
};
template <class T>
struct LargerOf {
  MRCNN_HOST_DEVICE T operator()(T a, T b) const { return max(a, b); }
};

/// Part of an image that a resize writes: rows of it lie `row_stride` elements apart.
template <class T>
struct ImageWindow {
  T* data;
  index_t height, width, row_stride;
};

/// Calls apply(table) with the weights of a pass, in scratch.
template <class Backend, class Apply>
void with_pillow_table(const Backend& backend, const PillowPass& pass, const Apply& apply) {
  const index_t stride = pass.max_taps();
  auto first = make_tensor<std::int32_t>(backend, {pass.out});
  auto count = make_tensor<std::int32_t>(backend, {pass.out});
  auto weights = make_tensor<std::int32_t>(backend, {pass.out, stride});
  backend.parallel_for(pass.out, PillowTableFunctor{pass, first.data(), count.data(), weights.data(), stride}, 64);
  apply(PillowTable{first.data(), count.data(), weights.data(), stride});
}

template <class Backend>
void copy_rows(const Backend& backend, const std::uint8_t* source, index_t channels,
               const ImageWindow<std::uint8_t>& copy) {
  const index_t row_length = copy.width * channels;
  const index_t strips = ceil_div(row_length, resize_strip);
  backend.parallel_for(copy.height * strips, CopyRowsFunctor{source, copy.data, row_length, strips, copy.row_stride});
}

template <class Backend>
void pillow_horizontal(const Backend& backend, const std::uint8_t* source, index_t width, index_t channels,
                       const ImageWindow<std::uint8_t>& resized) {
  with_pillow_table(backend, PillowPass(width, resized.width), [&](const PillowTable& table) {
    const index_t strips = ceil_div(resized.width, resize_strip);
    backend.parallel_for(resized.height * strips,
                         PillowHorizontalFunctor{source, resized.data, table, width, resized.width, channels, strips,
                                                 resized.row_stride},
                         32);
  });
}

template <class Backend>
void pillow_vertical(const Backend& backend, const std::uint8_t* source, index_t height, index_t channels,
                     const ImageWindow<std::uint8_t>& resized) {
  with_pillow_table(backend, PillowPass(height, resized.height), [&](const PillowTable& table) {
    const index_t row_length = resized.width * channels;
    const index_t strips = ceil_div(row_length, resize_strip);
    backend.parallel_for(resized.height * strips,
                         PillowVerticalFunctor{source, resized.data, table, row_length, strips, resized.row_stride},
                         128);
  });
}

/// A pass is left out when its side stays as long as it is; the horizontal one comes first.
template <class Backend>
void resize_pillow(const Backend& backend,
                   const TensorView<const std::uint8_t, 3, typename Backend::space_type>& source,
                   const ImageWindow<std::uint8_t>& resized) {
  const index_t height = source.extent(0);
  const index_t width = source.extent(1);
  const index_t channels = source.extent(2);
  if (width == resized.width && height == resized.height) {
    copy_rows(backend, source.data(), channels, resized);
  } else if (height == resized.height) {
    pillow_horizontal(backend, source.data(), width, channels, resized);
  } else if (width == resized.width) {
    pillow_vertical(backend, source.data(), height, channels, resized);
  } else {
    auto narrowed = make_tensor<std::uint8_t>(backend, {height, resized.width, channels});
    pillow_horizontal(backend, source.data(), width, channels,
                      {narrowed.data(), height, resized.width, resized.width * channels});
    pillow_vertical(backend, narrowed.data(), height, channels, resized);
  }
}

template <class Backend, class T, class Out>
void resize_skimage(const Backend& backend, const TensorView<const T, 3, typename Backend::space_type>& source,
                    const ImageWindow<Out>& resized) {
  const index_t height = source.extent(0);
  const index_t width = source.extent(1);
  const index_t channels = source.extent(2);
  using Limits = std::numeric_limits<T>;
  const T top = Limits::has_infinity ? Limits::infinity() : Limits::max();
  const T bottom = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  auto lowest = make_scalar<T>(backend);
  auto highest = make_scalar<T>(backend);
  backend.reduce(source.data(), source.size(), top, SmallerOf<T>{}, lowest.data());
  backend.reduce(source.data(), source.size(), bottom, LargerOf<T>{}, highest.data());

  const double column_step = static_cast<double>(width) / static_cast<double>(resized.width);
  auto columns = make_tensor<LinearPosition>(backend, {resized.width});
  backend.parallel_for(resized.width, SkimagePositionsFunctor{column_step, columns.data()});
  const double row_step = static_cast<double>(height) / static_cast<double>(resized.height);
  const index_t strips = ceil_div(resized.width, resize_strip);
  backend.parallel_for(
      resized.height * strips,
      SkimageFunctor<T, Out>{source.data(), resized.data, columns.data(), lowest.data(), highest.data(), row_step,
                             height, width, channels, resized.width, strips, resized.row_stride},
      32);
}

/// Sides beyond this are refused: tables of positions hold 32-bit indices.
inline constexpr index_t longest_side = index_t{1} << 30;

/// Throws unless an image of `height` x `width` can be resampled.
inline void check_resizable(const char* op, index_t height, index_t width) {
  const char* problem = height == 0 || width == 0 ? ", which has no pixels; expected at least 1 x 1"
                        : height > longest_side || width > longest_side ? ", expected sides of at most 2^30 pixels"
                                                                        : nullptr;
  if (problem != nullptr)
    throw ShapeError(std::string(op) + ": the source is " + std::to_string(height) + " x " + std::to_string(width) +
                     " pixels (height x width)" + problem);
}

/// Any resampler, bytes to bytes.
template <class Backend>
void resize_bytes(const Backend& backend, const TensorView<const std::uint8_t, 3, typename Backend::space_type>& source,
                  Resampler resampler, const ImageWindow<std::uint8_t>& resized) {
  if (resampler == Resampler::pillow)
    resize_pillow(backend, source, resized);
  else
    resize_skimage(backend, source, resized);
}

}  // namespace detail

/// Resizes an image, or any map of values, bilinearly; bit for bit as the program that `options.resampler` names.
///
/// @param source   [height, width, channels] uint8, float or double, dense; any number of channels
/// @param options  `Resampler::pillow` takes bytes only
/// @param resized  [new height, new width, channels]; uint8 for bytes, else float or double, computed in double
///
/// Bytes come out of skimage's arithmetic truncated, as matterport casts them. A source without pixels can only be
/// resized to one without pixels. NaN spreads to the pixels that it takes part in; infinity times a weight of 0 is NaN.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on every backend.
/// Throws: ShapeError. Complexity: pillow O(output x taps), where taps = 2 per axis when enlarging and twice the factor
/// when shrinking, with scratch for one image of the source's height and the new width; skimage O(source + output).
/// Source: Pillow's Resample.c; skimage.transform.resize.
template <class Backend, class Source, class Resized>
void resize_bilinear(const Backend& backend, const Source& source, const ResizeOptions& options, Resized&& resized) {
  const auto in = input<deduced, 3>(backend, source, "resize_bilinear", "source", {any, any, any});
  const auto out = output<deduced, 3>(backend, resized, "resize_bilinear", "resized", {any, any, in.extent(2)});
  using In = std::remove_cvref_t<decltype(in)>;
  using T = typename In::value_type;
  using Out = typename std::remove_cvref_t<decltype(out)>::value_type;
  static_assert(std::same_as<typename In::layout_type, layout_right> &&
                    std::same_as<typename std::remove_cvref_t<decltype(out)>::layout_type, layout_right>,
                "mrcnn: resize_bilinear takes dense tensors (layout_right)");
  constexpr bool bytes = std::same_as<T, std::uint8_t>;
  static_assert(bytes ? std::same_as<Out, std::uint8_t> : std::is_floating_point_v<T> && std::is_floating_point_v<Out>,
                "mrcnn: resize_bilinear takes bytes to bytes, or float or double to float or double");
  if (out.empty()) return;
  detail::check_resizable("resize_bilinear", in.extent(0), in.extent(1));
  if (out.extent(0) > detail::longest_side || out.extent(1) > detail::longest_side)
    throw ShapeError("resize_bilinear: resized has shape " + detail::to_string(out.extents()) +
                     ", expected sides of at most 2^30");
  const detail::ImageWindow<Out> window{out.data(), out.extent(0), out.extent(1), out.extent(1) * out.extent(2)};
  if constexpr (bytes) {
    detail::resize_bytes(backend, in, options.resampler, window);
  } else {
    if (options.resampler == Resampler::pillow)
      throw ShapeError("resize_bilinear: Resampler::pillow takes bytes; use Resampler::skimage for other values");
    detail::resize_skimage(backend, in, window);
  }
}

}  // namespace mrcnn

#endif
