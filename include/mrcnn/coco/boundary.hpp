#ifndef MRCNN_COCO_BOUNDARY_HPP
#define MRCNN_COCO_BOUNDARY_HPP

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/coco/rle.hpp"
#include "mrcnn/coco/rle_overlap.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/detail/float_ops.hpp"

namespace mrcnn::coco {

/// The width of the boundary that `boundary` gives for pictures of that size, in pixels: `dilation_ratio` of the
/// diagonal, rounded half to even, but at least 1. Throws: ShapeError when the ratio is negative or not finite.
inline index_t boundary_width(index_t height, index_t width, double dilation_ratio) {
  if (!(dilation_ratio >= 0 && std::isfinite(dilation_ratio)))
    throw ShapeError("boundary: dilation_ratio is " + std::to_string(dilation_ratio) + ", expected 0 or more");
  const auto h = static_cast<double>(height);
  const auto w = static_cast<double>(width);
  const double diagonal = std::sqrt(mrcnn::detail::product(h, h) + mrcnn::detail::product(w, w));
  const double rounded = std::rint(dilation_ratio * diagonal);
  return static_cast<index_t>(std::clamp(rounded, 1.0, 4294967296.0));  // wider than any picture is wide enough
}

namespace detail {

/// Erodes a mask by a square of 2 distance + 1 pixels: what stays is where the whole square belongs to the mask. First along
/// the columns, where a run loses `distance` pixels at both ends; then along the rows, on columns as bits. There the
/// columns under the square are joined with few operations each: they reach over the seam of two blocks as long as the
/// square is wide, and of both the part that they need is at hand, joined up to the seam and from it on.
class MaskEroder {
 public:
  /// The square must fit into `bounds`, the mask's bounding box.
  MaskEroder(const RleBounds& bounds, index_t height, index_t distance)
      : bounds_(bounds),
        height_(height),
        distance_(distance),
        block_length_(2 * distance + 1),
        rows_(bounds.height - 2 * distance),
        words_(static_cast<std::size_t>((rows_ + 63) / 64)),
        block_(static_cast<std::size_t>(block_length_) * words_),
        from_seam_(words_) {}

  /// `changes`: where the mask changes its value, see `changes_of`. Returns where the eroded mask does.
  std::vector<std::uint64_t> erode(std::vector<std::uint64_t> changes) {
    if (changes.size() % 2 == 1) changes.push_back(std::numeric_limits<std::uint64_t>::max());
    auto run = changes.begin();
    for (index_t x = 0; x < bounds_.width; ++x) {
      const index_t slot = x % block_length_;
      if (slot == 0) begin_block();
      std::uint64_t* const column = words_of(slot);
      std::fill_n(column, words_, 0);
      const auto top = static_cast<std::uint64_t>((bounds_.x + x) * height_);
      const std::uint64_t bottom = top + static_cast<std::uint64_t>(height_);
      for (; run != changes.end() && run[0] < bottom; run += 2) {
        if (run[1] > top)
          set_run(column, static_cast<index_t>(std::max(run[0], top) - top),
                  static_cast<index_t>(std::min(run[1], bottom) - top));
        if (run[1] > bottom) break;
      }
      for (std::size_t w = 0; w < words_; ++w) from_seam_[w] &= column[w];
      if (x + 1 >= block_length_) find_changes(x - distance_, slot);
    }
    return std::move(eroded_);
  }

 private:
  std::uint64_t* words_of(index_t slot) { return block_.data() + static_cast<std::size_t>(slot) * words_; }

  /// Joins the columns of the block before, each with all behind it.
  void begin_block() {
    for (index_t slot = block_length_ - 1; slot-- > 0;)
      for (std::size_t w = 0; w < words_; ++w) words_of(slot)[w] &= words_of(slot + 1)[w];
    std::fill(from_seam_.begin(), from_seam_.end(), ~std::uint64_t{0});
  }

