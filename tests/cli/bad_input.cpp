// What the program says about input that is wrong: one line that names the file or tensor, what was found and what was
// expected, the right exit status, and no files left behind.

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "mrcnn/io/image.hpp"
#include "tests/support/program.hpp"
#include "tests/support/small_weights.hpp"

using namespace mrcnn;
using namespace mrcnn::test;

namespace {

/// A folder with a small model and a picture.
struct Workplace {
  TemporaryFolder folder;
  std::string weights = folder / "weights.safetensors";
  std::string picture = folder / "picture.png";

  Workplace() {
    write_small_weights(weights, small_config());
    io::write_png(picture, random_picture(40, 60, 1));
  }

  /// Runs the program, which must fail in one line that holds all the texts, and leave no file behind.
  void fails(int status, const std::vector<std::string>& words, const std::vector<std::string>& texts) const {
    const int before = folder.entries();
    const auto result = run_program(words);
    std::string line;
    for (const auto& word : words) line += word + " ";
    CAPTURE(line);
    CAPTURE(result.err);
    CHECK(result.status == status);
    CHECK(result.error_lines() == 1);
    CHECK(result.err.rfind("mrcnn: ", 0) == 0);
    CHECK(result.out.empty());
    for (const auto& text : texts) CHECK_MESSAGE(result.err.find(text) != std::string::npos, text);
    CHECK(folder.entries() == before);
  }
  void detect_fails(int status, std::vector<std::string> more, const std::vector<std::string>& texts) const {
    more.insert(more.begin(), {"detect", picture, "--weights", weights});
    fails(status, more, texts);
  }
  /// With these weights instead, in detect and in convert.
  void weights_fail(const std::string& path, const std::vector<std::string>& texts) const {
    fails(1, {"detect", picture, "--weights", path, "--json", folder / "found.json"}, texts);
  }
};

std::string little_endian(std::uint64_t number) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(number >> 8 * i);
  return bytes;
}

/// A safetensors file of mrcnn's with this header content (after the metadata) and so many data bytes.
std::string safetensors(const std::string& tensors, std::size_t data_bytes) {
  const std::string header = R"({"__metadata__":{"format":"mrcnn","format_version":"1"},)" + tensors + "}";
  return little_endian(header.size()) + header + std::string(data_bytes, '\0');
}

}  // namespace

TEST_CASE("a wrong command line exits with 2") {
  const Workplace place;
  const std::string& p = place.picture;
  const std::string& w = place.weights;
  place.fails(2, {}, {"no command", "detect"});
  place.fails(2, {"detekt"}, {"'detekt'", "did you mean 'detect'"});
  place.fails(2, {""}, {"unknown command"});
  place.fails(2, {"detect"}, {"no picture"});
  place.fails(2, {"detect", p}, {"--weights"});
  place.fails(2, {"detect", p, "--weights"}, {"--weights", "FILE"});
  place.fails(2, {"detect", p, "--weights", "--json", "x"}, {"--weights", "FILE"});
  place.fails(2, {"detect", p, "--weights="}, {"--weights", "empty"});
  place.fails(2, {"detect", p, "--weights", w, "--weights", w}, {"--weights", "twice"});
  place.fails(2, {"detect", p, "--weights", w, "--verbose=yes"}, {"--verbose"});
  place.fails(2, {"detect", "--weights", w}, {"no picture"});
  place.fails(2, {"detect", "", "--weights", w}, {"empty"});
  place.detect_fails(2, {"--jsn", "x"}, {"'--jsn'", "did you mean '--json'"});
  place.detect_fails(2, {"-v"}, {"'-v'"});
  place.detect_fails(2, {"--profile", "keras"}, {"--profile", "'keras'", "legacy or modern"});
  for (const std::string bad : {"nan", "-nan", "NaN", "inf", "1.01", "-0.1", "half", "0.5x", "1e999", " 0.5", "0,5"})
    place.detect_fails(2, {"--min-confidence=" + bad}, {"--min-confidence", bad, "from 0 to 1"});
  for (const std::string bad : {"0", "-3", "2.5", "many", "99999999999", "nan"}) {
    place.detect_fails(2, {"--max-detections", bad}, {"--max-detections", "'" + bad + "'", "whole number"});
    place.detect_fails(2, {"--threads", bad}, {"--threads", "'" + bad + "'", "whole number"});
  }
  place.detect_fails(2, {"--classes", "a,,b"}, {"--classes", "empty name"});
  place.fails(2, {"convert"}, {"no input"});
  place.fails(2, {"convert", w}, {"no output"});
  place.fails(2, {"convert", w, "out.safetensors", "more"}, {"'more'"});
  place.fails(2, {"convert", w, "out.h5"}, {"out.h5", "safetensors"});
  place.fails(2, {"convert", w, w}, {"would be overwritten"});
  place.fails(2, {"inspect"}, {"no file"});
  place.fails(2, {"inspect", w, w}, {"unexpected argument"});
  place.fails(2, {"inspect", "--all", w}, {"'--all'"});
}

