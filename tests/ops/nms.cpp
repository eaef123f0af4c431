#include "mrcnn/ops/nms.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/core/workspace.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/draw.hpp"

namespace mrcnn {
namespace {

using test::make_backend;
using test::tensor;
using Indices = std::vector<std::int32_t>;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

struct Scene {
  std::vector<float> boxes;
  std::vector<float> scores;
  Indices groups;  // empty: one group

  index_t size() const { return static_cast<index_t>(scores.size()); }
};

// What is kept; checks that the count fits and that -1 fills the rest.
template <class Backend>
Indices kept(const Backend& backend, const Scene& scene, const NmsOptions& options, index_t capacity) {
  const auto boxes = tensor<float>(backend, {scene.size(), 4}, scene.boxes);
  const auto scores = tensor<float>(backend, {scene.size()}, scene.scores);
  auto keep = make_tensor<std::int32_t>(backend, {capacity});
  auto count = make_scalar<std::int32_t>(backend);
  if (scene.groups.empty()) {
    nms(backend, boxes, scores, options, keep, count);
  } else {
    const auto groups = tensor<std::int32_t>(backend, {scene.size()}, scene.groups);
    batched_nms(backend, boxes, scores, groups, options, keep, count);
  }
  Indices result = to_host(backend, keep);
  const std::int32_t found = to_host(backend, count)[0];
  REQUIRE(found >= 0);
  REQUIRE(found <= capacity);
  CHECK(std::all_of(result.begin() + found, result.end(), [](std::int32_t i) { return i == -1; }));
  result.resize(static_cast<std::size_t>(found));
  return result;
}

// Intersection over union in the precision of Real. Volatile: no product is fused into a sum.
template <class Real>
bool too_close(const float* a, const float* b, Real threshold) {
  volatile Real sides[2];
  volatile Real areas[3];
  for (int axis = 0; axis < 2; ++axis) {
    const Real low = std::max(std::min(a[axis], a[axis + 2]), std::min(b[axis], b[axis + 2]));
    const Real high = std::min(std::max(a[axis], a[axis + 2]), std::max(b[axis], b[axis + 2]));
    sides[axis] = std::max(high - low, Real{0});
  }
  areas[0] = std::abs(Real{a[2]} - Real{a[0]}) * std::abs(Real{a[3]} - Real{a[1]});
  areas[1] = std::abs(Real{b[2]} - Real{b[0]}) * std::abs(Real{b[3]} - Real{b[1]});
  areas[2] = sides[0] * sides[1];
  if (areas[0] == 0 || areas[1] == 0) return false;
  return areas[2] / (areas[0] + areas[1] - areas[2]) > threshold;
}

// The definition, by striking out: the best box left is kept and strikes out what it overlaps. Finite boxes only.
Indices reference(const Scene& scene, const NmsOptions& options, std::size_t capacity) {
  std::vector<bool> open(scene.scores.size());
  for (std::size_t i = 0; i < open.size(); ++i)
    open[i] = scene.scores[i] > options.score_threshold && (scene.groups.empty() || scene.groups[i] >= 0);
  Indices order(scene.scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return scene.scores[static_cast<std::size_t>(a)] > scene.scores[static_cast<std::size_t>(b)];
  });
  Indices result;
  for (const std::int32_t best : order) {
    const auto i = static_cast<std::size_t>(best);
    if (!open[i]) continue;
    if (result.size() == capacity) break;
    result.push_back(best);
    for (std::size_t j = 0; j < open.size(); ++j) {
      if (!open[j] || (!scene.groups.empty() && scene.groups[i] != scene.groups[j])) continue;
      const float* a = scene.boxes.data() + 4 * i;
      const float* b = scene.boxes.data() + 4 * j;
      if (options.double_precision ? too_close<double>(a, b, options.iou_threshold)
                                   : too_close<float>(a, b, static_cast<float>(options.iou_threshold)))
        open[j] = false;
    }
  }
  return result;
}

// Boxes in clusters, as a detector finds them: many near copies of fewer objects, of sizes from 8 to 400.
Scene clusters(unsigned seed, int count, int objects) {
  test::Draw draw(seed);
  std::vector<float> centers;
  for (int i = 0; i < objects; ++i) {
    const float size = 8 * std::exp2(draw.number(0, 5.5F));
    for (const float value : {draw.number(0, 1024), draw.number(0, 1024), size, size * draw.number(0.5F, 2)})
      centers.push_back(value);
  }
  Scene scene;
  for (int i = 0; i < count; ++i) {
    const float* c = centers.data() + 4 * draw.integer(0, objects - 1);
    const float w = c[2] * draw.number(0.8F, 1.25F);
    const float h = c[3] * draw.number(0.8F, 1.25F);
    const float x = c[0] + c[2] * draw.number(-0.2F, 0.2F);
    const float y = c[1] + c[3] * draw.number(-0.2F, 0.2F);
    for (const float value : {x - w / 2, y - h / 2, x + w / 2, y + h / 2}) scene.boxes.push_back(value);
    scene.scores.push_back(draw.number(0, 1));
  }
  return scene;
}

// Small boxes of whole pixels, scores with ties: overlaps that equal a threshold are common.
Scene whole_pixels(unsigned seed, int count, int extent) {
  test::Draw draw(seed);
  Scene scene;
  for (int i = 0; i < count; ++i) {
    const int x = draw.integer(0, extent);
    const int y = draw.integer(0, extent);
    for (const int value : {x, y, x + draw.integer(0, 10), y + draw.integer(1, 10)})
      scene.boxes.push_back(static_cast<float>(value));
    scene.scores.push_back(static_cast<float>(draw.integer(0, 20)) / 20);
  }
  return scene;
}

const Scene five_boxes{
    {0, 0, 10, 10, 1, 1, 11, 11, 0, 20, 10, 30, 0, 0, 10, 9, 2, 21, 12, 31}, {0.9F, 0.8F, 0.7F, 0.95F, 0.6F}, {}};

TEST_CASE_TEMPLATE("nms: five boxes worked by hand", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  CHECK(kept(backend, five_boxes, {.iou_threshold = 0.3}, 5) == Indices{3, 2});
  CHECK(kept(backend, five_boxes, {.iou_threshold = 0.7}, 5) == Indices{3, 1, 2, 4});
  CHECK(kept(backend, five_boxes, {.iou_threshold = 1.0}, 5) == Indices{3, 0, 1, 2, 4});
}

TEST_CASE_TEMPLATE("nms: an overlap equal to the threshold does not suppress", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const Scene seven_tenths{{0, 0, 10, 10, 0, 0, 10, 7}, {1, 0.5F}, {}};
  CHECK(kept(backend, seven_tenths, {.iou_threshold = 0.7}, 2) == Indices{0, 1});
  CHECK(kept(backend, seven_tenths, {.iou_threshold = 0.7F}, 2) == Indices{0, 1});
  CHECK(kept(backend, seven_tenths, {.iou_threshold = 0.699}, 2) == Indices{0});
  const Scene half{{0, 0, 10, 10, 0, 0, 10, 5}, {1, 0.5F}, {}};
  CHECK(kept(backend, half, {.iou_threshold = 0.5}, 2) == Indices{0, 1});
}

TEST_CASE_TEMPLATE("nms: boxes of whole pixels at 3/10 depend on the precision", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  // 30 of 100 pixels. In double 3 / 10 is the threshold itself; with the threshold of float32 widened it is below it.
  const Scene scene{{0, 0, 10, 10, 0, 0, 10, 3}, {1, 0.5F}, {}};
  NmsOptions options{.iou_threshold = 0.3};
  CHECK(kept(backend, scene, options, 2) == Indices{0, 1});
  options.double_precision = true;
  CHECK(kept(backend, scene, options, 2) == Indices{0, 1});
  // One that lies between the two thresholds: 0.3 < 0.3000000100 < float32(0.3) = 0.3000000119.
  const Scene between{{0, 0, 10000003, 1, 0, 0, 3000001, 1}, {1, 0.5F}, {}};
  const double iou = static_cast<double>(between.boxes[6]) / static_cast<double>(between.boxes[2]);
  CHECK(iou > 0.3);
  CHECK(iou < static_cast<double>(0.3F));
  CHECK(kept(backend, between, options, 2) == Indices{0});
  options.double_precision = false;
  CHECK(kept(backend, between, options, 2) == Indices{0, 1});
}

TEST_CASE_TEMPLATE("nms: equal scores go by ascending index", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  Scene scene;
  for (int i = 0; i < 200; ++i) {
    const auto x = static_cast<float>(i % 100 * 20);
    scene.boxes.insert(scene.boxes.end(), {x, 0, x + 10, 10});
    scene.scores.push_back(i % 2 == 0 ? 0.0F : -0.0F);
  }
  Indices expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(kept(backend, scene, {}, 200) == expected);
}

TEST_CASE_TEMPLATE("nms: corners may come in any order", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const Scene scene{{0, 0, 10, 10, 10, 10, 0, 0, 10, 0, 0, 10, 30, 10, 20, 0}, {0.9F, 0.8F, 0.7F, 0.6F}, {}};
  CHECK(kept(backend, scene, {}, 4) == Indices{0, 3});
}

TEST_CASE_TEMPLATE("nms: boxes without area, with NaN or of infinite area are kept and suppress nothing", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  Scene scene;
  const auto add = [&scene](float x1, float y1, float x2, float y2) {
    scene.boxes.insert(scene.boxes.end(), {x1, y1, x2, y2});
    scene.scores.push_back(1.0F - static_cast<float>(scene.scores.size()) / 64);
  };
  add(5, 5, 5, 5);
  add(5, 5, 5, 5);
  add(0, 5, 10, 5);
  for (int position = 0; position < 4; ++position) {
    float box[4] = {0, 0, 10, 10};
    box[position] = nan;
    add(box[0], box[1], box[2], box[3]);
  }
  add(-infinity, -infinity, infinity, infinity);
  add(-infinity, -infinity, infinity, infinity);
  add(0, 0, infinity, 10);
  add(infinity, infinity, infinity, infinity);
  add(-3e38F, -3e38F, 3e38F, 3e38F);
  add(0, 0, 10, 10);
  Indices expected(scene.scores.size());
  std::iota(expected.begin(), expected.end(), 0);
  add(0, 0, 10, 9);  // the only one that is suppressed
  for (const double threshold : {0.0, 0.5})
    CHECK(kept(backend, scene, {.iou_threshold = threshold}, scene.size()) == expected);
}

TEST_CASE_TEMPLATE("nms: in double the areas of huge and tiny boxes do not overflow", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  for (const float side : {1e25F, 1e-25F, 1e36F, 1e-18F}) {
    const Scene scene{{0, 0, side, side, 0, 0, side, 0.75F * side, side, side, 2 * side, 2 * side}, {3, 2, 1}, {}};
    NmsOptions options{.iou_threshold = 0.7, .double_precision = true};
    CHECK(kept(backend, scene, options, 3) == Indices{0, 2});
    options.iou_threshold = 0.8;
    CHECK(kept(backend, scene, options, 3) == Indices{0, 1, 2});
  }
}

TEST_CASE_TEMPLATE("nms: scores of NaN and -infinity are never kept, +infinity comes first", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const Scene scene{{0, 0, 1, 1, 5, 0, 6, 1, 10, 0, 11, 1, 15, 0, 16, 1}, {nan, -1e30F, -infinity, infinity}, {}};
  CHECK(kept(backend, scene, {}, 4) == Indices{3, 1});
}

TEST_CASE_TEMPLATE("nms: only scores above the threshold count, equal ones do not", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const Scene scene{{0, 0, 10, 10, 0, 0, 10, 10, 20, 0, 30, 10}, {0.5F, 0.75F, 0.5001F}, {}};
  CHECK(kept(backend, scene, {.score_threshold = 0.5F}, 3) == Indices{1, 2});
  CHECK(kept(backend, scene, {.score_threshold = 0.75F}, 3).empty());
}

TEST_CASE_TEMPLATE("nms: stops at max_output and at the extent of keep", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  CHECK(kept(backend, five_boxes, {.iou_threshold = 0.7}, 3) == Indices{3, 1, 2});
  CHECK(kept(backend, five_boxes, {.iou_threshold = 0.7, .max_output = 2}, 5) == Indices{3, 1});
  CHECK(kept(backend, five_boxes, {.iou_threshold = 0.7, .max_output = 9}, 2) == Indices{3, 1});
  CHECK(kept(backend, five_boxes, {.max_output = 0}, 5).empty());
  CHECK(kept(backend, five_boxes, {}, 0).empty());
}

TEST_CASE_TEMPLATE("nms: no boxes, one box", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  CHECK(kept(backend, Scene{}, {}, 0).empty());
  CHECK(kept(backend, Scene{}, {}, 3).empty());
  CHECK(kept(backend, Scene{{1, 2, 3, 4}, {0}, {}}, {}, 3) == Indices{0});
}

TEST_CASE_TEMPLATE("batched_nms: only boxes of one group suppress each other", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  Scene scene = five_boxes;
  scene.groups = {1, 1, 1, 2, 1};  // box 3 no longer reaches box 0
  CHECK(kept(backend, scene, {.iou_threshold = 0.3}, 5) == Indices{3, 0, 2});
  scene.groups = {1, 1, 1, -1, 1};
  CHECK(kept(backend, scene, {.iou_threshold = 0.3}, 5) == Indices{0, 2});
  scene.groups = {2147483647, 0, -2147483647, 2147483646, 2147483645};
  CHECK(kept(backend, scene, {.iou_threshold = 0.0}, 5) == Indices{3, 0, 1, 4});
}

TEST_CASE_TEMPLATE("batched_nms: as many runs of nms, merged by score", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  Scene scene = clusters(31, 900, 25);
  test::Draw draw(32);
  for (index_t i = 0; i < scene.size(); ++i) scene.groups.push_back(draw.integer(0, 6));
  Indices merged;
  for (std::int32_t group = 0; group <= 6; ++group) {
    Scene alone = scene;
    alone.groups.clear();
    for (std::size_t i = 0; i < alone.scores.size(); ++i)
      if (scene.groups[i] != group) alone.scores[i] = nan;
    const Indices part = kept(backend, alone, {.iou_threshold = 0.3}, scene.size());
    merged.insert(merged.end(), part.begin(), part.end());
  }
  std::sort(merged.begin(), merged.end(), [&scene](std::int32_t a, std::int32_t b) {
    return scene.scores[static_cast<std::size_t>(a)] > scene.scores[static_cast<std::size_t>(b)];
  });
  CHECK(kept(backend, scene, {.iou_threshold = 0.3}, scene.size()) == merged);
}

TEST_CASE_TEMPLATE("nms: equal to striking out, around the sizes of tiles", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  for (const int n : {2, 63, 64, 65, 127, 128, 129, 700})
    for (const double threshold : {0.0, 1e-7, 0.1, 0.3, 0.5, 0.7, 0.95, 1.0}) {
      const Scene scene = clusters(static_cast<unsigned>(n), n, 1 + n / 20);
      CAPTURE(n);
      CAPTURE(threshold);
      const NmsOptions options{.iou_threshold = threshold};
      CHECK(kept(backend, scene, options, n) == reference(scene, options, static_cast<std::size_t>(n)));
      CHECK(kept(backend, scene, options, 10) == reference(scene, options, 10));
    }
}

TEST_CASE_TEMPLATE("nms: equal to striking out where overlaps meet the threshold", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  for (unsigned seed = 0; seed < 40; ++seed)
    for (const double threshold : {0.3, 1.0 / 3.0, 0.5, 0.7})
      for (const bool in_double : {false, true}) {
        Scene scene = whole_pixels(seed, 150, 12);
        if (seed % 2 == 1)
          for (index_t i = 0; i < scene.size(); ++i) scene.groups.push_back(static_cast<std::int32_t>(i % 3) - 1);
        const NmsOptions options{
            .iou_threshold = threshold, .score_threshold = seed % 3 == 0 ? 0.25F : -1, .double_precision = in_double};
        REQUIRE(kept(backend, scene, options, 150) == reference(scene, options, 150));
      }
}

TEST_CASE_TEMPLATE("nms: equal to striking out over several chunks", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  for (const int n : {4096, 4097, 9000, 20000}) {
    const Scene scene = clusters(static_cast<unsigned>(n), n, 150);
    CAPTURE(n);
    for (const std::size_t capacity : {std::size_t{200}, std::size_t{1500}}) {
      const NmsOptions options{.iou_threshold = 0.7};
      CHECK(kept(backend, scene, options, static_cast<index_t>(capacity)) == reference(scene, options, capacity));
    }
  }
  const NmsOptions loose{.iou_threshold = 0.2};  // fewer are kept than fit: every chunk is walked
  const Scene scene = clusters(77, 20000, 150);
  CHECK(kept(backend, scene, loose, 20000) == reference(scene, loose, 20000));
}

TEST_CASE_TEMPLATE("nms: what is kept does not overlap, and what is not overlaps something better", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const Scene scene = clusters(5, 1500, 40);
  const Indices result = kept(backend, scene, {.iou_threshold = 0.5}, scene.size());
  const auto box = [&scene](std::int32_t i) { return scene.boxes.data() + 4 * i; };
  const auto score = [&scene](std::int32_t i) { return scene.scores[static_cast<std::size_t>(i)]; };
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(scene.size()); ++i) {
    const bool is_kept = std::find(result.begin(), result.end(), i) != result.end();
    const bool suppressed = std::any_of(result.begin(), result.end(), [&](std::int32_t k) {
      return score(k) > score(i) && too_close<float>(box(k), box(i), 0.5F);
    });
    REQUIRE(is_kept != suppressed);
  }
}

