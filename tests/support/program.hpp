#ifndef MRCNN_TESTS_SUPPORT_PROGRAM_HPP
#define MRCNN_TESTS_SUPPORT_PROGRAM_HPP

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/files.hpp"

extern char** environ;

namespace mrcnn::test {

/// What a run of the program left behind.
struct ProgramResult {
  int status = -1;  ///< exit status; -1 when a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
  long error_lines() const { return std::count(err.begin(), err.end(), '\n'); }
};

/// The program `mrcnn` while it runs; its standard streams are files.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), MRCNN_PROGRAM);
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, (streams_ / "out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, (streams_ / "err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int error = posix_spawn(&process_, MRCNN_PROGRAM, &actions, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("the program can not be started: " MRCNN_PROGRAM);
  }

  pid_t process() const { return process_; }
  ProgramResult wait() {
    int status = 0;
    while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    ProgramResult result;
    if (WIFEXITED(status)) result.status = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
    result.out = file_bytes(streams_ / "out");
    result.err = file_bytes(streams_ / "err");
    return result;
  }

 private:
  TemporaryFolder streams_;
  pid_t process_ = 0;
};

inline ProgramResult run_program(const std::vector<std::string>& arguments) { return Program(arguments).wait(); }

}  // namespace mrcnn::test

#endif
