#ifndef MRCNN_IO_OPEN_WEIGHTS_HPP
#define MRCNN_IO_OPEN_WEIGHTS_HPP

#include <cstdint>
#include <string>

#include "mrcnn/core/error.hpp"
#include "mrcnn/io/keras_hdf5.hpp"
#include "mrcnn/io/load_weights.hpp"
#include "mrcnn/io/weights.hpp"

namespace mrcnn::io {

/// Opens a weights file of either format, told by its content and not by its name: Keras HDF5, or native safetensors.
/// The name only decides what is said about a file that is neither.
/// Link mrcnn::hdf5; without it use `open_native_weights`.
/// Throws: FormatError when the file is missing, empty, neither of the two, or damaged.
inline WeightsFile open_weights(const std::string& path) {
  if (KerasWeightsFile::recognise(path)) return open_keras_weights(path);
  if (SafeTensors::recognise(path)) return open_native_weights(path);
  // Neither by its content. What is too short to tell, or damaged in front, is told by its name for a better message.
  constexpr const char* expected = ", expected a Keras .h5 or a .safetensors file made by mrcnn";
  const std::uint64_t bytes = detail::InputFile(path).size();
  if (bytes == 0) throw FormatError(path + ": is empty" + expected);
  if (path.ends_with(".safetensors")) return open_native_weights(path);
  if (bytes < detail::hdf5_signature.size() && (path.ends_with(".h5") || path.ends_with(".hdf5")))
    return open_keras_weights(path);
  throw FormatError(path + ": is neither HDF5 nor safetensors" +
                    (bytes < detail::hdf5_signature.size() ? " (" + std::to_string(bytes) + " bytes)" : std::string()) +
                    expected);
}

}  // namespace mrcnn::io

namespace mrcnn {

/// Fills a model from a weights file of either format and makes it ready for inference: `load_weights(net, "coco.h5")`.
/// Throws: as `io::open_weights` and as the overload for an open file.
template <class Net>
io::WeightsReport load_weights(Net& net, const std::string& path, const LoadWeightsOptions& options = {}) {
  return load_weights(net, io::open_weights(path), options);
}

}  // namespace mrcnn

#endif