TEST_CASE("outputs that can not be what was asked for exit with 2") {
  const Workplace place;
  place.detect_fails(2, {"--output", place.picture}, {"picture.png", "overwritten"});
  place.detect_fails(2, {"--json", place.weights}, {"weights.safetensors", "overwritten"});
  place.detect_fails(2, {"--json", place.folder / "x", "--output", place.folder / "./x"}, {"two outputs"});
  place.detect_fails(2, {"--output", place.folder / "x.bmp"}, {"x.bmp", ".png or .jpg"});
  place.detect_fails(2, {place.picture, "--output", place.folder / "x.png"}, {"x.png", "folder"});
  place.detect_fails(2, {place.picture, "--taps", place.folder / "x.safetensors"}, {"x.safetensors", "folder"});
}

TEST_CASE("files that do not exist or can not be written exit with 1, before the network runs") {
  const Workplace place;
  const std::string absent = place.folder / "absent";
  place.fails(1, {"detect", absent + ".png", "--weights", place.weights}, {"absent.png: ", "no such file"});
  place.fails(1, {"detect", place.picture, "--weights", absent + ".h5"}, {"absent.h5: ", "no such file"});
  place.detect_fails(1, {"--config", absent + ".json"}, {"absent.json: ", "no such file"});
  place.detect_fails(1, {"--classes", absent + ".txt"}, {"absent.txt: ", "no such file"});
  place.detect_fails(1, {"--output", place.folder / "x.png", "--font", absent + ".ttf"},
                     {"absent.ttf: ", "no such file"});
  place.detect_fails(1, {"--json", absent + "/found.json"}, {"absent/found.json: ", "folder does not exist"});
  place.detect_fails(1, {"--json", place.folder.path().string()}, {"is a directory"});
  place.fails(1, {"convert", absent, place.folder / "out.safetensors"}, {"absent: ", "no such file"});
  place.fails(1, {"inspect", absent}, {"absent: ", "no such file"});
  place.fails(1, {"inspect", place.folder.path().string()}, {"directory"});

  const std::string folder = place.folder / "read_only";
  std::filesystem::create_directory(folder);
  place.fails(1, {"detect", folder, "--weights", place.weights}, {"read_only: ", "holds no pictures"});
  write_file(place.folder / "read_only.json", "{}");
  ::chmod((place.folder / "read_only.json").c_str(), 0400);
  ::chmod(folder.c_str(), 0500);
  if (::access(folder.c_str(), W_OK) != 0) {  // for root, everything can be written
    place.detect_fails(1, {"--json", folder + "/found.json"}, {"read_only/found.json: ", "permission denied"});
    place.detect_fails(1, {"--output", folder + "/new/"}, {"read_only/new", "permission denied"});
    place.detect_fails(1, {"--json", place.folder / "read_only.json"}, {"read_only.json: ", "permission denied"});
  }
  ::chmod(folder.c_str(), 0700);
  if (std::filesystem::exists("/proc/self"))
    place.detect_fails(1, {"--json", "/proc/found.json", "--output", place.folder / "x.png"}, {"/proc/found.json: "});
  CHECK(file_bytes(place.folder / "read_only.json") == "{}");
}

TEST_CASE("an output that exists keeps its content when the run fails") {
  const Workplace place;
  write_file(place.folder / "found.json", "before");
  write_file(place.folder / "bad.png", "no picture");
  place.detect_fails(1, {place.folder / "bad.png", "--json", place.folder / "found.json"}, {"bad.png: "});
  CHECK(file_bytes(place.folder / "found.json") == "before");
}

