#ifndef MRCNN_IO_OUTPUT_FILE_HPP
#define MRCNN_IO_OUTPUT_FILE_HPP

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "mrcnn/core/error.hpp"
#include "mrcnn/io/detail/file.hpp"

namespace mrcnn::io {

/// A file that appears whole or not at all: what is written goes to a temporary beside the target, `commit()` renames
/// it, and without `commit()` the destructor removes it. An existing target keeps its content until then.
///
/// Open it before a long computation, so that a target that can not be written is known at once. A target that exists
/// and is not a regular file (/dev/null, a pipe) is written directly. A symbolic link is followed. Throws: FormatError,
/// naming the target, when it can not be created, written or renamed.
class OutputFile {
 public:
  explicit OutputFile(std::string path) : path_(std::move(path)), target_(path_) {
    std::error_code ignored;
    if (std::filesystem::is_symlink(target_, ignored)) {
      const auto resolved = std::filesystem::weakly_canonical(target_, ignored);
      if (!ignored) target_ = resolved.string();
    }
    struct stat status {};
    const bool exists = ::stat(target_.c_str(), &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) fail("can not be written: is a directory, expected a file name", 0);
    if (exists && ::access(target_.c_str(), W_OK) != 0) fail("can not be written: ", errno);
    if (exists && !S_ISREG(status.st_mode)) {
      descriptor_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
    } else {
      static std::atomic<unsigned> serial{0};
      temporary_ = target_ + ".part-" + std::to_string(::getpid()) + "-" + std::to_string(serial++);
      descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    if (descriptor_ < 0) {
      const int error = errno;
      temporary_.clear();
      if (error == ENOENT) fail("can not be written: its folder does not exist; create it first", 0);
      fail("can not be written: ", error);
    }
  }
  OutputFile(OutputFile&& other) noexcept
      : path_(std::move(other.path_)),
        target_(std::move(other.target_)),
        temporary_(std::exchange(other.temporary_, {})),
        descriptor_(std::exchange(other.descriptor_, -1)) {}
  OutputFile& operator=(OutputFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(target_, other.target_);
    std::swap(temporary_, other.temporary_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~OutputFile() { discard(); }

  /// The target, as it was given.
  const std::string& path() const { return path_; }

  void write(const void* bytes, std::size_t count) {
    const auto* from = static_cast<const char*>(bytes);
    while (count > 0) {
      const ssize_t done = ::write(descriptor_, from, count < (std::size_t{1} << 30) ? count : std::size_t{1} << 30);
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) fail("can not be written: ", errno);
      from += done;
      count -= static_cast<std::size_t>(done);
    }
  }
  void write(std::string_view text) { write(text.data(), text.size()); }

  /// Where the bytes are until `commit`; empty when the target is written directly.
  const std::string& temporary() const { return temporary_; }

  /// Ends writing: nothing can be written after that. `commit` still has to put the file in its place.
  void close() {
    if (descriptor_ >= 0 && ::close(std::exchange(descriptor_, -1)) != 0) fail("can not be written: ", errno);
  }

  /// Closes the file and puts it in its place.
  void commit() {
    close();
    if (!temporary_.empty() && std::rename(temporary_.c_str(), target_.c_str()) != 0)
      fail("can not be put in place: ", errno);
    temporary_.clear();
  }

 private:
  [[noreturn]] void fail(const std::string& text, int error) {
    throw FormatError(path_ + ": " + text + (error != 0 ? detail::system_message(error) : std::string()));
  }
  void discard() noexcept {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    temporary_.clear();
  }

  std::string path_;
  std::string target_;     // where symbolic links lead
  std::string temporary_;  // empty when the target is written directly
  int descriptor_ = -1;
};

}  // namespace mrcnn::io

#endif
