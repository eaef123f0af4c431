#include "results_log.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "mrcnn/core/error.hpp"
#include "mrcnn/io/json.hpp"

namespace mrcnn::cli {

namespace {

constexpr std::string_view finish_line = "{\"finished\":true}\n";

/// Bytes [offset, offset + count) of a file; fewer when it ends before.
std::string read_bytes(int descriptor, std::uint64_t offset, std::uint64_t count) {
  std::string bytes(static_cast<std::size_t>(count), '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t step = ::pread(descriptor, bytes.data() + got, bytes.size() - got, static_cast<off_t>(offset + got));
    if (step < 0 && errno == EINTR) continue;
    if (step <= 0) break;
    got += static_cast<std::size_t>(step);
  }
  bytes.resize(got);
  return bytes;
}

std::uint64_t size_of(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

bool has_content(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && status.st_size > 0;
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

/// Whether the line is an object in JSON, as the first line of a log is.
bool is_description(const std::string& line) {
  try {
    return io::JsonDocument::parse(line, "").root().is_object();
  } catch (const FormatError&) {
    return false;
  }
}

}  // namespace

ResultsLog::ResultsLog(std::string path, std::string description, std::vector<std::int64_t> image_ids, bool resume)
    : path_(std::move(path)),
      log_path_(path_ + ".run"),
      description_(std::move(description)),
      image_ids_(std::move(image_ids)) {
  try {
    open(resume);
  } catch (...) {
    for (const int descriptor : {results_, log_})
      if (descriptor >= 0) ::close(descriptor);
    throw;
  }
}

ResultsLog::~ResultsLog() {
  if (done_ == 0 && !finished_) {
    ::unlink(path_.c_str());
    ::unlink(log_path_.c_str());
  }
  ::close(results_);
  ::close(log_);
}

void ResultsLog::open(bool resume) {
  struct stat status {};
  for (const std::string& path : {path_, log_path_})
    if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
      fail(path, "is not a regular file, expected one that results can be appended to", 0);
  if (resume && has_content(path_) && !exists(log_path_))
    fail(log_path_,
         "is missing beside " + path_ + ", expected what a run without --resume left; remove " + path_ +
             " to begin anew",
         0);
  const bool known = exists(log_path_);
  log_ = ::open(log_path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (log_ < 0) fail(log_path_, "can not be written: ", errno);
  if (::flock(log_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    fail(log_path_, "is in use by another run; wait for its end", 0);
  results_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (results_ < 0) fail(path_, "can not be written: ", errno);

  const std::string log = read_bytes(log_, 0, size_of(log_));
  const bool finished = log.ends_with(finish_line);
  if (known && (resume || !finished)) {
    check_header(log, resume);
    find_complete(log);
    if (resume) note_damage(log);
    if (!resume && done_ > 0)
      fail(path_,
           "holds " + std::to_string(done_) +
               " pictures of a run that is unfinished; go on with --resume, or "
               "remove it and " +
               log_path_,
           0);
  }
  if (!resume || done_ == 0) {
    done_ = 0;
    results_size_ = log_size_ = 0;
    fingerprint_ = {};
  }
  if (::ftruncate(log_, static_cast<off_t>(log_size_)) != 0) fail(log_path_, "can not be written: ", errno);
  if (::ftruncate(results_, static_cast<off_t>(results_size_)) != 0) fail(path_, "can not be written: ", errno);
  if (log_size_ == 0) append(log_, log_path_, description_ + "\n");
}

/// Results without a description that can be read are of a run that nobody can tell, and not to be wiped. A run that
/// was killed before it had described itself has no results.
void ResultsLog::check_header(const std::string& log, bool resume) const {
  const std::size_t end = log.find('\n');
  if (end == std::string::npos) {
    if (size_of(results_) == 0) return;
    fail(log_path_,
         "is empty or damaged beside " + path_ + ", expected what mrcnn evaluate wrote; remove both to begin anew", 0);
  }
  const std::string line = log.substr(0, end);
  if (!is_description(line) && (resume || size_of(results_) > 0))
    fail(log_path_,
         "does not begin with the description of a run, expected what mrcnn evaluate wrote; remove it and " + path_ +
             " to begin anew",
         0);
  if (resume) check_description(line);
}

void ResultsLog::check_description(const std::string& found) const {
  const auto wanted = io::JsonDocument::parse(description_, log_path_);
  const auto document = io::JsonDocument::parse(found, log_path_);
  wanted.root().for_each_member([&](std::string_view name, const io::JsonValue& value) {
    const auto other = document.root().find(name);
    if (other && other->minified() == value.minified()) return;
    fail(log_path_,
         "--resume: the run was begun with other " + std::string(name) +
             ", expected the same; use them again, or remove " + path_ + " and " + log_path_ + " to begin anew",
         0);
  });
}

void ResultsLog::find_complete(const std::string& log) {
  if (log.find('\n') == std::string::npos) return;
  log_size_ = log.find('\n') + 1;
  const std::uint64_t results_size = size_of(results_);
  while (done_ < image_ids_.size()) {
    const std::size_t end = log.find('\n', log_size_);
    if (end == std::string::npos) break;
    if (!take_line(std::string_view(log).substr(log_size_, end - log_size_), results_size)) break;
    log_size_ = end + 1;
  }
}

void ResultsLog::note_damage(const std::string& log) {
  auto recorded = std::count(log.begin(), log.end(), '\n') - 1;  // the description
  if (log.ends_with(finish_line)) --recorded;
  const auto used = static_cast<std::ptrdiff_t>(done_);
  if (recorded <= used) return;
  damage_ = path_ + ": " + std::to_string(recorded) + (recorded == 1 ? " picture was" : " pictures were") +
            " recorded, " + std::to_string(used) + (used == 1 ? " is" : " are") +
            " used: the rest is damaged from byte " + std::to_string(results_size_) + " on and is done again";
}

/// Whether the line says that the next picture is complete, and its records are there.
bool ResultsLog::take_line(std::string_view line, std::uint64_t results_size) {
  try {
    const auto document = io::JsonDocument::parse(line, log_path_);
    const auto end = static_cast<std::uint64_t>(document.root()["bytes"].integer(0));
    if (document.root()["image_id"].integer() != image_ids_[done_] || end < results_size_ || end > results_size)
      return false;
    Fingerprint fingerprint = fingerprint_;
    fingerprint.add(read_bytes(results_, results_size_, end - results_size_));
    if (fingerprint.text() != document.root()["fingerprint"].string()) return false;
    fingerprint_ = fingerprint;
    results_size_ = end;
    ++done_;
    return true;
  } catch (const FormatError&) {
    return false;
  }
}

void ResultsLog::add(std::string_view records) {
  std::string block;
  if (!records.empty()) {
    block = results_size_ == 0 ? "[\n" : ",\n";
    block += records;
  }
  append(results_, path_, block);
  fingerprint_.add(block);
  results_size_ += block.size();
  io::JsonWriter line;
  line.begin_object().member("image_id", image_ids_.at(done_)).member("bytes", results_size_);
  line.member("fingerprint", fingerprint_.text()).end_object();
  append(log_, log_path_, line.text() + "\n");
  ++done_;
}

void ResultsLog::finish() {
  append(results_, path_, results_size_ == 0 ? "[]\n" : "\n]\n");
  append(log_, log_path_, finish_line);
  finished_ = true;
}

void ResultsLog::append(int descriptor, const std::string& path, std::string_view text) const {
  while (!text.empty()) {
    const ssize_t step = ::write(descriptor, text.data(), text.size());
    if (step < 0 && errno == EINTR) continue;
    if (step < 0) fail(path, "can not be written: ", errno);
    text.remove_prefix(static_cast<std::size_t>(step));
  }
}

void ResultsLog::fail(const std::string& path, const std::string& text, int error) {
  if (error == ENOENT) throw FormatError(path + ": can not be written: its folder does not exist; create it first");
  throw FormatError(path + ": " + text + (error != 0 ? io::detail::system_message(error) : std::string()));
}

}  // namespace mrcnn::cli
