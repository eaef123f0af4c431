#ifndef MRCNN_DETAIL_PASTE_MASK_HPP
#define MRCNN_DETAIL_PASTE_MASK_HPP

#include <cstdint>
#include <limits>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/detail/float_ops.hpp"
#include "mrcnn/detail/resample.hpp"

// The arithmetic of mask paste: the region of a box, the columns and rows of one enlarged mask. `ops/paste_masks.hpp` runs
// it over planes on any backend, or mask by mask on the host.

namespace mrcnn::detail {

inline constexpr float beyond_all_floats = std::numeric_limits<float>::infinity();

struct PasteRule {
  bool bytes = true;                // stretched to bytes and resampled by Pillow, else skimage in double
  double threshold = 0.5;           // of skimage's values
  std::int32_t threshold_byte = 0;  // of Pillow's bytes
};

/// A box in whole pixels, and the part of it that lies inside the picture.
struct PasteRegion {
  index_t x = 0;  // of the box
  index_t y = 0;
  index_t width = 0;
  index_t height = 0;
  index_t left = 0;  // of the part inside, in the picture
  index_t top = 0;
  index_t right = 0;
  index_t bottom = 0;

  MRCNN_HOST_DEVICE bool empty() const { return right <= left || bottom <= top; }
};

/// The region of `box` (x1, y1, x2, y2); empty when it paints nothing.
MRCNN_HOST_DEVICE inline PasteRegion paste_region(const float* box, index_t mask_pixels, index_t image_height,
                                                  index_t image_width) {
  constexpr float limit = 1073741824.0F;
  for (int i = 0; i < 4; ++i)
    if (!(box[i] >= -limit && box[i] <= limit)) return {};
  PasteRegion region;
  region.x = static_cast<index_t>(box[0]);
  region.y = static_cast<index_t>(box[1]);
  region.width = static_cast<index_t>(box[2]) - region.x;
  region.height = static_cast<index_t>(box[3]) - region.y;
  if (region.width <= 0 || region.height <= 0 || mask_pixels == 0) return {};
  region.left = max(region.x, index_t{0});
  region.top = max(region.y, index_t{0});
  region.right = min(region.x + region.width, image_width);
  region.bottom = min(region.y + region.height, image_height);
  return region;
}

/// Lowest and highest value of a mask; NaN does not count.
struct MaskRange {
  float low;
  float high;
};

MRCNN_HOST_DEVICE inline MaskRange mask_range(const float* mask, index_t pixels) {
  MaskRange range{beyond_all_floats, -beyond_all_floats};
  for (index_t i = 0; i < pixels; ++i) {
    if (mask[i] < range.low) range.low = mask[i];
    if (mask[i] > range.high) range.high = mask[i];
  }
  return range;
}

/// A value as a byte, the mask's range stretched to 0..255, as SciPy 1.0 prepares floats for Pillow. NaN becomes 0.
MRCNN_HOST_DEVICE inline std::uint8_t stretch_to_byte(float value, const MaskRange& range) {
  const float extent = range.high > range.low ? range.high - range.low : 1.0F;
  const float scale = static_cast<float>(255.0 / static_cast<double>(extent));
  const float stretched = product(value - range.low, scale);
  if (!(stretched > 0.0F)) return 0;
  return static_cast<std::uint8_t>(min(stretched, 255.0F) + 0.5F);
}

/// The horizontal pass: column `x` of the box out of all rows of the mask, into column[row * column_stride].
MRCNN_HOST_DEVICE inline void paste_column(const PillowPass& pass, const std::uint8_t* bytes, index_t mask_height,
                                           index_t x, std::uint8_t* column, index_t column_stride) {
  constexpr int group = 32;  // rows that share the computation of a weight
  const PillowTaps taps = pillow_taps(pass, x);
  for (index_t begin = 0; begin < mask_height; begin += group) {
    const int rows = static_cast<int>(min(index_t{group}, mask_height - begin));
    std::int32_t sums[group];
    for (int r = 0; r < rows; ++r) sums[r] = pillow_sum_start;
    for (index_t k = 0; k < taps.count; ++k) {
      const std::int32_t weight = pillow_weight(pass, taps, k);
      const std::uint8_t* source = bytes + begin * pass.in + taps.first + k;
      for (int r = 0; r < rows; ++r) sums[r] += weight * source[r * pass.in];
    }
    for (int r = 0; r < rows; ++r) column[(begin + r) * column_stride] = pillow_byte(sums[r]);
  }
}

/// The vertical pass and the threshold: row `y` of the box, `count` pixels, out of the columns of `paste_column`.
MRCNN_HOST_DEVICE inline void paste_byte_row(const PillowPass& pass, const std::uint8_t* columns, index_t stride,
                                             index_t count, index_t y, std::int32_t threshold_byte, std::uint8_t* row) {
  constexpr int group = 64;  // pixels that share the computation of a weight
  const PillowTaps taps = pillow_taps(pass, y);
  for (index_t begin = 0; begin < count; begin += group) {
    const int pixels = static_cast<int>(min(index_t{group}, count - begin));
    std::int32_t sums[group];
    for (int i = 0; i < pixels; ++i) sums[i] = pillow_sum_start;
    for (index_t k = 0; k < taps.count; ++k) {
      const std::int32_t weight = pillow_weight(pass, taps, k);
      const std::uint8_t* source = columns + (taps.first + k) * stride + begin;
      for (int i = 0; i < pixels; ++i) sums[i] += weight * source[i];
    }
    for (int i = 0; i < pixels; ++i) row[begin + i] = pillow_byte(sums[i]) >= threshold_byte ? 1 : 0;
  }
}

/// What is known about all pixels of a cell, the square between four neighbouring mask values.
enum class CellVerdict : std::uint8_t { all_zero, all_one, mixed };

/// Between four values on one side of the threshold every interpolated one is on that side. The margin is far above the
/// rounding of the interpolation; what lies nearer is left to the exact computation. Around the mask there are zeros,
/// and there the limits of the mask's range may lift a value, so border cells are never surely above.
MRCNN_HOST_DEVICE inline CellVerdict cell_verdict(const float* mask, index_t mask_height, index_t mask_width, index_t y,
                                                  index_t x, double threshold) {
  constexpr double margin = 1e-9;
  if (!(threshold > margin)) return CellVerdict::mixed;
  const double surely_above = product(threshold, 1.0 + margin);
  const double surely_below = product(threshold, 1.0 - margin);
  bool above = true;
  bool below = true;
  for (index_t row = y; row <= y + 1; ++row)
    for (index_t column = x; column <= x + 1; ++column) {
      const bool inside = row >= 0 && row < mask_height && column >= 0 && column < mask_width;
      const double value = inside ? static_cast<double>(mask[row * mask_width + column]) : 0.0;
      above = above && value > surely_above && value < static_cast<double>(beyond_all_floats);
      below = below && value < surely_below;
    }
  return above ? CellVerdict::all_one : (below ? CellVerdict::all_zero : CellVerdict::mixed);
}

/// One past the last pixel of [x, end) that lies in mask column `cell` or left of it; x when none does.
MRCNN_HOST_DEVICE inline index_t cell_end(double step, index_t cell, index_t x, index_t end) {
  const double estimate = (static_cast<double>(cell) + 1.5) / step - 0.5;
  index_t last = clamp(static_cast<index_t>(estimate) + 1, x, end);
  while (last > x && skimage_position(step, last - 1).first > cell) --last;
  while (last < end && skimage_position(step, last).first <= cell) ++last;
  return last;
}

/// Row `y` of the box, its pixels [begin, end), by skimage's arithmetic. Runs of cells with a verdict are filled.
MRCNN_HOST_DEVICE inline void paste_double_row(const float* mask, index_t mask_height, index_t mask_width,
                                               const MaskRange& range, const PasteRegion& region, index_t y,
                                               index_t begin, index_t end, double threshold, std::uint8_t* row) {
  const double step = static_cast<double>(mask_width) / static_cast<double>(region.width);
  const LinearPosition vertical =
      skimage_position(static_cast<double>(mask_height) / static_cast<double>(region.height), y);
  const auto verdict_of = [&](index_t cell) {
    return cell_verdict(mask, mask_height, mask_width, vertical.first, cell, threshold);
  };
  index_t cell = skimage_position(step, begin).first;
  CellVerdict verdict = verdict_of(cell);
  for (index_t x = begin; x < end; ++cell) {
    CellVerdict next = CellVerdict::mixed;
    for (; cell + 1 < mask_width; ++cell) {
      next = verdict_of(cell + 1);
      if (next != verdict) break;
    }
    const index_t last = cell + 1 < mask_width ? cell_end(step, cell, x, end) : end;
    if (verdict != CellVerdict::mixed) {
      for (; x < last; ++x) row[x - begin] = verdict == CellVerdict::all_one ? 1 : 0;
    } else {
      for (; x < last; ++x) {
        const double value = skimage_sample(mask, mask_height, mask_width, 1, vertical, skimage_position(step, x));
        const double clipped = skimage_clip(value, static_cast<double>(range.low), static_cast<double>(range.high));
        row[x - begin] = clipped >= threshold ? 1 : 0;
      }
    }
    verdict = next;
  }
}

struct MaskRangeFunctor {
  const float* masks;
  index_t pixels;
  MaskRange* ranges;

