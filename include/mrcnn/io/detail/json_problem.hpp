#ifndef MRCNN_IO_DETAIL_JSON_PROBLEM_HPP
#define MRCNN_IO_DETAIL_JSON_PROBLEM_HPP

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "mrcnn/io/detail/json_syntax.hpp"

namespace mrcnn::io::detail {

/// "file:line:column: " for a place in a text; both count from 1, columns in bytes.
inline std::string text_place(std::string_view text, std::size_t offset, const std::string& name) {
  const std::string_view before = text.substr(0, std::min(text.size(), offset));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  std::size_t start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  if (start == 0 && text.substr(0, 3) == "\xEF\xBB\xBF") start = 3;
  return name + ":" + std::to_string(line) + ":" + std::to_string(before.size() - std::min(start, before.size()) + 1) +
         ": ";
}

/// The key of the member whose value begins at `offset`; empty when there is none.
inline std::string_view key_before(std::string_view text, std::size_t offset) {
  const auto skip_space = [&] {
    while (offset > 0 && std::string_view(" \t\r\n").find(text[offset - 1]) != std::string_view::npos) --offset;
  };
  skip_space();
  if (offset == 0 || text[--offset] != ':') return {};
  skip_space();
  if (offset == 0 || text[--offset] != '"') return {};
  const std::size_t quote = text.rfind('"', offset - 1);
  return offset == 0 || quote == std::string_view::npos ? std::string_view()
                                                        : text.substr(quote + 1, offset - quote - 1);
}

/// A number at `offset` outside of strings that is JSON, but that neither 64 bits of an integer nor a double hold;
/// empty when it is none of these.
inline std::string_view oversized_number(std::string_view text, std::size_t offset) {
  const std::size_t end = std::min(text.size(), text.find_first_not_of("+-.eE0123456789", offset));
  const std::string_view token = text.substr(offset, end - offset);
  const char* last = token.data() + token.size();
  if (token.find_first_of(".eE") == std::string_view::npos) {
    std::int64_t negative = 0;
    std::uint64_t positive = 0;
    const bool fits = token.substr(0, 1) == "-" ? std::from_chars(token.data(), last, negative).ec == std::errc()
                                                : std::from_chars(token.data(), last, positive).ec == std::errc();
    return fits ? std::string_view() : token;
  }
  double number = 0;
  const bool fits = std::from_chars(token.data(), last, number).ec == std::errc();
  const bool tiny = token.find("e-") != std::string_view::npos || token.find("E-") != std::string_view::npos;
  return fits || tiny ? std::string_view() : token;
}

/// The first number of a JSON text that is too large; `text.size()` for none.
inline std::size_t find_oversized_number(std::string_view text) {
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      if (!oversized_number(text, at).empty()) return at;
      at = std::min(text.size(), text.find_first_not_of("+-.eE0123456789", at)) - 1;
    }
  }
  return text.size();
}

/// Why a text can not be read as JSON, with file, line and column; `otherwise` when nothing is found. O(text).
inline std::string json_problem(std::string_view all, const std::string& name, const std::string& otherwise) {
  const std::size_t skipped = all.substr(0, 3) == "\xEF\xBB\xBF" ? 3 : 0;
  const auto named = [&](std::size_t offset, std::string_view what) {
    const std::string_view key = key_before(all, offset);
    return (key.empty() ? std::string("a value") : std::string(key)) + " is " + std::string(what);
  };
  const auto problem = JsonSyntax(all.substr(skipped)).find();
  if (problem.text.empty()) {
    const std::size_t offset = find_oversized_number(all);
    if (offset == all.size()) return name + ": can not be read as JSON: " + otherwise;
    return text_place(all, offset, name) + named(offset, oversized_number(all, offset)) +
           ", expected a number that 64 bits can hold";
  }
  std::size_t offset = problem.offset + skipped;
  if (offset > 0 && all.substr(offset, 8) == "Infinity" && all[offset - 1] == '-') --offset;
  for (const std::string_view word : {"NaN", "Infinity", "-Infinity"})
    if (all.substr(offset, word.size()) == word)
      return text_place(all, offset, name) + named(offset, word) +
             ", which is not JSON; expected a finite number (Python's json module writes such words)";
  return text_place(all, problem.offset + skipped, name) + "is not JSON: " + problem.text;
}

}  // namespace mrcnn::io::detail

#endif
