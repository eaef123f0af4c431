#include "mrcnn/io/keras_hdf5.hpp"

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "mrcnn/io/model_description.hpp"
#include "mrcnn/io/open_weights.hpp"
#include "mrcnn/io/tensor_statistics.hpp"
#include "tests/support/files.hpp"
#include "tests/support/keras_file.hpp"
#include "tests/support/seeded_weights.hpp"
#include "tests/support/shared.hpp"

using namespace mrcnn;
using namespace mrcnn::io;
using test::message_of;
using test::shared_path;

namespace {

/// CRC-32 as in zlib and PNG.
std::uint32_t crc32(const std::vector<float>& values) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0xEDB88320U ^ c >> 1 : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  std::uint32_t crc = 0xFFFFFFFFU;
  const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
  for (std::size_t i = 0; i < values.size() * sizeof(float); ++i) crc = table[(crc ^ bytes[i]) & 255] ^ crc >> 8;
  return ~crc;
}

/// Parameters for every array of a Keras Mask R-CNN file, in the native layout.
class Parameters {
 public:
  explicit Parameters(const WeightsFile& file) {
    for (const auto& array : file.arrays()) {
      const auto& s = array.shape;
      ParameterSlot slot{array.name, ParameterKind::vector, s, nullptr};
      if (array.name == "mrcnn_mask_deconv/kernel") {
        slot.kind = ParameterKind::conv_transpose;
        slot.shape = {s[2], s[0], s[1], s[3]};
      } else if (s.size() == 4) {
        slot.kind = ParameterKind::conv;
        slot.shape = {s[3], s[0], s[1], s[2]};
      } else if (s.size() == 2) {
        slot.kind = ParameterKind::dense;
        slot.shape = {s[1], s[0]};
      }
      memory_.emplace_back(static_cast<std::size_t>(array.size()));
      slot.data = memory_.back().data();
      slots_.push_back(std::move(slot));
    }
  }
  const std::vector<ParameterSlot>& slots() const { return slots_; }
  const std::vector<std::vector<float>>& memory() const { return memory_; }

 private:
  std::vector<std::vector<float>> memory_;
  std::vector<ParameterSlot> slots_;
};

const std::string balloon = "golden/balloon_resnet50/mask_rcnn_balloon_resnet50.h5";

}  // namespace

TEST_CASE("the trained balloon model: chunked, shuffled and compressed arrays") {
  const auto file = open_weights(shared_path(balloon).string());
  const auto model = describe_model(file);
  CHECK(model.is_mask_rcnn());
  CHECK(model.backbone() == "ResNet-50");
  CHECK(model.class_count == 2);
  CHECK(model.anchors == 3);
  CHECK(model.widths == std::vector<index_t>{64, 128, 256, 512});
  CHECK(model.pyramid_channels == 256);
  CHECK(model.head_channels == 1024);
  CHECK(model.arrays == 384);
  CHECK(model.parameters == 44662942);  // the specification's total for two classes, 4.2

  // The file's maker rounded every value to bfloat16: a wrong byte anywhere would show.
  Parameters parameters(file);
  CHECK(load_parameters(file, parameters.slots()).summary() == "384 used, 0 unused, 0 missing, 0 of wrong shape");
  std::uint32_t low_bits = 0;
  for (const auto& values : parameters.memory())
    for (const float value : values) low_bits |= std::bit_cast<std::uint32_t>(value) & 0xFFFFU;
  CHECK(low_bits == 0);

  const test::TemporaryFolder folder;
  save_parameters(folder / "balloon.safetensors", parameters.slots(), {"{}", {"balloon"}});
  const auto converted = open_weights(folder / "balloon.safetensors");
  CHECK(describe_model(converted).summary() == model.summary());
  Parameters again(file);
  load_parameters(converted, again.slots()).throw_if_incomplete();
  CHECK(parameters.memory() == again.memory());
}

