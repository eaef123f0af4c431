#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "command_line.hpp"
#include "commands.hpp"
#include "distinct_files.hpp"
#include "model_setup.hpp"
#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/io/config.hpp"
#include "mrcnn/io/load_weights.hpp"
#include "mrcnn/models/mask_rcnn.hpp"
#include "outputs.hpp"

namespace mrcnn::cli {

namespace {

constexpr const char* help_head =
    R"(usage: mrcnn convert IN.h5 OUT.safetensors [options]

Reads the weights of a Mask R-CNN that Keras wrote, prints what became of every array, and writes them in the native
format: safetensors, with the configuration and the class names in it, so that detect needs nothing else. The values are
not changed. (An IN in the native format is written anew with another configuration or other names.)

)";

constexpr const char* help_tail = R"(
Examples:
  mrcnn convert mask_rcnn_coco.h5 coco.safetensors
  mrcnn convert balloon.h5 balloon.safetensors --profile modern --config balloon.json --classes balloon
  mrcnn convert unknown.h5 --dry-run
      only the table
)";

struct ConvertCommand {
  std::string input;
  std::string output;  // empty: none
  ModelOptions model;
};

std::optional<ConvertCommand> parse(const std::vector<std::string>& words) {
  ConvertCommand command;
  bool dry_run = false;
  CommandLine line("convert");
  command.model.add_to(line);
  line.flag("--dry-run", "Write nothing; OUT.safetensors may be left out.", dry_run);
  bool help = false;
  const auto arguments = line.parse(words, help);
  if (help) {
    std::fputs((help_head + line.describe() + help_tail).c_str(), stdout);
    return std::nullopt;
  }
  if (arguments.empty() || arguments[0].empty()) line.fail("no input, expected a file of weights");
  if (arguments.size() > 2) line.fail("unexpected argument '" + arguments[2] + "', expected IN.h5 OUT.safetensors");
  if (arguments.size() < 2 && !dry_run) line.fail("no output, expected IN.h5 OUT.safetensors, or --dry-run");
  command.model.check(line);
  command.input = arguments[0];
  if (arguments.size() < 2) return command;
  const std::string extension = io::detail::lower_case(std::filesystem::path(arguments[1]).extension().string());
  if (arguments[1].empty() || extension == ".h5" || extension == ".hdf5" || extension == ".keras")
    line.fail("the output is '" + arguments[1] +
              "', expected a name such as OUT.safetensors: Keras files are only read");
  if (!dry_run) command.output = arguments[1];
  return command;
}

}  // namespace

int convert(const std::vector<std::string>& words) {
  const auto command = parse(words);
  if (!command) return 0;
  if (!command->output.empty()) {
    DistinctFiles files;
    for (const auto& file : {std::optional(command->input), command->model.config, command->model.classes})
      if (file) files.input(*file);
    files.output(command->output);
  }
  const ModelSetup setup = set_up_model(command->input, command->model);
  Outputs outputs;
  io::OutputFile* output = command->output.empty() ? nullptr : &outputs.open(command->output);

  MaskRCNN<HostBackend> net(HostBackend(), setup.config);
  const auto parameters = io::parameter_slots(net);
  const auto report = io::load_parameters(setup.weights, parameters);
  std::printf("%s: %s\n\n%s", command->input.c_str(), setup.description.summary().c_str(), report.table().c_str());
  report.throw_if_incomplete();
  if (output == nullptr) {
    std::puts("nothing was written (--dry-run)");
    return 0;
  }
  io::save_parameters(
      *output, parameters,
      {io::config_to_json(setup.config, {}), setup.names_are_given ? setup.class_names : std::vector<std::string>()});
  outputs.commit();
  std::printf("wrote %s: %zu arrays, %.1f MB, profile %s\n", command->output.c_str(), parameters.size(),
              static_cast<double>(std::filesystem::file_size(command->output)) / 1e6,
              io::name_of(setup.config.profile));
  return 0;
}

}  // namespace mrcnn::cli
