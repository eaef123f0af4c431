#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "mrcnn/coco/rle.hpp"
#include "mrcnn/coco/rle_overlap.hpp"
#include "mrcnn/ops/image.hpp"
#include "mrcnn/ops/paste_masks.hpp"
#include "mrcnn/ops/prototype_masks.hpp"
#include "mrcnn/ops/resize.hpp"
#include "mrcnn/ops/rle_encode.hpp"
#include "tests/support/fuzz.hpp"

using namespace mrcnn;        // NOLINT
using namespace mrcnn::test;  // NOLINT

namespace {

PasteMasksOptions any_paste(Garbage& draw) {
  return {draw.choice(MaskPasteConvention::detectron2_cpu), draw.real(0.0, 1.0), draw.choice(MaskComparison::above)};
}

PrototypeMasksOptions any_prototype(Garbage& draw) {
  PrototypeMasksOptions options;
  options.order = draw.choice(PrototypeOrder::upsample_then_crop);
  options.values = draw.choice(PrototypeValues::probabilities);
  options.threshold = draw.real(-1.0, 1.0);
  options.comparison = draw.choice(MaskComparison::above);
  options.crop_padding = draw.coin() ? 0.0F : draw.real(0.0F, 2.0F);
  if (draw.once_in(4)) options.window = {draw.whole(0, 2), draw.whole(0, 2), draw.whole(-1, 5), draw.whole(-1, 5)};
  return options;
}

/// Masks and boxes for them, as `paste_masks` takes them.
template <class Case>
struct MasksAndBoxes {
  explicit MasksAndBoxes(Case& c)
      : n(c.draw.extent(4)),
        height(c.draw.extent()),
        width(c.draw.extent()),
        masks(given<float>(c, {n, c.draw.extent(9), c.draw.extent(9)}, 1.0F)),
        boxes(given<float>(c, {n, 4}, c.draw.coin() ? 10.0F : 1000.0F)) {}

  index_t n, height, width;
  TensorView<const float, 3, typename Case::space_type> masks;
  TensorView<const float, 2, typename Case::space_type> boxes;
};

/// A segmenter's head, as `prototype_masks` takes it.
template <class Case>
struct Prototypes {
  explicit Prototypes(Case& c)
      : n(c.draw.extent(4)),
        height(c.draw.extent()),
        width(c.draw.extent()),
        basis(c.draw.extent(5)),
        coefficients(given<float>(c, {n, basis}, 1.0F)),
        prototypes(given<float, layout_nchw>(
            c, {c.draw.once_in(32) ? c.draw.extent(2) : 1, c.draw.extent(9), c.draw.extent(9), basis}, 1.0F)),
        boxes(given<float>(c, {n, 4}, 10.0F)),
        options(any_prototype(c.draw)) {}

