#ifndef MRCNN_EXAMPLES_CLI_PRINTABLE_HPP
#define MRCNN_EXAMPLES_CLI_PRINTABLE_HPP

#include <string>

namespace mrcnn::cli {

/// The text on one line: control characters, which a file name may hold, as \n, \t or \x1b.
inline std::string printable(const std::string& text) {
  constexpr const char* digits = "0123456789abcdef";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F)
      result += c;
    else if (c == '\n' || c == '\t')
      result += c == '\n' ? "\\n" : "\\t";
    else
      result += std::string("\\x") + digits[byte >> 4] + digits[byte & 15U];
  }
  return result;
}

}  // namespace mrcnn::cli

#endif
