#ifndef MRCNN_IO_DETAIL_JSON_SPLITTER_HPP
#define MRCNN_IO_DETAIL_JSON_SPLITTER_HPP

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mrcnn/detail/simd.hpp"

namespace mrcnn::io::detail {

/// Whole elements of an array, and the commas between them.
struct JsonChunk {
  std::size_t array;       ///< which of the names
  std::size_t repeated;    ///< how many arrays of this name came before
  std::uint64_t first;     ///< position of the first element in the array
  std::uint64_t elements;  ///< if the text is JSON
  std::size_t begin;       ///< in the text that was last given to `advance`
  std::size_t end;
};

/// Takes a JSON text apart that arrives piece by piece: into chunks of the elements of some arrays, and a skeleton that
/// is the text without those elements. It looks at quotes, brackets and commas only. The text is JSON if and only if
/// the skeleton and all chunks, each between brackets, are, and `broken()` is false.
class JsonSplitter {
 public:
  /// @param names  members of the object at the top whose values, where they are arrays, are taken apart; none: the
  ///               text is an array and is taken apart itself
  JsonSplitter(std::span<const std::string_view> names, std::size_t chunk_bytes)
      : names_(names.begin(), names.end()), chunk_bytes_(chunk_bytes), level_(names.empty() ? 1 : 2) {}

  /// Looks at text[from, size), where text[0, from) is what `kept_from()` left of the piece before, and appends the
  /// chunks that end in it.
  void advance(std::string_view text, std::size_t from, std::vector<JsonChunk>& chunks) {
    chunk_begin_ = 0;
    std::size_t at = from;
    while (at < text.size() && !broken_) at = in_array_ ? scan_elements(text, at, chunks) : scan_skeleton(text, at);
    if (!in_array_) chunk_begin_ = text.size();
  }
  /// What lies from here on belongs to no chunk yet.
  std::size_t kept_from() const { return chunk_begin_; }

  /// Whether an array is open, and its chunk that has no end yet, as an empty one.
  bool in_array() const { return in_array_; }
  JsonChunk unfinished() const { return {array_, seen_[array_] - 1, first_, 0, chunk_begin_, chunk_begin_}; }

  const std::string& skeleton() const { return skeleton_; }
  /// The text is not JSON, whatever comes, or is of the other kind.
  bool broken() const { return broken_; }
  /// The first character that is not white space; 0 before it.
  char top() const { return top_; }
  /// Whether the value at the top is not the array or the object that it should be.
  bool is_other_kind() const { return top_ != '\0' && top_ != (names_.empty() ? '[' : '{'); }
  /// How many arrays of this name were taken apart.
  std::size_t times_seen(std::size_t name) const { return name < seen_.size() ? seen_[name] : 0; }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

  std::size_t scan_skeleton(std::string_view text, std::size_t at) {
    for (; at < text.size(); ++at) {
      const char c = text[at];
      if (in_string_) {
        skeleton_ += c;
        if (escaped_)
          escaped_ = false;
        else if (c == '\\')
          escaped_ = true;
        else if (c == '"')
          end_string();
        continue;
      }
      if (is_space(c)) {
        if (skeleton_.empty() || skeleton_.back() != ' ') skeleton_ += ' ';
        continue;
      }
      skeleton_ += c;
      if (top_ == '\0') top_ = c;
      if (is_other_kind()) {
        broken_ = true;
        return text.size();
      }
      const bool is_value = after_colon_;
      after_colon_ = false;
      if (c == '"') {
        in_string_ = true;
        string_begin_ = skeleton_.size();
      } else if (c == ':' && depth_ == 1) {
        after_colon_ = true;
      } else if (c == '[' && begins_elements(is_value)) {
        ++depth_;
        begin_elements(at + 1);
        return at + 1;
      } else if (c == '{' || c == '[') {
        ++depth_;
      } else if (c == '}' || c == ']') {
        broken_ = depth_ == 0;
        if (broken_) return text.size();
        --depth_;
      }
    }
    return at;
  }
  void end_string() {
    in_string_ = false;
    if (depth_ != 1) return;
    key_.assign(skeleton_, string_begin_, skeleton_.size() - 1 - string_begin_);
    if (key_.find('\\') == std::string::npos) return;
    simdjson::dom::parser parser;
    std::string_view text;
    if (parser.parse('"' + key_ + '"').get_string().get(text) == simdjson::SUCCESS) key_ = std::string(text);
  }
  bool begins_elements(bool is_value) {
    if (names_.empty()) return depth_ == 0 && times_seen(0) == 0;
    if (depth_ != 1 || !is_value || top_ != '{') return false;
    const auto name = std::find(names_.begin(), names_.end(), key_);
    array_ = static_cast<std::size_t>(name - names_.begin());
    return name != names_.end();
  }
  void begin_elements(std::size_t at) {
    in_array_ = true;
    seen_.resize(std::max<std::size_t>(1, names_.size()));
    ++seen_[array_];
    chunk_begin_ = at;
    first_ = 0;
    commas_ = 0;
  }

  std::size_t scan_elements(std::string_view text, std::size_t at, std::vector<JsonChunk>& chunks) {
    while (in_array_ && at + 64 <= text.size()) at = scan_block(text, at, chunks);
    for (; in_array_ && at < text.size(); ++at) {
      const char c = text[at];
      if (in_string_) {
        if (escaped_)
          escaped_ = false;
        else if (c == '\\')
          escaped_ = true;
        else if (c == '"')
          in_string_ = false;
      } else if (c == '"') {
        in_string_ = true;
      } else if (c == '{' || c == '[') {
        ++depth_;
      } else if (c == '}' || c == ']') {
        close(text, at, chunks);
      } else if (c == ',' && depth_ == level_) {
        comma(text, at, chunks);
      }
    }
    return at;
  }

