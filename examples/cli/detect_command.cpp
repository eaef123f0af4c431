#include "detect_command.hpp"

#include <cstdio>
#include <filesystem>
#include <system_error>

#include "command_line.hpp"
#include "distinct_files.hpp"
#include "mrcnn/io/image.hpp"

namespace mrcnn::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* help_head =
    R"(usage: mrcnn detect IMAGE... --weights FILE [options]

Finds the objects in pictures. IMAGE is a picture (JPEG, PNG, BMP, GIF, TGA, PSD, PGM, PPM) or a folder of pictures. A
camera's orientation tag is obeyed. A table of what was found and of how long it took goes to the standard output.

)";

constexpr const char* help_tail = R"(
Files appear together, at the end, or not at all. A picture named on the command line that can not be read ends the run;
one in a folder is named and left out, and the exit status is 1.

Examples:
  mrcnn detect photo.jpg --weights mask_rcnn_coco.h5 --output found.png --json found.json
      everything that COCO's 80 classes name, with a score of at least 0.7
  mrcnn detect holiday/ --weights mask_rcnn_coco.h5 --output found/ --min-confidence 0.9
      a folder of pictures into a folder of annotated ones
  mrcnn detect p.png --weights balloon.h5 --profile modern --classes balloon --config balloon.json
      a model of one's own, trained with matterport's last state at another size: balloon.json holds
      {"IMAGE_MIN_DIM": 512, "IMAGE_MAX_DIM": 512}
  mrcnn detect p.png --weights balloon.h5 --taps stages.safetensors
      every tensor of the network, to compare with another system
)";

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

/// One path for each picture: the target itself for a single one, else files in the folder that it names.
std::vector<std::string> paths_for(const std::string& target, const PictureList& list, const std::string& extension) {
  const bool folder = list.has_folder || list.pictures.size() > 1 || target.back() == '/' || is_folder(target);
  if (!folder) return {target};
  std::vector<std::string> paths;
  for (const std::string& stem : distinct_stems(list.pictures))
    paths.push_back((fs::path(target) / (stem + extension)).string());
  return paths;
}

/// Makes sure that a path that is meant as a folder does not look like a file.
void check_folder_name(const char* option, const std::string& target, const PictureList& list, bool looks_like_file) {
  if (looks_like_file && !is_folder(target) && target.back() != '/' && (list.has_folder || list.pictures.size() > 1))
    throw UsageError(std::string(option) + " is '" + target +
                     "', expected a folder, since there is more than one picture");
}

void check_distinct(const DetectCommand& command, const PictureList& list, const Targets& targets) {
  DistinctFiles files;
  files.input(*command.weights);
  for (const auto& file : {command.model.config, command.model.classes, command.font})
    if (file) files.input(*file);
  for (const Picture& picture : list.pictures) files.input(picture.path);
  if (!targets.json.empty()) files.output(targets.json);
  for (const std::string& path : targets.drawings) files.output(path);
  for (const std::string& path : targets.taps) files.output(path);
}

}  // namespace

std::optional<DetectCommand> parse_detect(const std::vector<std::string>& words) {
  DetectCommand command;
  std::optional<std::string> min_confidence;
  std::optional<std::string> max_detections;
  std::optional<std::string> threads;
  CommandLine line("detect");
  line.option("--weights", "FILE", "Keras .h5 (matterport's names), or .safetensors made by mrcnn convert. Required.",
              command.weights);
  command.model.add_to(line);
  line.option("--min-confidence", "X", "Lowest score that is reported, from 0 to 1.", min_confidence)
      .option("--max-detections", "N", "Most objects in one picture.", max_detections)
      .option("--threads", "N", "Default: as many as this process may use. Results do not depend on it.", threads)
      .option("--json", "FILE", "COCO result records: boxes, scores, masks as run lengths.", command.json)
      .option("--output", "FILE|DIR",
              "The picture with what was found drawn over it: PNG, or JPEG for .jpg.\n"
              "A folder, made when needed, for several pictures.",
              command.output)
      .option("--taps", "FILE|DIR", "The tensors of all stages as safetensors; a folder for several pictures.",
              command.taps)
      .option("--font", "FILE", "A TrueType font for the captions. Default: one of the system's.", command.font)
      .flag("--verbose", "Print the configuration in force and the model found in the weights.", command.verbose);
  bool help = false;
  command.arguments = line.parse(words, help);
  if (help) {
    std::fputs((help_head + line.describe() + help_tail).c_str(), stdout);
    return std::nullopt;
  }
  if (command.arguments.empty()) line.fail("no picture, expected the path of at least one, or of a folder");
  for (const std::string& argument : command.arguments)
    if (argument.empty()) line.fail("the path of a picture is empty");
  if (!command.weights) line.fail("--weights is missing, expected a file of weights");
  if (min_confidence)
    command.model.min_confidence = line.number("--min-confidence", *min_confidence, 0, 1, "a number from 0 to 1");
  if (max_detections) command.model.max_detections = line.integer("--max-detections", *max_detections, 1, 100000);
  if (threads) command.threads = line.integer("--threads", *threads, 1, 1024);
  command.model.check(line);
  return command;
}

Targets choose_targets(const DetectCommand& command, const PictureList& list) {
  Targets targets;
  if (command.json) targets.json = *command.json;
  if (command.output) {
    const std::string extension = io::detail::lower_case(fs::path(*command.output).extension().string());
    check_folder_name("--output", *command.output, list, io::is_image_extension(*command.output));
    if (io::is_image_extension(*command.output) && extension != ".png" && extension != ".jpg" && extension != ".jpeg" &&
        !is_folder(*command.output))
      throw UsageError("--output is '" + *command.output + "', expected a name that ends in .png or .jpg");
    targets.drawings = paths_for(*command.output, list, ".png");
  }
  if (command.taps) {
    check_folder_name("--taps", *command.taps, list, fs::path(*command.taps).extension() == ".safetensors");
    targets.taps = paths_for(*command.taps, list, ".safetensors");
  }
  check_distinct(command, list, targets);
  return targets;
}

}  // namespace mrcnn::cli
