#include <algorithm>
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
#include "printable.hpp"

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

/// The arrays of a file that does not hold a whole model, and those that it lacks.
void print_arrays(const io::WeightsFile& file, const io::ModelDescription& model) {
  std::size_t width = 5;
  std::size_t missing = 0;
  for (const auto& array : file.arrays()) width = std::max(width, array.name.size());
  for (const auto& part : model.parts)
    for (const auto& name : part.missing) width = std::max(width, name.size());
  const auto line = [&](std::string name, const std::string& status) {
    name = printable(name);
    name.resize(std::max(name.size(), width), ' ');
    std::printf("%s  %s\n", name.c_str(), status.c_str());
  };
  line("array", "status");
  for (const auto& array : file.arrays()) line(array.name, "found, shape " + io::shape_text(array.shape));
  for (const auto& part : model.parts)
    for (const auto& name : part.missing) {
      line(name, "missing");
      ++missing;
    }
  std::printf("%zu found, %zu missing\n", file.arrays().size(), missing);
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
  const ModelSetup setup = set_up_model(command->input, command->model, print_arrays);
  Outputs outputs;
  io::OutputFile* output = command->output.empty() ? nullptr : &outputs.open(command->output);

  MaskRCNN<HostBackend> net(HostBackend(), setup.config);
  const auto parameters = io::parameter_slots(net);
  const auto report = io::load_parameters(setup.weights, parameters);
  std::printf("%s: %s\n\n%s", command->input.c_str(), setup.description.summary().c_str(), report.table().c_str());
  report.throw_if_incomplete();
  print_results("");  // before the file, should that be the standard output too
  if (output == nullptr) {
    std::puts("nothing was written (--dry-run)");
    return 0;
  }
  io::save_parameters(
      *output, parameters,
      {io::config_to_json(setup.config, {}), setup.names_are_given ? setup.class_names : std::vector<std::string>()});
  outputs.close();
  double bytes = 0;
  for (const auto& slot : parameters) bytes += 4 * static_cast<double>(io::detail::shape_size(slot.shape));
  std::printf("wrote %s: %zu arrays, %.1f MB, profile %s\n", printable(command->output).c_str(), parameters.size(),
              bytes / 1e6, io::name_of(setup.config.profile));
  print_results("");
  outputs.commit();
  return 0;
}

}  // namespace mrcnn::cli