TEST_CASE("pictures that are cut short or none exit with 1") {
  const Workplace place;
  const Image image = random_picture(64, 64, 3);
  for (const std::string name : {"cut.png", "cut.jpg"}) {
    io::write_image(place.folder / name, image);
    const std::string whole = file_bytes(place.folder / name);
    for (const double part : {0.3, 0.9}) {
      write_file(place.folder / name,
                 whole.substr(0, static_cast<std::size_t>(part * static_cast<double>(whole.size()))));
      place.fails(1, {"detect", place.folder / name, "--weights", place.weights},
                  {name + ": ", "cut short", "expected"});
    }
  }
  write_file(place.folder / "empty.jpg", "");
  write_file(place.folder / "text.png", "these are words");
  place.fails(1, {"detect", place.folder / "empty.jpg", "--weights", place.weights}, {"empty.jpg: "});
  place.fails(1, {"detect", place.folder / "text.png", "--weights", place.weights}, {"text.png: ", "expected"});
  place.fails(1, {"detect", place.weights, "--weights", place.weights}, {"weights.safetensors: ", "not a picture"});
  REQUIRE(::mkfifo((place.folder / "pipe.png").c_str(), 0600) == 0);  // nobody writes: opening must not wait
  place.fails(1, {"detect", place.folder / "pipe.png", "--weights", place.weights}, {"pipe.png: ", "regular file"});
}

TEST_CASE("a picture that does not suit the resize mode is named") {
  const Workplace place;
  write_file(place.folder / "none.json", R"({"IMAGE_RESIZE_MODE": "none"})");
  write_file(place.folder / "crop.json", R"({"IMAGE_RESIZE_MODE": "crop"})");
  place.detect_fails(1, {"--config", place.folder / "none.json"}, {"picture.png: ", "64"});
  place.detect_fails(1, {"--config", place.folder / "crop.json"}, {"crop.json: ", "training"});
  io::write_png(place.folder / "fits.png", random_picture(64, 192, 2));
  CHECK(run_program(
            {"detect", place.folder / "fits.png", "--weights", place.weights, "--config", place.folder / "none.json"})
            .status == 0);
}

TEST_CASE("a configuration that is wrong is an error that names the file and the key") {
  const Workplace place;
  const std::string config = place.folder / "config.json";
  const auto fails = [&](const std::string& text, std::vector<std::string> texts) {
    write_file(config, text);
    texts.emplace_back("config.json:");
    place.detect_fails(1, {"--config", config}, texts);
  };
  fails("{", {"is not JSON"});
  fails("[1]", {"an array", "an object"});
  fails(R"({"num_clases": 4})", {"num_clases", "did you mean 'num_classes'"});
  fails(R"({"NUM_CLASSES": 4, "num_classes": 4})", {"num_classes", "twice"});
  fails(R"({"NUM_CLASSES": 7})", {"num_classes is 7", "expected 4", "weights.safetensors"});
  fails(R"({"BACKBONE": "resnet101"})", {"backbone", "resnet101", "weights.safetensors"});
  fails(R"({"detection_min_confidence": "high"})", {"detection_min_confidence", "a string", "a number"});
  fails(R"({"detection_min_confidence": 2})", {"detection_min_confidence", "2", "from 0"});
  fails(R"({"image_max_dim": 100})", {"image_max_dim", "100", "64"});
  fails(R"({"rpn_anchor_ratios": [1, 2]})", {"rpn_anchor_ratios has 2", "expected 3"});
}

TEST_CASE("settings beyond every network are told of the file that sets them, not of a picture") {
  const Workplace place;
  const std::string config = place.folder / "config.json";
  for (const std::string key : {"image_max_dim", "image_min_dim", "pre_nms_limit", "post_nms_rois_inference",
                                "detection_max_instances", "rpn_anchor_stride"}) {
    write_file(config, "{\"" + key + "\": 1024000000}");
    place.detect_fails(1, {"--config", config}, {"config.json: " + key + " is 1024000000, expected 1 to "});
  }
}

