#ifndef MRCNN_COCO_DETAIL_RLE_TEXT_HPP
#define MRCNN_COCO_DETAIL_RLE_TEXT_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "mrcnn/core/error.hpp"
#include "mrcnn/core/tensor_view.hpp"

// The numbers of COCO's compressed strings: five bits at a time, the lowest first, as the character 48 + bits, with 32
// added while more follow.

namespace mrcnn::coco::detail {

/// Reads the numbers of a compressed string one by one.
class RleTextReader {
 public:
  RleTextReader(std::string_view text, index_t height, index_t width) : text_(text), height_(height), width_(width) {}

  std::size_t position() const { return at_; }
  bool at_end() const { return at_ == text_.size(); }

  /// Nearly all numbers have one or two characters.
  std::int64_t next() {
    const std::uint32_t first = bits_of(at_);
    if (first < 32) {
      ++at_;
      return signed_of(first);
    }
    if (first < 64 && text_.size() - at_ > 1) {
      const std::uint32_t second = bits_of(at_ + 1);
      if (second < 32) {
        at_ += 2;
        return signed_of(second) * 32 + (first & 31U);
      }
    }
    return next_long();
  }

  [[noreturn]] void fail(std::size_t at, const std::string& what) const {
    throw FormatError("Rle: the compressed string of a mask of " + std::to_string(height_) + " x " +
                      std::to_string(width_) + " pixels has " + what + " at character " + std::to_string(at));
  }

 private:
  /// Five bits of a number, and 32 when more follow; from 64 on it is no character of COCO's.
  std::uint32_t bits_of(std::size_t at) const { return static_cast<unsigned char>(text_[at]) - 48U; }
  /// The highest five bits bring the sign.
  static std::int64_t signed_of(std::uint32_t bits) { return static_cast<std::int64_t>(bits ^ 16U) - 16; }

  std::int64_t next_long() {
    const std::size_t start = at_;
    std::int64_t number = 0;
    for (int shift = 0;; shift += 5) {
      if (at_end()) fail(start, "an unfinished number");
      if (shift > 35) fail(start, "a number that is too large");
      const std::uint32_t bits = bits_of(at_);
      if (bits >= 64) fail(at_, "an invalid character");
      ++at_;
      if (bits < 32) return number + signed_of(bits) * (std::int64_t{1} << shift);
      number |= static_cast<std::int64_t>(bits & 31U) << shift;
    }
  }

  std::string_view text_;
  index_t height_;
  index_t width_;
  std::size_t at_ = 0;
};

/// Writes numbers as `RleTextReader` reads them, to a string that grows by pieces.
class RleTextWriter {
 public:
  void add(std::int64_t number) {
    if (size_ + 13 > sizeof(piece_)) flush();
    if (-16 <= number && number < 16) {
      piece_[size_++] = static_cast<char>(48 + (number & 31));
      return;
    }
    for (bool more = true; more;) {
      const std::int64_t bits = number & 31;
      number >>= 5;  // keeps the sign
      more = (bits & 16) != 0 ? number != -1 : number != 0;
      piece_[size_++] = static_cast<char>(48 + bits + (more ? 32 : 0));
    }
  }
  std::string finish() && {
    flush();
    return std::move(text_);
  }

 private:
  void flush() {
    text_.append(piece_, size_);
    size_ = 0;
  }

  std::string text_;
  std::size_t size_ = 0;
  char piece_[512];
};

}  // namespace mrcnn::coco::detail

#endif