TEST_CASE("a seeded model written as Keras of 2017 wrote it reads back with the recorded checksums") {
  const test::TemporaryFolder folder;
  const test::SeededWeights seeded("seeded_r50");
  {
    test::KerasFile file(folder / "r50.h5");
    std::size_t next = 0;
    for (const auto& layer : seeded.layers()) {
      std::vector<test::KerasArray> arrays;
      for (const auto& weight : layer.weights) {
        const auto& array = seeded.arrays()[next];
        arrays.push_back({weight, array.shape, std::vector<float>(static_cast<std::size_t>(array.size()))});
        seeded.read(next++, arrays.back().values.data());
      }
      file.layer(layer.name, arrays);
    }
  }
  const auto file = open_weights(folder / "r50.h5");
  REQUIRE(file.arrays().size() == seeded.arrays().size());
  CHECK(describe_model(file).class_count == 4);
  std::size_t kernels = 0;
  for (std::size_t i = 0; i < file.arrays().size(); ++i) {
    CHECK(file.arrays()[i].name == seeded.arrays()[i].name);
    const auto recorded = seeded.kernels().find(file.arrays()[i].name);
    if (recorded == seeded.kernels().end()) continue;
    const auto values = file.read(i);
    CHECK(crc32(values) == recorded->second.crc32);
    for (std::size_t k = 0; k < 4; ++k) CHECK(values[k] == static_cast<float>(recorded->second.first4[k]));
    ++kernels;
  }
  CHECK(kernels == seeded.kernels().size());
}

TEST_CASE("the seeded ResNet-101 has the specification's numbers") {
  const auto model = describe_model(test::seeded_weights("seeded_r101"));
  CHECK(model.summary() ==
        "Mask R-CNN, ResNet-101, 4 classes with the background, 3 anchors at each position, 690 arrays, 63744170 "
        "parameters");
  CHECK(model.statistics == 111488);
}

TEST_CASE("the genuine prefix of the published COCO file is reported as truncated, with both sizes") {
  const std::string path = shared_path("data/mask_rcnn_coco_h5_prefix/mask_rcnn_coco.prefix3325952.h5").string();
  CHECK(message_of([&] { open_weights(path); }) ==
        path +
            ": is truncated: it has 3325952 bytes, expected 257557808 as its header says; download or copy it again");
}

TEST_CASE("tensor statistics of genuine COCO weights equal the recorded ones") {
  const std::string folder = shared_path("data/mask_rcnn_coco_h5_prefix").string();
  const io::detail::InputFile file(folder + "/mask_rcnn_coco.prefix3325952.h5");
  const auto document = JsonDocument::open(folder + "/tensors.json");
  int whole = 0;
  document.root().for_each_element([&](const JsonValue& tensor) {
    if (!tensor["complete"].boolean()) return;
    std::vector<float> values(static_cast<std::size_t>(tensor["nbytes"].integer()) / sizeof(float));
    file.read(static_cast<std::uint64_t>(tensor["offset"].integer()), values.data(), values.size() * sizeof(float));
    const auto s = tensor_statistics(values);
    CHECK(s.min == tensor["min"].number());
    CHECK(s.max == tensor["max"].number());
    CHECK(std::fabs(s.mean - tensor["mean"].number()) <= 1e-6 * std::max(1.0, std::fabs(s.mean)));
    CHECK(std::fabs(s.std - tensor["std"].number()) <= 1e-6 * std::max(1.0, s.std));
    ++whole;
  });
  CHECK(whole == 96);
}

TEST_CASE("every safetensors file of the reference opens, and is refused as weights") {
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(shared_path("golden"))) {
    if (entry.path().extension() != ".safetensors") continue;
    const auto file = SafeTensors::open(entry.path().string());
    CHECK(file.tensors().size() > 0);
    CHECK(message_of([&] { open_weights(entry.path().string()); }).find("without format 'mrcnn'") != std::string::npos);
    ++files;
  }
  CHECK(files >= 11);
}
