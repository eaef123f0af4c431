#ifndef MRCNN_IO_JSON_WRITER_HPP
#define MRCNN_IO_JSON_WRITER_HPP

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mrcnn/core/error.hpp"

namespace mrcnn::io {

namespace detail {

/// Length of the valid UTF-8 sequence at text[i], 0 when there is none there (RFC 3629: no surrogates, no overlong
/// forms).
inline std::size_t utf8_sequence(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U; };
  const auto follows = [&](std::size_t k) { return (byte(k) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) > 0x9F;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && byte(1) < 0x90;
    const bool too_large = first == 0xF4 && byte(1) > 0x8F;
    return follows(1) && follows(2) && follows(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

}  // namespace detail

/// Appends a string as JSON, with its quotes. Quotes, backslashes and all control characters (also 0x7F) are escaped;
/// UTF-8 passes through; a byte that is not UTF-8 becomes U+FFFD, so the output is valid whatever comes in.
inline void append_json_string(std::string& out, std::string_view text) {
  constexpr char hex[] = "0123456789abcdef";
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const auto code = static_cast<unsigned char>(c);
    const std::size_t length = detail::utf8_sequence(text, i);
    if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (code < 0x20 || code == 0x7F) {
      out += "\\u00";
      out += hex[code >> 4];
      out += hex[code & 15];
    } else if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else {
      out.append(text, i, length);
    }
    i += length == 0 ? 1 : length;
  }
  out += '"';
}

struct JsonWriterOptions {
  /// Spaces for each level; -1 writes everything on one line.
  int indent = -1;
};

/// Writes JSON text piece by piece, in order:
/// `JsonWriter w; w.begin_object().member("score",
/// 0.5F).key("box").begin_array().value(1).value(2).end_array().end_object();`
///
/// Floating-point numbers are written with the fewest digits that read back as the same float or double. JSON has no
/// NaN and no infinity: they throw Error. Structure is checked: a value without a key in an object, a key in an array
/// or a superfluous end throw Error, as does `text()` before everything is closed.
class JsonWriter {
 public:
  JsonWriter() = default;
  explicit JsonWriter(const JsonWriterOptions& options) : options_(options) {}

  JsonWriter& begin_object() { return begin('{'); }
  JsonWriter& end_object() { return end('{', '}'); }
  JsonWriter& begin_array() { return begin('['); }
  JsonWriter& end_array() { return end('[', ']'); }

  JsonWriter& key(std::string_view name) {
    if (levels_.empty() || levels_.back().kind != '{' || has_key_)
      throw Error("JsonWriter: a key is not expected here");
    separate();
    append_json_string(text_, name);
    text_ += options_.indent < 0 ? ":" : ": ";
    has_key_ = true;
    return *this;
  }

  JsonWriter& value(std::string_view text) {
    before_value();
    append_json_string(text_, text);
    return *this;
  }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool truth) { return raw(truth ? "true" : "false"); }
  JsonWriter& null() { return raw("null"); }
  template <class Number>
    requires((std::integral<Number> || std::floating_point<Number>) && !std::same_as<Number, bool>)
  JsonWriter& value(Number number) {
    char digits[64];
    char* end = digits;
    if constexpr (std::floating_point<Number>) {
      if (!std::isfinite(number)) throw Error("JsonWriter: NaN and infinity can not be written as JSON");
      // Without an exponent, readers would take a large one for an integer beyond 64 bits.
      const bool large = std::fabs(number) >= Number{1e15F};
      end = large ? std::to_chars(digits, digits + sizeof digits, number, std::chars_format::scientific).ptr
                  : std::to_chars(digits, digits + sizeof digits, number).ptr;
    } else {
      end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    }
    return raw(std::string_view(digits, static_cast<std::size_t>(end - digits)));
  }
  /// A value that is JSON already; not checked.
  JsonWriter& raw(std::string_view json) {
    before_value();
    text_ += json;
    return *this;
  }

  /// Members that are JSON already, `"a":1,"b":[2]`; not checked. None when empty.
  JsonWriter& raw_members(std::string_view json) {
    if (levels_.empty() || levels_.back().kind != '{' || has_key_)
      throw Error("JsonWriter: members are not expected here");
    if (json.empty()) return *this;
    separate();
    text_ += json;
    return *this;
  }

  template <class T>
  JsonWriter& member(std::string_view name, const T& content) {
    return key(name).value(content);
  }

  /// The finished text. Throws Error when something is still open.
  const std::string& text() const {
    if (!levels_.empty() || text_.empty()) throw Error("JsonWriter: the text is not finished");
    return text_;
  }

 private:
  struct Level {
    char kind;
    bool empty = true;
  };

  void new_line() {
    if (options_.indent < 0) return;
    text_ += '\n';
    text_.append(levels_.size() * static_cast<std::size_t>(options_.indent), ' ');
  }
  void separate() {
    if (!levels_.back().empty) text_ += ',';
    levels_.back().empty = false;
    new_line();
  }
  void before_value() {
    if (levels_.empty()) {
      if (!text_.empty()) throw Error("JsonWriter: only one value at the top");
    } else if (levels_.back().kind == '{') {
      if (!has_key_) throw Error("JsonWriter: a value in an object needs a key");
      has_key_ = false;
    } else {
      separate();
    }
  }
  JsonWriter& begin(char kind) {
    before_value();
    text_ += kind;
    levels_.push_back({kind});
    return *this;
  }
  JsonWriter& end(char kind, char closing) {
    if (levels_.empty() || levels_.back().kind != kind || has_key_)
      throw Error("JsonWriter: an end is not expected here");
    const bool empty = levels_.back().empty;
    levels_.pop_back();
    if (!empty) new_line();
    text_ += closing;
    return *this;
  }

  JsonWriterOptions options_;
  std::string text_;
  std::vector<Level> levels_;
  bool has_key_ = false;
};

}  // namespace mrcnn::io

#endif
