// The molded pictures of the original system, and photographs as cameras wrote them.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/io/image.hpp"
#include "mrcnn/io/json.hpp"
#include "mrcnn/io/safetensors.hpp"
#include "mrcnn/ops/image.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/shared.hpp"

namespace mrcnn::test {
namespace {

const std::vector<std::string> cases = {"seeded_r50/case_a",      "seeded_r50/case_b",       "seeded_r101/case_a",
                                        "seeded_r101/case_b",     "balloon_resnet50/case_a", "balloon_resnet50/case_b",
                                        "balloon_resnet50/case_c"};

TEST_CASE_TEMPLATE("letterbox and mold_image: every pixel of the original's molded pictures", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  for (const std::string& name : cases) {
    const std::string stem = shared_path("golden/" + name).string();
    const auto golden = io::SafeTensors::open(stem + ".safetensors");
    const auto description = io::JsonDocument::open(stem + ".json");
    const auto config = description.root()["config"];
    const Image picture = io::read_image(stem + ".png");
    const LetterboxPlan plan =
        plan_letterbox(picture.height, picture.width,
                       {.min_dim = config["IMAGE_MIN_DIM"].integer(), .max_dim = config["IMAGE_MAX_DIM"].integer()});
    for (const auto& named : {std::pair{"legacy/", Resampler::pillow}, std::pair{"modern/", Resampler::skimage}}) {
      const char* const profile = named.first;
      const Resampler resampler = named.second;
      CAPTURE(stem);
      CAPTURE(profile);
      const auto window = golden.read<std::int32_t>(profile + std::string("window"));  // y1, x1, y2, x2
      CHECK(plan.window() == Box{static_cast<float>(window[1]), static_cast<float>(window[0]),
                                 static_cast<float>(window[3]), static_cast<float>(window[2])});
      const auto source = tensor<std::uint8_t>(backend, {picture.height, picture.width, 3}, picture.pixels);
      if (golden.contains(profile + std::string("molded_image_u8"))) {
        auto molded = make_tensor<std::uint8_t>(backend, {plan.height, plan.width, 3});
        letterbox(backend, source, plan, resampler, molded);
        CHECK(to_host(backend, molded) == golden.read<std::uint8_t>(profile + std::string("molded_image_u8")));
      } else {
        auto molded = make_tensor<float>(backend, {plan.height, plan.width, 3});
        mold_image(backend, source, plan, {.resampler = resampler}, molded);
        CHECK(to_host(backend, molded) == golden.read<float>(profile + std::string("molded_image")));
      }
    }
  }
}

TEST_CASE("read_image: photographs, in either orientation, fit the letterbox") {
  std::vector<std::string> photographs;
  for (const char* folder : {"data/photos", "data/balloon/val"})
    for (const auto& entry : std::filesystem::directory_iterator(shared_path(folder)))
      if (io::is_image_extension(entry.path().string())) photographs.push_back(entry.path().string());
  std::sort(photographs.begin(), photographs.end());
  REQUIRE(photographs.size() >= 20);
  const HostBackend backend(2);
  for (const std::string& path : photographs) {
    CAPTURE(path);
    const Image image = io::read_image(path);
    REQUIRE(image.pixels.size() == static_cast<std::size_t>(image.height * image.width * 3));
    const LetterboxPlan plan = plan_letterbox(image.height, image.width);
    auto molded = make_tensor<std::uint8_t>(backend, {plan.height, plan.width, 3});
    letterbox(backend, image.view(), plan, Resampler::pillow, molded);
    const auto pixels = to_host(backend, molded);
    const auto [darkest, brightest] = std::minmax_element(pixels.begin(), pixels.end());
    CHECK(*brightest - *darkest > 100);  // a photograph, not a gray rectangle
  }
}

}  // namespace
}  // namespace mrcnn::test
