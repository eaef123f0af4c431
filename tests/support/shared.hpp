#ifndef MRCNN_TESTS_SUPPORT_SHARED_HPP
#define MRCNN_TESTS_SUPPORT_SHARED_HPP

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace mrcnn::test {

/// The folder of reference tensors, weights and photographs: environment variable MRCNN_SHARED, else the folder `shared`
/// beside the source tree. It is not part of the repository; tests that read it are skipped where it is absent.
inline std::filesystem::path shared_root() {
  if (const char* named = std::getenv("MRCNN_SHARED"); named != nullptr && *named != '\0') return named;
#if defined(MRCNN_SHARED_DEFAULT)
  return MRCNN_SHARED_DEFAULT;
#else
  return std::filesystem::absolute("../shared");
#endif
}

/// A file of that folder: `shared_path("golden/seeded_r50/case_a.json")`.
inline std::filesystem::path shared_path(const std::string& relative) { return shared_root() / relative; }

inline bool shared_available() {
  std::error_code ignored;
  return std::filesystem::is_directory(shared_root() / "golden", ignored);
}

/// Whether a test that lacks the folder must fail instead of being skipped: environment variable MRCNN_REQUIRE_SHARED.
inline bool shared_required() {
  const char* value = std::getenv("MRCNN_REQUIRE_SHARED");
  return value != nullptr && *value != '\0' && std::string(value) != "0";
}

}  // namespace mrcnn::test

#endif
