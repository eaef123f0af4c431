#include "outputs.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <thread>

#include "interrupt.hpp"

namespace mrcnn::cli {

namespace {

// Guards the lists of all `Outputs`. Whoever ends the program keeps it locked, so that nobody goes on.
std::mutex& outputs_mutex() {
  static auto* mutex = new std::mutex;  // never destroyed: another thread may still wait for it
  return *mutex;
}
std::vector<Outputs*>& all_outputs() {
  static auto* all = new std::vector<Outputs*>;
  return *all;
}

/// Lets the process open as many files as the system grants: every picture of a folder may have two outputs.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Outputs::Outputs() {
  raise_file_limit();
  // A reader that goes away is an error of writing then, and the unfinished files are removed.
  std::signal(SIGPIPE, SIG_IGN);
  const std::lock_guard lock(outputs_mutex());
  all_outputs().push_back(this);
}

Outputs::~Outputs() {
  const std::lock_guard lock(outputs_mutex());
  files_.clear();
  remove_new_folders();
  std::erase(all_outputs(), this);
}

io::OutputFile& Outputs::open(const std::string& path) {
  const std::lock_guard lock(outputs_mutex());
  return files_.emplace_back(path);
}

void Outputs::make_folder(const std::string& path) {
  namespace fs = std::filesystem;
  const std::lock_guard lock(outputs_mutex());
  std::error_code error;
  if (fs::is_directory(path, error)) return;
  if (fs::exists(path, error)) throw FormatError(path + ": is a file, expected a folder");
  std::vector<fs::path> missing;
  for (fs::path folder = fs::path(path) / ""; folder.has_relative_path(); folder = folder.parent_path())
    if (folder.has_filename() && !fs::exists(folder, error)) missing.push_back(folder);
  for (auto folder = missing.rbegin(); folder != missing.rend(); ++folder) {
    if (!fs::create_directory(*folder, error) || error)
      throw FormatError(path +
                        ": the folder can not be made: " + io::detail::system_message(error ? error.value() : ENOENT));
    new_folders_.push_back(folder->string());
  }
}

void Outputs::discard(const io::OutputFile& file) {
  const std::lock_guard lock(outputs_mutex());
  files_.remove_if([&](const io::OutputFile& other) { return &other == &file; });
}

void Outputs::close() {
  const std::lock_guard lock(outputs_mutex());
  for (auto& file : files_) file.close();
}

void Outputs::commit() {
  close();
  const std::lock_guard lock(outputs_mutex());
  for (auto& file : files_) file.commit();
  files_.clear();
  new_folders_.clear();
}

void Outputs::remove_new_folders() noexcept {
  for (auto folder = new_folders_.rbegin(); folder != new_folders_.rend(); ++folder) ::rmdir(folder->c_str());
  new_folders_.clear();
}

void Outputs::abandon_all() noexcept {
  outputs_mutex().lock();
  for (Outputs* outputs : all_outputs()) {
    for (const auto& file : outputs->files_)
      if (!file.temporary().empty()) ::unlink(file.temporary().c_str());
    outputs->remove_new_folders();
  }
}

void print_results(const std::string& text) {
  const bool printed = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  if (!printed || std::ferror(stdout) != 0) throw FormatError("the standard output can not be written");
}

void watch_interrupts() {
  static sigset_t watched;
  sigemptyset(&watched);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction present {};
    // What the caller has told the program to ignore (nohup, a shell's background job) stays ignored.
    if (::sigaction(number, nullptr, &present) == 0 && present.sa_handler != SIG_IGN) sigaddset(&watched, number);
  }
  ::pthread_sigmask(SIG_BLOCK, &watched, nullptr);
  std::thread([] {
    int number = 0;
    if (::sigwait(&watched, &number) != 0) return;
    Outputs::abandon_all();
    if (::isatty(STDERR_FILENO) != 0) std::fputs("\n", stderr);
    std::signal(number, SIG_DFL);
    ::pthread_sigmask(SIG_UNBLOCK, &watched, nullptr);
    std::raise(number);
  }).detach();
}

}  // namespace mrcnn::cli