TEST_CASE("nms: one and three threads keep the same, with and without the host's own algorithm") {
  const Scene scene = clusters(9, 6000, 300);
  std::vector<Indices> results;
  for (const int threads : {1, 3})
    for (const bool overrides : {true, false}) {
      const HostBackend backend(HostBackendOptions{.threads = threads, .use_overrides = overrides});
      results.push_back(kept(backend, scene, {.iou_threshold = 0.7}, 1000));
    }
  CHECK(results[0].size() == 1000);
  for (const Indices& result : results) CHECK(result == results[0]);
}

TEST_CASE_TEMPLATE("nms: in a workspace, as without one", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const Scene scene = clusters(13, 5000, 100);
  const auto boxes = tensor<float>(backend, {5000, 4}, scene.boxes);
  const auto scores = tensor<float>(backend, {5000}, scene.scores);
  auto plain = make_tensor<std::int32_t>(backend, {300});
  auto planned = make_tensor<std::int32_t>(backend, {300});
  auto count = make_scalar<std::int32_t>(backend);
  nms(backend, boxes, scores, {}, plain, count);
  Workspace workspace;
  for (int run = 0; run < 2; ++run)
    workspace.run(backend, Extents<4>{}, [&](const auto& inside) { nms(inside, boxes, scores, {}, planned, count); });
  CHECK(to_host(backend, planned) == to_host(backend, plain));
}