  MRCNN_HOST_DEVICE void operator()(index_t i) const { ranges[i] = mask_range(masks + i * pixels, pixels); }
};

struct StretchFunctor {
  const float* masks;
  const MaskRange* ranges;
  index_t pixels;
  std::uint8_t* bytes;

  MRCNN_HOST_DEVICE void operator()(index_t i) const { bytes[i] = stretch_to_byte(masks[i], ranges[i / pixels]); }
};

/// One column (mask, x) of the picture, through all rows of the mask.
struct PasteColumnFunctor {
  const std::uint8_t* bytes;
  const float* boxes;
  index_t mask_height;
  index_t mask_width;
  index_t image_height;
  index_t image_width;
  std::uint8_t* columns;  // [N, mask_height, image_width]

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const index_t x = i % image_width;
    const index_t n = i / image_width;
    const PasteRegion region = paste_region(boxes + 4 * n, mask_height * mask_width, image_height, image_width);
    if (region.empty() || x < region.left || x >= region.right) return;
    paste_column(PillowPass(mask_width, region.width), bytes + n * mask_height * mask_width, mask_height, x - region.x,
                 columns + n * mask_height * image_width + x, image_width);
  }
};

/// One row (mask, y) of the planes, all of it.
struct PasteRowFunctor {
  const float* masks;
  const float* boxes;
  const MaskRange* ranges;
  const std::uint8_t* columns;
  index_t mask_height;
  index_t mask_width;
  index_t image_height;
  index_t image_width;
  PasteRule rule;
  std::uint8_t* planes;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const index_t y = i % image_height;
    const index_t n = i / image_height;
    std::uint8_t* row = planes + i * image_width;
    const PasteRegion region = paste_region(boxes + 4 * n, mask_height * mask_width, image_height, image_width);
    const bool crossed = !region.empty() && y >= region.top && y < region.bottom;
    const index_t left = crossed ? region.left : image_width;
    const index_t right = crossed ? region.right : image_width;
    for (index_t x = 0; x < left; ++x) row[x] = 0;
    for (index_t x = right; x < image_width; ++x) row[x] = 0;
    if (!crossed) return;
    if (rule.bytes)
      paste_byte_row(PillowPass(mask_height, region.height), columns + n * mask_height * image_width + left,
                     image_width, right - left, y - region.y, rule.threshold_byte, row + left);
    else
      paste_double_row(masks + n * mask_height * mask_width, mask_height, mask_width, ranges[n], region, y - region.y,
                       left - region.x, right - region.x, rule.threshold, row + left);
  }
};

