#ifndef MRCNN_EXAMPLES_CLI_RESULTS_LOG_HPP
#define MRCNN_EXAMPLES_CLI_RESULTS_LOG_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fingerprint.hpp"

namespace mrcnn::cli {

/// A results file that grows picture by picture, so that a run that was ended, however roughly, can go on.
///
/// Beside the results, a JSON array with a record a line, lies `<path>.run`: a line that describes the run, and one for
/// each picture that is complete, with the size of the results behind it and a fingerprint of them up to there. Both
/// are only appended to. To go on, the pictures whose records are as the fingerprint says are kept, and what follows
/// them in either file is cut off; the files end up as if the run had not been interrupted.
class ResultsLog {
 public:
  /// @param description  of all that the results depend on: an object in JSON on one line, of strings and numbers
  /// @param image_ids    of the pictures, in the order in which they will come
  /// @param resume       go on with what is there; when nothing is there, begin
  /// Throws: FormatError when the files can not be read or written, are in use, belong to a run of another description
  /// or, without `resume`, to one that is unfinished, or when the description beside results is damaged.
  ResultsLog(std::string path, std::string description, std::vector<std::int64_t> image_ids, bool resume);
  /// Removes the files of a run that did not get as far as one picture.
  ~ResultsLog();
  ResultsLog(const ResultsLog&) = delete;
  ResultsLog& operator=(const ResultsLog&) = delete;

  const std::string& path() const { return path_; }
  /// Pictures that are complete.
  std::size_t done() const { return done_; }
  /// A line about pictures that were recorded and can not be used, when going on; empty when there are none.
  const std::string& damage() const { return damage_; }
  /// Appends the records of the next picture, separated by ",\n"; empty when nothing was found in it.
  void add(std::string_view records);
  /// Ends the array, when all pictures are there.
  void finish();

 private:
  void open(bool resume);
  void check_header(const std::string& log, bool resume) const;
  void check_description(const std::string& found) const;
  void find_complete(const std::string& log);
  void note_damage(const std::string& log);
  bool take_line(std::string_view line, std::uint64_t results_size);
  void append(int descriptor, const std::string& path, std::string_view text) const;
  [[noreturn]] static void fail(const std::string& path, const std::string& text, int error);

  std::string path_;
  std::string log_path_;
  std::string description_;
  std::vector<std::int64_t> image_ids_;
  int results_ = -1;  // descriptors
  int log_ = -1;
  std::size_t done_ = 0;
  std::uint64_t results_size_ = 0;  // of the complete pictures
  std::uint64_t log_size_ = 0;
  Fingerprint fingerprint_;
  std::string damage_;
  bool finished_ = false;
};

}  // namespace mrcnn::cli

#endif
