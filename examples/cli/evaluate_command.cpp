#include "evaluate_command.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "command_line.hpp"
#include "distinct_files.hpp"

namespace mrcnn::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* help_head =
    R"(usage: mrcnn evaluate --annotations FILE --results FILE [options]
       mrcnn evaluate --annotations FILE --images DIR --weights FILE [options]

Compares detections with the objects that an annotation file in COCO's format names: those of a results file, or those
that a network finds in the pictures. Prints COCO's 12 numbers as pycocotools does, equal to the last bit, and the
numbers of every category.

)";

constexpr const char* help_tail = R"(
All pictures of the annotation file take part, also those without objects. The network reports whatever it finds
(--min-confidence 0), and pictures are taken as they lie in the file, whatever a camera's orientation tag says, as COCO
does. The network's classes are the categories of the same names; where no name is the same, the categories by ascending
id. Results of a category that the annotation file does not have are ignored, with a warning; those of a picture that it
does not have end the run. Where there is nothing to find the numbers are -1.

The results of the network are written while it runs. A run that was interrupted goes on with --resume, which needs the
same annotations, weights, configuration and pictures; beside the results lies FILE.run, which knows how far it came.

Examples:
  mrcnn evaluate --annotations instances_val2017.json --results found.json
      anybody's detections: [{"image_id": 139, "category_id": 1, "bbox": [x, y, width, height], "score": 0.9}, ...],
      with or without "segmentation"
  mrcnn evaluate --annotations instances_val2017.json --images val2017 --weights mask_rcnn_coco.h5 --output run --resume
      the network, its results in run/results.json, the curves and the worst misses in run/; call it again to go on
  mrcnn evaluate --annotations instances_val2017.json --results found.json --images val2017 --output run
      anybody's detections, with pictures of what they missed
  mrcnn evaluate --annotations val.json --images val --weights balloon.h5 --classes balloon --limit 50 --json -
      the first 50 pictures, the numbers as JSON behind the tables
)";

bool is_file(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::vector<std::string> parse_iou_types(const CommandLine& line, const std::string& text) {
  std::vector<std::string> types;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string type = text.substr(begin, end - begin);
    if (type != "bbox" && type != "segm" && type != "boundary")
      line.fail("--iou-type is '" + text + "', expected a list of bbox, segm and boundary");
    if (std::find(types.begin(), types.end(), type) != types.end())
      line.fail("--iou-type is '" + text + "', which names " + type + " twice, expected once");
    types.push_back(type);
    begin = end + 1;
  }
  return types;
}

void check_combination(const CommandLine& line, const EvaluateCommand& command, bool misses) {
  if (!command.annotations) line.fail("--annotations is missing, expected an annotation file");
  if (!command.results && !command.weights)
    line.fail("nothing to evaluate, expected --results with a results file, or --images and --weights");
  if (command.results && command.weights)
    line.fail("--results and --weights are both given, expected one: detections that are there or a network");
  if (command.weights && !command.images) line.fail("--weights needs --images, expected the folder of the pictures");
  if (command.results) {
    const ModelOptions& model = command.model;
    const bool settings =
        model.profile || model.config || model.classes || model.min_confidence || model.max_detections;
    if (settings || command.resume || command.results_out)
      line.fail(std::string(command.resume         ? "--resume"
                            : command.results_out  ? "--results-out"
                            : model.profile        ? "--profile"
                            : model.config         ? "--config"
                            : model.classes        ? "--classes"
                            : model.min_confidence ? "--min-confidence"
                                                   : "--max-detections") +
                " is for a network, expected --weights instead of --results");
    if (command.images && !command.output)
      line.fail("--images has no use with --results unless --output asks for pictures of the misses");
  }
  if (misses && !(command.images && command.output))
    line.fail(
        "--misses has no use without --output and --images, expected the folders of the drawings and the pictures");
  if (command.resume && command.results_path().empty())
    line.fail("--resume needs --output or --results-out, which name the results of the run that was interrupted");
}

/// Whether the name is one of those that --output gives its pictures.
bool is_picture_name(const std::string& name) {
  if (!name.ends_with(".png")) return false;
  for (const std::string type : {"bbox", "segm", "boundary"})
    if (name.starts_with("miss-" + type + "-") || name == "precision-recall-" + type + ".png" ||
        name == "precision-recall-" + type + "-categories.png")
      return true;
  return false;
}

/// The folder as the file system knows it, whether it is there or not.
fs::path place_of(const fs::path& folder) {
  std::error_code failure;
  const fs::path absolute = fs::absolute(folder / "", failure);
  const fs::path place = fs::weakly_canonical(absolute, failure);
  return failure ? absolute.lexically_normal() : place;
}

/// The names of the curves and of the pictures with misses are taken.
void check_not_a_picture(const std::string& file, const std::string& output) {
  const fs::path path(file);
  if (is_picture_name(path.filename().string()) && place_of(path.parent_path()) == place_of(output))
    throw UsageError(file + ": is the name of a picture that --output makes; choose another name");
}

