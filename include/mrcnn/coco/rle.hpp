#ifndef MRCNN_COCO_RLE_HPP
#define MRCNN_COCO_RLE_HPP

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mrcnn/coco/detail/rle_text.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/core/tensor_view.hpp"

namespace mrcnn::coco {

/// A 0/1 mask as run lengths, in COCO's order: column by column, from the top. The counts alternate between pixels that
/// are 0 and pixels that are 1, beginning with 0 (the first count may be 0), and add up to height * width.
struct Rle {
  index_t height = 0;
  index_t width = 0;
  std::vector<std::uint32_t> counts;

  friend bool operator==(const Rle&, const Rle&) = default;
};

/// The pixels in columns [x, x + width) and rows [y, y + height): COCO's `bbox`.
struct RleBounds {
  index_t x = 0;
  index_t y = 0;
  index_t width = 0;
  index_t height = 0;

  friend bool operator==(const RleBounds&, const RleBounds&) = default;
};

/// A host view of a mask, [height, width], 0 or not, with any strides.
using MaskView = TensorView<const std::uint8_t, 2, space::host, layout_stride>;

namespace detail {

inline void check_rle_size(index_t height, index_t width) {
  if (height < 0 || width < 0 || (width > 0 && height > std::numeric_limits<std::uint32_t>::max() / width))
    throw FormatError("Rle: a mask of " + std::to_string(height) + " x " + std::to_string(width) +
                      " pixels, expected fewer than 2^32 pixels");
}

/// Throws unless the counts add up to the size.
inline void check_rle(const Rle& rle) {
  check_rle_size(rle.height, rle.width);
  std::uint64_t sum = 0;
  for (const std::uint32_t count : rle.counts) sum += count;
  if (sum != static_cast<std::uint64_t>(rle.height * rle.width))
    throw FormatError("Rle: the counts add up to " + std::to_string(sum) + ", expected " + std::to_string(rle.height) +
                      " * " + std::to_string(rle.width) + " = " + std::to_string(rle.height * rle.width));
}

/// Turns the positions at which a mask changes value, ascending, into counts. Two changes at one position cancel out.
class RleWriter {
 public:
  RleWriter(index_t height, index_t width) {
    check_rle_size(height, width);
    total_ = static_cast<std::uint64_t>(height * width);
    rle_.height = height;
    rle_.width = width;
  }
  void change_at(std::uint64_t position) {
    if (pending_ && pending_position_ == position) {
      pending_ = false;
      return;
    }
    flush();
    pending_ = true;
    pending_position_ = position;
  }
  /// A change behind the last pixel is none.
  Rle finish() && {
    if (pending_position_ < total_) flush();
    rle_.counts.push_back(static_cast<std::uint32_t>(total_ - last_));
    return std::move(rle_);
  }

 private:
  void flush() {
    if (!pending_) return;
    rle_.counts.push_back(static_cast<std::uint32_t>(pending_position_ - last_));
    last_ = pending_position_;
    pending_ = false;
  }

  Rle rle_;
  std::uint64_t total_ = 0;
  std::uint64_t last_ = 0;
  std::uint64_t pending_position_ = 0;
  bool pending_ = false;
};

}  // namespace detail

/// Encodes a mask that arrives row by row, without ever holding it: memory grows with the outline, not with the area.
/// The rows form a crop; what lies around it in the picture is 0.
class RleRowEncoder {
 public:
  explicit RleRowEncoder(index_t crop_width)
      : above_(static_cast<std::size_t>(crop_width)), changes_in_column_(static_cast<std::size_t>(crop_width) + 1) {}

  /// The next row: `crop_width` bytes, 0 or not.
  void add_row(const std::uint8_t* row) {
    const std::size_t width = above_.size();
    std::size_t x = 0;
    for (; x + 8 <= width; x += 8)
      if (std::memcmp(row + x, above_.data() + x, 8) != 0)
        for (std::size_t i = x; i < x + 8; ++i) compare(i, row[i]);
    for (; x < width; ++x) compare(x, row[x]);
    ++rows_;
  }

