// Mask paste against the final masks of the original system, fed with its own masks and detections.

#include "mrcnn/ops/paste_masks.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "mrcnn/io/json.hpp"
#include "mrcnn/io/safetensors.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/shared.hpp"

namespace mrcnn {
namespace {

using test::make_backend;
using test::tensor;

/// One case of one profile: the masks and boxes that are pasted, and the planes that come out.
struct Golden {
  index_t height = 0;
  index_t width = 0;
  std::vector<float> masks;  // [n, 28, 28]
  std::vector<float> boxes;  // [n, 4], (x1, y1, x2, y2), pixels of the picture
  std::vector<std::uint8_t> planes;

  index_t count() const { return static_cast<index_t>(boxes.size() / 4); }
};

using Row = std::array<double, 4>;  // (y1, x1, y2, x2), as the files have it

/// A detection in the picture: moved out of the window, scaled, cut off.
Row unmold_legacy(const Row& box, const Row& window, double height, double width) {
  const double scale = std::min(height / (window[2] - window[0]), width / (window[3] - window[1]));
  Row result{};
  for (std::size_t k = 0; k < 4; ++k) result[k] = std::trunc((box[k] - window[k % 2]) * scale);
  return result;
}

/// A normalised detection in the picture: float up to the window's frame, then pixels in double, rounded.
Row unmold_modern(const Row& box, const Row& window, double side, double height, double width) {
  const auto normal = [&](std::size_t k) { return static_cast<float>((window[k] - (k < 2 ? 0 : 1)) / (side - 1)); };
  const double sizes[] = {height, width};
  Row result{};
  for (std::size_t k = 0; k < 4; ++k) {
    const float extent = normal(2 + k % 2) - normal(k % 2);
    const float inside = (static_cast<float>(box[k]) - normal(k % 2)) / extent;
    result[k] = std::rint(static_cast<double>(inside) * (sizes[k % 2] - 1) + (k < 2 ? 0 : 1));
  }
  return result;
}

Golden read_case(const std::string& name, const std::string& profile) {
  const std::string stem = test::shared_path("golden/" + name).string();
  const auto file = io::SafeTensors::open(stem + ".safetensors");
  const auto json = io::JsonDocument::open(stem + ".json");
  const auto shape = json.root()["profiles"][profile]["final_masks_shape"].integers();
  const double side = json.root()["config"]["IMAGE_MAX_DIM"].number();
  Golden golden;
  golden.height = shape[1];
  golden.width = shape[2];

  const auto detections = file.read<float>(profile + "/detections");
  const auto final_boxes = file.read<std::int32_t>(profile + "/final_rois");
  const auto masks = file.read<float>(profile + "/mrcnn_mask_selected");
  const auto pixels = file.read<std::int32_t>(profile + "/window");
  const Row window = {double(pixels[0]), double(pixels[1]), double(pixels[2]), double(pixels[3])};
  // The file's masks still include those of boxes without an area, which the original drops before it pastes.
  std::vector<double> kept;
  for (std::size_t i = 0; i < masks.size() / 784; ++i) {
    const float* d = detections.data() + 6 * i;
    const Row box = {double(d[0]), double(d[1]), double(d[2]), double(d[3])};
    const auto height = static_cast<double>(golden.height);
    const auto width = static_cast<double>(golden.width);
    const Row placed = profile == "legacy" ? unmold_legacy(box, window, height, width)
                                           : unmold_modern(box, window, side, height, width);
    if ((placed[2] - placed[0]) * (placed[3] - placed[1]) <= 0) continue;
    kept.insert(kept.end(), placed.begin(), placed.end());
    golden.masks.insert(golden.masks.end(), masks.begin() + static_cast<std::ptrdiff_t>(784 * i),
                        masks.begin() + static_cast<std::ptrdiff_t>(784 * (i + 1)));
    for (const std::size_t k : {1U, 0U, 3U, 2U}) golden.boxes.push_back(static_cast<float>(placed[k]));
  }
  CHECK(kept == std::vector<double>(final_boxes.begin(), final_boxes.end()));

  const auto bits = file.read<std::uint8_t>(profile + "/final_masks_bits");
  const auto row = static_cast<index_t>(bits.size()) / golden.count();
  for (index_t n = 0; n < golden.count(); ++n)
    for (index_t i = 0; i < golden.height * golden.width; ++i)
      golden.planes.push_back(bits[static_cast<std::size_t>(n * row + i / 8)] >> (7 - i % 8) & 1);
  return golden;
}

TEST_CASE_TEMPLATE("every mask of every case is pasted pixel for pixel as the original pastes it", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  for (const std::string name : {"seeded_r50/case_a", "seeded_r50/case_b", "seeded_r101/case_a", "seeded_r101/case_b",
                                 "balloon_resnet50/case_a", "balloon_resnet50/case_b", "balloon_resnet50/case_c"})
    for (const std::string profile : {"legacy", "modern"}) {
      CAPTURE(name);
      CAPTURE(profile);
      const Golden golden = read_case(name, profile);
      const index_t n = golden.count();
      const PasteMasksOptions options = {
          profile == "legacy" ? MaskPasteConvention::matterport_legacy : MaskPasteConvention::matterport_modern, 0.5};
      const auto masks = tensor<float>(backend, {n, 28, 28}, golden.masks);
      const auto boxes = tensor<float>(backend, {n, 4}, golden.boxes);
      auto planes = make_tensor<std::uint8_t>(backend, {n, golden.height, golden.width});
      paste_masks(backend, masks, boxes, options, planes);
      const auto found = to_host(backend, planes);
      REQUIRE(found.size() == golden.planes.size());
      index_t different = 0;
      for (std::size_t i = 0; i < found.size(); ++i) different += found[i] == golden.planes[i] ? 0 : 1;
      CHECK(different == 0);

      const auto rles = paste_masks_to_rle(backend, masks, boxes, options, golden.height, golden.width);
      const index_t pixels = golden.height * golden.width;
      for (index_t i = 0; i < n; ++i)
        CHECK(rles[static_cast<std::size_t>(i)] ==
              coco::encode({golden.planes.data() + i * pixels, {golden.height, golden.width}, {golden.width, 1}}));
    }
}

}  // namespace
}  // namespace mrcnn