void check_distinct(const EvaluateCommand& command) {
  DistinctFiles files;
  for (const auto& file : {command.annotations, command.results, command.weights, command.model.config,
                           command.model.classes, command.image_ids})
    if (file) files.input(*file);
  if (command.json) files.output(*command.json);
  const std::string results = command.results_path();
  if (command.output)
    for (const auto& file : {command.json, command.results_out})
      if (file) check_not_a_picture(*file, *command.output);
  if (results.empty()) return;
  files.output(results);
  files.output(results + ".run");
}

}  // namespace

std::string EvaluateCommand::results_path() const {
  if (results_out) return *results_out;
  return weights && output ? (fs::path(*output) / "results.json").string() : std::string();
}

std::optional<std::vector<std::int64_t>> parse_ids(const std::string& text) {
  std::vector<std::int64_t> ids;
  const char* const separators = ", \t\r\n";
  for (std::size_t begin = text.find_first_not_of(separators); begin != std::string::npos;) {
    const std::size_t end = std::min(text.find_first_of(separators, begin), text.size());
    std::int64_t id = 0;
    const auto [rest, error] = std::from_chars(text.data() + begin, text.data() + end, id);
    if (error != std::errc() || rest != text.data() + end) return std::nullopt;
    ids.push_back(id);
    begin = text.find_first_not_of(separators, end);
  }
  if (ids.empty()) return std::nullopt;
  return ids;
}

std::optional<EvaluateCommand> parse_evaluate(const std::vector<std::string>& words) {
  EvaluateCommand command;
  std::optional<std::string> iou_type;
  std::optional<std::string> limit;
  std::optional<std::string> misses;
  std::optional<std::string> min_confidence;
  std::optional<std::string> max_detections;
  std::optional<std::string> threads;
  CommandLine line("evaluate");
  line.option("--annotations", "FILE", "The objects: an instances file in COCO's format. Required.",
              command.annotations)
      .option("--results", "FILE", "The detections: COCO's result records, with boxes, masks or both.", command.results)
      .option("--images", "DIR", "The folder of the pictures that the annotation file names.", command.images)
      .option("--weights", "FILE", "Run this network: Keras .h5 (matterport's names), or .safetensors.",
              command.weights);
  command.model.add_to(line);
  line.option("--min-confidence", "X", "Lowest score that the network reports, from 0 to 1. Default: 0.",
              min_confidence)
      .option("--max-detections", "N", "Most objects that the network reports in one picture.", max_detections)
      .option("--threads", "N", "Default: as many as this process may use. Results do not depend on it.", threads)
      .option("--iou-type", "LIST",
              "What is compared: bbox, segm (masks), boundary (borders of masks), or several:\n"
              "bbox,segm. Default: bbox, and segm where there are masks.",
              iou_type)
      .option("--limit", "N", "Only the first N pictures by ascending id.", limit)
      .option("--image-ids", "IDS|FILE", "Only the pictures with these ids: 139,285,632 or a file of such.",
              command.image_ids)
      .option("--json", "FILE", "All numbers as JSON; - for the standard output.", command.json)
      .option("--output", "DIR",
              "A folder, made when needed, for pictures: precision over recall, and with\n"
              "--images the worst misses; and for results.json of the network.",
              command.output)
      .option("--misses", "N",
              "Most pictures with misses that are drawn, those with the most missed objects and the surest false "
              "detections first, for each kind of comparison. Default: 20.",
              misses)
      .flag("--errors", "Print what kinds of errors there are, and how much AP each kind costs.", command.errors)
      .option("--results-out", "FILE", "The network's results. Default: results.json in --output, else not kept.",
              command.results_out)
      .flag("--resume", "Go on with a run that was interrupted; begin when there is none.", command.resume)
      .flag("--match-id-zero",
            "Count a match with the annotation of id 0. pycocotools does not: it takes the id\nfor none.",
            command.match_id_zero)
      .flag("--verbose", "Print the configuration in force and the model found in the weights.", command.verbose);
  bool help = false;
  const auto arguments = line.parse(words, help);
  if (help) {
    std::fputs((help_head + line.describe() + help_tail).c_str(), stdout);
    return std::nullopt;
  }
  if (!arguments.empty()) line.fail("'" + arguments[0] + "' is no option, expected options only");
  if (min_confidence)
    command.model.min_confidence = line.number("--min-confidence", *min_confidence, 0, 1, "a number from 0 to 1");
  if (max_detections) command.model.max_detections = line.integer("--max-detections", *max_detections, 1, 100000);
  if (threads) command.threads = line.integer("--threads", *threads, 1, 1024);
  if (limit) command.limit = line.integer("--limit", *limit, 1, 1000000000);
  if (misses) command.misses = line.integer("--misses", *misses, 0, 10000);
  if (iou_type) command.iou_types = parse_iou_types(line, *iou_type);
  if (command.image_ids && !is_file(*command.image_ids) && !parse_ids(*command.image_ids))
    line.fail("--image-ids is '" + *command.image_ids + "', expected ids such as 139,285,632 or a file that is there");
  command.model.check(line);
  check_combination(line, command, misses.has_value());
  if (!command.model.min_confidence) command.model.min_confidence = 0.0;
  if (command.json && *command.json == "-") command.json = "/dev/stdout";
  check_distinct(command);
  return command;
}

}  // namespace mrcnn::cli
