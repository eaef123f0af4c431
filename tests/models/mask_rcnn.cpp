#include "mrcnn/models/mask_rcnn.hpp"

#include <doctest/doctest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>
#include <vector>

#include "tests/support/small_model.hpp"

using namespace mrcnn;
using namespace mrcnn::test;

// Every allocation of this program is counted, except under a sanitizer, which brings an allocator of its own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MRCNN_TEST_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MRCNN_TEST_COUNTS_ALLOCATIONS 0
#else
#define MRCNN_TEST_COUNTS_ALLOCATIONS 1
#endif
#else
#define MRCNN_TEST_COUNTS_ALLOCATIONS 1
#endif

namespace {
std::atomic<long> allocations{0};
}

#if MRCNN_TEST_COUNTS_ALLOCATIONS
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes > 0 ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  ++allocations;
  return memalign(alignment, bytes);
}
#endif

namespace {

MaskRCNN<HostBackend> small_model(const HostBackend& backend, const MaskRCNNConfig& config) {
  MaskRCNN<HostBackend> net(backend, config);
  fill_with_random_weights(net);
  return net;
}

std::vector<Image> pictures() {
  std::vector<Image> images;
  images.push_back(random_picture(128, 128, 1));
  images.push_back(random_picture(96, 160, 2));
  images.push_back(random_picture(300, 200, 3));
  images.push_back(random_picture(40, 41, 4));
  return images;
}

}  // namespace

TEST_CASE("MaskRCNN: a random network finds something in every picture, inside the picture") {
  for (const Profile profile : {Profile::matterport_legacy, Profile::matterport_modern}) {
    const auto net = small_model(HostBackend(2), small_config(profile));
    for (const Image& image : pictures()) {
      const Detections found = net.detect(image);
      REQUIRE(!found.empty());
      CHECK(found.size() <= 20);
      for (std::size_t i = 0; i < found.size(); ++i) {
        const Detection& d = found[i];
        CHECK(d.box.x1 >= 0);
        CHECK(d.box.y1 >= 0);
        CHECK(d.box.x2 <= static_cast<float>(image.width));
        CHECK(d.box.y2 <= static_cast<float>(image.height));
        CHECK(d.box.x1 < d.box.x2);
        CHECK(d.class_id >= 1);
        CHECK(d.class_id < 4);
        CHECK(d.mask.width == static_cast<index_t>(d.box.x2 - d.box.x1));
        CHECK(d.mask.height == static_cast<index_t>(d.box.y2 - d.box.y1));
        if (i > 0) CHECK(d.score <= found[i - 1].score);
      }
    }
  }
}

TEST_CASE("MaskRCNN: pictures of different sizes in a batch of 4 give what each gives alone, bit for bit") {
  for (const Profile profile : {Profile::matterport_legacy, Profile::matterport_modern}) {
    const auto net = small_model(HostBackend(2), small_config(profile));
    const auto images = pictures();
    const auto together = net.detect(images, {.batch_size = 4});
    REQUIRE(together.size() == 4);
    for (std::size_t i = 0; i < images.size(); ++i) CHECK(identical(together[i], net.detect(images[i])));
  }
}

TEST_CASE("MaskRCNN: results do not depend on the number of threads") {
  const auto images = pictures();
  std::vector<std::vector<Detections>> results;
  for (const int threads : {1, 2, 3, 7})
    results.push_back(small_model(HostBackend(threads), small_config()).detect(images, {.batch_size = 3}));
  for (const auto& result : results)
    for (std::size_t i = 0; i < images.size(); ++i) CHECK(identical(result[i], results[0][i]));
}

TEST_CASE("MaskRCNN: portable kernels and the host's own algorithms decide alike") {
  const auto images = pictures();
  const auto fast = small_model(HostBackend({.threads = 2}), small_config()).detect(images);
  const auto portable = small_model(HostBackend({.threads = 2, .use_overrides = false}), small_config()).detect(images);
  for (std::size_t i = 0; i < images.size(); ++i) {
    REQUIRE(fast[i].size() == portable[i].size());
    for (std::size_t k = 0; k < fast[i].size(); ++k) {
      CHECK(fast[i][k].class_id == portable[i][k].class_id);
      CHECK(fast[i][k].score == doctest::Approx(portable[i][k].score).epsilon(1e-4));
    }
  }
}