/// Paints one mask on the host, row by row.
class MaskPainter {
 public:
  MaskPainter(const float* mask, index_t mask_height, index_t mask_width, const PasteRegion& region,
              const PasteRule& rule)
      : mask_(mask),
        mask_height_(mask_height),
        mask_width_(mask_width),
        region_(region),
        rule_(rule),
        range_(mask_range(mask, mask_height * mask_width)) {
    if (!rule.bytes) return;
    const index_t pixels = mask_height * mask_width;
    const index_t inside = region.right - region.left;
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(pixels));
    for (index_t i = 0; i < pixels; ++i) bytes[static_cast<std::size_t>(i)] = stretch_to_byte(mask[i], range_);
    columns_.resize(static_cast<std::size_t>(mask_height * inside));
    const PillowPass pass(mask_width, region.width);
    for (index_t x = 0; x < inside; ++x)
      paste_column(pass, bytes.data(), mask_height, region.left - region.x + x, columns_.data() + x, inside);
  }

  /// The part of row `y` of the picture that lies inside the region, which the row must cross.
  void row(index_t y, std::uint8_t* pixels) const {
    const index_t inside = region_.right - region_.left;
    if (rule_.bytes)
      paste_byte_row(PillowPass(mask_height_, region_.height), columns_.data(), inside, inside, y - region_.y,
                     rule_.threshold_byte, pixels);
    else
      paste_double_row(mask_, mask_height_, mask_width_, range_, region_, y - region_.y, region_.left - region_.x,
                       region_.right - region_.x, rule_.threshold, pixels);
  }

 private:
  const float* mask_;
  index_t mask_height_;
  index_t mask_width_;
  PasteRegion region_;
  PasteRule rule_;
  MaskRange range_;
  std::vector<std::uint8_t> columns_;  // [mask_height, width inside], the horizontal pass
};

}  // namespace mrcnn::detail

#endif
