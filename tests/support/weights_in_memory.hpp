#ifndef MRCNN_TESTS_SUPPORT_WEIGHTS_IN_MEMORY_HPP
#define MRCNN_TESTS_SUPPORT_WEIGHTS_IN_MEMORY_HPP

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/io/weights.hpp"

namespace mrcnn::test {

struct ArrayInMemory {
  std::string name;
  std::vector<index_t> shape;
  std::vector<float> values;
  io::DataType dtype = io::DataType::f32;  ///< only said, the values are float
};

/// A weights file that never was one; messages call it "memory".
inline io::WeightsFile weights_in_memory(io::WeightsLayout layout, std::vector<ArrayInMemory> arrays) {
  class Source final : public io::WeightsSource {
   public:
    Source(io::WeightsLayout file_layout, std::vector<ArrayInMemory> content)
        : layout_(file_layout), content_(std::move(content)) {
      for (const auto& array : content_) arrays_.push_back({array.name, array.dtype, array.shape});
    }
    const std::string& path() const override { return path_; }
    io::WeightsLayout layout() const override { return layout_; }
    const std::vector<io::WeightsArray>& arrays() const override { return arrays_; }
    const std::map<std::string, std::string>& metadata() const override { return metadata_; }
    void read(std::size_t index, float* destination) const override {
      std::copy(content_[index].values.begin(), content_[index].values.end(), destination);
    }

   private:
    std::string path_ = "memory";
    io::WeightsLayout layout_;
    std::vector<ArrayInMemory> content_;
    std::vector<io::WeightsArray> arrays_;
    std::map<std::string, std::string> metadata_;
  };
  return io::WeightsFile(std::make_shared<Source>(layout, std::move(arrays)));
}

}  // namespace mrcnn::test

#endif
