#ifndef MRCNN_COCO_DETAIL_NUMPY_MEAN_HPP
#define MRCNN_COCO_DETAIL_NUMPY_MEAN_HPP

#include <cstddef>
#include <span>

namespace mrcnn::coco::detail {

/// The sum of numbers in numpy's order, which the last bits depend on: eight running sums over at most 128 numbers, and
/// longer rows halved at a multiple of eight. Source: numpy's pairwise summation.
inline double numpy_sum(std::span<const double> numbers) {
  const std::size_t n = numbers.size();
  if (n > 128) {
    const std::size_t half = n / 2 - n / 2 % 8;
    return numpy_sum(numbers.first(half)) + numpy_sum(numbers.subspan(half));
  }
  double sum = 0.0;
  std::size_t i = 0;
  if (n >= 8) {
    double lanes[8];
    for (std::size_t k = 0; k < 8; ++k) lanes[k] = numbers[k];
    for (i = 8; i + 8 <= n; i += 8)
      for (std::size_t k = 0; k < 8; ++k) lanes[k] += numbers[i + k];
    sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
  }
  for (; i < n; ++i) sum += numbers[i];
  return sum;
}

/// numpy.mean of at least one number.
inline double numpy_mean(std::span<const double> numbers) {
  return numpy_sum(numbers) / static_cast<double>(numbers.size());
}

}  // namespace mrcnn::coco::detail

#endif