  index_t n, height, width, basis;
  TensorView<const float, 2, typename Case::space_type> coefficients;
  TensorView<const float, 4, typename Case::space_type, layout_nchw> prototypes;
  TensorView<const float, 2, typename Case::space_type> boxes;
  PrototypeMasksOptions options;
};

template <class Case, class Planes>
void expect_bits(Case& c, const Planes& planes) {
  for (const std::uint8_t value : c.read(planes)) c.expect(value <= 1, "a mask is 0 or 1");
}

template <class Case>
void expect_rles(Case& c, const std::vector<coco::Rle>& rles, index_t n, index_t height, index_t width) {
  c.expect(static_cast<index_t>(rles.size()) == n, "run lengths for each mask");
  for (const coco::Rle& rle : rles) {
    const auto sum = std::accumulate(rle.counts.begin(), rle.counts.end(), std::uint64_t{0});
    c.expect(rle.height == height && rle.width == width && sum == static_cast<std::uint64_t>(height * width),
             "the run lengths add up");
    for (std::size_t i = 1; i < rle.counts.size(); ++i) c.expect(rle.counts[i] > 0, "only the first run may be empty");
    c.result(rle.counts.data(), rle.counts.size());
  }
}

template <class Case>
void expect_crops(Case& c, const std::vector<MaskCrop>& crops, index_t n, index_t height, index_t width) {
  c.expect(static_cast<index_t>(crops.size()) == n, "a crop for each mask");
  for (const MaskCrop& crop : crops) {
    c.expect(crop.x >= 0 && crop.y >= 0 && crop.width >= 0 && crop.height >= 0 && crop.x + crop.width <= width &&
                 crop.y + crop.height <= height,
             "the crop lies in the picture");
    c.expect(static_cast<index_t>(crop.pixels.size()) == crop.width * crop.height, "the crop has its pixels");
    for (const std::uint8_t value : crop.pixels) c.expect(value <= 1, "a mask is 0 or 1");
    c.result(crop.pixels.data(), crop.pixels.size());
  }
}

/// A side of a picture for functions that return what they make: small, or absurd where the other one is 0.
index_t any_side(Garbage& draw, index_t other) {
  if (draw.once_in(16)) return -draw.extent();
  return other == 0 && draw.coin() ? draw.whole() : draw.extent();
}

LetterboxPlan any_plan(Garbage& draw, index_t height, index_t width) {
  try {
    switch (draw.below(4)) {
      case 0: return plan_letterbox(height, width, {.min_dim = draw.between(0, 32), .max_dim = draw.between(1, 32)});
      case 1: return plan_shortest_edge(height, width, {.min_size = 8, .max_size = 24, .size_divisible = 8});
      case 2:
        return plan_yolo_letterbox(height, width, {.height = 16, .width = 24, .pad_value = draw.real(0.0, 255.0)});
      default: break;
    }
  } catch (const ShapeError&) {  // a picture without pixels
  }
  LetterboxPlan plan;
  plan.source_height = height;
  plan.source_width = width;
  plan.resized_height = draw.whole(0, 9);
  plan.resized_width = draw.whole(0, 9);
  plan.top = draw.whole(0, 3);
  plan.left = draw.whole(0, 3);
  plan.height = draw.once_in(4) ? draw.whole() : 12;
  plan.width = draw.once_in(4) ? draw.whole() : 12;
  plan.scale = draw.real(0.0, 2.0);
  plan.pad_value = draw.real(-1.0, 300.0);
  plan.pad_stage = draw.choice(PadStage::normalized);
  return plan;
}

/// Sides that memory can be had for.
index_t room(index_t side) { return side >= 0 && side <= 64 ? side : 5; }

Resampler any_resampler(Garbage& draw) {
  return draw.once_in(32) ? static_cast<Resampler>(draw.below(256)) : draw.choice(Resampler::pillow_nearest);
}

NormalizeImageOptions any_normalization(Garbage& draw) {
  NormalizeImageOptions options;
  if (draw.coin())
    for (std::size_t i = 0; i < 3; ++i) {
      options.mean[i] = draw.real(0.0, 200.0);
      options.deviation[i] = draw.real(0.1, 2.0);
    }
  options.scale = draw.coin() ? 1.0 : draw.real(0.0, 1.0);
  options.source_order = draw.choice(ChannelOrder::bgr);
  options.output_order = draw.choice(ChannelOrder::bgr);
  return options;
}

template <class In, class Out, class Layout, class Case>
void resize_case(Case& c) {
  const index_t images = c.draw.extent(2);
  const index_t channels = c.draw.extent(4);
  const ResizeOptions options{any_resampler(c.draw)};
  const auto source = given<In, Layout>(c, {images, c.draw.extent(), c.draw.extent(), channels});
  const auto resized = wanted<Out, Layout>(c, {images, c.draw.extent(), c.draw.extent(), channels});
  c.call([&](const auto& backend) { resize(backend, source, options, resized); });
}

}  // namespace

