#ifndef MRCNN_EXAMPLES_CLI_DISTINCT_FILES_HPP
#define MRCNN_EXAMPLES_CLI_DISTINCT_FILES_HPP

#include <sys/stat.h>

#include <filesystem>
#include <set>
#include <string>
#include <utility>

#include "command_line.hpp"

namespace mrcnn::cli {

/// Makes sure that a run overwrites nothing that it reads, and nothing twice. Files are the same when they have one
/// path or, through links, one place on the disk. Devices and pipes may be named several times.
class DistinctFiles {
 public:
  void input(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) inputs_.emplace(status.st_dev, status.st_ino);
  }
  /// Throws: UsageError.
  void output(const std::string& path) {
    struct stat status {};
    const bool exists = ::stat(path.c_str(), &status) == 0;
    if (exists && !S_ISREG(status.st_mode)) return;
    if (exists && inputs_.count({status.st_dev, status.st_ino}) > 0)
      throw UsageError(path + ": would be overwritten, but is read in this run; choose another name for the output");
    const bool new_path = output_paths_.insert(std::filesystem::absolute(path).lexically_normal()).second;
    const bool new_file = !exists || output_files_.emplace(status.st_dev, status.st_ino).second;
    if (!new_path || !new_file) throw UsageError(path + ": is the target of two outputs; choose different names");
  }

 private:
  std::set<std::pair<dev_t, ino_t>> inputs_;
  std::set<std::pair<dev_t, ino_t>> output_files_;
  std::set<std::filesystem::path> output_paths_;
};

}  // namespace mrcnn::cli

#endif
