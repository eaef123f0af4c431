// `mrcnn convert` and `mrcnn inspect`.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "mrcnn/io/image.hpp"
#include "mrcnn/io/open_weights.hpp"
#include "tests/support/program.hpp"
#include "tests/support/small_weights.hpp"

using namespace mrcnn;
using namespace mrcnn::test;

namespace {

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The line of a table that begins with this name.
std::string line_of(const std::string& table, const std::string& name) {
  const std::size_t begin = ("\n" + table).find("\n" + name + " ");
  return begin == std::string::npos ? "(no line)" : table.substr(begin, table.find('\n', begin) - begin);
}

/// Settings that a Keras file does not hold.
constexpr const char* small_settings =
    R"({"IMAGE_MIN_DIM": 128, "IMAGE_MAX_DIM": 128, "RPN_ANCHOR_SCALES": [8, 16, 32, 64, 128],
        "POST_NMS_ROIS_INFERENCE": 60, "DETECTION_MAX_INSTANCES": 20, "DETECTION_MIN_CONFIDENCE": 0})";

}  // namespace

TEST_CASE("convert: the native file detects what the Keras file does, without further options") {
  const TemporaryFolder folder;
  write_small_keras_weights(folder / "model.h5", small_config());
  write_file(folder / "config.json", small_settings);
  io::write_png(folder / "picture.png", random_picture(100, 80, 3));
  const std::vector<std::string> options{"--config", folder / "config.json", "--profile", "modern", "--classes",
                                         "a,b,c"};

  std::vector<std::string> words{"detect", folder / "picture.png", "--weights", folder / "model.h5",
                                 "--json", folder / "keras.json"};
  words.insert(words.end(), options.begin(), options.end());
  REQUIRE(run_program(words).status == 0);
  words = {"convert", folder / "model.h5", folder / "model.safetensors"};
  words.insert(words.end(), options.begin(), options.end());
  const auto converted = run_program(words);
  REQUIRE(converted.status == 0);
  REQUIRE(run_program({"detect", folder / "picture.png", "--weights", folder / "model.safetensors", "--json",
                       folder / "native.json"})
              .status == 0);
  CHECK(file_bytes(folder / "keras.json").size() > 100);
  CHECK(file_bytes(folder / "keras.json") == file_bytes(folder / "native.json"));

  const auto file = io::open_weights(folder / "model.safetensors");
  CHECK(holds(converted.out, std::to_string(file.arrays().size()) + " used, 0 unused, 0 missing"));
  for (const auto& array : file.arrays()) CHECK(holds(line_of(converted.out, array.name), "used"));
  CHECK(io::native_metadata(file).class_names == std::vector<std::string>{"a", "b", "c"});
  const auto config = io::parse_config(io::native_metadata(file).config, "metadata").config;
  CHECK(config.profile == Profile::matterport_modern);
  CHECK(config.post_nms_rois_inference == 60);
  CHECK(config.num_classes == 4);
  CHECK(config.backbone == small_config().backbone);
}

TEST_CASE("convert: the small model's Keras file is the model") {
  const TemporaryFolder folder;
  write_small_keras_weights(folder / "model.h5", small_config());
  REQUIRE(run_program({"convert", folder / "model.h5", folder / "converted.safetensors"}).status == 0);
  write_small_weights(folder / "original.safetensors", small_config());
  const auto converted = io::open_weights(folder / "converted.safetensors");
  const auto original = io::open_weights(folder / "original.safetensors");
  REQUIRE(converted.arrays().size() == original.arrays().size());
  for (std::size_t i = 0; i < original.arrays().size(); ++i) {
    const auto found = converted.find(original.arrays()[i].name);
    REQUIRE(found.has_value());
    CHECK_MESSAGE(converted.read(*found) == original.read(i), original.arrays()[i].name);
  }
  CHECK(io::native_metadata(converted).class_names.empty());  // nobody named them
}

TEST_CASE("convert --dry-run: the table, and no file") {
  const TemporaryFolder folder;
  write_small_keras_weights(folder / "model.h5", small_config());
  for (const bool named : {false, true}) {
    std::vector<std::string> words{"convert", folder / "model.h5", "--dry-run"};
    if (named) words.push_back(folder / "out.safetensors");
    const auto result = run_program(words);
    CHECK(result.status == 0);
    CHECK(holds(result.out, "0 missing, 0 of wrong shape"));
    CHECK(holds(line_of(result.out, "conv1/kernel"), "[7, 7, 3, 8]"));
    CHECK(folder.entries() == 1);
  }
}

