#ifndef MRCNN_EXAMPLES_CLI_FINGERPRINT_HPP
#define MRCNN_EXAMPLES_CLI_FINGERPRINT_HPP

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mrcnn/io/detail/file.hpp"

namespace mrcnn::cli {

/// A number that tells contents apart (FNV-1a, 64 bits): against mistakes, not against malice.
class Fingerprint {
 public:
  void add(std::string_view bytes) {
    for (const char c : bytes) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }
  std::string text() const {
    std::string digits;
    for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[state_ >> shift & 15U];
    return digits;
  }

 private:
  std::uint64_t state_ = 0xCBF29CE484222325ULL;
};

/// That of a file. Throws: FormatError when it can not be read.
inline std::string file_fingerprint(const std::string& path) {
  const io::detail::InputFile file(path);
  Fingerprint fingerprint;
  std::vector<char> chunk(std::size_t{1} << 20);
  for (std::uint64_t at = 0; at < file.size();) {
    const std::uint64_t count = std::min<std::uint64_t>(chunk.size(), file.size() - at);
    file.read(at, chunk.data(), count);
    fingerprint.add({chunk.data(), static_cast<std::size_t>(count)});
    at += count;
  }
  return fingerprint.text();
}

}  // namespace mrcnn::cli

#endif