TEST_CASE("fuzz: masks pasted") {
  fuzz("paste_masks", 1, [](auto& c) {
    const MasksAndBoxes in(c);
    const PasteMasksOptions options = any_paste(c.draw);
    const auto planes = wanted<std::uint8_t>(c, {in.n, in.height, in.width});
    if (c.call([&](const auto& backend) { paste_masks(backend, in.masks, in.boxes, options, planes); }))
      expect_bits(c, planes);
  });
  fuzz("paste_soft_masks", 0.5, [](auto& c) {
    const MasksAndBoxes in(c);
    const PasteMasksOptions options = any_paste(c.draw);
    if (c.draw.coin()) {
      const auto planes = wanted<std::uint8_t>(c, {in.n, in.height, in.width});
      c.call([&](const auto& backend) { paste_soft_masks(backend, in.masks, in.boxes, options, planes); });
    } else {
      const auto planes = wanted<float>(c, {in.n, in.height, in.width});
      c.call([&](const auto& backend) { paste_soft_masks(backend, in.masks, in.boxes, options, planes); });
    }
  });
  fuzz("paste_masks_into_crops", 0.5, [](auto& c) {
    const MasksAndBoxes in(c);
    const PasteMasksOptions options = any_paste(c.draw);
    const index_t height = any_side(c.draw, 1);
    const index_t width = any_side(c.draw, height);
    c.call_and_wait([&](const auto& backend) {
      const auto crops = paste_masks_into_crops(backend, in.masks, in.boxes, options, height, width);
      expect_crops(c, crops, in.masks.extent(0), height, width);
    });
  });
  fuzz("paste_masks_to_rle", 0.5, [](auto& c) {
    c.allow_format_errors();
    const MasksAndBoxes in(c);
    const PasteMasksOptions options = any_paste(c.draw);
    const index_t height = any_side(c.draw, 1);
    const index_t width = any_side(c.draw, height);
    c.call_and_wait([&](const auto& backend) {
      const auto rles = paste_masks_to_rle(backend, in.masks, in.boxes, options, height, width);
      expect_rles(c, rles, in.masks.extent(0), height, width);
    });
  });
}

TEST_CASE("fuzz: masks from prototypes") {
  fuzz("prototype_masks", 1, [](auto& c) {
    const Prototypes in(c);
    const auto planes = wanted<std::uint8_t>(c, {in.n, in.height, in.width});
    if (c.call([&](const auto& backend) {
          prototype_masks(backend, in.coefficients, in.prototypes, in.boxes, in.options, planes);
        }))
      expect_bits(c, planes);
  });
  fuzz("prototype_soft_masks", 0.5, [](auto& c) {
    const Prototypes in(c);
    if (c.draw.coin()) {
      const auto planes = wanted<float>(c, {in.n, in.height, in.width});
      c.call([&](const auto& backend) {
        prototype_soft_masks(backend, in.coefficients, in.prototypes, in.boxes, in.options, planes);
      });
    } else {
      const auto planes = wanted<std::uint8_t>(c, {in.n, in.height, in.width});
      c.call([&](const auto& backend) {
        prototype_soft_masks(backend, in.coefficients, in.prototypes, in.boxes, in.options, planes);
      });
    }
  });
  fuzz("prototype_masks_into_crops", 0.5, [](auto& c) {
    const Prototypes in(c);
    const index_t height = any_side(c.draw, 1);
    const index_t width = any_side(c.draw, height);
    c.call_and_wait([&](const auto& backend) {
      const auto crops =
          prototype_masks_into_crops(backend, in.coefficients, in.prototypes, in.boxes, in.options, height, width);
      expect_crops(c, crops, in.coefficients.extent(0), height, width);
    });
  });
  fuzz("prototype_masks_to_rle", 0.5, [](auto& c) {
    c.allow_format_errors();
    const Prototypes in(c);
    const index_t height = any_side(c.draw, 1);
    const index_t width = any_side(c.draw, height);
    c.call_and_wait([&](const auto& backend) {
      const auto rles =
          prototype_masks_to_rle(backend, in.coefficients, in.prototypes, in.boxes, in.options, height, width);
      expect_rles(c, rles, in.coefficients.extent(0), height, width);
    });
  });
}