TEST_CASE("a run whose table can not be printed leaves no files") {
  const Workplace place;
  const int before = place.folder.entries();
  const std::string words = std::string(MRCNN_PROGRAM) + " detect " + place.picture + " --weights " + place.weights +
                            " --json " + (place.folder / "found.json") + " 2>/dev/null ";
  for (const std::string stream : {">/dev/full", ">&-"}) {
    CHECK(std::system((words + stream).c_str()) != 0);
    CHECK(place.folder.entries() == before);
  }
  const std::string convert = std::string(MRCNN_PROGRAM) + " convert " + place.weights + " " +
                              (place.folder / "out.safetensors") + " 2>/dev/null >/dev/full";
  CHECK(std::system(convert.c_str()) != 0);
  CHECK_FALSE(std::filesystem::exists(place.folder / "out.safetensors"));
}

TEST_CASE("records on the standard output are added to the file behind it") {
  const Workplace place;
  write_file(place.folder / "log.txt", "before\n");
  const std::string words = std::string(MRCNN_PROGRAM) + " detect " + place.picture + " --weights " + place.weights +
                            " --json /dev/stdout >>" + (place.folder / "log.txt");
  CHECK(std::system(words.c_str()) == 0);
  const std::string log = file_bytes(place.folder / "log.txt");
  CHECK(log.rfind("before\n[", 0) == 0);
  CHECK(log.find("share") != std::string::npos);  // the table of times
}

TEST_CASE("a font is read although nothing is drawn; a folder is no list of classes") {
  const Workplace place;
  place.detect_fails(1, {"--font", place.folder / "absent.ttf"}, {"absent.ttf: "});
  place.detect_fails(1, {"--classes", place.folder.path().string()}, {"names a folder", "one class name a line"});
}

TEST_CASE("pictures of one image_id are warned of; a line end in a name does not break the table") {
  const Workplace place;
  for (const std::string name : {"7.png", "007.png", "a\nb.png"})
    std::filesystem::copy_file(place.picture, place.folder / name);
  const auto result =
      run_program({"detect", place.folder / "7.png", place.folder / "007.png", place.folder / "a\nb.png", "--weights",
                   place.weights, "--json", place.folder / "found.json"});
  CHECK(result.status == 0);
  CHECK(result.error_lines() == 1);
  CHECK(result.err.find("007.png have the same image_id 7 in ") != std::string::npos);
  CHECK(result.out.find("a\\nb.png") != std::string::npos);
}

TEST_CASE("class names that do not fit the weights exit with 1") {
  const Workplace place;
  write_file(place.folder / "names.txt", "a\nb\n");
  write_file(place.folder / "gap.txt", "a\n\nb\nc\n");
  place.detect_fails(1, {"--classes", "a,b"}, {"2 names", "expected 3", "weights.safetensors"});
  place.detect_fails(1, {"--classes", "coco"}, {"80 names", "expected 3"});
  place.detect_fails(1, {"--classes", "unknown"}, {"1 name,", "expected 3"});
  place.detect_fails(1, {"--classes", place.folder / "names.txt"}, {"names.txt", "2 names", "expected 3"});
  place.detect_fails(1, {"--classes", place.folder / "gap.txt"}, {"gap.txt: line 2"});
}

