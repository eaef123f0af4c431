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

/// A bar on the error stream: how much is done, how fast, how long it takes yet. Silent unless that is a terminal.
class Progress {
 public:
  Progress(std::int64_t total, std::string unit, bool shown = ::isatty(STDERR_FILENO) != 0)
      : total_(total), unit_(std::move(unit)), shown_(shown) {
    update(0);
  }
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::int64_t done) {
    const auto now = Clock::now();
    const bool too_soon = drawn_ && done < total_ && now - last_drawn_ < std::chrono::milliseconds(100);
    if (!shown_ || too_soon) return;
    last_drawn_ = now;
    drawn_ = true;
    constexpr int width = 30;
    const int filled = total_ > 0 ? static_cast<int>(done * width / total_) : width;
    std::string line = "[" + std::string(static_cast<std::size_t>(filled), '#') +
                       std::string(static_cast<std::size_t>(width - filled), '.') + "] " + std::to_string(done) + "/" +
                       std::to_string(total_) + " " + unit_;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    if (done > 0 && seconds > 0) {
      char rate[64];
      std::snprintf(rate, sizeof rate, ", %.2f/s", static_cast<double>(done) / seconds);
      line += rate;
      if (done < total_)
        line += ", " + clock_text(seconds * static_cast<double>(total_ - done) / static_cast<double>(done)) + " left";
    }
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
  bool shown_;
  bool drawn_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_drawn_{};
};

}  // namespace mrcnn::cli

#endif