TEST_CASE("fuzz: run lengths") {
  fuzz("encode_masks", 1, [](auto& c) {
    c.allow_format_errors();
    const index_t n = c.draw.extent(3);
    const index_t height = c.draw.extent();
    const index_t width = c.draw.extent();
    const auto planes = given<std::uint8_t>(c, {n, height, width});
    const bool enough = c.draw.coin();
    const auto counts = wanted<std::uint32_t>(c, {enough ? n * (height * width + 1) : c.draw.extent()});
    const auto offsets = wanted<index_t>(c, {n + 1});
    if (!c.call([&](const auto& backend) { encode_masks(backend, planes, counts, offsets); })) return;
    c.call_and_wait([&](const auto& backend) {
      const auto rles = encoded_masks_to_host(backend, counts, offsets, planes.extent(1), planes.extent(2));
      expect_rles(c, rles, planes.extent(0), planes.extent(1), planes.extent(2));
    });
  });
  fuzz("encode_mask_bits", 1, [](auto& c) {
    c.allow_format_errors();
    const index_t n = c.draw.extent(3);
    const bool any_height = c.draw.once_in(8);
    const index_t height = any_height ? c.draw.whole() : c.draw.extent();
    const index_t width = c.draw.extent();
    const index_t per_column = any_height || c.draw.once_in(8) ? c.draw.extent(3) : (height + 31) / 32;
    std::vector<std::uint32_t> words;
    for (index_t i = n * width * per_column; i > 0; --i) words.push_back(c.draw.below(c.draw.coin() ? 2 : 0x7FFFFFFF));
    const auto bits = given_elements<std::uint32_t>(c, {n, width, per_column}, words);
    const bool enough = c.draw.coin();
    const auto counts = wanted<std::uint32_t>(c, {enough ? n * (32 * per_column * width + 1) : c.draw.extent()});
    const auto offsets = wanted<index_t>(c, {n + 1});
    if (!c.call([&](const auto& backend) { encode_mask_bits(backend, bits, height, counts, offsets); })) return;
    c.call_and_wait([&](const auto& backend) {
      const auto rles = encoded_masks_to_host(backend, counts, offsets, height, bits.extent(1));
      expect_rles(c, rles, bits.extent(0), height, bits.extent(1));
    });
  });
  fuzz("encoded_masks_to_host", 1, [](auto& c) {  // of counts and offsets that encode_masks has not written
    c.allow_format_errors();
    const index_t n = c.draw.extent(4);
    std::vector<index_t> begins;
    for (index_t i = 0; i < n; ++i) begins.push_back(c.draw.whole());
    if (c.draw.coin()) std::sort(begins.begin(), begins.end());
    const auto offsets = given_elements<index_t>(c, {n}, begins);
    const auto runs = c.draw.extent();
    std::vector<std::uint32_t> lengths;
    for (index_t i = 0; i < runs; ++i) lengths.push_back(static_cast<std::uint32_t>(c.draw.whole(0, 3)));
    const auto counts = given_elements<std::uint32_t>(c, {runs}, lengths);
    const index_t height = c.draw.whole(0, 3);
    const index_t width = c.draw.whole(0, 3);
    c.call_and_wait([&](const auto& backend) { encoded_masks_to_host(backend, counts, offsets, height, width); });
  });
  fuzz("coco::from_string", 1, [](auto& c) {
    c.allow_format_errors();
    std::string text;
    for (index_t i = c.draw.extent(); i > 0; --i)
      text += static_cast<char>(c.draw.once_in(16) ? c.draw.below(256) : 48 + c.draw.below(c.draw.coin() ? 64 : 6));
    const index_t height = c.draw.whole();
    const index_t width = c.draw.whole();
    c.call_and_wait([&](const auto&) {
      const coco::Rle rle = coco::from_string(text, height, width);
      expect_rles(c, {coco::merge(std::vector<coco::Rle>{rle, rle}, coco::RleMerge::any_of)}, 1, height, width);
      c.expect(coco::area(rle) <= static_cast<std::uint64_t>(height * width), "no more than all pixels");
      const coco::RleBounds box = coco::bounding_box(rle);
      c.expect(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height,
               "the box lies in the picture");
      if (height * width < 10000)
        c.expect(coco::decode(rle).size() == static_cast<std::size_t>(height * width), "all pixels");
    });
  });
  fuzz("coco::mask_iou", 0.5, [](auto& c) {
    c.allow_format_errors();
    const auto any_rle = [&] {
      coco::Rle rle{c.draw.whole(0, 3), c.draw.whole(0, 3), {}};
      for (index_t i = c.draw.extent(5); i > 0; --i)
        rle.counts.push_back(static_cast<std::uint32_t>(c.draw.whole(0, 4)));
      return rle;
    };
    const std::vector<coco::Rle> some{any_rle(), any_rle()};
    const std::vector<coco::Rle> others{any_rle()};
    const std::vector<std::uint8_t> crowd(c.draw.below(3));
    c.call_and_wait([&](const auto&) {
      for (const double overlap : coco::mask_iou(some, others, crowd))
        c.expect(overlap >= -1 && overlap <= 1, "an overlap, or -1");
    });
    c.call_and_wait([&](const auto&) { coco::merge(some, coco::RleMerge::all_of); });
  });
}