  /// The mask in a picture of height x width pixels, with the crop's upper left corner at (x, y). Leaves the encoder
  /// empty. Throws: ShapeError when the crop reaches beyond the picture, FormatError from 2^32 pixels on.
  Rle finish(index_t x, index_t y, index_t height, index_t width) {
    const auto crop_width = static_cast<index_t>(above_.size());
    const index_t crop_height = rows_;
    if (x < 0 || y < 0 || x > width - crop_width || y > height - crop_height)
      throw ShapeError("RleRowEncoder: a crop of " + std::to_string(crop_height) + " x " + std::to_string(crop_width) +
                       " pixels at row " + std::to_string(y) + ", column " + std::to_string(x) +
                       " reaches beyond a picture of " + std::to_string(height) + " x " + std::to_string(width));
    mrcnn::coco::detail::RleWriter writer(height, width);
    const std::vector<std::uint8_t> nothing(above_.size(), 0);
    add_row(nothing.data());
    // The changes came row by row; a counting sort brings them into the order of columns.
    std::size_t begin = 0;
    for (std::size_t& count : changes_in_column_) begin += std::exchange(count, begin);
    std::vector<std::uint32_t> rows(changes_.size());
    for (const Change& change : changes_) rows[changes_in_column_[change.column]++] = change.row;
    std::size_t i = 0;
    for (index_t column = 0; column < crop_width; ++column)
      for (; i < changes_in_column_[static_cast<std::size_t>(column)]; ++i)
        writer.change_at(static_cast<std::uint64_t>((x + column) * height + y) + rows[i]);
    std::fill(changes_in_column_.begin(), changes_in_column_.end(), 0);
    changes_.clear();
    rows_ = 0;
    return std::move(writer).finish();
  }

 private:
  struct Change {
    std::uint32_t column;
    std::uint32_t row;
  };

  void compare(std::size_t x, std::uint8_t value) {
    if ((value != 0) == (above_[x] != 0)) return;
    above_[x] = value;
    ++changes_in_column_[x];
    changes_.push_back({static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(rows_)});
  }