TEST_CASE("safetensors weights that lie about themselves are refused") {
  const Workplace place;
  const std::string path = place.folder / "bad.safetensors";
  const auto fails = [&](const std::string& bytes, std::vector<std::string> texts) {
    write_file(path, bytes);
    texts.emplace_back("bad.safetensors:");
    place.weights_fail(path, texts);
  };
  const std::string whole = file_bytes(place.weights);
  fails(whole.substr(0, whole.size() - 1), {"truncated"});
  fails(whole.substr(0, whole.size() / 2), {"truncated"});
  fails(whole.substr(0, 100), {"truncated"});
  fails(whole.substr(0, 5), {});
  fails(whole + "x", {"after the last tensor"});
  fails(little_endian(std::uint64_t{1} << 63) + "{}", {});
  const auto tensor = [](const std::string& name, int begin, int end) {
    return "\"" + name + R"(":{"dtype":"F32","shape":[2],"data_offsets":[)" + std::to_string(begin) + "," +
           std::to_string(end) + "]}";
  };
  fails(safetensors(tensor("a", 0, 8) + "," + tensor("b", 4, 12), 12), {"'b'", "overlaps"});
  fails(safetensors(tensor("a", 0, 8) + "," + tensor("b", 8, 16), 12), {"'b'", "truncated"});
  fails(safetensors(tensor("a", 0, 8) + "," + tensor("a", 8, 16), 16), {"two", "'a'"});
  fails(safetensors(R"("a":{"dtype":"I32","shape":[2],"data_offsets":[0,8]})", 8), {"'a'", "I32", "floating-point"});
  fails(safetensors(tensor("a", 0, 8), 8), {"missing", "conv1/kernel"});

  std::string plain = whole;
  plain.replace(plain.find("\"mrcnn\""), 7, "\"other\"");
  fails(plain, {"format", "expected"});
  std::string newer = whole;
  newer.replace(newer.find("\"format_version\":\"1\""), 20, "\"format_version\":\"9\"");
  fails(newer, {"format_version '9'", "expected '1'"});
}

TEST_CASE("values that are NaN or infinite are found before the network runs") {
  const Workplace place;
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::string bytes = file_bytes(place.weights);
    std::memcpy(bytes.data() + bytes.size() - 4, &value, 4);
    write_file(place.folder / "bad.safetensors", bytes);
    place.weights_fail(place.folder / "bad.safetensors", {"bad.safetensors: array '", "NaN or infinite at element"});
    CHECK(run_program({"inspect", place.folder / "bad.safetensors"}).out.find("1 not finite") != std::string::npos);
  }
}

TEST_CASE("Keras weights that are damaged or do not fit") {
  const Workplace place;
  const std::string path = place.folder / "bad.h5";
  const auto fails = [&](const std::function<void(std::vector<KerasArray>&)>& change, std::vector<std::string> texts) {
    write_small_keras_weights(path, small_config(), change);
    texts.emplace_back("bad.h5:");
    place.weights_fail(path, texts);
  };
  const auto on = [](const std::string& name, const std::function<void(KerasArray&)>& change) {
    return [=](std::vector<KerasArray>& arrays) {
      for (KerasArray& array : arrays)
        if (array.name == name) change(array);
    };
  };
  const auto without = [](const std::string& name) {
    return [=](std::vector<KerasArray>& arrays) {
      std::erase_if(arrays, [&](const KerasArray& array) { return array.name == name; });
    };
  };
  fails(without("mrcnn_mask_conv3/bias:0"), {"mrcnn_mask_conv3/bias", "missing"});
  const auto converted = run_program({"convert", path, place.folder / "out.safetensors"});
  CHECK(converted.status == 1);
  CHECK(converted.error_lines() == 1);
  CHECK(converted.out.find("mrcnn_mask_conv3/bias   ") != std::string::npos);
  CHECK(converted.out.find("  missing\n") != std::string::npos);
  CHECK(converted.out.find(" found, 1 missing\n") != std::string::npos);
  fails(without("mrcnn_class_logits/kernel:0"), {"mrcnn_class_logits/kernel", "missing"});
  fails(on("res2a_branch2b/bias:0",
           [](KerasArray& array) {
             array.shape = {4};
             array.values.resize(4);
           }),
        {"res2a_branch2b/bias", "[4]", "expected [8]"});
  fails(on("mrcnn_class_logits/kernel:0", [](KerasArray& array) { array.shape = {40 * 4}; }),
        {"mrcnn_class_logits/kernel", "shape"});
  fails(on("fpn_p3/kernel:0", [](KerasArray& array) { array.type = StoredType::i64; }), {"fpn_p3/kernel", "integer"});
  fails(on("fpn_p3/bias:0", [](KerasArray& array) { array.type = StoredType::string; }), {"fpn_p3/bias", "string"});
  fails(on("conv1/kernel:0", [](KerasArray& array) { array.values[5] = std::nanf(""); }), {"conv1/kernel", "NaN"});

  write_small_keras_weights(path, small_config());
  const std::string whole = file_bytes(path);
  for (const double part : {0.02, 0.5, 0.99}) {
    const auto bytes = static_cast<std::size_t>(part * static_cast<double>(whole.size()));
    write_file(path, whole.substr(0, bytes));
    place.weights_fail(path, {"bad.h5: ", "truncated", std::to_string(bytes)});
  }
  write_file(path, "\x89HDF\r\n\x1A\n");
  place.weights_fail(path, {"bad.h5: "});
  write_file(path, "");
  place.weights_fail(path, {"bad.h5: "});
}