TEST_CASE("fuzz: pictures") {
  fuzz("resize of bytes", 1, [](auto& c) { resize_case<std::uint8_t, std::uint8_t, layout_right>(c); });
  fuzz("resize of planar floats", 0.5, [](auto& c) { resize_case<float, float, layout_nchw>(c); });
  fuzz("resize of bytes to double", 0.5, [](auto& c) { resize_case<std::uint8_t, double, layout_right>(c); });
  fuzz("resize of labels", 0.25, [](auto& c) { resize_case<std::int32_t, std::int32_t, layout_right>(c); });
  fuzz("normalize_image", 1, [](auto& c) {
    const index_t height = c.draw.extent();
    const index_t width = c.draw.extent();
    const NormalizeImageOptions options = any_normalization(c.draw);
    if (c.draw.coin()) {
      const auto image = given<std::uint8_t>(c, {height, width, 3});
      const auto output = wanted<float>(c, {height, width, 3});
      if (c.draw.coin())
        c.call([&](const auto& backend) { normalize_image(backend, image, options, output); });
      else
        c.call([&](const auto& backend) { subtract_mean(backend, image, {1.5, 2.5, 3.5}, output); });
    } else {
      const auto image = given<float>(c, {height, width, 3}, 255.0F);
      const auto output = wanted<float, layout_nchw>(c, {1, height, width, 3});
      c.call([&](const auto& backend) { normalize_image(backend, image, options, output); });
    }
  });
  fuzz("letterbox", 1, [](auto& c) {
    const LetterboxPlan plan = any_plan(c.draw, c.draw.extent(), c.draw.extent());
    const Resampler resampler = any_resampler(c.draw);
    const auto source = given<std::uint8_t>(c, {room(plan.source_height), room(plan.source_width), 3});
    const auto molded = wanted<std::uint8_t>(c, {room(plan.height), room(plan.width), 3});
    c.call([&](const auto& backend) { letterbox(backend, source, plan, resampler, molded); });
  });
  fuzz("mold_image", 1, [](auto& c) {
    const LetterboxPlan plan = any_plan(c.draw, c.draw.extent(), c.draw.extent());
    const MoldOptions options{any_resampler(c.draw), any_normalization(c.draw)};
    const auto source = given<std::uint8_t>(c, {room(plan.source_height), room(plan.source_width), 3});
    if (c.draw.coin()) {
      const auto molded = wanted<float>(c, {room(plan.height), room(plan.width), 3});
      c.call([&](const auto& backend) { mold_image(backend, source, plan, options, molded); });
    } else {
      const auto molded = wanted<float, layout_nchw>(c, {1, room(plan.height), room(plan.width), 3});
      c.call([&](const auto& backend) { mold_image(backend, source, plan, options, molded); });
    }
  });
}