  std::vector<std::uint8_t> above_;
  std::vector<std::size_t> changes_in_column_;
  std::vector<Change> changes_;
  index_t rows_ = 0;
};

/// The run lengths of a crop, 0 elsewhere, in a picture of height x width pixels.
///
/// @param crop  [h, w], 0 or not, any strides (row-major is the fastest)
/// @param x, y  where its upper left corner lies in the picture
///
/// Throws: ShapeError when the crop reaches beyond the picture, FormatError from 2^32 pixels on.
inline Rle encode_crop(const MaskView& crop, index_t x, index_t y, index_t height, index_t width) {
  RleRowEncoder encoder(crop.extent(1));
  std::vector<std::uint8_t> gathered(crop.stride(1) == 1 ? 0 : static_cast<std::size_t>(crop.extent(1)));
  for (index_t row = 0; row < crop.extent(0); ++row) {
    const std::uint8_t* pixels = crop.data() + row * crop.stride(0);
    if (crop.stride(1) != 1) {
      for (index_t column = 0; column < crop.extent(1); ++column)
        gathered[static_cast<std::size_t>(column)] = pixels[column * crop.stride(1)];
      pixels = gathered.data();
    }
    encoder.add_row(pixels);
  }
  return encoder.finish(x, y, height, width);
}

/// The run lengths of a whole mask, [height, width], 0 or not, any strides.
inline Rle encode(const MaskView& mask) { return encode_crop(mask, 0, 0, mask.extent(0), mask.extent(1)); }

/// A host view of a mask to be written, [height, width], with any strides.
using MutableMaskView = TensorView<std::uint8_t, 2, space::host, layout_stride>;

/// Writes a part of the mask as 0 and 1.
///
/// @param x, y  where the part's upper left corner lies in the mask
/// @param crop  [h, w], any strides: the part
///
/// Throws: ShapeError when the crop reaches beyond the mask, FormatError when the counts do not add up to the size.
/// O(R + h w) for R runs.
inline void decode_crop(const Rle& rle, index_t x, index_t y, const MutableMaskView& crop) {
  detail::check_rle(rle);
  const index_t crop_height = crop.extent(0);
  const index_t crop_width = crop.extent(1);
  if (x < 0 || y < 0 || x > rle.width - crop_width || y > rle.height - crop_height)
    throw ShapeError("decode_crop: a crop of " + std::to_string(crop_height) + " x " + std::to_string(crop_width) +
                     " pixels at row " + std::to_string(y) + ", column " + std::to_string(x) +
                     " reaches beyond a mask of " + std::to_string(rle.height) + " x " + std::to_string(rle.width));
  if (crop_height == 0 || crop_width == 0) return;  // either may be huge
  for (index_t row = 0; row < crop_height; ++row)
    for (index_t column = 0; column < crop_width; ++column)
      crop.data()[row * crop.stride(0) + column * crop.stride(1)] = 0;
  const index_t end = (x + crop_width) * rle.height;
  index_t position = 0;
  for (std::size_t i = 1; i < rle.counts.size() && position < end; i += 2) {
    index_t begin = position + rle.counts[i - 1];
    position = begin + rle.counts[i];
    begin = std::max(begin, x * rle.height);
    const index_t last = std::min(position, end);
    while (begin < last) {
      const index_t column = begin / rle.height;
      const index_t top = column * rle.height;
      const index_t next = std::min(last, top + rle.height);
      const index_t first_row = std::max(begin - top - y, index_t{0});
      const index_t end_row = std::min(next - top - y, crop_height);
      std::uint8_t* const pixels = crop.data() + (column - x) * crop.stride(1);
      for (index_t row = first_row; row < end_row; ++row) pixels[row * crop.stride(0)] = 1;
      begin = next;
    }
  }
}

/// Writes the mask as 0 and 1 into `mask`, [height, width], any strides.
/// Throws: ShapeError when `mask` has another size, FormatError when the counts do not add up to it.
inline void decode(const Rle& rle, const MutableMaskView& mask) {
  detail::check_rle(rle);
  if (mask.extent(0) != rle.height || mask.extent(1) != rle.width)
    throw ShapeError("decode: mask has shape [" + std::to_string(mask.extent(0)) + ", " +
                     std::to_string(mask.extent(1)) + "], expected [" + std::to_string(rle.height) + ", " +
                     std::to_string(rle.width) + "]");
  decode_crop(rle, 0, 0, mask);
}

/// The mask as 0 and 1, rows first. Throws: FormatError when the counts do not add up to the size.
inline std::vector<std::uint8_t> decode(const Rle& rle) {
  detail::check_rle(rle);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(rle.height * rle.width));
  decode(rle, MutableMaskView(pixels.data(), {rle.height, rle.width}, {rle.width, 1}));
  return pixels;
}

/// Number of pixels that are 1.
inline std::uint64_t area(const Rle& rle) {
  std::uint64_t sum = 0;
  for (std::size_t i = 1; i < rle.counts.size(); i += 2) sum += rle.counts[i];
  return sum;
}

namespace detail {

/// Finds the smallest box around runs of pixels that are 1, which come in order and are not empty. Columns are walked
/// along with the runs, so that nearly no run needs a division.
class RleBoundsFinder {
 public:
  explicit RleBoundsFinder(index_t height)
      : height_(static_cast<std::uint64_t>(height)), column_end_(height_), top_(height_) {}

