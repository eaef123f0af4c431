#ifndef MRCNN_EXAMPLES_CLI_PROGRESS_HPP
#define MRCNN_EXAMPLES_CLI_PROGRESS_HPP

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

namespace mrcnn::cli {

/// "1:05" or "2:00:09".
inline std::string clock_text(double seconds) {
  const auto all = static_cast<std::int64_t>(std::max(0.0, seconds) + 0.5);
  char text[64];
  if (all >= 3600)
    std::snprintf(text, sizeof text, "%lld:%02d:%02d", static_cast<long long>(all / 3600),
                  static_cast<int>(all / 60 % 60), static_cast<int>(all % 60));
  else
    std::snprintf(text, sizeof text, "%d:%02d", static_cast<int>(all / 60), static_cast<int>(all % 60));
  return text;
}

/// ", 1.2 GiB": the memory that the process occupies now; empty where the system does not tell.
inline std::string memory_text() {
  long long pages = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return {};
  const bool read = std::fscanf(file, "%*s %lld", &pages) == 1;
  std::fclose(file);
  if (!read) return {};
  const double bytes = static_cast<double>(pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  char text[64];
  if (bytes < 1024.0 * 1024.0 * 1024.0)
    std::snprintf(text, sizeof text, ", %.0f MiB", bytes / (1024.0 * 1024.0));
  else
    std::snprintf(text, sizeof text, ", %.1f GiB", bytes / (1024.0 * 1024.0 * 1024.0));
  return text;
}

struct ProgressOptions {
  std::int64_t first = 0;  ///< steps that were done before: they do not count for the rate
  bool memory = false;     ///< show the memory that the process occupies
  bool shown = ::isatty(STDERR_FILENO) != 0;
};

/// A bar on the error stream: how much is done, how fast, how long it takes yet. Silent unless that is a terminal.
class Progress {
 public:
  Progress(std::int64_t total, std::string unit, const ProgressOptions& options = {})
      : total_(total), unit_(std::move(unit)), options_(options) {
    update(options.first);
  }
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::int64_t done) {
    const auto now = Clock::now();
    const bool too_soon = drawn_ && done < total_ && now - last_drawn_ < std::chrono::milliseconds(100);
    if (!options_.shown || too_soon) return;
    last_drawn_ = now;
    drawn_ = true;
    constexpr int width = 30;
    const int filled = total_ > 0 ? static_cast<int>(done * width / total_) : width;
    std::string line = "[" + std::string(static_cast<std::size_t>(filled), '#') +
                       std::string(static_cast<std::size_t>(width - filled), '.') + "] " + std::to_string(done) + "/" +
                       std::to_string(total_) + " " + unit_;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const auto own = static_cast<double>(done - options_.first);
    if (own > 0 && seconds > 0) {
      char rate[64];
      std::snprintf(rate, sizeof rate, ", %.2f/s", own / seconds);
      line += rate;
      if (done < total_) line += ", " + clock_text(seconds * static_cast<double>(total_ - done) / own) + " left";
    }
    if (options_.memory) line += memory_text();
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    std::fflush(stderr);
  }

  /// Takes the bar away, so that something else can be printed.
  void clear() {
    if (drawn_) std::fputs("\r\033[K", stderr);
    drawn_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;

  std::int64_t total_;
  std::string unit_;
  ProgressOptions options_;
  bool drawn_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_drawn_{};
};

}  // namespace mrcnn::cli

#endif