#if MRCNN_TEST_COUNTS_ALLOCATIONS
TEST_CASE("MaskRCNN: after the first image of a shape the network allocates nothing") {
  const HostBackend backend(2);
  const MaskRCNNConfig config = small_config();
  const auto net = small_model(backend, config);
  Workspace workspace;
  const auto run = [&](index_t height, index_t width, float shade) {
    auto images = make_tensor<float>(backend, {1, height, width, 3});
    for (index_t i = 0; i < images.size(); ++i) images.data()[i] = shade * static_cast<float>(i % 97);
    const auto windows =
        make_tensor_from<float>(backend, {1, 4}, {0, 0, static_cast<float>(width), static_cast<float>(height)});
    NetworkOutput<HostBackend> output(backend, config, 1);
    const long before = allocations;
    net.forward(workspace, std::as_const(images).view(), windows.view(), output);
    return allocations - before;
  };
  CHECK(run(128, 128, 1.0F) > 0);
  CHECK(run(128, 128, -0.5F) == 0);
  CHECK(run(192, 128, 1.0F) > 0);
  CHECK(run(128, 128, 0.25F) == 0);
  CHECK(run(192, 128, 0.75F) == 0);
}
#endif

TEST_CASE("MaskRCNN: one model serves many threads, and so do its copies") {
  const auto net = small_model(HostBackend(2), small_config());
  const auto images = pictures();
  std::vector<Detections> expected;
  for (const Image& image : images) expected.push_back(net.detect(image));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, copy = net, t] {
      for (int k = 0; k < 3; ++k) {
        const auto i = static_cast<std::size_t>(t + k) % images.size();
        if (!identical((k % 2 == 0 ? copy : net).detect(images[i]), expected[i])) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("MaskRCNN: no pictures, no results; a minimum confidence that nothing reaches, no detections") {
  MaskRCNNConfig config = small_config();
  CHECK(small_model(HostBackend(1), config).detect(std::vector<Image>{}).empty());
  config.detection_min_confidence = 1.0;
  const auto net = small_model(HostBackend(1), config);
  CHECK(net.detect(pictures()[0]).empty());
  CHECK(net.detect(pictures(), {.batch_size = 4}).size() == 4);
}

TEST_CASE("MaskRCNN: any number of detections fits into the memory that was planned for the most") {
  MaskRCNNConfig config = small_config();
  config.mask_pool_size = 16;  // 3 rows of 256 pixels are cut into other chunks than 4
  config.mask_shape = {32, 32};
  config.detection_max_instances = 4;
  for (const double confidence : {0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0}) {
    config.detection_min_confidence = confidence;
    const auto net = small_model(HostBackend(2), config);
    for (const Image& image : pictures()) CHECK_NOTHROW(net.detect(image));
  }
}

TEST_CASE("MaskRCNN: extreme pictures") {
  const auto net = small_model(HostBackend(2), small_config());
  for (const auto& [height, width] : {std::pair<index_t, index_t>{1, 1}, {1, 500}, {2000, 3}, {64, 64}})
    CHECK_NOTHROW(net.detect(random_picture(height, width, 9)));
}

TEST_CASE("MaskRCNN: resize modes") {
  MaskRCNNConfig config = small_config(Profile::matterport_modern);
  config.image_resize_mode = ResizeMode::none;
  const auto as_is = small_model(HostBackend(2), config);
  CHECK(!as_is.detect(random_picture(128, 192, 1)).empty());
  CHECK_THROWS_WITH_AS(as_is.detect(random_picture(100, 128, 1)),
                       doctest::Contains("100 x 128 pixels (height x width), expected sides that are multiples of 64"),
                       ShapeError);
  config.image_resize_mode = ResizeMode::pad64;
  config.image_min_dim = 64;
  const auto padded = small_model(HostBackend(2), config);
  const std::vector<Image> images{random_picture(70, 100, 1), random_picture(64, 200, 2), random_picture(66, 120, 3)};
  const auto together = padded.detect(images, {.batch_size = 3});  // two molded shapes
  for (std::size_t i = 0; i < images.size(); ++i) CHECK(identical(together[i], padded.detect(images[i])));
}

TEST_CASE("MaskRCNN: progress is told, and can stop") {
  const auto net = small_model(HostBackend(1), small_config());
  const auto images = pictures();
  std::vector<index_t> told;
  net.detect(images, {.batch_size = 3, .progress = [&](index_t done, index_t total) {
                        CHECK(total == 4);
                        told.push_back(done);
                        return true;
                      }});
  CHECK(told == std::vector<index_t>{3, 4});
  CHECK_THROWS_WITH_AS(net.detect(images, {.batch_size = 1, .progress = [](index_t, index_t) { return false; }}),
                       "MaskRCNN::detect: stopped after 1 of 4 pictures", Cancelled);
}

TEST_CASE("MaskRCNN: the observer sees every stage, under the original's names") {
  const auto net = small_model(HostBackend(1), small_config());
  std::vector<std::string> names;
  DetectOptions options;
  options.observer = [&](const std::string& name, std::span<const index_t> extents, std::span<const float> elements) {
    index_t size = 1;
    for (const index_t extent : extents) size *= extent;
    CHECK(size == static_cast<index_t>(elements.size()));
    names.push_back(name);
  };
  const auto image = pictures()[1];
  CHECK(identical(net.detect(image, options), net.detect(image)));
  CHECK(names == std::vector<std::string>{"molded_image",
                                          "window",
                                          "C1",
                                          "C2",
                                          "C3",
                                          "C4",
                                          "C5",
                                          "P2",
                                          "P3",
                                          "P4",
                                          "P5",
                                          "P6",
                                          "rpn_class_logits",
                                          "rpn_class",
                                          "rpn_bbox",
                                          "anchors",
                                          "rpn_rois",
                                          "pooled_class",
                                          "mrcnn_class_logits",
                                          "mrcnn_class",
                                          "mrcnn_bbox",
                                          "detections",
                                          "pooled_mask",
                                          "mrcnn_mask"});
}

TEST_CASE("MaskRCNN: stage times add up over pictures") {
  const auto net = small_model(HostBackend(1), small_config());
  std::vector<StageTime> times;
  net.detect(pictures(), {.times = &times});
  CHECK(times.size() == 11);
  for (const StageTime& time : times) CHECK(time.seconds >= 0);
}

TEST_CASE("MaskRCNN: misuse is explained") {
  MaskRCNN<HostBackend> net(HostBackend(1), small_config());
  CHECK(!net.loaded());
  CHECK_THROWS_WITH_AS(net.detect(pictures()[0]), "MaskRCNN: has no weights; call load_weights first", Error);
  fill_with_random_weights(net);
  CHECK_THROWS_WITH_AS(net.prepare(), "MaskRCNN: the weights are loaded already; make a new model for others", Error);
  CHECK_THROWS_WITH_AS(net.for_each_parameter([](nn::Parameter&) {}),
                       "MaskRCNN: the weights are loaded already; make a new model for others", Error);
  CHECK_THROWS_AS(net.detect(Image()), ShapeError);
  Image torn(128, 128);
  torn.pixels.pop_back();
  CHECK_THROWS_WITH_AS(net.detect(torn), doctest::Contains("49151 bytes, expected height x width x 3"), ShapeError);
  MaskRCNNConfig config = small_config();
  config.num_classes = 1;
  CHECK_THROWS_WITH_AS(MaskRCNN<HostBackend>(HostBackend(1), config), doctest::Contains("num_classes is 1"),
                       ShapeError);
}
