#ifndef MRCNN_IO_DETAIL_PLAIN_JSON_HPP
#define MRCNN_IO_DETAIL_PLAIN_JSON_HPP

#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "mrcnn/detail/simd.hpp"

namespace mrcnn::io::detail {

/// Walks over plain JSON: what programs write most of the time. Each function goes over one thing and returns true, or
/// returns false when it is not there or not plain; then nothing is said about the text, and a parser has to look at it.
/// What is accepted is JSON, and means the same as to a parser.
class PlainJson {
 public:
  /// Bytes behind the text that can be read, whatever they hold.
  static constexpr std::size_t padding = 64;

  explicit PlainJson(std::string_view text) : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {}

  bool at_end() {
    skip_space();
    return at_ == end_;
  }
  /// A bracket, comma or colon, and the white space before it.
  bool take(char c) {
    skip_space();
    if (at_ >= end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  /// The next character that is not white space, not taken; 0 at the end.
  char peek() {
    skip_space();
    return at_ < end_ ? *at_ : '\0';
  }

  /// An integer of at most 18 digits.
  bool integer(std::int64_t& value) {
    skip_space();
    const bool negative = at_ < end_ && *at_ == '-';
    const char* digit = at_ + (negative ? 1 : 0);
    const char* first = digit;
    std::uint64_t number = 0;
    for (; digit < end_ && is_digit(*digit); ++digit) number = number * 10 + static_cast<std::uint64_t>(*digit - '0');
    const auto digits = digit - first;
    if (digits == 0 || digits > 18 || (digits > 1 && *first == '0') || !ends_number(digit)) return false;
    at_ = digit;
    value = negative ? -static_cast<std::int64_t>(number) : static_cast<std::int64_t>(number);
    return true;
  }

  /// Any number that a double holds, rounded correctly.
  bool number(double& value) {
    skip_space();
    if (at_ >= end_) return false;
    const bool negative = *at_ == '-';
    const char* first = at_ + (negative ? 1 : 0);
    // Eight bytes at once: digits become 0..9, and a top bit marks what is none.
    std::uint64_t word = little_endian(first) ^ repeated('0');
    std::uint64_t others = (((word & low_bits) + repeated(0x80 - 10)) | word) & ~low_bits;
    if (others == 0) return long_number(first, negative, value);
    const int whole = std::countr_zero(others) / 8;
    int digits = whole;
    const bool point = first[whole] == '.';
    if (point) {
      others &= others - 1;
      if (others == 0) return long_number(first, negative, value);
      digits = std::countr_zero(others) / 8 - 1;
      const std::uint64_t before = (std::uint64_t{1} << (8 * whole)) - 1;
      word = (word & before) | (word >> 8U & ~before);
    }
    const char* last = first + digits + (point ? 1 : 0);
    if (whole == 0 || (point && digits == whole) || (whole > 1 && *first == '0')) return false;
    if (!ends_number(last)) return long_number(first, negative, value);
    const auto count = static_cast<double>(eight_digits(word << (64 - 8 * digits)));
    const double size = point ? count / power_of_ten(digits - whole) : count;
    value = negative && (point || count != 0) ? -size : size;  // the integer -0 is 0
    at_ = last;
    return true;
  }

  /// An array of one number or more, appended. The commas of 64 bytes are found at once, so that no number has to wait
  /// for the end of the one before.
  bool numbers(std::vector<double>& values) {
    if (!take('[')) return false;
    const char* first = at_;
    for (const char* place = at_; place < end_; place += 64) {
      const mrcnn::detail::ByteBlock block(place);
      const std::uint64_t inside = end_ - place < 64 ? (std::uint64_t{1} << (end_ - place)) - 1 : ~std::uint64_t{0};
      const std::uint64_t closing = block.equal(']') & inside;
      const std::uint64_t last = closing & -closing;
      std::uint64_t ends = (block.equal(',') & inside & (last - 1)) | last;
      for (; ends != 0; ends &= ends - 1) {
        const char* end = place + std::countr_zero(ends);
        if (!short_number(first, end, values.emplace_back())) {
          at_ = first;
          if (!number(values.back())) return false;
          skip_space();
          if (at_ != end) return false;
        }
        first = end + 1;
      }
      if (last != 0) {
        at_ = first;
        return true;
      }
    }
    return false;
  }

  /// A string of printable ASCII without escapes other than \\ and \"; `text` is what it stands for.
  bool string(std::string& text, bool* has_escapes = nullptr) {
    if (!take('"')) return false;
    text.clear();
    if (has_escapes != nullptr) *has_escapes = false;
    const char* begin = at_;
    while (true) {
      const mrcnn::detail::ByteBlock block(at_);
      const std::uint64_t special = block.equal('"') | block.equal('\\') | block.equal('\x7F') | block.not_printable();
      if (special == 0) {
        at_ += 64;
        if (at_ >= end_) return false;
        continue;
      }
      at_ += std::countr_zero(special);
      if (at_ >= end_) return false;
      if (*at_ == '"') {
        text.append(begin, at_++);
        return true;
      }
      if (*at_ != '\\' || (at_[1] != '\\' && at_[1] != '"')) return false;
      if (has_escapes != nullptr) *has_escapes = true;
      text.append(begin, at_);
      begin = at_ + 1;
      at_ += 2;
      if (at_ >= end_) return false;
    }
  }

  /// The key of a member and its colon: letters, digits and _ only, up to 31 of them.
  bool key(std::string_view& name) {
    if (!take('"')) return false;
    const char* begin = at_;
    for (int length = 0; length < 32 && at_ < end_; ++length, ++at_)
      if (*at_ == '"') {
        name = {begin, static_cast<std::size_t>(at_++ - begin)};
        return take(':');
      } else if (!is_digit(*at_) && *at_ != '_' && ((*at_ | 0x20) < 'a' || (*at_ | 0x20) > 'z')) {
        return false;
      }
    return false;
  }

 private:
  static constexpr std::uint64_t low_bits = 0x7F7F7F7F7F7F7F7FU;

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  /// Whether a number can end before this place: no fraction and no exponent follow, nor anything that is no JSON.
  bool ends_number(const char* at) const {
    return at >= end_
               ? at == end_
               : *at == ',' || *at == ']' || *at == '}' || *at == ' ' || *at == '\n' || *at == '\r' || *at == '\t';
  }
  void skip_space() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  static constexpr std::uint64_t repeated(unsigned byte) { return std::uint64_t{0x0101010101010101U} * byte; }
  static std::uint64_t little_endian(const char* bytes) {
    std::uint64_t word = 0;
    if constexpr (std::endian::native == std::endian::little) {
      std::memcpy(&word, bytes, 8);
    } else {
      for (int i = 7; i >= 0; --i) word = word << 8U | static_cast<unsigned char>(bytes[i]);
    }
    return word;
  }
  /// Eight bytes that hold 0..9, the first digit lowest, as a number: pairs, then fours, then all eight.
  static std::uint64_t eight_digits(std::uint64_t bytes) {
    const std::uint64_t pairs = (bytes * 10 + (bytes >> 8U)) & 0x00FF00FF00FF00FFU;
    const std::uint64_t fours = (pairs * 100 + (pairs >> 16U)) & 0x0000FFFF0000FFFFU;
    return (fours * 10000 + (fours >> 32U)) & 0xFFFFFFFFU;
  }
  static double power_of_ten(int exponent) {
    constexpr double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};
    return powers[exponent];
  }
  /// The number between two places, if it has up to eight characters that are digits and perhaps a point; one space may
  /// come before.
  bool short_number(const char* first, const char* last, double& value) const {
    if (*first == ' ') ++first;
    const auto length = last - first;
    if (length < 1 || length > 8 || last - begin_ < 8) return false;
    const int before = static_cast<int>(8 - length);  // bytes of the word that come before the number
    std::uint64_t word = (little_endian(last - 8) ^ repeated('0')) & ~std::uint64_t{0} << (8 * before);
    const std::uint64_t no_point = word ^ repeated('.' ^ '0');
    const std::uint64_t points = ~(((no_point & low_bits) + low_bits) | no_point) & ~low_bits;
    int whole = static_cast<int>(length);
    int fraction = 0;
    if (points != 0) {
      const int point = std::countr_zero(points) / 8;
      whole = point - before;
      fraction = 7 - point;
      const std::uint64_t left = (std::uint64_t{1} << (8 * point)) - 1;
      word = (word & left) << 8U | (word & ~left & ~(std::uint64_t{0xFF} << (8 * point)));
      if (whole == 0 || fraction == 0) return false;
    }
    if (((((word & low_bits) + repeated(0x80 - 10)) | word) & ~low_bits) != 0) return false;
    if (whole > 1 && *first == '0') return false;
    value = static_cast<double>(eight_digits(word)) / power_of_ten(fraction);
    return true;
  }
  bool digits(const char*& at) const {
    const char* first = at;
    while (at < end_ && is_digit(*at)) ++at;
    return at > first;
  }
  bool long_number(const char* first, bool negative, double& value) {
    const char* at = first;
    if (!digits(at) || (at - first > 1 && *first == '0')) return false;
    bool whole = true;
    if (at < end_ && *at == '.') {
      whole = false;
      if (!digits(++at)) return false;
    }
    if (at < end_ && (*at == 'e' || *at == 'E')) {
      whole = false;
      ++at;
      if (at < end_ && (*at == '+' || *at == '-')) ++at;
      if (!digits(at)) return false;
    }
    // Integers of 64 bits and numbers beyond a double are for the parser to judge.
    if (!ends_number(at) || (whole && at - first > 15)) return false;
    double size = 0;
    const auto result = std::from_chars(first, at, size);
    if (result.ec != std::errc() || result.ptr != at) return false;
    value = negative && !(whole && size == 0) ? -size : size;
    at_ = at;
    return true;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
};

}  // namespace mrcnn::io::detail

#endif
