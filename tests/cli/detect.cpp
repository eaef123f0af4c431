// The program `mrcnn detect`, run as a user runs it, on a small network with seeded weights.

#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "mrcnn/coco/categories.hpp"
#include "mrcnn/coco/rle.hpp"
#include "mrcnn/io/image.hpp"
#include "mrcnn/io/json.hpp"
#include "mrcnn/io/open_weights.hpp"
#include "tests/support/image_files.hpp"
#include "tests/support/program.hpp"
#include "tests/support/small_weights.hpp"

using namespace mrcnn;
using namespace mrcnn::test;

namespace {

void write_bytes(const std::string& path, const ByteVector& bytes) {
  write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

/// A folder with a small model and a picture.
struct Workplace {
  TemporaryFolder folder;
  MaskRCNNConfig config = small_config();
  std::string weights = folder / "weights.safetensors";
  std::string picture = folder / "picture.png";

  Workplace() {
    write_small_weights(weights, config, {"square", "circle", "triangle"});
    io::write_png(picture, random_picture(90, 120, 1));
  }
  /// Runs `mrcnn detect picture --weights weights ...`.
  ProgramResult detect(std::vector<std::string> more) const {
    more.insert(more.begin(), {"detect", picture, "--weights", weights});
    return run_program(more);
  }
  Detections expected(const Image& image) const {
    MaskRCNN<HostBackend> model(HostBackend(1), config);
    load_weights(model, io::open_weights(weights));
    return model.detect(image);
  }
};

index_t count_of(const std::string& text, const std::string& part) {
  index_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("detect: the records hold what the library finds") {
  const Workplace place;
  const auto result =
      place.detect({"--json", place.folder / "found.json", "--taps", place.folder / "taps.safetensors"});
  CAPTURE(result.err);
  REQUIRE(result.status == 0);
  CHECK(result.err.empty());
  std::set<float> scores;  // of this very run: those of another build may differ in the last bit
  const auto rows = io::SafeTensors::open(place.folder / "taps.safetensors").read<float>("detections");
  for (std::size_t i = 5; i < rows.size(); i += 6) scores.insert(rows[i]);
  const auto expected = place.expected(io::read_image(place.picture));
  REQUIRE(expected.size() > 3);

  const auto document = io::JsonDocument::open(place.folder / "found.json");
  REQUIRE(document.root().size() == static_cast<index_t>(expected.size()));
  const std::vector<std::string> names{"square", "circle", "triangle"};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto record = document.root().at(static_cast<index_t>(i));
    const Detection& detection = expected[i];
    CHECK(record.size() == 7);
    CHECK(record["image_id"].integer() == 1);
    CHECK(record["category_id"].integer() == detection.class_id);
    CHECK(record["category_name"].string() == names[static_cast<std::size_t>(detection.class_id) - 1]);
    CHECK(record["file_name"].string() == "picture.png");
    CHECK(scores.count(static_cast<float>(record["score"].number())) == 1);
    CHECK(record["score"].number() == doctest::Approx(detection.score).epsilon(1e-4));
    const Box& box = detection.box;
    CHECK(record["bbox"].numbers() == std::vector<double>{box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1});
    CHECK(record["segmentation"]["size"].integers() == std::vector<std::int64_t>{90, 120});
    const auto mask = coco::decode(coco::from_string(record["segmentation"]["counts"].string(), 90, 120));
    bool same = true;
    for (index_t y = 0; y < 90; ++y)
      for (index_t x = 0; x < 120; ++x)
        same = same && (mask[static_cast<std::size_t>(y * 120 + x)] != 0) == detection.mask.contains(x, y);
    CHECK(same);
  }
}

TEST_CASE("detect: the table names what was found and the time of every stage") {
  const Workplace place;
  const auto result = place.detect({});
  REQUIRE(result.status == 0);
  CHECK(result.out.find("picture.png (120 x 90): ") != std::string::npos);
  for (const std::string text :
       {"score", "mask pixels", "backbone", "region proposal network", "mask head", "share", "all"})
    CHECK_MESSAGE(result.out.find(text) != std::string::npos, text);
}

TEST_CASE("detect: nothing found gives an empty array and the plain picture") {
  const Workplace place;
  const auto result = place.detect(
      {"--min-confidence", "1", "--json", place.folder / "found.json", "--output", place.folder / "found.png"});
  REQUIRE(result.status == 0);
  CHECK(file_bytes(place.folder / "found.json") == "[]\n");
  CHECK(io::read_image(place.folder / "found.png").pixels == io::read_image(place.picture).pixels);
  CHECK(result.out.find("nothing found") != std::string::npos);
}

TEST_CASE("detect: the drawing has the picture's size; the extension tells PNG from JPEG") {
  const Workplace place;
  for (const std::string name : {"found.png", "found.jpg", "found.JPEG", "found"}) {
    CAPTURE(name);
    REQUIRE(place.detect({"--output", place.folder / name}).status == 0);
    const Image drawn = io::read_image(place.folder / name);
    CHECK(drawn.width == 120);
    CHECK(drawn.height == 90);
    CHECK(drawn.pixels != io::read_image(place.picture).pixels);
    const bool png = file_bytes(place.folder / name).substr(1, 3) == "PNG";
    CHECK(png == (name == "found.png" || name == "found"));
  }
  CHECK(place.detect({"--output", place.folder.path().string()}).status == 2);  // it would overwrite the picture itself
  REQUIRE(place.detect({"--output", (place.folder / "new") + "/"}).status == 0);
  CHECK(std::filesystem::exists(place.folder / "new/picture.png"));
}

TEST_CASE("detect: the results do not depend on the number of threads") {
  const Workplace place;
  REQUIRE(place.detect({"--threads", "1", "--json", place.folder / "one.json"}).status == 0);
  REQUIRE(place.detect({"--threads", "3", "--json", place.folder / "three.json"}).status == 0);
  CHECK(file_bytes(place.folder / "one.json") == file_bytes(place.folder / "three.json"));
}

TEST_CASE("detect: taps hold the tensor of every stage, without batch axis") {
  const Workplace place;
  REQUIRE(place.detect({"--taps", place.folder / "taps.safetensors"}).status == 0);
  const auto taps = io::SafeTensors::open(place.folder / "taps.safetensors");
  const auto found = static_cast<index_t>(place.expected(io::read_image(place.picture)).size());
  const index_t anchors = 3 * (32 * 32 + 16 * 16 + 8 * 8 + 4 * 4 + 2 * 2);
  const std::vector<std::pair<std::string, std::vector<index_t>>> expected{{"molded_image", {128, 128, 3}},
                                                                           {"window", {4}},
                                                                           {"C1", {32, 32, 8}},
                                                                           {"C2", {32, 32, 32}},
                                                                           {"C3", {16, 16, 32}},
                                                                           {"C4", {8, 8, 64}},
                                                                           {"C5", {4, 4, 64}},
                                                                           {"P2", {32, 32, 24}},
                                                                           {"P3", {16, 16, 24}},
                                                                           {"P4", {8, 8, 24}},
                                                                           {"P5", {4, 4, 24}},
                                                                           {"P6", {2, 2, 24}},
                                                                           {"rpn_class_logits", {anchors, 2}},
                                                                           {"rpn_class", {anchors, 2}},
                                                                           {"rpn_bbox", {anchors, 4}},
                                                                           {"anchors", {anchors, 4}},
                                                                           {"rpn_rois", {60, 4}},
                                                                           {"pooled_class", {60, 7, 7, 24}},
                                                                           {"mrcnn_class_logits", {60, 4}},
                                                                           {"mrcnn_class", {60, 4}},
                                                                           {"mrcnn_bbox", {60, 4, 4}},
                                                                           {"detections", {20, 6}},
                                                                           {"pooled_mask", {found, 14, 14, 24}},
                                                                           {"mrcnn_mask", {found, 28, 28, 4}}};
  CHECK(taps.tensors().size() == expected.size());
  for (const auto& pair : expected) {
    const std::string& name = pair.first;
    const auto& shape = pair.second;
    CAPTURE(name);
    REQUIRE(taps.contains(name));
    const auto& info = taps.info(name);
    CHECK(info.dtype == io::DataType::f32);
    // Detections without area are dropped after the network.
    if (name == "pooled_mask" || name == "mrcnn_mask") {
      CHECK(info.shape[0] >= shape[0]);
      CHECK(std::vector<index_t>(info.shape.begin() + 1, info.shape.end()) ==
            std::vector<index_t>(shape.begin() + 1, shape.end()));
    } else {
      CHECK(info.shape == shape);
    }
  }
  CHECK(taps.read<float>("window") == std::vector<float>{0, 16, 128, 112});  // 120 x 90 becomes 128 x 96, centred
  CHECK(taps.metadata().at("profile") == "legacy");
  CHECK(taps.metadata().count("format") == 0);
}

TEST_CASE("detect: a folder gives its pictures in order; a broken one is named and left out") {
  const Workplace place;
  const std::string pictures = place.folder / "pictures";
  std::filesystem::create_directories(pictures + "/deeper.png");
  io::write_png(pictures + "/b.png", random_picture(64, 64, 2));
  io::write_jpeg(pictures + "/a.JPG", random_picture(60, 80, 3));
  io::write_png(pictures + "/000000000042.png", random_picture(50, 50, 4));
  write_file(pictures + "/notes.txt", "not a picture");
  const std::string whole = file_bytes(pictures + "/b.png");
  write_file(pictures + "/aa.png", whole.substr(0, whole.size() / 2));

  const auto result =
      run_program({"detect", pictures, "--weights", place.weights, "--json", place.folder / "found.json", "--output",
                   place.folder / "out/drawn", "--taps", place.folder / "out/taps"});
  CHECK(result.status == 1);
  CHECK(result.error_lines() == 1);
  CHECK(result.err.find(pictures + "/aa.png: ") != std::string::npos);
  CHECK(result.out.find("skipped") != std::string::npos);
  for (const std::string stem : {"000000000042", "a", "b"}) {
    CHECK(std::filesystem::exists(place.folder / ("out/drawn/" + stem + ".png")));
    CHECK(std::filesystem::exists(place.folder / ("out/taps/" + stem + ".safetensors")));
  }
  for (const std::string kind : {"drawn", "taps"})
    CHECK(std::distance(std::filesystem::directory_iterator(place.folder / ("out/" + kind)), {}) == 3);

  std::vector<std::string> order;
  const auto document = io::JsonDocument::open(place.folder / "found.json");
  document.root().for_each_element([&](const io::JsonValue& record) {
    const std::string name(record["file_name"].string());
    if (order.empty() || order.back() != name) order.push_back(name);
    CHECK(record["image_id"].integer() == (name == "a.JPG" ? 2 : name == "b.png" ? 4 : 42));
  });
  CHECK(order == std::vector<std::string>{"000000000042.png", "a.JPG", "b.png"});
}

TEST_CASE("detect: a bad picture that was named itself ends the run and leaves nothing behind") {
  const Workplace place;
  write_file(place.folder / "bad.png", "no picture at all");
  const int before = place.folder.entries();
  const auto result = place.detect({place.folder / "bad.png", "--json", place.folder / "found.json", "--output",
                                    place.folder / "new/folder", "--taps", place.folder / "taps"});
  CHECK(result.status == 1);
  CHECK(result.error_lines() == 1);
  CHECK(result.err.find("bad.png: ") != std::string::npos);
  CHECK(place.folder.entries() == before);
}

TEST_CASE("detect: pictures of one stem do not overwrite each other") {
  const Workplace place;
  std::filesystem::create_directories(place.folder / "other");
  io::write_png(place.folder / "other/picture.png", random_picture(40, 70, 8));
  io::write_png(place.folder / "picture-2.png", random_picture(30, 30, 9));
  const auto result = place.detect(
      {place.folder / "other/picture.png", place.folder / "picture-2.png", "--output", place.folder / "drawn"});
  REQUIRE(result.status == 0);
  CHECK(io::read_image(place.folder / "drawn/picture.png").width == 120);
  CHECK(io::read_image(place.folder / "drawn/picture-3.png").width == 70);
  CHECK(io::read_image(place.folder / "drawn/picture-2.png").width == 30);
}

TEST_CASE("detect: the camera's orientation is applied before anything else") {
  const Workplace place;
  const Image image = random_picture(64, 96, 5);
  const auto jpeg = io::encode_jpeg(image, 95);
  write_bytes(place.folder / "turned.jpg", with_exif(jpeg, exif_block(6, true)));
  const auto result = run_program({"detect", place.folder / "turned.jpg", "--weights", place.weights, "--json",
                                   place.folder / "found.json", "--output", place.folder / "drawn.png"});
  REQUIRE(result.status == 0);
  const Image drawn = io::read_image(place.folder / "drawn.png");
  CHECK(drawn.width == 64);
  CHECK(drawn.height == 96);
  const auto document = io::JsonDocument::open(place.folder / "found.json");
  CHECK(document.root().at(0)["segmentation"]["size"].integers() == std::vector<std::int64_t>{96, 64});
}

TEST_CASE("detect: gray, alpha, 16-bit, tiny and very long pictures") {
  const Workplace place;
  ByteVector gray(64);
  ByteVector deep_row;
  for (std::size_t x = 0; x < 64; ++x) {
    gray[x] = static_cast<std::uint8_t>(3 * x);
    append(deep_row, {static_cast<std::uint8_t>(x), 7, 50, 9, 60, 1});
  }
  ByteVector alpha;
  for (const std::uint8_t value : gray) append(alpha, {value, 40, 80, value});
  write_bytes(place.folder / "gray.png", png_file(64, std::vector<ByteVector>(32, gray), 8, 0));
  write_bytes(place.folder / "alpha.png", png_file(64, std::vector<ByteVector>(32, alpha), 8, 6));
  write_bytes(place.folder / "deep.png", png_file(64, std::vector<ByteVector>(32, deep_row), 16, 2));
  io::write_png(place.folder / "one.png", random_picture(1, 1, 1));
  for (const std::string name : {"gray.png", "alpha.png", "deep.png", "one.png"}) {
    const auto result = run_program({"detect", place.folder / name, "--weights", place.weights, "--json",
                                     place.folder / "found.json", "--output", place.folder / "drawn.png"});
    CAPTURE(name);
    CAPTURE(result.err);
    CHECK(result.status == 0);
  }
  // Brought down to 128, a side of 20000 leaves no whole pixel of the other one.
  io::write_png(place.folder / "wide.png", Image(3, 20000));
  io::write_png(place.folder / "tall.png", Image(5000, 1));
  for (const std::string name : {"wide.png", "tall.png"}) {
    const auto result = run_program({"detect", place.folder / name, "--weights", place.weights, "--json",
                                     place.folder / "found.json", "--output", place.folder / "drawn.png"});
    CAPTURE(name);
    CAPTURE(result.err);
    CHECK(result.status == 0);
    CHECK(io::read_image(place.folder / "drawn.png").width == (name == "wide.png" ? 20000 : 1));
  }
}

TEST_CASE("detect: the ids are COCO's own when the names are COCO's 80") {
  const Workplace place;
  MaskRCNNConfig config = small_config();
  config.num_classes = 81;
  const std::string weights = place.folder / "coco.safetensors";
  write_small_weights(weights, config);
  std::string own_names;
  for (int i = 1; i <= 80; ++i) own_names += "thing " + std::to_string(i) + "\n";
  write_file(place.folder / "names.txt", own_names);
  for (const std::string classes : {"", "coco", "names"}) {
    CAPTURE(classes);
    std::vector<std::string> words{"detect", place.picture, "--weights",
                                   weights,  "--json",      place.folder / "found.json"};
    if (classes == "coco") words.insert(words.end(), {"--classes", "coco"});
    if (classes == "names") words.insert(words.end(), {"--classes", place.folder / "names.txt"});
    REQUIRE(run_program(words).status == 0);
    const auto document = io::JsonDocument::open(place.folder / "found.json");
    REQUIRE(document.root().size() > 0);
    document.root().for_each_element([&](const io::JsonValue& record) {
      const auto id = record["category_id"].integer();
      const std::string name(record["category_name"].string());
      if (classes == "names") {
        CHECK(name == "thing " + std::to_string(id));
        return;
      }
      bool known = false;
      for (const auto& category : coco::official_categories)
        known = known || (category.id == id && category.name == name);
      CHECK(known);
    });
  }
}

TEST_CASE("detect: class names come from the option, the weights, or are numbers") {
  const Workplace place;
  const auto names = [&](const std::vector<std::string>& more, const std::string& weights) {
    std::vector<std::string> words{"detect", place.picture, "--weights",
                                   weights,  "--json",      place.folder / "found.json"};
    words.insert(words.end(), more.begin(), more.end());
    const auto result = run_program(words);
    CAPTURE(result.err);
    REQUIRE(result.status == 0);
    std::set<std::string> found;
    const auto document = io::JsonDocument::open(place.folder / "found.json");
    document.root().for_each_element(
        [&](const io::JsonValue& record) { found.insert(std::string(record["category_name"].string())); });
    return found;
  };
  const auto subset = [](const std::set<std::string>& found, const std::set<std::string>& all) {
    return !found.empty() && std::includes(all.begin(), all.end(), found.begin(), found.end());
  };
  write_file(place.folder / "classes.txt",
             "\xEF\xBB\xBF"
             "BG\r\nK\xC3\xA4se\r\nwine glass\r\nc\r\n\n");
  const std::string nameless = place.folder / "nameless.safetensors";
  write_small_weights(nameless, place.config);
  CHECK(subset(names({}, place.weights), {"square", "circle", "triangle"}));
  CHECK(subset(names({}, nameless), {"class 1", "class 2", "class 3"}));
  CHECK(subset(names({"--classes", "BG,a, b ,c"}, place.weights), {"a", "b", "c"}));
  CHECK(subset(names({"--classes", place.folder / "classes.txt"}, place.weights), {"K\xC3\xA4se", "wine glass", "c"}));
}

TEST_CASE("detect: an option goes before --config, that before the weights' own, that before the default") {
  const Workplace place;  // its weights say confidence 0 and 20 detections
  write_file(place.folder / "config.json",
             R"({"DETECTION_MIN_CONFIDENCE": 0.25, "profile": "modern", "LEARNING_RATE": 0.5, "NUM_CLASSES": 4,
                 "BACKBONE": {"blocks": [1, 1, 1, 1], "widths": [8, 8, 16, 16], "stem_channels": 8}})");
  const auto settings = [&](std::vector<std::string> more) {
    more.emplace_back("--verbose");
    const auto result = place.detect(more);
    CAPTURE(result.err);
    REQUIRE(result.status == 0);
    const std::size_t begin = result.out.find('{');
    return io::parse_config(result.out.substr(begin, result.out.find("\n}") + 2 - begin), "printed").config;
  };
  const auto own = settings({});
  CHECK(own.detection_min_confidence == 0);
  CHECK(own.detection_max_instances == 20);
  CHECK(own.detection_nms_threshold == 0.3);
  CHECK(own.profile == Profile::matterport_legacy);
  const auto file = settings({"--config", place.folder / "config.json"});
  CHECK(file.detection_min_confidence == 0.25);
  CHECK(file.detection_max_instances == 20);
  CHECK(file.profile == Profile::matterport_modern);
  CHECK(file.learning_rate == 0.5);
  const auto option = settings({"--config", place.folder / "config.json", "--min-confidence", "0.5", "--profile",
                                "legacy", "--max-detections", "7"});
  CHECK(option.detection_min_confidence == 0.5);
  CHECK(option.detection_max_instances == 7);
  CHECK(option.profile == Profile::matterport_legacy);
  CHECK(option.image_max_dim == 128);
}

TEST_CASE("detect: interrupted, it leaves nothing behind") {
  const Workplace place;
  const std::string pictures = place.folder / "pictures";
  std::filesystem::create_directory(pictures);
  const auto jpeg = io::encode_png(random_picture(200, 200, 6));
  for (int i = 0; i < 400; ++i) write_bytes(pictures + "/" + std::to_string(i) + ".png", jpeg);
  const int before = place.folder.entries();
  for (const int number : {SIGINT, SIGTERM}) {
    Program program({"detect", pictures, "--weights", place.weights, "--output", place.folder / "drawn", "--json",
                     place.folder / "found.json"});
    const std::string drawn = place.folder / "drawn";
    for (int i = 0; i < 5000 && !std::filesystem::exists(drawn); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    kill(program.process(), number);
    const auto result = program.wait();
    CHECK(result.signal == number);
    CHECK(place.folder.entries() == before);
  }
}

TEST_CASE("the help tells every option, with examples; the version is printed") {
  const auto help = run_program({"--help"});
  CHECK(help.status == 0);
  for (const std::string text : {"detect", "convert", "inspect", "--version"})
    CHECK(help.out.find(text) != std::string::npos);
  const auto detect = run_program({"detect", "--help"});
  CHECK(detect.status == 0);
  for (const std::string option :
       {"--weights", "--profile", "--config", "--classes", "--min-confidence", "--max-detections", "--threads",
        "--json", "--output", "--taps", "--font", "--verbose", "Examples:"})
    CHECK_MESSAGE(detect.out.find(option) != std::string::npos, option);
  CHECK(count_of(detect.out, "mrcnn detect") >= 4);
  CHECK(run_program({"convert", "-h"}).out.find("--dry-run") != std::string::npos);
  CHECK(run_program({"inspect", "--help"}).out.find("overflow") != std::string::npos);
  CHECK(run_program({"--version"}).out.rfind("mrcnn ", 0) == 0);
}
