#ifndef MRCNN_IO_TENSOR_STATISTICS_HPP
#define MRCNN_IO_TENSOR_STATISTICS_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/detail/thread_pool.hpp"
#include "mrcnn/io/weights.hpp"

namespace mrcnn::io {

/// What the values of a tensor look like.
struct TensorStatistics {
  index_t count = 0;
  index_t not_finite = 0;  ///< NaN or infinite; they count for nothing below
  double min = 0;
  double max = 0;
  double mean = 0;
  double std = 0;  ///< of the population: divided by the count
  /// Some value lies beyond +-1000, or is not finite.
  bool overflow() const { return not_finite > 0 || max > 1000 || min < -1000; }
  /// All values are the same.
  bool constant() const { return count > 1 && not_finite == 0 && min == max; }
};

/// Statistics of values in memory, summed in double. All 0 when there are none.
inline TensorStatistics tensor_statistics(std::span<const float> values) {
  TensorStatistics result;
  result.count = static_cast<index_t>(values.size());
  double sum = 0;
  bool first = true;
  for (const float value : values) {
    if (!std::isfinite(value)) {
      ++result.not_finite;
      continue;
    }
    const double v = value;
    result.min = first ? v : std::min(result.min, v);
    result.max = first ? v : std::max(result.max, v);
    first = false;
    sum += v;
  }
  const auto finite = static_cast<double>(result.count - result.not_finite);
  if (finite == 0) return result;
  result.mean = sum / finite;
  double squares = 0;
  for (const float value : values)
    if (std::isfinite(value)) squares += (value - result.mean) * (value - result.mean);
  result.std = std::sqrt(squares / finite);
  return result;
}

/// An array of a weights file with its statistics.
struct ArrayStatistics {
  WeightsArray array;
  TensorStatistics values;
  /// All values are the same, so the array does nothing: a sign of a layer that was never trained. Biases of
  /// convolutions, which start at 0 and are useless before batch norm, are exempt.
  bool dead = false;
};

/// Statistics of every array of a file, in its order. Reads the whole file. Throws: FormatError.
/// Source: the weight statistics of matterport's inspect_weights notebook (dead, overflow beyond 1000).
inline std::vector<ArrayStatistics> weight_statistics(const WeightsFile& file, const LoadOptions& options = {}) {
  std::vector<ArrayStatistics> rows(file.arrays().size());
  mrcnn::detail::ThreadPool pool(options.threads);
  const auto one = [&](index_t i, int) {
    const auto index = static_cast<std::size_t>(i);
    const WeightsArray& array = file.arrays()[index];
    rows[index] = {array, tensor_statistics(file.read(index)), false};
    const std::size_t slash = array.name.rfind('/');
    const bool bias = slash != std::string::npos && array.name.compare(slash, std::string::npos, "/bias") == 0;
    const auto kernel = bias ? file.find(array.name.substr(0, slash) + "/kernel") : std::nullopt;
    const bool exempt = kernel && file.arrays()[*kernel].shape.size() == 4;
    rows[index].dead = rows[index].values.constant() && !exempt;
  };
  pool.run(
      static_cast<index_t>(rows.size()),
      [](void* context, index_t i, int worker) { (*static_cast<const decltype(one)*>(context))(i, worker); },
      const_cast<void*>(static_cast<const void*>(&one)));
  return rows;
}

/// A table for people: one line for each array.
inline std::string statistics_table(const std::vector<ArrayStatistics>& rows) {
  std::size_t name_width = 5;
  std::size_t shape_width = 5;
  for (const auto& row : rows) {
    name_width = std::max(name_width, row.array.name.size());
    shape_width = std::max(shape_width, shape_text(row.array.shape).size());
  }
  const auto padded = [](std::string text, std::size_t width) {
    text.resize(std::max(text.size(), width), ' ');
    return text + "  ";
  };
  std::string text = padded("array", name_width) + padded("shape", shape_width) +
                     "type         min         max        mean         std\n";
  for (const auto& row : rows) {
    char numbers[128];
    std::snprintf(numbers, sizeof numbers, "%11.5g %11.5g %11.5g %11.5g", row.values.min, row.values.max,
                  row.values.mean, row.values.std);
    text += padded(row.array.name, name_width) + padded(shape_text(row.array.shape), shape_width) +
            padded(name_of(row.array.dtype), 4).substr(0, 5) + numbers;
    if (row.dead) text += "  dead";
    if (row.values.overflow()) text += "  overflow";
    if (row.values.not_finite > 0) text += "  " + std::to_string(row.values.not_finite) + " not finite";
    text += '\n';
  }
  return text;
}

}  // namespace mrcnn::io

#endif
