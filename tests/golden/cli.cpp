// The program on real pictures with the trained balloon model: its records against the original's results, folders of
// photographs, and the genuine truncated file.

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "mrcnn/coco/rle.hpp"
#include "mrcnn/io/image.hpp"
#include "mrcnn/io/json.hpp"
#include "mrcnn/io/safetensors.hpp"
#include "tests/support/program.hpp"
#include "tests/support/shared.hpp"

using namespace mrcnn;
using namespace mrcnn::test;

namespace {

std::string shared(const std::string& relative) { return shared_path(relative).string(); }
const std::string model = "golden/balloon_resnet50/mask_rcnn_balloon_resnet50.h5";

/// The settings that a golden case records, as a file of their own.
void write_golden_config(const std::string& path) {
  const auto document = io::JsonDocument::open(shared("golden/balloon_resnet50/case_a.json"));
  write_file(path, document.root()["config"].minified());
}

}  // namespace

TEST_CASE("detect: the records are the original's results, in both profiles") {
  const TemporaryFolder folder;
  write_golden_config(folder / "config.json");
  for (const std::string profile : {"legacy", "modern"}) {
    std::vector<std::string> words{"detect",
                                   shared("golden/balloon_resnet50/case_a.png"),
                                   shared("golden/balloon_resnet50/case_c.png"),
                                   "--weights",
                                   shared(model),
                                   "--config",
                                   folder / "config.json",
                                   "--profile",
                                   profile,
                                   "--classes",
                                   "balloon",
                                   "--json",
                                   folder / "found.json"};
    const auto result = run_program(words);
    CAPTURE(result.err);
    REQUIRE(result.status == 0);
    const auto document = io::JsonDocument::open(folder / "found.json");
    index_t next = 0;
    for (const std::string name : {"case_a", "case_c"}) {
      CAPTURE(profile);
      CAPTURE(name);
      const auto golden = io::SafeTensors::open(shared("golden/balloon_resnet50/" + name + ".safetensors"));
      const auto boxes = golden.read<std::int32_t>(profile + "/final_rois");  // y1, x1, y2, x2
      const auto scores = golden.read<float>(profile + "/final_scores");
      const auto bits = golden.read<std::uint8_t>(profile + "/final_masks_bits");
      const std::size_t row_bytes = bits.size() / scores.size();
      for (std::size_t i = 0; i < scores.size(); ++i) {
        REQUIRE(next < document.root().size());
        const auto record = document.root().at(next++);
        CHECK(record["file_name"].string() == name + ".png");
        CHECK(record["category_name"].string() == "balloon");
        CHECK(record["score"].number() == doctest::Approx(scores[i]).epsilon(1e-4));
        const std::int32_t* box = boxes.data() + 4 * i;
        CHECK(record["bbox"].integers() == std::vector<std::int64_t>{box[1], box[0], box[3] - box[1], box[2] - box[0]});
        const auto size = record["segmentation"]["size"].integers();
        const auto mask = coco::decode(coco::from_string(record["segmentation"]["counts"].string(), size[0], size[1]));
        REQUIRE(static_cast<std::size_t>((size[0] * size[1] + 7) / 8) == row_bytes);
        int different = 0;
        for (std::size_t pixel = 0; pixel < mask.size(); ++pixel)
          different += mask[pixel] != (bits[i * row_bytes + pixel / 8] >> (7 - pixel % 8) & 1) ? 1 : 0;
        CHECK(different <= (box[3] - box[1]) * (box[2] - box[0]) / 1000);
      }
    }
    CHECK(next == document.root().size());
  }
}

TEST_CASE("detect: all photographs of two folders, without a complaint") {
  const TemporaryFolder folder;
  write_file(folder / "config.json",
             R"({"IMAGE_MIN_DIM": 256, "IMAGE_MAX_DIM": 256, "DETECTION_MIN_CONFIDENCE": 0.6})");
  const auto result =
      run_program({"detect", shared("data/photos"), shared("data/balloon/val"), "--weights", shared(model), "--config",
                   folder / "config.json", "--json", folder / "found.json", "--output", folder / "drawn"});
  CAPTURE(result.err);
  CHECK(result.status == 0);
  CHECK(result.err.empty());
  int pictures = 0;
  for (const char* name : {"data/photos", "data/balloon/val"})
    for (const auto& entry : std::filesystem::directory_iterator(shared(name))) {
      if (!io::is_image_extension(entry.path().string())) continue;
      ++pictures;
      CHECK(std::filesystem::exists(folder / ("drawn/" + entry.path().stem().string() + ".png")));
    }
  CHECK(pictures > 20);
}

TEST_CASE("the truncated genuine file is reported as one, with the size found and the size expected") {
  const std::string prefix = shared("data/mask_rcnn_coco_h5_prefix/mask_rcnn_coco.prefix3325952.h5");
  const TemporaryFolder folder;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"detect", shared("data/photos/suitcase.jpg"), "--weights", prefix},
        {"inspect", prefix},
        {"convert", prefix, folder / "out.safetensors"}}) {
    const auto result = run_program(words);
    CAPTURE(result.err);
    CHECK(result.status == 1);
    CHECK(result.error_lines() == 1);
    for (const std::string text : {"prefix3325952.h5: ", "truncated", "3325952", "257557808"})
      CHECK_MESSAGE(result.err.find(text) != std::string::npos, text);
  }
  CHECK(folder.entries() == 0);
}
