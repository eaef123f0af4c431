#include "mrcnn/ops/paste_masks.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "mrcnn/core/workspace.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/draw.hpp"

namespace mrcnn {
namespace {

using test::Draw;
using test::make_backend;
using test::tensor;

constexpr PasteMasksOptions legacy = {MaskPasteConvention::matterport_legacy, 0.5};
constexpr PasteMasksOptions modern = {MaskPasteConvention::matterport_modern, 0.5};
constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

struct Scene {
  index_t mask_height = 28;
  index_t mask_width = 28;
  index_t height = 0;
  index_t width = 0;
  std::vector<float> masks;
  std::vector<float> boxes;

  index_t count() const { return static_cast<index_t>(boxes.size() / 4); }
  template <class Backend>
  auto mask_tensor(const Backend& backend) const {
    return tensor<float>(backend, {count(), mask_height, mask_width}, masks);
  }
  template <class Backend>
  auto box_tensor(const Backend& backend) const {
    return tensor<float>(backend, {count(), 4}, boxes);
  }
};

template <class Backend>
std::vector<std::uint8_t> planes_of(const Backend& backend, const Scene& scene, const PasteMasksOptions& options) {
  auto planes = make_tensor<std::uint8_t>(backend, {scene.count(), scene.height, scene.width});
  backend.fill(planes.data(), 77, static_cast<std::size_t>(planes.size()));
  paste_masks(backend, scene.mask_tensor(backend), scene.box_tensor(backend), options, planes);
  return to_host(backend, planes);
}

/// The planes as pictures, one character for a pixel, rows separated by '/'.
std::string drawn(const std::vector<std::uint8_t>& planes, std::size_t width) {
  std::string text;
  for (std::size_t i = 0; i < planes.size(); ++i) {
    if (i > 0 && i % width == 0) text += '/';
    text += planes[i] == 0 ? '.' : (planes[i] == 1 ? '#' : '?');
  }
  return text;
}

/// One mask of `rows` x `columns` values in a box that fills the picture.
template <class Backend>
std::string filled(const Backend& backend, index_t rows, index_t columns, std::vector<float> mask, index_t height,
                   index_t width, const PasteMasksOptions& options) {
  const Scene scene{rows,  columns,         height,
                    width, std::move(mask), {0, 0, static_cast<float>(width), static_cast<float>(height)}};
  return drawn(planes_of(backend, scene, options), static_cast<std::size_t>(width));
}

const std::vector<float> four_by_four = {0.1F,  0.2F, 0.6F, 0.9F,  0.1F,  0.4F, 0.8F, 0.9F,
                                         0.05F, 0.3F, 0.7F, 0.95F, 0.02F, 0.1F, 0.4F, 0.6F};

TEST_CASE_TEMPLATE("paste_masks: a 4x4 mask enlarged to 8x8, legacy and modern", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  CHECK(filled(backend, 4, 4, four_by_four, 8, 8, legacy) ==
        "....####/....####/....####/....####/....####/....####/.....###/......##");
  CHECK(filled(backend, 4, 4, four_by_four, 8, 8, modern) ==
        ".....###/....####/....####/....####/....####/....####/.....###/........");
}

TEST_CASE_TEMPLATE("paste_masks: the legacy threshold is relative to the mask's own range, the modern one absolute",
                   Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const std::vector<float> faint = {0.1F, 0.2F, 0.3F, 0.4F};
  CHECK(filled(backend, 2, 2, faint, 4, 4, legacy) == "..../...#/####/####");
  CHECK(filled(backend, 2, 2, faint, 4, 4, modern) == "..../..../..../....");
  const std::vector<float> constant(4, 0.9F);
  CHECK(filled(backend, 2, 2, constant, 3, 3, legacy) == ".../.../...");  // nothing stands out of it
  CHECK(filled(backend, 2, 2, constant, 3, 3, modern) == "###/###/###");  // the range keeps the border up
}

TEST_CASE_TEMPLATE("paste_masks: a box of the mask's own size copies it", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  // Bytes 22, 49, 159, 241 / 22, 104, 214, 241 / 8, 77, 186, 255 / 0, 22, 104, 159 against 128.
  CHECK(filled(backend, 4, 4, four_by_four, 4, 4, legacy) == "..##/..##/..##/...#");
  CHECK(filled(backend, 4, 4, four_by_four, 4, 4, modern) == "..##/..##/..##/...#");
  // 0.75 of 255 is 191.25: the byte 186 lies below, 214 above.
  CHECK(filled(backend, 4, 4, four_by_four, 4, 4, {MaskPasteConvention::matterport_legacy, 0.75}) ==
        "...#/..##/...#/....");
  CHECK(filled(backend, 4, 4, four_by_four, 4, 4, {MaskPasteConvention::matterport_modern, 0.75}) ==
        "...#/..##/...#/....");
}

TEST_CASE_TEMPLATE("paste_masks: thresholds at and beyond the ends paint all or nothing", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  for (const auto convention : {MaskPasteConvention::matterport_legacy, MaskPasteConvention::matterport_modern}) {
    CHECK(filled(backend, 4, 4, four_by_four, 2, 3, {convention, -1}) == "###/###");
    CHECK(filled(backend, 4, 4, four_by_four, 2, 3, {convention, 0}) == "###/###");
    CHECK(filled(backend, 4, 4, four_by_four, 2, 3, {convention, 1.01}) == ".../...");
    CHECK(filled(backend, 4, 4, four_by_four, 2, 3, {convention, std::nan("")}) == ".../...");
  }
}

// References: the whole box at once, from dense matrices of weights.

std::vector<std::vector<double>> pillow_weights(index_t in, index_t out) {
  std::vector<std::vector<double>> matrix;
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double support = std::max(scale, 1.0);
  for (index_t i = 0; i < out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto low = std::max(0.0, std::trunc(centre - support + 0.5));
    const auto high = std::min(static_cast<double>(in), std::trunc(centre + support + 0.5));
    std::vector<double> row(static_cast<std::size_t>(in), 0.0);
    double sum = 0;
    for (double x = low; x < high; ++x)
      sum += row[static_cast<std::size_t>(x)] = std::max(0.0, 1 - std::abs((x + 0.5 - centre) / support));
    for (double& weight : row) weight = std::trunc(0.5 + weight / sum * 4194304.0);
    matrix.push_back(std::move(row));
  }
  return matrix;
}

/// rows x in times (out x in) transposed, in Pillow's fixed point.
std::vector<double> pillow_multiply(const std::vector<double>& rows, index_t in, index_t out) {
  const auto matrix = pillow_weights(in, out);
  std::vector<double> product;
  for (std::size_t row = 0; row < rows.size(); row += static_cast<std::size_t>(in))
    for (const auto& weights : matrix) {
      double sum = 2097152;
      for (std::size_t k = 0; k < weights.size(); ++k) sum += weights[k] * rows[row + k];
      product.push_back(std::clamp(std::floor(sum / 4194304), 0.0, 255.0));
    }
  return product;
}

std::vector<double> transposed(const std::vector<double>& rows, index_t width) {
  const std::size_t w = static_cast<std::size_t>(width);
  const std::size_t h = rows.size() / w;
  std::vector<double> columns(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) columns[i % w * h + i / w] = rows[i];
  return columns;
}

std::vector<bool> legacy_reference(const float* mask, index_t rows, index_t columns, index_t height, index_t width) {
  const auto [low, high] = std::minmax_element(mask, mask + rows * columns);
  const float scale = static_cast<float>(255.0 / (*high > *low ? static_cast<double>(*high - *low) : 1.0));
  std::vector<double> bytes;
  for (index_t i = 0; i < rows * columns; ++i)
    bytes.push_back(std::trunc(static_cast<double>(std::clamp((mask[i] - *low) * scale, 0.0F, 255.0F) + 0.5F)));
  const auto wide = pillow_multiply(bytes, columns, width);
  const auto tall = transposed(pillow_multiply(transposed(wide, width), rows, height), height);
  std::vector<bool> painted;
  for (const double value : tall) painted.push_back(value >= 128);
  return painted;
}

std::vector<bool> modern_reference(const float* mask, index_t rows, index_t columns, index_t height, index_t width) {
  const auto at = [&](double y, double x) {
    const bool inside = y >= 0 && x >= 0 && y < static_cast<double>(rows) && x < static_cast<double>(columns);
    return inside ? static_cast<double>(mask[static_cast<index_t>(y) * columns + static_cast<index_t>(x)]) : 0.0;
  };
  const auto [low, high] = std::minmax_element(mask, mask + rows * columns);
  const double step_y = static_cast<double>(rows) / static_cast<double>(height);
  const double step_x = static_cast<double>(columns) / static_cast<double>(width);
  std::vector<bool> painted;
  for (index_t i = 0; i < height; ++i)
    for (index_t j = 0; j < width; ++j) {
      const double y = step_y * (static_cast<double>(i) + 0.5) - 0.5;
      const double x = step_x * (static_cast<double>(j) + 0.5) - 0.5;
      const double dy = y - std::floor(y);
      const double dx = x - std::floor(x);
      double value = at(std::floor(y), std::floor(x)) * (1 - dy) * (1 - dx);
      value += at(std::floor(y), std::floor(x) + 1) * (1 - dy) * dx;
      value += at(std::floor(y) + 1, std::floor(x)) * dy * (1 - dx);
      value += at(std::floor(y) + 1, std::floor(x) + 1) * dy * dx;
      const bool surroundings = value == 0 && (*low > 0 || *high < 0);
      if (!surroundings) value = std::clamp(value, static_cast<double>(*low), static_cast<double>(*high));
      painted.push_back(value >= 0.5);
    }
  return painted;
}

/// Masks that are blobs with soft borders, as a network gives them, or noise.
std::vector<float> soft_masks(index_t count, index_t rows, index_t columns, Draw& draw) {
  std::vector<float> masks;
  for (index_t n = 0; n < count; ++n) {
    const bool noise = draw.integer(0, 3) == 0;
    const float cx = draw.number(0, static_cast<float>(columns));
    const float cy = draw.number(0, static_cast<float>(rows));
    const float radius = draw.number(1, static_cast<float>(rows));
    for (index_t y = 0; y < rows; ++y)
      for (index_t x = 0; x < columns; ++x) {
        const float distance = std::hypot(static_cast<float>(x) - cx, static_cast<float>(y) - cy) - radius;
        masks.push_back(noise ? draw.number(0, 1) : 1 / (1 + std::exp(distance + draw.number(0, 1))));
      }
  }
  return masks;
}

TEST_CASE_TEMPLATE("paste_masks: equals dense references for masks and boxes of many sizes", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const index_t sizes[][4] = {// mask rows, columns; box rows, columns
                              {28, 28, 28, 28}, {28, 28, 1, 1},    {28, 28, 3, 90},  {28, 28, 91, 2},
                              {28, 28, 63, 65}, {28, 28, 129, 64}, {1, 1, 5, 7},     {2, 3, 40, 31},
                              {33, 5, 17, 64},  {65, 40, 9, 100},  {14, 14, 27, 29}, {28, 28, 200, 190}};
  Draw draw(41);
  for (const auto& size : sizes) {
    const index_t rows = size[0], columns = size[1], height = size[2], width = size[3];
    CAPTURE(rows);
    CAPTURE(height);
    CAPTURE(width);
    Scene scene{rows, columns, height + 3, width + 5, soft_masks(4, rows, columns, draw), {}};
    for (int n = 0; n < 4; ++n)
      scene.boxes.insert(scene.boxes.end(), {2, 1, static_cast<float>(width + 2), static_cast<float>(height + 1)});
    for (const auto& options : {legacy, modern}) {
      const auto found = planes_of(backend, scene, options);
      index_t different = 0;
      for (index_t n = 0; n < 4; ++n) {
        const float* mask = scene.masks.data() + n * rows * columns;
        const auto expected = options.convention == MaskPasteConvention::matterport_legacy
                                  ? legacy_reference(mask, rows, columns, height, width)
                                  : modern_reference(mask, rows, columns, height, width);
        for (index_t y = 0; y < scene.height; ++y)
          for (index_t x = 0; x < scene.width; ++x) {
            const bool inside = y >= 1 && y < height + 1 && x >= 2 && x < width + 2;
            const bool painted = inside && expected[static_cast<std::size_t>((y - 1) * width + x - 2)];
            different += found[static_cast<std::size_t>((n * scene.height + y) * scene.width + x)] != (painted ? 1 : 0);
          }
      }
      CHECK(different == 0);
    }
  }
}

/// A picture of 60 x 50 pixels and boxes inside, across its borders, around it, outside and without an area.
Scene crowded() {
  Scene scene;
  scene.height = 60;
  scene.width = 50;
  scene.boxes = {5,  5,  30, 40, -10, -20, 25, 30, 30, 40, 90, 75, -40, -50, 100, 120, 60, 10, 80, 20, 10, 10,
                 10, 30, 30, 30, 20,  20,  -9, 0,  0,  20, 0,  0,  50,  60,  49,  59,  50, 60, 20, 0,  21, 60};
  Draw draw(2);
  scene.masks = soft_masks(scene.count(), 28, 28, draw);
  return scene;
}

TEST_CASE_TEMPLATE("paste_masks: a box that reaches beyond the picture is the picture's part of the whole", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const Scene scene = crowded();
  Scene around = scene;  // the same with a margin of 64 pixels
  around.height += 128;
  around.width += 128;
  for (float& coordinate : around.boxes) coordinate += 64;
  for (const auto& options : {legacy, modern}) {
    const auto inner = planes_of(backend, scene, options);
    const auto outer = planes_of(backend, around, options);
    bool same = true;
    for (index_t n = 0; n < scene.count(); ++n)
      for (index_t y = 0; y < scene.height; ++y)
        for (index_t x = 0; x < scene.width; ++x)
          same = same && inner[static_cast<std::size_t>((n * scene.height + y) * scene.width + x)] ==
                             outer[static_cast<std::size_t>((n * around.height + y + 64) * around.width + x + 64)];
    CHECK(same);
  }
}

TEST_CASE_TEMPLATE("crops and run lengths hold the same pixels as the planes", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const Scene scene = crowded();
  for (const auto& options : {legacy, modern}) {
    const auto planes = planes_of(backend, scene, options);
    const auto crops = paste_masks_into_crops(backend, scene.mask_tensor(backend), scene.box_tensor(backend), options,
                                              scene.height, scene.width);
    const auto rles = paste_masks_to_rle(backend, scene.mask_tensor(backend), scene.box_tensor(backend), options,
                                         scene.height, scene.width);
    REQUIRE(crops.size() == static_cast<std::size_t>(scene.count()));
    REQUIRE(rles.size() == crops.size());
    for (std::size_t n = 0; n < crops.size(); ++n) {
      CAPTURE(n);
      const auto begin = planes.begin() + static_cast<std::ptrdiff_t>(n) * scene.height * scene.width;
      const std::vector<std::uint8_t> plane(begin, begin + scene.height * scene.width);
      std::vector<std::uint8_t> placed(plane.size());
      for (index_t i = 0; i < crops[n].width * crops[n].height; ++i)
        placed[static_cast<std::size_t>((crops[n].y + i / crops[n].width) * scene.width + crops[n].x +
                                        i % crops[n].width)] = crops[n].pixels[static_cast<std::size_t>(i)];
      CHECK(placed == plane);
      CHECK(coco::decode(rles[n]) == plane);
    }
    CHECK(crops[1].x == 0);  // the box (-10, -20, 25, 30) within the picture
    CHECK(crops[1].y == 0);
    CHECK(crops[1].width == 25);
    CHECK(crops[1].height == 30);
    CHECK(crops[4].pixels.empty());  // beside the picture
    CHECK(rles[4].counts == std::vector<std::uint32_t>{3000});
  }
}

TEST_CASE_TEMPLATE("empty, reversed, NaN and infinite boxes paint nothing", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  Scene scene;
  scene.height = 4;
  scene.width = 4;
  scene.boxes = {1, 1, 1, 4,        3,   0,   1,   4,   0, 3,         4, 0, nan, 0, 4,     4,
                 0, 0, 4, infinity, nan, nan, nan, nan, 0, -infinity, 4, 4, 0,   0, 1e30F, 4};
  scene.masks = std::vector<float>(static_cast<std::size_t>(scene.count() * 784), 0.75F);
  scene.masks[0] = 0;
  for (const auto& options : {legacy, modern}) {
    const auto planes = planes_of(backend, scene, options);
    CHECK(std::count(planes.begin(), planes.end(), 0) == static_cast<std::ptrdiff_t>(planes.size()));
    for (const auto& rle :
         paste_masks_to_rle(backend, scene.mask_tensor(backend), scene.box_tensor(backend), options, 4, 4))
      CHECK(coco::area(rle) == 0);
  }
}

TEST_CASE_TEMPLATE("a box of two billion pixels a side costs what its part inside the picture costs", Backend,
                   MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  Scene scene;
  scene.height = 40;
  scene.width = 30;
  scene.boxes = {-10000, -10000, 10000, 10000, -1e9F, -1e9F, 1e9F, 1e9F, 0, 0, 1e9F, 1e9F};
  scene.masks = std::vector<float>(3 * 784, 1.0F);
  for (std::size_t n = 0; n < 3; ++n) scene.masks[n * 784] = 0;  // the corner is no object, the middle is
  for (const auto& options : {legacy, modern}) {
    const auto rles = paste_masks_to_rle(backend, scene.mask_tensor(backend), scene.box_tensor(backend), options,
                                         scene.height, scene.width);
    CHECK(coco::area(rles[0]) == 1200);
    CHECK(coco::area(rles[1]) == 1200);
    CHECK(coco::area(rles[2]) == 0);
    const auto planes = planes_of(backend, scene, options);
    CHECK(std::count(planes.begin(), planes.end(), 1) == 2400);
  }
}

TEST_CASE_TEMPLATE("NaN and infinity in a mask give a defined picture", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const std::vector<float> hole = {nan, 0, 1, 1};
  CHECK(filled(backend, 2, 2, hole, 2, 2, legacy) == "../##");
  CHECK(filled(backend, 2, 2, hole, 2, 2, modern) == "../##");
  const std::vector<float> all(4, nan);
  CHECK(filled(backend, 2, 2, all, 3, 3, legacy) == ".../.../...");
  CHECK(filled(backend, 2, 2, all, 3, 3, modern) == ".../.../...");
  for (const auto& options : {legacy, modern}) {
    const auto picture = filled(backend, 2, 2, {infinity, -infinity, 0, 1}, 9, 9, options);
    CHECK(picture.find('?') == std::string::npos);
  }
}

TEST_CASE_TEMPLATE("paste_masks: no masks, no picture, masks without pixels", Backend, MRCNN_TEST_BACKENDS) {
  const auto backend = make_backend<Backend>();
  const auto no_masks = make_tensor<float>(backend, {0, 28, 28});
  const auto no_boxes = make_tensor<float>(backend, {0, 4});
  const auto mask = tensor<float>(backend, {1, 1, 1}, {1});
  const auto box = tensor<float>(backend, {1, 4}, {0, 0, 5, 5});
  const auto empty_mask = make_tensor<float>(backend, {1, 0, 28});
  for (const auto& options : {legacy, modern}) {
    auto no_planes = make_tensor<std::uint8_t>(backend, {0, 9, 9});
    CHECK_NOTHROW(paste_masks(backend, no_masks, no_boxes, options, no_planes));
    CHECK(paste_masks_into_crops(backend, no_masks, no_boxes, options, 9, 9).empty());
    CHECK(paste_masks_to_rle(backend, no_masks, no_boxes, options, 9, 9).empty());
    auto flat = make_tensor<std::uint8_t>(backend, {1, 0, 9});
    CHECK_NOTHROW(paste_masks(backend, mask, box, options, flat));
    CHECK(paste_masks_into_crops(backend, mask, box, options, 0, 9)[0].pixels.empty());
    CHECK(paste_masks_to_rle(backend, mask, box, options, 0, 9)[0].counts == std::vector<std::uint32_t>{0});
    auto plane = make_tensor<std::uint8_t>(backend, {1, 3, 3});
    paste_masks(backend, empty_mask, box, options, plane);
    CHECK(to_host(backend, plane) == std::vector<std::uint8_t>(9, 0));
    CHECK(paste_masks_into_crops(backend, empty_mask, box, options, 3, 3)[0].pixels.empty());
  }
}

TEST_CASE("paste_masks: the same for any number of threads, and in a workspace") {
  const Scene scene = crowded();
  for (const auto& options : {legacy, modern}) {
    const auto expected = planes_of(HostBackend(1), scene, options);
    const HostBackend backend(4);
    CHECK(planes_of(backend, scene, options) == expected);
    Workspace workspace;
    auto planes = make_tensor<std::uint8_t>(backend, {scene.count(), scene.height, scene.width});
    const auto masks = scene.mask_tensor(backend);
    const auto boxes = scene.box_tensor(backend);
    for (int run = 0; run < 2; ++run)
      workspace.run(backend, {scene.count(), 1, 1, 1},
                    [&](const HostBackend& attached) { paste_masks(attached, masks, boxes, options, planes); });
    CHECK(to_host(backend, planes) == expected);
  }
}

TEST_CASE("paste_masks: wrong shapes are named") {
  const HostBackend backend(1);
  const auto masks = make_tensor<float>(backend, {3, 28, 28});
  const auto boxes = make_tensor<float>(backend, {2, 4});
  auto planes = make_tensor<std::uint8_t>(backend, {3, 9, 9});
  CHECK_THROWS_WITH_AS(paste_masks(backend, masks, boxes, {}, planes),
                       "paste_masks: boxes has shape [2, 4], expected [3, 4]", ShapeError);
  CHECK_THROWS_WITH_AS(paste_masks_into_crops(backend, masks, boxes, {}, 9, 9),
                       "paste_masks_into_crops: boxes has shape [2, 4], expected [3, 4]", ShapeError);
  CHECK_THROWS_WITH_AS(paste_masks_to_rle(backend, masks, boxes, {}, 9, 9),
                       "paste_masks_to_rle: boxes has shape [2, 4], expected [3, 4]", ShapeError);
  CHECK_THROWS_AS(paste_masks_to_rle(backend, masks, boxes, {}, -1, 9), ShapeError);
  CHECK_THROWS_AS(paste_masks_to_rle(backend, masks, boxes, {}, 65536, 65536), FormatError);
}

}  // namespace
}  // namespace mrcnn
