#ifndef MRCNN_EXAMPLES_CLI_OUTPUTS_HPP
#define MRCNN_EXAMPLES_CLI_OUTPUTS_HPP

#include <list>
#include <string>
#include <vector>

#include "mrcnn/io/output_file.hpp"

namespace mrcnn::cli {

/// The files that a run makes. All are opened as temporaries beside their targets before the work begins, and put in
/// place together when it is done; without `commit` nothing is left behind, neither files nor new folders, even when
/// the program is interrupted (see interrupt.hpp).
class Outputs {
 public:
  Outputs();
  ~Outputs();
  Outputs(const Outputs&) = delete;
  Outputs& operator=(const Outputs&) = delete;

  /// Opens a file for writing. Throws: FormatError when that is not possible.
  io::OutputFile& open(const std::string& path);
  /// Makes a folder, with those above it, unless it is there. Throws: FormatError.
  void make_folder(const std::string& path);
  /// Gives up one file.
  void discard(const io::OutputFile& file);
  /// Ends writing to all files. Throws: FormatError when the disk can not hold them.
  void close();
  /// Closes all files, then puts them in place. Throws: FormatError.
  void commit();

  /// Removes everything that is unfinished, whatever other threads do. For the end of the program.
  static void abandon_all() noexcept;

 private:
  void remove_new_folders() noexcept;

  std::list<io::OutputFile> files_;
  std::vector<std::string> new_folders_;
};

/// Prints what a command found, down to the last byte: call it before `Outputs::commit`, so that a run that fails here
/// leaves no files either. Throws: FormatError when the standard output can not be written.
void print_results(const std::string& text);

}  // namespace mrcnn::cli

#endif