TEST_CASE("convert: other floating-point types are converted, and the table says so; what is not used is listed") {
  const TemporaryFolder folder;
  write_small_keras_weights(folder / "model.h5", small_config(), [](std::vector<KerasArray>& arrays) {
    if (arrays[0].name == "conv1/kernel:0") {
      arrays[0].type = StoredType::f16;
      arrays[1].type = StoredType::f64;
      arrays.push_back({"conv1/momentum:0", {2}, {1, 2}});
    }
  });
  const auto result = run_program({"convert", folder / "model.h5", folder / "out.safetensors"});
  REQUIRE(result.status == 0);
  CHECK(holds(line_of(result.out, "conv1/kernel"), "converted to F32"));
  CHECK(holds(line_of(result.out, "conv1/bias"), "converted to F32"));
  CHECK(holds(line_of(result.out, "conv1/momentum"), "unused"));
  CHECK(holds(result.out, "(2 converted to float32), 1 unused"));
}

TEST_CASE("convert: an array of wrong shape is shown in the table, and nothing is written") {
  const TemporaryFolder folder;
  write_small_keras_weights(folder / "model.h5", small_config(), [](std::vector<KerasArray>& arrays) {
    for (KerasArray& array : arrays)
      if (array.name == "fpn_p2/bias:0") {
        array.shape = {3};
        array.values.resize(3);
      }
  });
  const auto result = run_program({"convert", folder / "model.h5", folder / "out.safetensors"});
  CHECK(result.status == 1);
  CHECK(result.error_lines() == 1);
  CHECK(holds(line_of(result.out, "fpn_p2/bias"), "wrong shape, expected [24]"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("inspect: statistics, flags, the model and totals of a Keras file and of a native one") {
  const TemporaryFolder folder;
  write_small_keras_weights(folder / "model.h5", small_config(), [](std::vector<KerasArray>& arrays) {
    for (KerasArray& array : arrays) {
      if (array.name == "mrcnn_mask/bias:0") array.values = {-1, 0, 2, 3};
      if (array.name == "bn_conv1/gamma:0") std::fill(array.values.begin(), array.values.end(), 0.5F);
      if (array.name == "fpn_p2/bias:0") array.values[3] = -1001;
      if (array.name == "fpn_p3/bias:0") std::fill(array.values.begin(), array.values.end(), 0.0F);  // of a convolution
    }
  });
  REQUIRE(run_program({"convert", folder / "model.h5", folder / "model.safetensors"}).status == 0);
  for (const std::string name : {"model.h5", "model.safetensors"}) {
    CAPTURE(name);
    const auto result = run_program({"inspect", folder / name});
    REQUIRE(result.status == 0);
    const std::string numbers = line_of(result.out, "mrcnn_mask/bias");
    for (const std::string text : {"[4]", " -1 ", " 3 ", " 1 ", "1.5811"}) CHECK_MESSAGE(holds(numbers, text), numbers);
    CHECK(holds(line_of(result.out, "bn_conv1/gamma"), "dead"));
    CHECK(holds(line_of(result.out, "fpn_p2/bias"), "overflow"));
    CHECK(!holds(line_of(result.out, "fpn_p3/bias"), "dead"));
    CHECK(holds(result.out, "model: Mask R-CNN, ResNet [1, 1, 1, 1], 4 classes"));
    CHECK(holds(result.out, "totals: "));
    CHECK(holds(result.out, "1 dead, 1 with overflow, 0 values not finite"));
  }
}

TEST_CASE("inspect: any safetensors file, whatever its types") {
  const TemporaryFolder folder;
  const std::vector<std::uint8_t> bytes{0, 4, 8};
  const std::vector<std::int64_t> integers{-5, 5};
  const std::vector<std::uint8_t> small{0x38, 0xB8, 0x40};  // 1, -1, 2 in F8_E4M3
  const std::vector<float> nothing;
  io::write_safetensors(folder / "any.safetensors",
                        {{"bytes", io::DataType::u8, {3}, bytes.data()},
                         {"integers", io::DataType::i64, {2}, integers.data()},
                         {"small", io::DataType::f8_e4m3, {3}, small.data()},
                         {"nothing", io::DataType::f32, {0, 4}, nothing.data()}},
                        {{"made by", "hand"}});
  const auto result = run_program({"inspect", folder / "any.safetensors"});
  REQUIRE(result.status == 0);
  CHECK(holds(line_of(result.out, "bytes"), " 8 "));
  CHECK(holds(line_of(result.out, "integers"), " -5 "));
  CHECK(holds(line_of(result.out, "small"), " -1 "));
  CHECK(holds(line_of(result.out, "small"), " 2 "));
  CHECK(holds(line_of(result.out, "nothing"), "[0, 4]"));
  CHECK(holds(result.out, "not weights of mrcnn"));
  CHECK(holds(result.out, "made by = hand"));
  CHECK(holds(result.out, "totals: 4 arrays, 8 elements"));
}
