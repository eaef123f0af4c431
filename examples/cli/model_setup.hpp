#ifndef MRCNN_EXAMPLES_CLI_MODEL_SETUP_HPP
#define MRCNN_EXAMPLES_CLI_MODEL_SETUP_HPP

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "mrcnn/io/model_description.hpp"
#include "mrcnn/io/weights.hpp"
#include "mrcnn/models/mask_rcnn_config.hpp"

namespace mrcnn::cli {

/// What the command line says about a model.
struct ModelOptions {
  std::optional<std::string> profile;
  std::optional<std::string> config;
  std::optional<std::string> classes;
  std::optional<double> min_confidence;
  std::optional<int> max_detections;

  /// Adds --profile, --config and --classes.
  void add_to(CommandLine& line);
  /// Checks what can be checked without files. Throws: UsageError.
  void check(const CommandLine& line) const;
};

/// A weights file, and the model that it and the command line describe.
struct ModelSetup {
  io::WeightsFile weights;
  io::ModelDescription description;
  MaskRCNNConfig config;
  std::vector<std::string> class_names;  ///< without the background
  bool names_are_given = false;          ///< by an option or the weights file: not guessed
};

/// Opens a weights file and settles the configuration: option, then --config, then the metadata of the file, then
/// matterport_legacy(). The class count and the sizes of the network come from the arrays; a configuration that
/// contradicts them is an error. Throws: FormatError, ShapeError.
/// `on_missing` is called before the error when arrays of the model are missing.
ModelSetup set_up_model(
    const std::string& weights, const ModelOptions& options,
    const std::function<void(const io::WeightsFile&, const io::ModelDescription&)>& on_missing = {});

/// What --verbose prints: file, model, threads, configuration and classes.
std::string setup_text(const ModelSetup& setup, int threads);

}  // namespace mrcnn::cli

#endif
