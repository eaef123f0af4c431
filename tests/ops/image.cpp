#include "mrcnn/ops/image.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "mrcnn/core/workspace.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/files.hpp"

namespace mrcnn::test {
namespace {

Box whole_window(const LetterboxPlan& plan) {
  return {0, 0, static_cast<float>(plan.width), static_cast<float>(plan.height)};
}

// ------------------------------------------------------------------------------------------------------------ plan

TEST_CASE("plan_letterbox: sizes, pads and windows of the original, mode square") {
  struct Row {
    index_t height, width;
    double scale;
    index_t resized_height, resized_width;
    Box window;
  };
  const std::vector<Row> rows = {{480, 640, 1.6, 768, 1024, {0, 128, 1024, 896}},
                                 {640, 480, 1.6, 1024, 768, {128, 0, 896, 1024}},
                                 {427, 640, 1.6, 683, 1024, {0, 170, 1024, 853}},
                                 {375, 500, 2.048, 768, 1024, {0, 128, 1024, 896}},
                                 {333, 500, 2.048, 682, 1024, {0, 171, 1024, 853}},
                                 {1024, 1544, 1024.0 / 1544, 679, 1024, {0, 172, 1024, 851}},
                                 {1080, 1920, 1024.0 / 1920, 576, 1024, {0, 224, 1024, 800}},
                                 {500, 500, 1.6, 800, 800, {112, 112, 912, 912}},
                                 {1024, 1024, 1, 1024, 1024, {0, 0, 1024, 1024}}};
  for (const Row& row : rows) {
    CAPTURE(row.height);
    CAPTURE(row.width);
    const LetterboxPlan plan = plan_letterbox(row.height, row.width);
    CHECK(plan.scale == row.scale);
    CHECK(plan.resized_height == row.resized_height);
    CHECK(plan.resized_width == row.resized_width);
    CHECK(plan.height == 1024);
    CHECK(plan.width == 1024);
    CHECK(plan.window() == row.window);
  }
}

TEST_CASE("plan_letterbox: the long side reaches max_dim for every width") {
  for (index_t width = 100; width < 3000; ++width) CHECK(plan_letterbox(64, width).resized_width == 1024);
}

TEST_CASE("plan_letterbox: halves are rounded to even, never to nothing") {
  CHECK(plan_letterbox(5, 2, {.min_dim = 3, .max_dim = 64}).resized_height == 8);  // 7.5
  CHECK(plan_letterbox(3, 2, {.min_dim = 3, .max_dim = 64}).resized_height == 4);  // 4.5
  CHECK(plan_letterbox(1, 5000).resized_height == 1);                              // 0.2
  CHECK(plan_letterbox(20000, 3).resized_width == 1);
  CHECK(plan_letterbox(1, 1).resized_height == 800);
}

TEST_CASE("plan_letterbox: min_dim 0 never enlarges, min_scale enlarges beyond min_dim") {
  CHECK(plan_letterbox(100, 200, {.min_dim = 0}).scale == 1);
  CHECK(plan_letterbox(100, 200, {.min_dim = 100, .min_scale = 2}).scale == 2);
  CHECK(plan_letterbox(100, 200, {.min_dim = 400, .min_scale = 2}).scale == 4);
  CHECK(plan_letterbox(100, 200, {.min_dim = 100, .max_dim = 256, .min_scale = 2}).scale == 1.28);
}

TEST_CASE("plan_letterbox: modes pad64 and none") {
  const LetterboxPlan padded = plan_letterbox(300, 401, {.mode = ResizeMode::pad64, .min_dim = 320, .max_dim = 64});
  CHECK(padded.resized_height == 320);
  CHECK(padded.resized_width == 428);  // 427.73
  CHECK(padded.height == 320);
  CHECK(padded.width == 448);
  CHECK(padded.window() == Box{10, 0, 438, 320});
  const LetterboxPlan odd = plan_letterbox(65, 127, {.mode = ResizeMode::pad64, .min_dim = 0});
  CHECK(odd.window() == Box{0, 31, 127, 96});  // 63 rows more: 31 above, 32 below

  const LetterboxPlan same = plan_letterbox(128, 192, {.mode = ResizeMode::none, .min_dim = 800, .min_scale = 3});
  CHECK(same.scale == 1);
  CHECK(same.window() == whole_window(same));
  CHECK(same.height == 128);
  CHECK(same.width == 192);
}

TEST_CASE("plan_letterbox: what can not be is refused in one line") {
  CHECK(message_of([] { plan_letterbox(100, 128, {.mode = ResizeMode::none}); }) ==
        "plan_letterbox: the picture is 100 x 128 pixels (height x width), expected sides that are multiples of 64 in "
        "mode none; use mode square or pad64, or resize it first");
  CHECK(message_of([] { plan_letterbox(100, 128, {.mode = ResizeMode::pad64, .min_dim = 100}); }) ==
        "plan_letterbox: min_dim is 100, expected a multiple of 64 in mode pad64");
  CHECK(message_of([] { plan_letterbox(0, 128); }) ==
        "plan_letterbox: the picture is 0 x 128 pixels (height x width), expected at least 1 x 1");
  CHECK(message_of([] {
          plan_letterbox(1, 500000, {.mode = ResizeMode::pad64, .min_dim = 832});
        }).find("to more than 2^28 pixels") != std::string::npos);
  CHECK_THROWS_AS(plan_letterbox(9, 9, {.max_dim = 0}), ShapeError);
  CHECK_THROWS_AS(plan_letterbox(9, 9, {.max_dim = index_t{1} << 40}), ShapeError);
  CHECK_THROWS_AS(plan_letterbox(9, 9, {.min_dim = -1}), ShapeError);
  CHECK_THROWS_AS(plan_letterbox(9, 9, {.min_scale = std::nan("")}), ShapeError);
  CHECK_THROWS_AS(plan_letterbox(9, 9, {.min_scale = std::numeric_limits<double>::infinity()}), ShapeError);
}

// ---------------------------------------------------------------------------------------------------------- resize

template <class T, class Backend, class Out = T>
std::vector<Out> resized(const Backend& backend, index_t height, index_t width, index_t channels,
                         const std::vector<T>& source, index_t new_height, index_t new_width, Resampler resampler) {
  const auto in = tensor<T>(backend, {height, width, channels}, source);
  auto out = make_tensor<Out>(backend, {new_height, new_width, channels});
  resize_bilinear(backend, in, {resampler}, out);
  return to_host(backend, out);
}

const std::vector<std::uint8_t> vector_row = {0, 50, 100, 150, 200, 250, 30, 90};

TEST_CASE_TEMPLATE("resize_bilinear: Pillow's values on a row, and the same ones on a column", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const std::vector<std::vector<std::uint8_t>> expected = {
      {36, 125, 191, 87}, {15, 75, 141, 209, 140, 72}, {0, 25, 58, 92, 125, 158, 192, 225, 213, 67, 60, 90}};
  for (const auto& values : expected) {
    const auto n = static_cast<index_t>(values.size());
    CHECK(resized(backend, 1, 8, 1, vector_row, 1, n, Resampler::pillow) == values);
    CHECK(resized(backend, 8, 1, 1, vector_row, n, 1, Resampler::pillow) == values);
  }
}

TEST_CASE_TEMPLATE("resize_bilinear: skimage's values on an interior row", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  std::vector<double> source;
  for (int row = 0; row < 3; ++row) source.insert(source.end(), vector_row.begin(), vector_row.end());
  const std::vector<std::vector<double>> expected = {
      {25, 125, 225, 60},
      {25.0 / 3, 75, 425.0 / 3, 625.0 / 3, 140, 80},
      {0, 25, 175.0 / 3, 275.0 / 3, 125, 475.0 / 3, 575.0 / 3, 225, 640.0 / 3, 200.0 / 3, 60, 75}};  // 75: half 0
  for (const auto& values : expected) {
    const auto n = static_cast<index_t>(values.size());
    const auto out = resized(backend, 3, 8, 1, source, 3, n, Resampler::skimage);
    for (std::size_t i = 0; i < values.size(); ++i)
      CHECK(out[static_cast<std::size_t>(n) + i] == doctest::Approx(values[i]).epsilon(1e-14));
  }
}

TEST_CASE_TEMPLATE("resize_bilinear: a resize to the same size changes nothing", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  Draw draw(1);
  std::vector<std::uint8_t> bytes(19 * 37 * 3);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(draw.bits());
  for (const auto resampler : {Resampler::pillow, Resampler::skimage})
    CHECK(resized(backend, 19, 37, 3, bytes, 19, 37, resampler) == bytes);
}

TEST_CASE_TEMPLATE("resize_bilinear: a constant picture stays constant but for skimage's border", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const std::vector<std::uint8_t> constant(5 * 7 * 3, 255);
  CHECK(resized(backend, 5, 7, 3, constant, 33, 18, Resampler::pillow) == std::vector<std::uint8_t>(33 * 18 * 3, 255));
  CHECK(resized(backend, 5, 7, 3, constant, 2, 3, Resampler::pillow) == std::vector<std::uint8_t>(2 * 3 * 3, 255));
  // The clip to the input's range, which is the one value, undoes the darkening.
  CHECK(resized(backend, 5, 7, 3, std::vector<double>(5 * 7 * 3, 255), 33, 18, Resampler::skimage) ==
        std::vector<double>(33 * 18 * 3, 255));
}

/// Pillow's filter once more, from its definition: no tables, no skipped work, doubles for the sums.
std::vector<std::uint8_t> pillow_by_definition(const std::vector<std::uint8_t>& source, index_t height, index_t width,
                                               index_t channels, index_t new_width) {
  if (width == new_width) return source;
  std::vector<std::uint8_t> out;
  const double ratio = static_cast<double>(width) / static_cast<double>(new_width);
  const double half = ratio > 1 ? ratio : 1;
  for (index_t y = 0; y < height; ++y)
    for (index_t x = 0; x < new_width; ++x) {
      const double centre = (static_cast<double>(x) + 0.5) * ratio;
      const auto low = static_cast<index_t>(std::max(0.0, std::trunc(centre - half + 0.5)));
      const auto high = std::min(width, static_cast<index_t>(std::trunc(centre + half + 0.5)));
      std::vector<double> weights;
      double total = 0;
      for (index_t k = low; k < high; ++k) {
        weights.push_back(std::max(0.0, 1 - std::fabs((static_cast<double>(k) - centre + 0.5) / half)));
        total += weights.back();
      }
      for (index_t c = 0; c < channels; ++c) {
        double sum = 2097152;
        for (index_t k = low; k < high; ++k)
          sum += std::trunc(0.5 + weights[static_cast<std::size_t>(k - low)] / total * 4194304) *
                 source[static_cast<std::size_t>((y * width + k) * channels + c)];
        out.push_back(static_cast<std::uint8_t>(std::clamp(std::floor(sum / 4194304), 0.0, 255.0)));
      }
    }
  return out;
}

std::vector<std::uint8_t> transposed(const std::vector<std::uint8_t>& source, index_t height, index_t width,
                                     index_t channels) {
  std::vector<std::uint8_t> out;
  for (index_t x = 0; x < width; ++x)
    for (index_t y = 0; y < height; ++y)
      for (index_t c = 0; c < channels; ++c)
        out.push_back(source[static_cast<std::size_t>((y * width + x) * channels + c)]);
  return out;
}

TEST_CASE_TEMPLATE("resize_bilinear: Pillow's filter from its definition, horizontal pass first", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  Draw draw(2);
  for (int round = 0; round < 60; ++round) {
    const auto side = [&] { return static_cast<index_t>(1 + draw.below(round % 5 == 0 ? 150 : 40)); };
    const index_t height = side(), width = side(), new_height = side(), new_width = side();
    const index_t channels = round % 3 == 0 ? 1 : round % 3 == 1 ? 3 : 2;
    CAPTURE(height);
    CAPTURE(width);
    CAPTURE(new_height);
    CAPTURE(new_width);
    std::vector<std::uint8_t> source(static_cast<std::size_t>(height * width * channels));
    for (auto& byte : source) byte = static_cast<std::uint8_t>(round % 2 == 0 ? draw.bits() : draw.below(2) * 255);
    const auto narrow = pillow_by_definition(source, height, width, channels, new_width);
    const auto expected = transposed(
        pillow_by_definition(transposed(narrow, height, new_width, channels), new_width, height, channels, new_height),
        new_width, new_height, channels);
    CHECK(resized(backend, height, width, channels, source, new_height, new_width, Resampler::pillow) == expected);
  }
}

TEST_CASE_TEMPLATE("resize_bilinear: skimage truncates bytes after limiting them to the input's range", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  // 1 x 2 to 1 x 4: positions -0.25, 0.25, 0.75, 1.25 between 0, a, b, 0. One row at position 0, weight 1.
  CHECK(resized<std::uint8_t>(backend, 1, 2, 1, {100, 201}, 1, 4, Resampler::skimage) ==
        std::vector<std::uint8_t>{100, 125, 175, 150});  // 75 is limited to 100; 125.25, 175.75, 150.75 are truncated
  CHECK(resized<double>(backend, 1, 2, 1, {100, 201}, 1, 4, Resampler::skimage) ==
        std::vector<double>{100, 125.25, 175.75, 150.75});
  // 0 far outside of the input is left alone.
  CHECK(detail::skimage_clip(0.0, 5.0, 9.0) == 0.0);
  CHECK(detail::skimage_clip(-0.0, -9.0, -5.0) == 0.0);
  CHECK(detail::skimage_clip(0.0, -9.0, 9.0) == 0.0);
  CHECK(detail::skimage_clip(3.0, 5.0, 9.0) == 5.0);
  CHECK(detail::skimage_clip(10.0, 5.0, 9.0) == 9.0);
}

TEST_CASE_TEMPLATE("resize_bilinear: values keep their range; float is computed in double", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  Draw draw(3);
  std::vector<double> source(28 * 28);
  for (auto& value : source) value = static_cast<double>(static_cast<float>(draw.below(1000)) / 1000.0F);
  const std::vector<float> floats(source.begin(), source.end());
  const auto doubles = resized(backend, 28, 28, 1, source, 45, 19, Resampler::skimage);
  CHECK(resized<float, decltype(backend), double>(backend, 28, 28, 1, floats, 45, 19, Resampler::skimage) == doubles);
  CHECK(resized(backend, 28, 28, 1, floats, 45, 19, Resampler::skimage) ==
        std::vector<float>(doubles.begin(), doubles.end()));
  for (const double value : doubles) CHECK((value >= 0 && value <= 1));
}

TEST_CASE_TEMPLATE("resize_bilinear: NaN stays where it is looked at", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto out = resized<double>(backend, 1, 4, 1, {1, 2, 3, nan}, 1, 8, Resampler::skimage);
  for (std::size_t i = 0; i < 5; ++i) CHECK(out[i] == out[i]);
  for (std::size_t i = 5; i < 8; ++i) CHECK(out[i] != out[i]);
}

TEST_CASE_TEMPLATE("resize_bilinear: long thin pictures", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  std::vector<std::uint8_t> strip(20000 * 3);
  for (std::size_t i = 0; i < strip.size(); ++i) strip[i] = i / 3 % 2 == 0 ? 0 : 200;  // its mean is 100
  CHECK(resized(backend, 20000, 1, 3, strip, 1, 1, Resampler::pillow) == std::vector<std::uint8_t>{100, 100, 100});
  CHECK(resized(backend, 1, 20000, 3, strip, 2, 1, Resampler::pillow) == std::vector<std::uint8_t>(6, 100));
  const std::vector<std::uint8_t> one = {7};
  CHECK(resized(backend, 1, 1, 1, one, 1, 5000, Resampler::pillow) == std::vector<std::uint8_t>(5000, 7));
  CHECK(resized(backend, 1, 1, 1, one, 300, 1, Resampler::skimage) == std::vector<std::uint8_t>(300, 7));
}

TEST_CASE_TEMPLATE("resize_bilinear: nothing to do, and what can not be done", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  CHECK(resized<std::uint8_t>(backend, 0, 5, 3, {}, 0, 9, Resampler::pillow).empty());
  CHECK(resized<std::uint8_t>(backend, 1, 1, 3, {1, 2, 3}, 5, 0, Resampler::skimage).empty());
  CHECK(resized<std::uint8_t>(backend, 2, 2, 0, {}, 5, 5, Resampler::skimage).empty());
  CHECK(message_of([&] { resized<std::uint8_t>(backend, 0, 5, 3, {}, 4, 4, Resampler::pillow); }) ==
        "resize_bilinear: the source is 0 x 5 pixels (height x width), which has no pixels; expected at least 1 x 1");
  CHECK(message_of([&] { resized<double>(backend, 1, 1, 1, {1}, 2, 2, Resampler::pillow); }) ==
        "resize_bilinear: Resampler::pillow takes bytes; use Resampler::skimage for other values");
  const auto source = make_tensor<std::uint8_t>(backend, {2, 2, 3});
  auto gray = make_tensor<std::uint8_t>(backend, {4, 4, 1});
  CHECK(message_of([&] { resize_bilinear(backend, source, {}, gray); }) ==
        "resize_bilinear: resized has shape [4, 4, 1], expected [any, any, 3]");
}

// ------------------------------------------------------------------------------------------------- letterbox, mean

TEST_CASE_TEMPLATE("letterbox: the resized picture within zeros", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  Draw draw(4);
  std::vector<std::uint8_t> picture(21 * 50 * 3);
  for (auto& byte : picture) byte = static_cast<std::uint8_t>(1 + draw.below(255));
  const LetterboxPlan plan = plan_letterbox(21, 50, {.min_dim = 64, .max_dim = 101});
  REQUIRE(plan.resized_height == 42);
  for (const auto resampler : {Resampler::pillow, Resampler::skimage}) {
    const auto inner = resized(backend, 21, 50, 3, picture, 42, 101, resampler);
    const auto source = tensor<std::uint8_t>(backend, {21, 50, 3}, picture);
    auto molded = make_tensor<std::uint8_t>(backend, {101, 101, 3});
    backend.fill(molded.data(), 77, static_cast<std::size_t>(molded.size()));  // must not shine through
    letterbox(backend, source, plan, resampler, molded);
    std::vector<std::uint8_t> expected(29 * 101 * 3, 0);  // 59 rows to add: 29 above
    expected.insert(expected.end(), inner.begin(), inner.end());
    expected.resize(101 * 101 * 3, 0);
    CHECK(to_host(backend, molded) == expected);
  }
}

TEST_CASE_TEMPLATE("letterbox: a picture of the right size is copied, pads on the left and right too", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto source = tensor<std::uint8_t>(backend, {2, 1, 3}, {1, 2, 3, 4, 5, 6});
  auto molded = make_tensor<std::uint8_t>(backend, {2, 2, 3});
  letterbox(backend, source, plan_letterbox(2, 1, {.min_dim = 0, .max_dim = 2}), Resampler::pillow, molded);
  CHECK(to_host(backend, molded) == std::vector<std::uint8_t>{1, 2, 3, 0, 0, 0, 4, 5, 6, 0, 0, 0});
}

TEST_CASE_TEMPLATE("letterbox: plans of another picture, and plans made by hand, are checked", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto source = make_tensor<std::uint8_t>(backend, {8, 8, 3});
  auto molded = make_tensor<std::uint8_t>(backend, {64, 64, 3});
  LetterboxPlan plan = plan_letterbox(9, 8, {.min_dim = 0, .max_dim = 64});
  CHECK(message_of([&] { letterbox(backend, source, plan, Resampler::pillow, molded); }) ==
        "letterbox: source has shape [8, 8, 3], expected [9, 8, 3]");
  plan = plan_letterbox(8, 8, {.min_dim = 0, .max_dim = 64});
  plan.left = 60;
  CHECK(message_of([&] { letterbox(backend, source, plan, Resampler::pillow, molded); }) ==
        "letterbox: the plan puts 8 x 8 pixels at (28, 60) of 64 x 64; use the plan that plan_letterbox returns");
  CHECK_THROWS_AS(letterbox(backend, source, LetterboxPlan{}, Resampler::pillow, molded), ShapeError);
}

TEST_CASE_TEMPLATE("subtract_mean: the double constant is subtracted, then rounded to float", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto molded = tensor<std::uint8_t>(backend, {1, 2, 3}, {0, 0, 0, 255, 128, 1});
  auto output = make_tensor<float>(backend, {1, 2, 3});
  subtract_mean(backend, molded, {123.7, 116.8, 103.9}, output);
  CHECK(to_host(backend, output) == std::vector<float>{-123.7F, -116.8F, -103.9F, static_cast<float>(255 - 123.7),
                                                       static_cast<float>(128 - 116.8), static_cast<float>(1 - 103.9)});
  const auto none = make_tensor<std::uint8_t>(backend, {0, 7, 3});
  auto nothing = make_tensor<float>(backend, {0, 7, 3});
  subtract_mean(backend, none, {1, 2, 3}, nothing);
  CHECK(message_of([&] {
          subtract_mean(backend, none, {1, 2, 3}, output);
        }) == "subtract_mean: output has shape [1, 2, 3], expected [0, 7, 3]");
}

TEST_CASE_TEMPLATE("mold_image: letterbox and mean in one, into a slice of a batch, out of a workspace", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  Draw draw(5);
  std::vector<std::uint8_t> picture(33 * 20 * 3);
  for (auto& byte : picture) byte = static_cast<std::uint8_t>(draw.bits());
  const auto source = tensor<std::uint8_t>(backend, {33, 20, 3}, picture);
  const LetterboxPlan plan = plan_letterbox(33, 20, {.min_dim = 50, .max_dim = 64});
  for (const auto resampler : {Resampler::pillow, Resampler::skimage}) {
    auto bytes = make_tensor<std::uint8_t>(backend, {64, 64, 3});
    auto expected = make_tensor<float>(backend, {64, 64, 3});
    letterbox(backend, source, plan, resampler, bytes);
    subtract_mean(backend, bytes, {1.5, 2.5, 3.5}, expected);

    auto batch = make_tensor<float>(backend, {2, 64, 64, 3});
    Workspace workspace;
    for (int repeat = 0; repeat < 2; ++repeat) {
      backend.fill(batch.data(), 0, static_cast<std::size_t>(batch.size()) * sizeof(float));
      workspace.run(backend, {{33, 20, 64, 64}}, [&](const auto& planned) {
        mold_image(planned, source, plan, {.resampler = resampler, .mean_pixel = {1.5, 2.5, 3.5}},
                   batch.view().slice(1));
      });
      const auto values = to_host(backend, batch);
      CHECK(std::vector<float>(values.begin(), values.begin() + 64 * 64 * 3) == std::vector<float>(64 * 64 * 3, 0));
      CHECK(std::vector<float>(values.begin() + 64 * 64 * 3, values.end()) == to_host(backend, expected));
    }
  }
}

TEST_CASE("mold_image: the same bits for any number of threads") {
  Draw draw(6);
  std::vector<std::uint8_t> picture(217 * 333 * 3);
  for (auto& byte : picture) byte = static_cast<std::uint8_t>(draw.bits());
  const LetterboxPlan plan = plan_letterbox(217, 333, {.min_dim = 256, .max_dim = 320});
  for (const auto resampler : {Resampler::pillow, Resampler::skimage}) {
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 5}) {
      const HostBackend backend(threads);
      const auto source = tensor<std::uint8_t>(backend, {217, 333, 3}, picture);
      auto molded = make_tensor<float>(backend, {320, 320, 3});
      mold_image(backend, source, plan, {.resampler = resampler}, molded);
      results.push_back(to_host(backend, molded));
    }
    CHECK(results[0] == results[1]);
    CHECK(results[0] == results[2]);
  }
}

}  // namespace
}  // namespace mrcnn::test
