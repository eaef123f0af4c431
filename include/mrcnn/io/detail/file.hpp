#ifndef MRCNN_IO_DETAIL_FILE_HPP
#define MRCNN_IO_DETAIL_FILE_HPP

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "mrcnn/core/error.hpp"

namespace mrcnn::io::detail {

/// What the system says about an errno value, in one line. The message alone: the caller names the file.
inline std::string system_message(int error) {
  switch (error) {
    case ENOENT: return "no such file";
    case EACCES: return "permission denied";
    case EISDIR: return "is a directory, expected a file";
    case ENOSPC: return "no space left on the disk";
    case EROFS: return "the file system is read-only";
    default: return std::strerror(error);  // NOLINT(concurrency-mt-unsafe): glibc's is safe for known numbers
  }
}

/// A regular file open for reading at any position. Reading is safe from several threads at once.
class InputFile {
 public:
  /// Throws: FormatError when the path is missing, not readable, or not a regular file.
  explicit InputFile(std::string path) : path_(std::move(path)) {
    descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // does not wait for a pipe's writer
    if (descriptor_ < 0) {
      const char* hint = errno == ENOENT || errno == ENOTDIR ? "; check the path"
                         : errno == EACCES                   ? "; allow reading it"
                                                             : ", expected a file to read";
      throw FormatError(path_ + ": can not be opened: " + system_message(errno) + hint);
    }
    struct stat status {};
    const bool known = ::fstat(descriptor_, &status) == 0;
    if (!known || !S_ISREG(status.st_mode)) {
      const std::string reason = !known                    ? system_message(errno)
                                 : S_ISDIR(status.st_mode) ? system_message(EISDIR)
                                                           : "is not a regular file, expected a file";
      ::close(descriptor_);
      throw FormatError(path_ + ": can not be read: " + reason);
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
  }
  InputFile(InputFile&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}
  InputFile& operator=(InputFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~InputFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  const std::string& path() const { return path_; }
  /// Bytes in the file when it was opened.
  std::uint64_t size() const { return size_; }

  /// Copies bytes [offset, offset + count) of the file. Throws: FormatError when the file has grown shorter than that.
  void read(std::uint64_t offset, void* destination, std::uint64_t count) const {
    auto* to = static_cast<char*>(destination);
    while (count > 0) {
      const std::size_t step = static_cast<std::size_t>(std::min<std::uint64_t>(count, std::uint64_t{1} << 30));
      const ssize_t got = ::pread(descriptor_, to, step, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw FormatError(path_ + ": can not be read: " + system_message(errno));
      if (got == 0)
        throw FormatError(path_ + ": the file ends at byte " + std::to_string(offset) + ", expected " +
                          std::to_string(count) + " more bytes; it changed while it was read");
      to += got;
      offset += static_cast<std::uint64_t>(got);
      count -= static_cast<std::uint64_t>(got);
    }
  }

 private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace mrcnn::io::detail

#endif