TEST_CASE("nms: errors") {
  const HostBackend backend(1);
  const auto boxes = make_tensor<float>(backend, {3, 4});
  const auto scores = make_tensor<float>(backend, {4});
  const auto groups = make_tensor<std::int32_t>(backend, {3});
  auto keep = make_tensor<std::int32_t>(backend, {2});
  auto count = make_scalar<std::int32_t>(backend);
  CHECK_THROWS_WITH_AS(nms(backend, boxes, scores, {}, keep, count), "nms: boxes has shape [3, 4], expected [4, 4]",
                       ShapeError);
  const auto four = make_tensor<float>(backend, {4, 4});
  CHECK_THROWS_WITH_AS(batched_nms(backend, four, scores, groups, {}, keep, count),
                       "batched_nms: groups has shape [3], expected [4]", ShapeError);
  CHECK_THROWS_WITH_AS(nms(backend, four, scores, {.iou_threshold = 1.5}, keep, count),
                       "nms: iou_threshold is 1.500000, expected 0 to 1", ShapeError);
  CHECK_THROWS_AS(nms(backend, four, scores, {.iou_threshold = -0.1}, keep, count), ShapeError);
  CHECK_THROWS_AS(nms(backend, four, scores, {.iou_threshold = std::nan("")}, keep, count), ShapeError);
}

}  // namespace
}  // namespace mrcnn
