#ifndef MRCNN_EXAMPLES_CLI_COUNTED_HPP
#define MRCNN_EXAMPLES_CLI_COUNTED_HPP

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "printable.hpp"

namespace mrcnn::cli {

/// "3 categories of a.json (17, 18, 91)", with at most three examples.
inline std::string some_of(const std::vector<std::string>& names, const std::string& what) {
  std::string text = std::to_string(names.size()) + " " + what + " (";
  for (std::size_t i = 0; i < names.size() && i < 3; ++i) text += (i == 0 ? "" : ", ") + names[i];
  return text + (names.size() > 3 ? ", ...)" : ")");
}

/// How often something was seen, and where first.
struct Sightings {
  std::int64_t count = 0;
  std::string first;

  template <class Text>
  void add(const Text& text) {
    if (count++ == 0) first = text();
  }
};

inline void warn(const std::string& text) { std::fprintf(stderr, "mrcnn: warning: %s\n", printable(text).c_str()); }

}  // namespace mrcnn::cli

#endif
