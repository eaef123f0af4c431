#ifndef MRCNN_EXAMPLES_CLI_TAPS_HPP
#define MRCNN_EXAMPLES_CLI_TAPS_HPP

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/io/safetensors.hpp"
#include "mrcnn/models/stages.hpp"

namespace mrcnn::cli {

/// Collects the tensors of one run through the network, to be written as a plain safetensors file.
class Taps {
 public:
  /// For `DetectOptions::observer`; this object must live as long.
  StageObserver observer() {
    return [this](const std::string& name, std::span<const index_t> extents, std::span<const float> elements) {
      tensors_.push_back({name, {extents.begin(), extents.end()}, {elements.begin(), elements.end()}});
    };
  }

  void write(io::OutputFile& file, const std::map<std::string, std::string>& metadata) const {
    std::vector<io::SafeTensorSource> sources;
    for (const Tapped& tensor : tensors_)
      sources.push_back({tensor.name, io::DataType::f32, tensor.shape, tensor.elements.data()});
    io::write_safetensors(file, std::move(sources), metadata);
  }

 private:
  struct Tapped {
    std::string name;
    std::vector<index_t> shape;
    std::vector<float> elements;
  };
  std::vector<Tapped> tensors_;
};

}  // namespace mrcnn::cli

#endif
