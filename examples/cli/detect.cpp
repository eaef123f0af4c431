#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "command_line.hpp"
#include "commands.hpp"
#include "distinct_files.hpp"
#include "model_setup.hpp"
#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/io/config.hpp"
#include "mrcnn/io/image.hpp"
#include "mrcnn/io/load_weights.hpp"
#include "mrcnn/models/mask_rcnn.hpp"
#include "mrcnn/vis/draw.hpp"
#include "outputs.hpp"
#include "pictures.hpp"
#include "progress.hpp"
#include "records.hpp"
#include "summary.hpp"
#include "taps.hpp"

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

/// Absent when the help was asked for, and printed.
std::optional<DetectCommand> parse(const std::vector<std::string>& words) {
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

/// Where the results of the pictures go.
struct Targets {
  std::string json;
  std::vector<std::string> drawings;  // one for each picture, or none
  std::vector<std::string> taps;
};

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

/// One path for each picture: the target itself for a single one, else files in the folder that it names.
std::vector<std::string> paths_for(const std::string& target, const PictureList& list, const std::string& extension) {
  const bool folder = list.has_folder || list.pictures.size() > 1 || target.back() == '/' || is_folder(target);
  if (!folder) return {target};
  std::vector<std::string> paths;
  for (const std::string& stem : distinct_stems(list.pictures)) paths.push_back((fs::path(target) / (stem + extension)).string());
  return paths;
}

/// Makes sure that a path that is meant as a folder does not look like a file.
void check_folder_name(const char* option, const std::string& target, const PictureList& list, bool looks_like_file) {
  if (looks_like_file && !is_folder(target) && target.back() != '/' && (list.has_folder || list.pictures.size() > 1))
    throw UsageError(std::string(option) + " is '" + target + "', expected a folder, since there is more than one picture");
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
  return targets;
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

std::vector<std::uint8_t> encoded(const std::string& path, const Image& image) {
  const std::string extension = io::detail::lower_case(fs::path(path).extension().string());
  return extension == ".jpg" || extension == ".jpeg" ? io::encode_jpeg(image) : io::encode_png(image);
}

/// Times of what is not the network's.
class StopWatch {
 public:
  explicit StopWatch(std::vector<StageTime>& times) : times_(times) {}
  /// Ends a step: the time since the last one goes to its account.
  void done(const std::string& stage) {
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    for (StageTime& time : times_)
      if (time.stage == stage) {
        time.seconds += seconds;
        return;
      }
    times_.push_back({stage, seconds});
  }
  void skip() { last_ = Clock::now(); }

 private:
  using Clock = std::chrono::steady_clock;
  std::vector<StageTime>& times_;
  Clock::time_point last_ = Clock::now();
};

/// One run of the command, from the weights to the files.
class Detector {
 public:
  Detector(const DetectCommand& command, PictureList list, Targets targets)
      : list_(std::move(list)),
        targets_(std::move(targets)),
        setup_(set_up_model(*command.weights, command.model)),
        net_(HostBackend(command.threads), setup_.config),
        records_(setup_.class_names) {
    if (command.verbose) print_setup();
    if (!targets_.drawings.empty()) drawing_.typeface = command.font ? vis::load_font(*command.font) : vis::default_typeface();
    open_outputs(command);
    load_weights(net_, setup_.weights);
    watch_.done("load weights");
  }

  /// Returns the exit status.
  int run() {
    Progress progress(static_cast<std::int64_t>(list_.pictures.size()), "pictures");
    for (std::size_t i = 0; i < list_.pictures.size(); ++i) {
      results_.push_back({list_.pictures[i], {}, 0, 0, {}, {}});
      try {
        one(i);
      } catch (const Error& error) {
        const std::string message = named(error.what(), list_.pictures[i].path);
        if (list_.pictures[i].explicitly) throw FormatError(message);
        leave_out(i, message, progress);
      }
      progress.update(static_cast<std::int64_t>(i) + 1);
    }
    if (json_ != nullptr) json_->write(records_.text());
    outputs_.commit();
    progress.clear();
    watch_.done("write files");
    std::fputs((results_table(results_, setup_.class_names) + '\n' + times_table(times_)).c_str(), stdout);
    return failed_ ? 1 : 0;
  }

 private:
  void print_setup() const {
    std::printf("weights: %s\nmodel: %s\nthreads: %d\nconfiguration: %s\nclasses:", setup_.weights.path().c_str(),
                setup_.description.summary().c_str(), net_.backend().threads(),
                io::config_to_json(setup_.config).c_str());
    for (std::size_t i = 0; i < setup_.class_names.size(); ++i)
      std::printf("%s %zu %s", i == 0 ? "" : ",", i + 1, setup_.class_names[i].c_str());
    std::printf("\n\n");
    std::fflush(stdout);
  }

  void open_outputs(const DetectCommand& command) {
    if (!targets_.json.empty()) json_ = &outputs_.open(targets_.json);
    const auto open_all = [&](const std::vector<std::string>& paths, const std::optional<std::string>& target,
                              std::vector<io::OutputFile*>& files) {
      if (!paths.empty() && paths[0] != *target) outputs_.make_folder(*target);
      for (const std::string& path : paths) files.push_back(&outputs_.open(path));
    };
    open_all(targets_.drawings, command.output, drawing_files_);
    open_all(targets_.taps, command.taps, tap_files_);
  }

  void one(std::size_t i) {
    const Picture& picture = list_.pictures[i];
    watch_.skip();
    Image image = io::read_image(picture.path);
    watch_.done("read pictures");
    Taps taps;
    DetectOptions options{.times = &times_};
    if (!tap_files_.empty()) options.observer = taps.observer();
    Detections detections = net_.detect(image, options);
    watch_.skip();
    PictureResult& result = results_.back();
    result.height = image.height;
    result.width = image.width;
    records_.add(picture, detections, image.height, image.width);
    if (!drawing_files_.empty()) {
      vis::draw_detections(image, detections, setup_.class_names, drawing_);
      const auto bytes = encoded(targets_.drawings[i], image);
      drawing_files_[i]->write(bytes.data(), bytes.size());
      drawing_files_[i]->close();
      watch_.done("draw and encode");
    }
    if (!tap_files_.empty()) {
      taps.write(*tap_files_[i],
                 {{"profile", io::name_of(setup_.config.profile)}, {"file_name", picture.file_name()},
                  {"boxes", "x1, y1, x2, y2"}, {"deltas", "dx, dy, dw, dh"}});
      tap_files_[i]->close();
      watch_.done("write files");
    }
    for (Detection& detection : detections) {
      result.mask_pixels.push_back(0);
      for (const std::uint8_t pixel : detection.mask.pixels) result.mask_pixels.back() += pixel != 0 ? 1 : 0;
      detection.mask = {};
    }
    result.detections = std::move(detections);
  }

  void leave_out(std::size_t i, const std::string& message, Progress& progress) {
    failed_ = true;
    results_.back().error = message;
    if (!drawing_files_.empty()) outputs_.discard(*drawing_files_[i]);
    if (!tap_files_.empty()) outputs_.discard(*tap_files_[i]);
    progress.clear();
    std::fprintf(stderr, "mrcnn: skipped: %s\n", message.c_str());
  }

  /// The message, with the picture's path in front unless it names it already.
  static std::string named(const std::string& message, const std::string& path) {
    return message.compare(0, path.size(), path) == 0 ? message : path + ": " + message;
  }

  PictureList list_;
  Targets targets_;
  ModelSetup setup_;
  MaskRCNN<HostBackend> net_;
  Records records_;
  vis::DrawOptions drawing_;
  Outputs outputs_;
  io::OutputFile* json_ = nullptr;
  std::vector<io::OutputFile*> drawing_files_;
  std::vector<io::OutputFile*> tap_files_;
  std::vector<PictureResult> results_;
  std::vector<StageTime> times_;
  StopWatch watch_{times_};
  bool failed_ = false;
};

}  // namespace

int detect(const std::vector<std::string>& words) {
  const auto command = parse(words);
  if (!command) return 0;
  PictureList list = list_pictures(command->arguments);
  Targets targets = choose_targets(*command, list);
  check_distinct(*command, list, targets);
  return Detector(*command, std::move(list), std::move(targets)).run();
}

}  // namespace mrcnn::cli
