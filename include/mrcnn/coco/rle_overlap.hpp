#ifndef MRCNN_COCO_RLE_OVERLAP_HPP
#define MRCNN_COCO_RLE_OVERLAP_HPP

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mrcnn/coco/rle.hpp"
#include "mrcnn/core/error.hpp"

// Masks against masks, run by run: nothing is decoded.

namespace mrcnn::coco {

enum class RleMerge : std::uint8_t {
  any_of,  ///< a pixel belongs where it belongs to any of the masks
  all_of,  ///< ... where it belongs to all of them
};

namespace detail {

/// Where the value of a mask changes, ascending; runs without length count for nothing.
inline std::vector<std::uint64_t> changes_of(const Rle& rle) {
  std::vector<std::uint64_t> changes;
  changes.reserve(rle.counts.size());
  std::uint64_t position = 0;
  for (std::size_t i = 0; i + 1 < rle.counts.size(); ++i) {
    position += rle.counts[i];
    if (!changes.empty() && changes.back() == position)
      changes.pop_back();
    else
      changes.push_back(position);
  }
  return changes;
}

/// The changes of two masks' union or intersection.
inline std::vector<std::uint64_t> merge_changes(const std::vector<std::uint64_t>& a,
                                                const std::vector<std::uint64_t>& b, RleMerge how) {
  std::vector<std::uint64_t> merged;
  merged.reserve(a.size() + b.size());
  bool value = false;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() || j < b.size()) {
    const std::uint64_t position = j == b.size() || (i < a.size() && a[i] <= b[j]) ? a[i] : b[j];
    i += i < a.size() && a[i] == position ? 1 : 0;
    j += j < b.size() && b[j] == position ? 1 : 0;
    const bool in_a = i % 2 == 1;
    const bool in_b = j % 2 == 1;
    const bool now = how == RleMerge::any_of ? in_a || in_b : in_a && in_b;
    if (now != value) merged.push_back(position);
    value = now;
  }
  return merged;
}

/// A stretch of pixels that are 1, [begin, end). No mask has 2^32 pixels.
struct RleStretch {
  std::uint32_t begin;
  std::uint32_t end;
};

/// What the overlap of one mask with many others needs.
struct RleStretches {
  index_t height = 0;
  index_t width = 0;
  RleBounds bounds;
  std::uint64_t area = 0;
  std::vector<RleStretch> stretches;

  RleStretches() = default;
  explicit RleStretches(const Rle& rle) { assign(rle); }

  /// Of another mask, with the same memory. Throws: FormatError when the counts do not add up.
  void assign(const Rle& rle) {
    check_rle(rle);
    assign_checked(rle.counts, rle.height, rle.width);
  }
  /// Of a compressed string, see `from_string`. `counts`: scratch.
  void assign(std::string_view text, index_t mask_height, index_t mask_width, std::vector<std::uint32_t>& counts) {
    decode_counts(text, mask_height, mask_width, counts);
    assign_checked(counts, mask_height, mask_width);
  }

 private:
  void assign_checked(std::span<const std::uint32_t> counts, index_t mask_height, index_t mask_width) {
    height = mask_height;
    width = mask_width;
    area = 0;
    stretches.resize(counts.size() / 2);
    RleStretch* out = stretches.data();
    RleBoundsFinder finder(height);
    std::uint32_t position = 0;
    for (std::size_t i = 1; i < counts.size(); i += 2) {
      const std::uint32_t begin = position + counts[i - 1];
      position = begin + counts[i];
      if (position == begin) continue;
      finder.add(begin, position);
      area += counts[i];
      *out++ = {begin, position};
    }
    stretches.resize(static_cast<std::size_t>(out - stretches.data()));
    bounds = finder.bounds();
  }
};

inline bool bounds_overlap(const RleBounds& a, const RleBounds& b) {
  return std::min(a.x + a.width, b.x + b.width) > std::max(a.x, b.x) &&
         std::min(a.y + a.height, b.y + b.height) > std::max(a.y, b.y);
}

/// Number of pixels that belong to both.
inline std::uint64_t intersection_area(const RleStretches& a, const RleStretches& b) {
  const auto from = [](const RleStretches& mask, const RleStretches& other) {
    if (other.stretches.empty()) return mask.stretches.end();
    return std::partition_point(mask.stretches.begin(), mask.stretches.end(), [&](const RleStretch& stretch) {
      return stretch.end <= other.stretches.front().begin;
    });
  };
  std::uint64_t sum = 0;
  for (auto i = from(a, b), j = from(b, a); i != a.stretches.end() && j != b.stretches.end();) {
    const std::uint32_t begin = std::max(i->begin, j->begin);
    const std::uint32_t end = std::min(i->end, j->end);
    sum += end > begin ? end - begin : 0;
    const bool first_ends = i->end <= j->end;
    const bool second_ends = j->end <= i->end;
    i += first_ends ? 1 : 0;
    j += second_ends ? 1 : 0;
  }
  return sum;
}

/// Overlap of one detection with one ground truth, see `mask_iou`.
inline double mask_overlap(const RleStretches& detection, const RleStretches& truth, bool crowd) {
  if (!bounds_overlap(detection.bounds, truth.bounds)) return 0.0;
  if (detection.height != truth.height || detection.width != truth.width) return -1.0;
  const std::uint64_t both = intersection_area(detection, truth);
  const std::uint64_t denominator = crowd ? detection.area : detection.area + truth.area - both;
  return both == 0 ? 0.0 : static_cast<double>(both) / static_cast<double>(denominator);
}

}  // namespace detail

