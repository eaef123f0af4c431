#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "coco_report.hpp"
#include "command_line.hpp"
#include "commands.hpp"
#include "distinct_files.hpp"
#include "mrcnn/coco/check_file.hpp"
#include "outputs.hpp"
#include "picture_size.hpp"
#include "progress.hpp"

namespace mrcnn::cli {

namespace {

constexpr const char* coco_help =
    R"(usage: mrcnn coco check FILE [options]

Works on files in COCO's format.
  check   tells what a file holds and explains all that is odd about it; mrcnn coco check --help tells more
)";

constexpr const char* check_help_head =
    R"(usage: mrcnn coco check FILE [options]

Tells what an annotation file in COCO's format holds, and explains all that is odd about it, with examples and what to do:
ids that occur twice or belong to nothing, boxes outside of their picture or without size, boxes and areas that are not
those of the masks, polygons and run lengths that are broken, malformed records, and more.
  error     an evaluation or a training goes wrong: it stops, or its numbers are not what they seem
  warning   some tools stumble over it, or it is likely a mistake
  note      allowed, and good to know

)";

constexpr const char* check_help_tail = R"(
Exit status: 0 when there is no error, also with warnings and notes; 1 when there are errors, or a file can not be read;
2 when the command line is wrong.

Examples:
  mrcnn coco check instances_val2017.json
  mrcnn coco check instances_val2017.json --images val2017
      whether the pictures are there, too, and have the sizes that the file gives them
  mrcnn coco check instances_val2017.json --results found.json
      detections: unknown ids, scores, boxes and masks
)";

struct CheckCommand {
  std::string annotations;
  std::optional<std::string> results;
  std::optional<std::string> images;
  std::optional<std::string> json;
  bool decode = false;
  coco::CheckOptions options;
};

std::optional<CheckCommand> parse_check(const std::vector<std::string>& words) {
  CheckCommand command;
  std::optional<std::string> examples;
  std::optional<std::string> threads;
  CommandLine line("coco check");
  line.option("--results", "FILE", "Check these detections, too: COCO's result records.", command.results)
      .option("--images", "DIR",
              "Check the files of the pictures, too: there, whole, and of the sizes that FILE\nsays.", command.images)
      .flag("--decode", "With --images: decode every picture, which finds damaged pixels.", command.decode)
      .option("--json", "FILE", "The report as JSON, too; - for JSON in place of the report.", command.json)
      .option("--limit-examples", "N", "Most examples of each finding. Default: 5.", examples)
      .option("--threads", "N", "Default: as many as this process may use. Results do not depend on it.", threads);
  bool help = false;
  const auto arguments = line.parse(words, help);
  if (help) {
    std::fputs((check_help_head + line.describe() + check_help_tail).c_str(), stdout);
    return std::nullopt;
  }
  if (arguments.empty() || arguments[0].empty()) line.fail("no file, expected one of annotations in COCO's format");
  if (arguments.size() > 1) line.fail("unexpected argument '" + arguments[1] + "', expected one file");
  if (command.decode && !command.images) line.fail("--decode has no use without --images");
  command.annotations = arguments[0];
  if (examples)
    command.options.examples = static_cast<std::size_t>(line.integer("--limit-examples", *examples, 0, 1000000));
  if (threads) command.options.threads = line.integer("--threads", *threads, 1, 1024);
  if (command.json && *command.json != "-") {
    DistinctFiles files;
    files.input(command.annotations);
    if (command.results) files.input(*command.results);
    files.output(*command.json);
  }
  return command;
}

/// Calls work(options) with options that draw a bar.
template <class Work>
auto with_progress(const coco::CheckOptions& options, const std::string& unit, const Work& work) {
  std::optional<Progress> bar;
  coco::CheckOptions own = options;
  own.progress = [&](index_t done, index_t total) {
    if (!bar) bar.emplace(total, unit);
    bar->update(done);
    return true;
  };
  return work(own);
}

int check(const std::vector<std::string>& words) {
  const auto command = parse_check(words);
  if (!command) return 0;
  std::error_code ignored;
  if (command->images && !std::filesystem::is_directory(*command->images, ignored))
    throw FormatError(*command->images + ": is not a folder, expected the one with the pictures of " +
                      command->annotations);
  const bool json_alone = command->json == "-";
  Outputs outputs;
  io::OutputFile* json = command->json && !json_alone ? &outputs.open(*command->json) : nullptr;

  std::vector<CheckedFile> files;
  auto checked = with_progress(command->options, "annotations", [&](const coco::CheckOptions& options) {
    return coco::check_annotations_file(command->annotations, options);
  });
  files.push_back({CheckedKind::annotations, std::move(checked.report)});
  const coco::Annotations& annotations = checked.annotations;
  if (command->results)
    files.push_back({CheckedKind::results, with_progress(command->options, "results", [&](const auto& options) {
                       return coco::check_results_file(annotations, *command->results, options);
                     })});
  if (command->images) {
    const auto size_of = [&](const std::string& path) { return picture_size(path, command->decode); };
    files.push_back({CheckedKind::images, with_progress(command->options, "pictures", [&](const auto& options) {
                       return coco::check_image_files(annotations, *command->images, size_of, options);
                     })});
  }
  print_results(json_alone ? check_json(files) : check_text(files));
  if (json != nullptr) json->write(check_json(files));
  outputs.commit();
  for (const CheckedFile& file : files)
    if (file.report.count(coco::Severity::error) > 0) return 1;
  return 0;
}

}  // namespace

int coco_command(const std::vector<std::string>& words) {
  CommandLine line("coco");
  if (words.empty()) line.fail("no command, expected check");
  if (words[0] == "check") return check({words.begin() + 1, words.end()});
  bool help = false;
  const auto arguments = line.parse(words, help);
  if (help) {
    std::fputs(coco_help, stdout);
    return 0;
  }
  line.fail("unknown command '" + arguments.at(0) + "', expected check" +
            io::detail::did_you_mean(arguments[0], std::vector<std::string>{"check"}));
}

}  // namespace mrcnn::cli
