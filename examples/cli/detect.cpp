#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "detect_command.hpp"
#include "model_setup.hpp"
#include "mrcnn/io/config.hpp"
#include "mrcnn/io/image.hpp"
#include "mrcnn/io/load_weights.hpp"
#include "mrcnn/vis/draw.hpp"
#include "network.hpp"
#include "outputs.hpp"
#include "pictures.hpp"
#include "printable.hpp"
#include "progress.hpp"
#include "records.hpp"
#include "summary.hpp"
#include "taps.hpp"

namespace mrcnn::cli {

namespace {

std::vector<std::uint8_t> encoded(const std::string& path, const Image& image) {
  const std::string extension = io::detail::lower_case(std::filesystem::path(path).extension().string());
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
    if (!targets_.json.empty()) warn_of_equal_ids();
    if (command.verbose) print_setup();
    if (command.font) drawing_.typeface = vis::load_font(*command.font);
    open_outputs(command);
    load_weights(net_, setup_.weights);
    watch_.done("load weights");
  }

  /// Returns the exit status.
  int run() {
    Progress progress(static_cast<std::int64_t>(list_.pictures.size()), "pictures");
    for (std::size_t i = 0; i < list_.pictures.size(); ++i) {
      results_.push_back({list_.pictures[i], {}, 0, 0, {}, {}});
      Found found;
      try {
        found = look_at(list_.pictures[i]);
      } catch (const Error& error) {
        const std::string message = named(error.what(), list_.pictures[i].path);
        if (list_.pictures[i].explicitly) throw FormatError(message);
        leave_out(i, message, progress);
      }
      if (results_.back().error.empty()) write(i, found);
      progress.update(static_cast<std::int64_t>(i) + 1);
    }
    if (json_ != nullptr) json_->write(records_.text());
    outputs_.close();
    progress.clear();
    watch_.done("write files");
    print_results(results_table(results_, setup_.class_names) + '\n' + times_table(times_));
    outputs_.commit();
    return failed_ ? 1 : 0;
  }

 private:
  struct Found {
    Image image;
    Detections detections;
    Taps taps;
  };

  /// COCO's records tell pictures apart by nothing else.
  void warn_of_equal_ids() const {
    std::map<std::int64_t, const Picture*> pictures;
    for (const Picture& picture : list_.pictures) {
      const auto [first, is_new] = pictures.emplace(picture.image_id, &picture);
      if (is_new) continue;
      std::fprintf(stderr, "mrcnn: warning: %s and %s have the same image_id %lld in %s; rename one of them\n",
                   printable(first->second->path).c_str(), printable(picture.path).c_str(),
                   static_cast<long long>(picture.image_id), printable(targets_.json).c_str());
      return;
    }
  }

  void print_setup() const {
    std::printf("%s\n", setup_text(setup_, net_.backend().threads()).c_str());
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

  Found look_at(const Picture& picture) {
    Found found;
    watch_.skip();
    found.image = io::read_image(picture.path);
    watch_.done("read pictures");
    DetectOptions options{.times = &times_};
    if (!tap_files_.empty()) options.observer = found.taps.observer();
    found.detections = net_.detect(found.image, options);
    watch_.skip();
    return found;
  }

  void write(std::size_t i, Found& found) {
    const Picture& picture = list_.pictures[i];
    PictureResult& result = results_.back();
    result.height = found.image.height;
    result.width = found.image.width;
    records_.add(picture, found.detections, result.height, result.width);
    if (!drawing_files_.empty()) {
      vis::draw_detections(found.image, found.detections, setup_.class_names, drawing_);
      const auto bytes = encoded(targets_.drawings[i], found.image);
      drawing_files_[i]->write(bytes.data(), bytes.size());
      drawing_files_[i]->close();
      watch_.done("draw and encode");
    }
    if (!tap_files_.empty()) {
      found.taps.write(*tap_files_[i], {{"profile", io::name_of(setup_.config.profile)},
                                        {"file_name", picture.file_name()},
                                        {"boxes", "x1, y1, x2, y2"},
                                        {"deltas", "dx, dy, dw, dh"}});
      tap_files_[i]->close();
      watch_.done("write files");
    }
    for (Detection& detection : found.detections) {
      result.mask_pixels.push_back(0);
      for (const std::uint8_t pixel : detection.mask.pixels) result.mask_pixels.back() += pixel != 0 ? 1 : 0;
      detection.mask = {};
    }
    result.detections = std::move(found.detections);
  }

  void leave_out(std::size_t i, const std::string& message, Progress& progress) {
    failed_ = true;
    results_.back().error = message;
    if (!drawing_files_.empty()) outputs_.discard(*drawing_files_[i]);
    if (!tap_files_.empty()) outputs_.discard(*tap_files_[i]);
    progress.clear();
    std::fprintf(stderr, "mrcnn: skipped: %s\n", printable(message).c_str());
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
  const auto command = parse_detect(words);
  if (!command) return 0;
  PictureList list = list_pictures(command->arguments);
  Targets targets = choose_targets(*command, list);
  return Detector(*command, std::move(list), std::move(targets)).run();
}

}  // namespace mrcnn::cli
