#ifndef MRCNN_DETAIL_INTERPOLATE_HPP
#define MRCNN_DETAIL_INTERPOLATE_HPP

#include <cstring>
#include <type_traits>

#include "mrcnn/core/tensor_view.hpp"
#include "mrcnn/detail/float_ops.hpp"

namespace mrcnn::detail {

/// A sampling point on one axis of a feature map: `fraction` of the way from feature `low` to feature `high`.
struct AxisSample {
  index_t low;
  index_t high;
  float fraction;
  bool inside;
};

/// The value between four corners, first along x, then along y. T is a number or a vector of them.
template <class T>
MRCNN_HOST_DEVICE inline T bilinear(T top_left, T top_right, T bottom_left, T bottom_right, T x, T y) {
  const T top = top_left + product(top_right - top_left, x);
  const T bottom = bottom_left + product(bottom_right - bottom_left, x);
  return top + product(bottom - top, y);
}

/// `pixel[c]` = the value of channel c at (row, column), for all channels.
///
/// @param image     the first element of the image in question
/// @param features  the view that it belongs to, for its strides
template <class T, class Features>
MRCNN_HOST_DEVICE void interpolate_channels(const T* image, const Features& features, const AxisSample& row,
                                            const AxisSample& column, T* pixel) {
  const index_t row_stride = features.stride(1);
  const index_t column_stride = features.stride(2);
  const index_t channels = features.extent(3);
  const T* top_left = image + row.low * row_stride + column.low * column_stride;
  const T* top_right = image + row.low * row_stride + column.high * column_stride;
  const T* bottom_left = image + row.high * row_stride + column.low * column_stride;
  const T* bottom_right = image + row.high * row_stride + column.high * column_stride;
  const T x = static_cast<T>(column.fraction);
  const T y = static_cast<T>(row.fraction);
  index_t c = 0;
  if constexpr (use_float4 && std::is_same_v<T, float> &&
                std::is_same_v<typename Features::layout_type, layout_right>) {
    const Float4 x4 = {x, x, x, x};
    const Float4 y4 = {y, y, y, y};
    const auto load = [](const float* source) {
      Float4 values;
      std::memcpy(&values, source, sizeof values);
      return values;
    };
    for (; c + 4 <= channels; c += 4) {
      const Float4 values =
          bilinear(load(top_left + c), load(top_right + c), load(bottom_left + c), load(bottom_right + c), x4, y4);
      std::memcpy(pixel + c, &values, sizeof values);
    }
  }
  const index_t step = features.stride(3);
  for (; c < channels; ++c)
    pixel[c] = bilinear(top_left[c * step], top_right[c * step], bottom_left[c * step], bottom_right[c * step], x, y);
}

}  // namespace mrcnn::detail

#endif