  /// A run of a column, in rows of the picture, less `distance` at both ends. Bit 0 is the first row that may stay.
  void set_run(std::uint64_t* column, index_t begin, index_t end) const {
    begin -= bounds_.y;
    end -= bounds_.y + 2 * distance_;
    if (begin >= end) return;
    const std::uint64_t first = ~std::uint64_t{0} << (begin % 64);
    const std::uint64_t last = ~std::uint64_t{0} >> (63 - (end - 1) % 64);
    const index_t end_word = (end - 1) / 64;
    index_t word = begin / 64;
    if (word == end_word) {
      column[word] |= first & last;
      return;
    }
    column[word] |= first;
    while (++word < end_word) column[word] = ~std::uint64_t{0};
    column[word] |= last;
  }

  /// Of column `x` of the bounding box: the columns under the square end with the one in `slot`.
  void find_changes(index_t x, index_t slot) {
    const auto top = static_cast<std::uint64_t>((bounds_.x + x) * height_ + bounds_.y + distance_);
    const std::uint64_t* const to_seam = slot + 1 < block_length_ ? words_of(slot + 1) : nullptr;
    std::uint64_t before = 0;
    for (std::size_t w = 0; w < words_; ++w) {
      const std::uint64_t bits = to_seam != nullptr ? from_seam_[w] & to_seam[w] : from_seam_[w];
      for (std::uint64_t left = bits ^ (bits << 1 | before); left != 0; left &= left - 1)
        eroded_.push_back(top + 64 * w + static_cast<std::uint64_t>(std::countr_zero(left)));
      before = bits >> 63;
    }
    if (before != 0) eroded_.push_back(top + 64 * words_);
  }

  RleBounds bounds_;
  index_t height_;
  index_t distance_;
  index_t block_length_;
  index_t rows_;
  std::size_t words_;
  std::vector<std::uint64_t> block_;  ///< columns of this block, and behind them the joined ones of the block before
  std::vector<std::uint64_t> from_seam_;
  std::vector<std::uint64_t> eroded_;
};

}  // namespace detail

/// The pixels of a mask that are close to its edge: whose distance to the nearest pixel outside of the mask is at most
/// `boundary_width`, the greater of rows and columns. What lies outside of the picture is outside of the mask.
///
/// @param rle             a mask
/// @param dilation_ratio  width of the boundary as a part of the picture's diagonal; 0.02 for COCO, 0.005 for LVIS
///
/// Returns a mask of the same size, in the form that `encode` gives. Equal to what the authors of boundary IoU compute.
/// Throws: FormatError when the counts do not add up; ShapeError when the ratio is negative or not finite. For a bounding
/// box of W x H pixels, a boundary of d and R runs: O(R + W H / 64); scratch of 8 R + d H / 4 bytes.
/// Source: Cheng et al., "Boundary IoU", 2021, and its API's `mask_to_boundary`.
inline Rle boundary(const Rle& rle, double dilation_ratio = 0.02) {
  detail::check_rle(rle);
  const index_t distance = boundary_width(rle.height, rle.width, dilation_ratio);
  const RleBounds bounds = bounding_box(rle);
  std::vector<std::uint64_t> changes = detail::changes_of(rle);
  if (bounds.width > 2 * distance && bounds.height > 2 * distance) {
    const std::vector<std::uint64_t> eroded = detail::MaskEroder(bounds, rle.height, distance).erode(changes);
    // A change of the eroded mask always lies between two of the mask.
    const auto middle = static_cast<std::ptrdiff_t>(changes.size());
    changes.insert(changes.end(), eroded.begin(), eroded.end());
    std::inplace_merge(changes.begin(), changes.begin() + middle, changes.end());
  }
  detail::RleWriter writer(rle.height, rle.width);
  for (const std::uint64_t position : changes) writer.change_at(position);
  return std::move(writer).finish();
}

}  // namespace mrcnn::coco

#endif
