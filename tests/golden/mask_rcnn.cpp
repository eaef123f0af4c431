// The trained balloon model on real photographs: batches, threads, memory of a real size.

#include "mrcnn/models/mask_rcnn.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "mrcnn/io/image.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/small_model.hpp"

using namespace mrcnn;
using namespace mrcnn::test;

namespace {

std::vector<Image> photographs(std::size_t count) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(shared_path("data/balloon/val")))
    if (io::is_image_extension(entry.path().string())) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Image> images;
  for (std::size_t i = 0; i < std::min(count, paths.size()); ++i) images.push_back(io::read_image(paths[i].string()));
  return images;
}

}  // namespace

TEST_CASE("balloon model: a batch of 4 photographs equals 4 single runs bit for bit, with any number of threads") {
  const GoldenCase golden("balloon_resnet50", "a", "modern");
  const auto two = golden.network(HostBackend(2));
  const auto three = golden.network(HostBackend(3));
  const auto images = photographs(4);
  REQUIRE(images.size() == 4);
  const auto together = two.detect(images, {.batch_size = 4});
  std::size_t found = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(identical(together[i], three.detect(images[i])));
    found += together[i].size();
  }
  CHECK(found > 0);
}
