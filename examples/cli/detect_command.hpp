#ifndef MRCNN_EXAMPLES_CLI_DETECT_COMMAND_HPP
#define MRCNN_EXAMPLES_CLI_DETECT_COMMAND_HPP

#include <optional>
#include <string>
#include <vector>

#include "model_setup.hpp"
#include "pictures.hpp"

namespace mrcnn::cli {

/// The command line of `mrcnn detect`.
struct DetectCommand {
  std::vector<std::string> arguments;
  std::optional<std::string> weights;
  ModelOptions model;
  int threads = 0;
  std::optional<std::string> json;
  std::optional<std::string> output;
  std::optional<std::string> taps;
  std::optional<std::string> font;
  bool verbose = false;
};

/// Where the results of the pictures go.
struct Targets {
  std::string json;
  std::vector<std::string> drawings;  // one for each picture, or none
  std::vector<std::string> taps;
};

/// Reads the words behind `mrcnn detect`. Absent when the help was asked for, and printed. Throws: UsageError.
std::optional<DetectCommand> parse_detect(const std::vector<std::string>& words);

/// The files that a run will make for these pictures. Throws: UsageError when a target does not suit them, when two are
/// the same file, or when one is also read.
Targets choose_targets(const DetectCommand& command, const PictureList& list);

}  // namespace mrcnn::cli

#endif