  void add(std::uint64_t begin, std::uint64_t end) {
    if (begin >= column_end_) {
      column_end_ += height_;
      if (begin >= column_end_) column_end_ = (begin / height_ + 1) * height_;
    }
    const std::uint64_t column_begin = column_end_ - height_;
    if (last_ == 0) left_ = column_begin;
    last_ = end;
    // A run that goes on into the next column touches the bottom of the one and the top of the other.
    const bool one_column = end <= column_end_;
    top_ = std::min(top_, one_column ? begin - column_begin : 0);
    bottom_ = std::max(bottom_, one_column ? end - column_begin : height_);
  }

  RleBounds bounds() const {
    if (last_ == 0) return {};
    const std::uint64_t left = left_ / height_;
    return {static_cast<index_t>(left), static_cast<index_t>(top_),
            static_cast<index_t>((last_ - 1) / height_ + 1 - left), static_cast<index_t>(bottom_ - top_)};
  }

 private:
  std::uint64_t height_;
  std::uint64_t column_end_;  ///< of the column in which the last run began
  std::uint64_t top_;
  std::uint64_t bottom_ = 0;
  std::uint64_t left_ = 0;  ///< where the first column begins
  std::uint64_t last_ = 0;  ///< the end of the last run
};

}  // namespace detail

/// The smallest box around the pixels that are 1; all zeros when there are none.
///
/// A run that goes on from one column into the next touches the top and the bottom of the picture. (The first COCO API
/// forgot that; its present one has it right, and agrees.)
inline RleBounds bounding_box(const Rle& rle) {
  if (rle.height <= 0) return {};
  detail::RleBoundsFinder finder(rle.height);
  std::uint64_t position = 0;
  for (std::size_t i = 1; i < rle.counts.size(); i += 2) {
    const std::uint64_t begin = position + rle.counts[i - 1];
    position = begin + rle.counts[i];
    if (position > begin) finder.add(begin, position);
  }
  return finder.bounds();
}

/// The counts as COCO's compressed string: printable ASCII, no quotes, but backslashes occur, which JSON escapes.
///
/// From the fourth count on the difference to the one before the last is stored. Numbers go five bits at a time, the
/// lowest first, as the character 48 + bits, with 32 added while more follow.
inline std::string to_string(const Rle& rle) {
  detail::RleTextWriter writer;
  for (std::size_t i = 0; i < rle.counts.size(); ++i) {
    std::int64_t number = rle.counts[i];
    if (i > 2) number -= rle.counts[i - 2];
    writer.add(number);
  }
  return std::move(writer).finish();
}

namespace detail {

/// The counts of a compressed string, see `from_string`, into a vector whose memory is used again.
inline void decode_counts(std::string_view text, index_t height, index_t width, std::vector<std::uint32_t>& counts) {
  check_rle_size(height, width);
  RleTextReader reader(text, height, width);
  counts.resize(text.size());
  std::uint32_t* const out = counts.data();
  std::size_t size = 0;
  auto left = static_cast<std::uint64_t>(height * width);
  for (; !reader.at_end(); ++size) {
    const std::size_t start = reader.position();
    std::int64_t count = reader.next();
    if (size > 2) count += out[size - 2];
    if (static_cast<std::uint64_t>(count) > left)
      reader.fail(start, count < 0 ? "a negative count" : "more pixels than the mask");
    left -= static_cast<std::uint64_t>(count);
    out[size] = static_cast<std::uint32_t>(count);
  }
  if (left != 0) reader.fail(text.size(), std::to_string(left) + " pixels too few");
  counts.resize(size);
}

}  // namespace detail

/// The mask of a compressed string, see `to_string`.
///
/// Throws: FormatError when a character can not occur, a number breaks off or is too large, a count is negative, or the
/// counts do not add up to height * width. Memory: four bytes for each count, so at most four for each character.
inline Rle from_string(std::string_view text, index_t height, index_t width) {
  Rle rle{height, width, {}};
  detail::decode_counts(text, height, width, rle.counts);
  if (rle.counts.size() < text.size() / 2) rle.counts.shrink_to_fit();
  return rle;
}

}  // namespace mrcnn::coco

#endif
