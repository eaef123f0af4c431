#ifndef MRCNN_EXAMPLES_CLI_EVALUATE_COMMAND_HPP
#define MRCNN_EXAMPLES_CLI_EVALUATE_COMMAND_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model_setup.hpp"

namespace mrcnn::cli {

/// The command line of `mrcnn evaluate`.
struct EvaluateCommand {
  std::optional<std::string> annotations;
  std::optional<std::string> results;
  std::optional<std::string> images;
  std::optional<std::string> weights;
  ModelOptions model;
  int threads = 0;
  std::vector<std::string> iou_types;  ///< bbox, segm, boundary; empty: what the results allow
  std::optional<int> limit;
  std::optional<std::string> image_ids;  ///< a list or a file
  std::optional<std::string> json;
  std::optional<std::string> output;
  std::optional<std::string> results_out;
  int misses = 20;
  bool errors = false;
  bool resume = false;
  bool match_id_zero = false;
  bool verbose = false;

  /// Where the results of the network go; empty: nowhere.
  std::string results_path() const;
};

/// Reads the words behind `mrcnn evaluate`. Absent when the help was asked for, and printed. Throws: UsageError.
std::optional<EvaluateCommand> parse_evaluate(const std::vector<std::string>& words);

/// Whole numbers between commas or blanks. Absent when there is something else, or nothing.
std::optional<std::vector<std::int64_t>> parse_ids(const std::string& text);

}  // namespace mrcnn::cli

#endif