  /// 64 bytes at once. Outside of strings a backslash counts as in them: such a text is refused, whatever comes of it.
  std::size_t scan_block(std::string_view text, std::size_t at, std::vector<JsonChunk>& chunks) {
    const mrcnn::detail::ByteBlock block(text.data() + at);
    const std::uint64_t quotes = block.equal('"') & ~escaped_bytes(block.equal('\\'));
    if (quotes == 0 && in_string_) return at + 64;
    const std::uint64_t strings = string_bytes(quotes);
    const std::uint64_t opening = block.equal('{', 0x20) & ~strings;  // [ and {
    const std::uint64_t closing = block.equal('}', 0x20) & ~strings;
    if (closing == 0 && depth_ > level_) {
      for (std::uint64_t left = opening; left != 0; left &= left - 1) ++depth_;
      return at + 64;
    }
    const std::uint64_t commas = block.equal(',') & ~strings;
    std::uint64_t seen = 0;  // bytes before and at the last bracket
    for (std::uint64_t left = opening | closing; left != 0; left &= left - 1) {
      const std::uint64_t bracket = left & -left;
      if (depth_ == level_) each_comma(text, at, commas & (bracket - 1) & ~seen, chunks);
      seen = bracket | (bracket - 1);
      if ((opening & bracket) != 0) {
        ++depth_;
      } else if (const std::size_t place = at + lowest(bracket); !close(text, place, chunks)) {
        in_string_ = escaped_ = false;
        return place + 1;
      }
    }
    if (depth_ == level_) each_comma(text, at, commas & ~seen, chunks);
    return at + 64;
  }
  static std::size_t lowest(std::uint64_t bits) { return static_cast<std::size_t>(std::countr_zero(bits)); }

  /// The bytes behind backslashes that are not escaped themselves.
  std::uint64_t escaped_bytes(std::uint64_t backslashes) {
    std::uint64_t escaped = escaped_ ? 1 : 0;
    escaped_ = false;
    backslashes &= ~escaped;
    while (backslashes != 0) {
      const std::uint64_t first = backslashes & -backslashes;
      escaped |= first << 1U;
      escaped_ = first >> 63U != 0;
      backslashes &= ~(first | first << 1U);
    }
    return escaped;
  }
  /// The bytes from each opening quote up to the closing one.
  std::uint64_t string_bytes(std::uint64_t quotes) {
    if (quotes == 0) return 0;
    for (unsigned step = 1; step < 64; step *= 2) quotes ^= quotes << step;  // bit i: quotes in [0, i], odd or even
    if (in_string_) quotes = ~quotes;
    in_string_ = quotes >> 63U != 0;
    return quotes;
  }
  void each_comma(std::string_view text, std::size_t at, std::uint64_t commas, std::vector<JsonChunk>& chunks) {
    for (; commas != 0; commas &= commas - 1) comma(text, at + lowest(commas), chunks);
  }

  void comma(std::string_view text, std::size_t at, std::vector<JsonChunk>& chunks) {
    if (at - chunk_begin_ >= chunk_bytes_)
      cut(text, at, chunks);
    else
      ++commas_;
  }
  /// False when that was the end of the array.
  bool close(std::string_view text, std::size_t at, std::vector<JsonChunk>& chunks) {
    if (--depth_ >= level_) return true;
    end_elements(text, at, chunks);
    skeleton_ += text[at];
    return false;
  }
  void cut(std::string_view text, std::size_t at, std::vector<JsonChunk>& chunks) {
    if (broken_) return;
    // Several elements are looked at by whoever parses them; where there is none, only this place can tell.
    if (commas_ == 0 && std::all_of(text.begin() + static_cast<std::ptrdiff_t>(chunk_begin_),
                                    text.begin() + static_cast<std::ptrdiff_t>(at), is_space))
      broken_ = true;
    else
      chunks.push_back({array_, seen_[array_] - 1, first_, commas_ + 1, chunk_begin_, at});
    first_ += commas_ + 1;
    commas_ = 0;
    chunk_begin_ = at + 1;
  }
  void end_elements(std::string_view text, std::size_t at, std::vector<JsonChunk>& chunks) {
    in_array_ = false;
    const bool empty = first_ == 0 && commas_ == 0 &&
                       std::all_of(text.begin() + static_cast<std::ptrdiff_t>(chunk_begin_),
                                   text.begin() + static_cast<std::ptrdiff_t>(at), is_space);
    if (!empty) cut(text, at, chunks);
  }

  std::vector<std::string_view> names_;
  std::size_t chunk_bytes_;
  std::uint64_t level_;  // depth of the elements
  std::string skeleton_;
  std::string key_;  // the last string of the object at the top
  std::vector<std::size_t> seen_;
  std::size_t string_begin_ = 0;
  std::uint64_t depth_ = 0;
  std::size_t array_ = 0;
  std::uint64_t first_ = 0;
  std::uint64_t commas_ = 0;
  std::size_t chunk_begin_ = 0;
  char top_ = '\0';
  bool in_string_ = false;
  bool escaped_ = false;
  bool after_colon_ = false;
  bool in_array_ = false;
  bool broken_ = false;
};

}  // namespace mrcnn::io::detail

#endif
