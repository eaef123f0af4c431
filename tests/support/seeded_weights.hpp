#ifndef MRCNN_TESTS_SUPPORT_SEEDED_WEIGHTS_HPP
#define MRCNN_TESTS_SUPPORT_SEEDED_WEIGHTS_HPP

#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mrcnn/io/weights.hpp"
#include "tests/support/shared.hpp"

namespace mrcnn::test {

/// Element i of the kernel whose seed is `seed`: SplitMix64, 24 bits, times the bound in double, rounded to bfloat16.
inline float seeded_kernel_element(std::uint64_t seed, std::uint64_t i, double bound) {
  std::uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15ULL;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ z >> 27) * 0x94D049BB133111EBULL;
  z ^= z >> 31;
  const auto u = static_cast<double>(z >> 40);
  const double v = (2 * u + 1 - 16777216.0) / 16777216.0;
  auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(v * bound));
  bits += 0x7FFFU + (bits >> 16 & 1U);
  return std::bit_cast<float>(bits & 0xFFFF0000U);
}

/// FNV-1a, 64 bits.
inline std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return hash;
}

/// The weights of a golden folder's seeded model ("seeded_r50", "seeded_r101") as if read from its Keras file: kernels
/// computed from their names, vectors from the folder's file.
class SeededWeights final : public io::WeightsSource {
 public:
  struct Kernel {
    std::vector<index_t> shape;
    double bound;
    std::uint32_t crc32;
    std::vector<double> first4;
  };
  struct Layer {
    std::string name;
    std::vector<std::string> weights;  ///< as in the file: "conv1/kernel:0"
  };

  explicit SeededWeights(const std::string& model)
      : path_(shared_path("golden/" + model).string()),
        vectors_(io::SafeTensors::open(path_ + "/vectors.safetensors")) {
    const auto document = io::JsonDocument::open(path_ + "/weights.json");
    tag_ = document.root()["tag"].string();
    document.root()["kernels"].for_each_element([&](const io::JsonValue& value) {
      kernels_[std::string(value["name"].string())] = {value["shape"].integers(), value["bound"].number(),
                                                       static_cast<std::uint32_t>(value["crc32"].integer()),
                                                       value["first4"].numbers()};
    });
    document.root()["layers"].for_each_element([&](const io::JsonValue& value) {
      layers_.push_back({std::string(value.at(0).string()), value.at(1).strings()});
      for (const std::string& weight : layers_.back().weights) {
        const std::string name = weight.substr(0, weight.find(':'));
        const auto kernel = kernels_.find(name);
        arrays_.push_back(
            {name, io::DataType::f32, kernel == kernels_.end() ? vectors_.info(name).shape : kernel->second.shape});
      }
    });
  }

  const std::string& path() const override { return path_; }
  io::WeightsLayout layout() const override { return io::WeightsLayout::keras; }
  const std::vector<io::WeightsArray>& arrays() const override { return arrays_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  void read(std::size_t index, float* destination) const override {
    const auto& array = arrays_[index];
    const auto kernel = kernels_.find(array.name);
    if (kernel == kernels_.end()) return vectors_.read_into(vectors_.info(array.name), destination);
    const std::uint64_t seed = fnv1a(tag_ + "/" + array.name);
    const auto size = static_cast<std::uint64_t>(array.size());
    for (std::uint64_t i = 0; i < size; ++i) destination[i] = seeded_kernel_element(seed, i, kernel->second.bound);
  }

  const std::map<std::string, Kernel>& kernels() const { return kernels_; }
  const std::vector<Layer>& layers() const { return layers_; }

 private:
  std::string path_;
  io::SafeTensors vectors_;
  std::string tag_;
  std::map<std::string, Kernel> kernels_;
  std::vector<Layer> layers_;
  std::vector<io::WeightsArray> arrays_;
  std::map<std::string, std::string> metadata_;
};

/// The same as an open weights file, ready for `io::load_parameters`: `seeded_weights("seeded_r50")`.
inline io::WeightsFile seeded_weights(const std::string& model) {
  return io::WeightsFile(std::make_shared<SeededWeights>(model));
}

}  // namespace mrcnn::test

#endif