/// The union or intersection of masks of one size, in the form that `encode` gives: no run but the first has length 0.
///
/// No masks give an empty Rle of 0 x 0 pixels, as in pycocotools. Sizes that differ are an error here; pycocotools returns
/// that empty mask. Throws: ShapeError; FormatError when counts do not add up. O(R log N) for N masks of R runs in all.
/// Source: pycocotools' `merge`.
inline Rle merge(std::span<const Rle> masks, RleMerge how) {
  if (masks.empty()) return {};
  const Rle& first = masks[0];
  std::vector<std::vector<std::uint64_t>> parts;
  for (std::size_t i = 0; i < masks.size(); ++i) {
    if (masks[i].height != first.height || masks[i].width != first.width)
      throw ShapeError("merge: mask " + std::to_string(i) + " has " + std::to_string(masks[i].height) + " x " +
                       std::to_string(masks[i].width) + " pixels, expected " + std::to_string(first.height) + " x " +
                       std::to_string(first.width) + " as mask 0");
    detail::check_rle(masks[i]);
    parts.push_back(detail::changes_of(masks[i]));
  }
  for (; parts.size() > 1; parts.resize((parts.size() + 1) / 2)) {
    for (std::size_t i = 0; i + 1 < parts.size(); i += 2)
      parts[i / 2] = detail::merge_changes(parts[i], parts[i + 1], how);
    if (parts.size() % 2 == 1 && parts.size() > 1) parts[parts.size() / 2] = std::move(parts.back());
  }
  detail::RleWriter writer(first.height, first.width);
  for (const std::uint64_t position : parts[0]) writer.change_at(position);
  return std::move(writer).finish();
}

/// Overlap of every detection with every ground truth.
///
/// @param detections     N masks
/// @param ground_truths  M masks
/// @param crowd          M flags, or none: where one is not 0, the overlap is divided by the detection's area instead of
///                       the union
///
/// Returns N x M doubles, detections first: intersection / denominator; 0 where the bounding boxes do not overlap or no
/// pixel does; -1 where the boxes overlap but the sizes of the pictures differ. To the bit what pycocotools gives, but
/// for masks that both have an empty run, other than the leading one, at the same pixel: pycocotools stops there.
/// Throws: ShapeError when there are flags but not M; FormatError when counts do not add up. O(R) for each pair whose
/// boxes overlap, of R runs from the first to the last that can meet. Source: pycocotools' `iou` of encoded masks.
inline std::vector<double> mask_iou(std::span<const Rle> detections, std::span<const Rle> ground_truths,
                                    std::span<const std::uint8_t> crowd = {}) {
  if (!crowd.empty() && crowd.size() != ground_truths.size())
    throw ShapeError("mask_iou: crowd has " + std::to_string(crowd.size()) + " flags, expected " +
                     std::to_string(ground_truths.size()) + " as there are ground truths, or none");
  std::vector<detail::RleStretches> truths;
  truths.reserve(ground_truths.size());
  for (const Rle& rle : ground_truths) truths.emplace_back(rle);
  std::vector<double> overlaps;
  overlaps.reserve(detections.size() * truths.size());
  for (const Rle& rle : detections) {
    const detail::RleStretches detection(rle);
    for (std::size_t j = 0; j < truths.size(); ++j)
      overlaps.push_back(detail::mask_overlap(detection, truths[j], !crowd.empty() && crowd[j] != 0));
  }
  return overlaps;
}

}  // namespace mrcnn::coco

#endif
