#ifndef MRCNN_IO_OUTPUT_FILE_HPP
#define MRCNN_IO_OUTPUT_FILE_HPP

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "mrcnn/core/error.hpp"
#include "mrcnn/io/detail/file.hpp"

namespace mrcnn::io {

/// A file that appears whole or not at all: what is written goes to a temporary beside the target, `commit()` renames
/// it, and without `commit()` the destructor removes it. An existing target keeps its content until then.
///
/// Open it before a long computation, so that a target that can not be written is known at once. A symbolic link is
/// followed, also one to a file that is yet to be made, and stays a link; a file that exists keeps its permissions.
/// What is not to be replaced is written directly: a device, a pipe, everything in /dev (but /dev/shm) and /proc.
/// /dev/stdout, /dev/stderr and /dev/fd/N are this process's own descriptors, wherever those lead: a file there keeps
/// what it holds. Throws: FormatError, naming the target, when it can not be created, written or renamed.
class OutputFile {
 public:
  explicit OutputFile(std::string path) : path_(std::move(path)), target_(path_) {
    if (const int own = follow_links(); own >= 0) {
      open_descriptor(own);
      return;
    }
    struct stat status {};
    const bool exists = ::stat(target_.c_str(), &status) == 0;
    if (!exists && errno == ENAMETOOLONG) fail("can not be written: ", ENAMETOOLONG);
    if (exists && S_ISDIR(status.st_mode)) fail("can not be written: is a directory, expected a file name", 0);
    if (exists && ::access(target_.c_str(), W_OK) != 0) fail("can not be written: ", errno);
    if ((exists && !S_ISREG(status.st_mode)) || is_system_path(target_)) {
      descriptor_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC | (exists && S_ISREG(status.st_mode) ? O_APPEND : 0));
    } else {
      open_temporary(exists ? status.st_mode & 0777U : 0666U);
      if (descriptor_ >= 0 && exists) static_cast<void>(::fchmod(descriptor_, status.st_mode & 0777U));
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
  static std::filesystem::path normal(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::absolute(path, ignored).lexically_normal();
  }
  static bool is_system_path(const std::filesystem::path& path) {
    const std::string text = normal(path).string();
    return (text.rfind("/dev/", 0) == 0 && text.rfind("/dev/shm/", 0) != 0) || text.rfind("/proc/", 0) == 0;
  }
  /// The descriptor of this process that the path stands for; -1 for none.
  static int own_descriptor(const std::filesystem::path& path) {
    const std::string text = normal(path).string();
    if (text == "/dev/stdout") return STDOUT_FILENO;
    if (text == "/dev/stderr") return STDERR_FILENO;
    for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
      if (text.rfind(folder, 0) != 0) continue;
      int number = -1;
      const char* end = text.data() + text.size();
      const auto [rest, error] = std::from_chars(text.data() + folder.size(), end, number);
      if (error == std::errc() && rest == end) return number;
    }
    return -1;
  }

  /// Makes the target what links lead to, one after the other, since a descriptor's link must not be followed.
  /// Returns the descriptor where that is the end; -1 for a path.
  int follow_links() {
    std::filesystem::path target = target_;
    std::error_code error;
    for (int links = 0; links <= 40; ++links) {
      if (const int own = own_descriptor(target); own >= 0) return own;
      if (!std::filesystem::is_symlink(target, error)) {
        target_ = target.string();
        return -1;
      }
      const auto next = std::filesystem::read_symlink(target, error);
      if (error) fail("can not be written: ", error.value());
      target = target.parent_path() / next;  // an absolute one replaces all
    }
    fail("can not be written: ", ELOOP);
  }
  void open_descriptor(int own) {
    const int flags = ::fcntl(own, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) fail("can not be written: ", EBADF);
    descriptor_ = ::fcntl(own, F_DUPFD_CLOEXEC, 3);
    if (descriptor_ < 0) fail("can not be written: ", errno);
  }
  /// Beside the target; under a short name when there is no room for its own and more.
  void open_temporary(mode_t mode) {
    static std::atomic<unsigned> serial{0};
    bool short_name = false;
    for (int attempt = 0; attempt < 1000; ++attempt) {
      const std::string own = std::to_string(::getpid()) + "-" + std::to_string(serial++);
      temporary_ = short_name ? (std::filesystem::path(target_).parent_path() / (".mrcnn-part-" + own)).string()
                              : target_ + ".part-" + own;
      descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
      const bool too_long = descriptor_ < 0 && errno == ENAMETOOLONG && !short_name;
      // A name may be taken by what a killed process of the same number left behind.
      if (descriptor_ >= 0 || (errno != EEXIST && !too_long)) return;
      short_name = short_name || too_long;
    }
  }
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
