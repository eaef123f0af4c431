#ifndef MRCNN_NN_PARAMETER_HPP
#define MRCNN_NN_PARAMETER_HPP

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/core/error.hpp"

namespace mrcnn {

/// What a parameter is, which decides how a file's layout is turned into ours.
enum class ParameterKind : std::uint8_t {
  conv,            ///< [out, height, width, in]
  conv_transpose,  ///< [out, height, width, in]
  dense,           ///< [out, in]
  vector,          ///< bias, or one of a batch norm's four
};

namespace nn {

/// A raw parameter of a layer, on the host, under its name in a Keras file: "res2a_branch2a/kernel".
struct Parameter {
  std::string name;
  ParameterKind kind = ParameterKind::vector;
  std::vector<index_t> shape;
  std::vector<float> values;

  /// Zeros of this shape.
  static Parameter zeros(std::string name, ParameterKind kind, std::vector<index_t> shape) {
    index_t size = 1;
    for (const index_t extent : shape) {
      if (extent < 1 || size > (index_t{1} << 40) / extent)
        throw ShapeError("Parameter: " + name + " would have an extent of " + std::to_string(extent) +
                         ", expected positive extents and at most 2^40 elements");
      size *= extent;
    }
    return {std::move(name), kind, std::move(shape), std::vector<float>(static_cast<std::size_t>(size))};
  }
  /// Gives the memory back.
  void release() { values = std::vector<float>(); }
};

}  // namespace nn
}  // namespace mrcnn

#endif
