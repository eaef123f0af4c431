#ifndef MRCNN_IO_DETAIL_NEAREST_NAME_HPP
#define MRCNN_IO_DETAIL_NEAREST_NAME_HPP

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace mrcnn::io::detail {

inline std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}
inline std::string upper_case(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

/// How many characters must be inserted, removed or replaced to turn one text into the other (Levenshtein).
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

/// "; did you mean 'num_classes'?" with the nearest of the known names, ignoring case; empty when none is near.
template <class Names>
std::string did_you_mean(std::string_view name, const Names& known) {
  if (name.size() > 100) return {};
  std::string nearest;
  std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(lower_case(std::string(name)), lower_case(std::string(candidate)));
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest.empty() ? std::string() : "; did you mean '" + nearest + "'?";
}

}  // namespace mrcnn::io::detail

#endif
