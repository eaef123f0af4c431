#ifndef MRCNN_IO_DETAIL_JSON_SYNTAX_HPP
#define MRCNN_IO_DETAIL_JSON_SYNTAX_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "mrcnn/io/json_writer.hpp"

namespace mrcnn::io::detail {

/// Where and why a text is not JSON. The parser proper only says that it failed; this walks the text a second time to
/// say where. It keeps its own stack, so depth can not overflow anything.
class JsonSyntax {
 public:
  struct Problem {
    std::size_t offset;
    std::string text;
  };

  explicit JsonSyntax(std::string_view text) : text_(text) {}

  /// The first problem; its text is empty when there is none.
  Problem find() {
    if (!value()) return problem_;
    while (!open_.empty())
      if (!step()) return problem_;
    space();
    if (at_ < text_.size()) fail("text after the end of the value, expected one JSON value");
    return problem_;
  }

 private:
  /// One element, member or end inside the innermost array or object.
  bool step() {
    const bool object = open_.back().object;
    const bool first = open_.back().first;
    const char closing = object ? '}' : ']';
    space();
    if (peek() == closing) {
      ++at_;
      open_.pop_back();
      return true;
    }
    if (!first) {
      if (peek() != ',') return fail(std::string("found ") + here() + ", expected ',' or '" + closing + "'");
      ++at_;
      space();
    }
    open_.back().first = false;
    if (!object) return value();
    if (peek() != '"') return fail("found " + here() + ", expected a key in double quotes");
    if (!string()) return false;
    space();
    if (peek() != ':') return fail("found " + here() + ", expected ':' after the key");
    ++at_;
    return value();
  }

  bool value() {
    space();
    const char c = peek();
    if (c == '{' || c == '[') {
      open_.push_back({c == '{', true});
      ++at_;
      return true;
    }
    if (c == '"') return string();
    if (c == '-' || (c >= '0' && c <= '9')) return number();
    for (const std::string_view word : {"true", "false", "null"})
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return true;
      }
    return fail("found " + here() + ", expected a value");
  }

  bool string() {
    ++at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c < 0x20) return fail("a control character inside a string; write it as \\u00..");
      if (c == '\\') {
        if (at_ + 1 >= text_.size()) break;
        if (std::string_view("\"\\/bfnrtu").find(text_[at_ + 1]) == std::string_view::npos)
          return fail("an unknown escape inside a string, expected one of JSON's such as \\n or \\u00e9");
        at_ += 2;
        continue;
      }
      const std::size_t length = utf8_sequence(text_, at_);
      if (length == 0) return fail("a byte that is not UTF-8, expected JSON in UTF-8");
      at_ += length;
    }
    if (at_ >= text_.size()) return fail("the text ends inside a string, expected '\"'");
    ++at_;
    return true;
  }

  bool digits() {
    const std::size_t start = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > start || fail("found " + here() + ", expected a digit");
  }
  bool number() {
    if (peek() == '-') ++at_;
    const bool zero = peek() == '0';
    const std::size_t start = at_;
    if (!digits()) return false;
    if (zero && at_ > start + 1) return fail("a number with a leading zero, expected JSON numbers such as 10 or 0.5");
    if (peek() == '.') {
      ++at_;
      if (!digits()) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return false;
    }
    return true;
  }

  void space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  std::string here() const {
    if (at_ >= text_.size()) return "the end of the text";
    const auto c = static_cast<unsigned char>(text_[at_]);
    return c >= 0x20 && c < 0x7F ? std::string("'") + text_[at_] + "'" : "byte " + std::to_string(c);
  }
  bool fail(std::string text) {
    problem_ = {at_, std::move(text)};
    return false;
  }

  struct Open {
    bool object;
    bool first;
  };
  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Open> open_;
  Problem problem_{0, {}};
};

}  // namespace mrcnn::io::detail

#endif
