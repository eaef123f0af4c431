#include "evaluate_network.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "category_map.hpp"
#include "counted.hpp"
#include "fingerprint.hpp"
#include "model_setup.hpp"
#include "mrcnn/io/config.hpp"
#include "mrcnn/io/image.hpp"
#include "mrcnn/io/load_weights.hpp"
#include "mrcnn/version.hpp"
#include "network.hpp"
#include "progress.hpp"
#include "records.hpp"
#include "results_log.hpp"

namespace mrcnn::cli {

namespace {

namespace fs = std::filesystem;

/// Where the pictures lie. Throws: FormatError when one is missing.
std::vector<std::string> picture_paths(const std::string& folder, const coco::Annotations& annotations,
                                       std::span<const coco::ImageRecord* const> images) {
  std::vector<std::string> paths;
  std::vector<std::string> missing;
  for (const coco::ImageRecord* image : images) {
    if (image->file_name.empty())
      throw FormatError(annotations.name + ": image " + std::to_string(image->id) +
                        " has no file_name, expected the name of its picture");
    paths.push_back((fs::path(folder) / image->file_name).string());
    std::error_code ignored;
    if (!fs::exists(paths.back(), ignored)) missing.push_back(paths.back());
  }
  if (missing.empty()) return paths;
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored))
    throw FormatError(folder + ": is not a folder, expected the one with the pictures of " + annotations.name);
  throw FormatError(missing[0] + ": no such picture" +
                    (missing.size() > 1 ? ", and " + std::to_string(missing.size() - 1) + " more" : std::string()) +
                    " of the " + std::to_string(images.size()) + " that are asked for; check --images, or name those " +
                    "that are there in --image-ids");
}

/// All that the results depend on.
std::string description(const EvaluateCommand& command, const ModelSetup& setup,
                        std::span<const coco::ImageRecord* const> images, const CategoryMap& categories) {
  io::JsonWriter json;
  json.begin_object().member("program", std::string("mrcnn ") + MRCNN_VERSION);
  json.member("annotations", file_fingerprint(*command.annotations));
  Fingerprint ids;
  for (const coco::ImageRecord* image : images) ids.add(std::to_string(image->id) + ",");
  json.member("pictures", std::to_string(images.size()) + ": " + ids.text());
  json.member("weights", file_fingerprint(*command.weights));
  json.key("configuration").raw(io::config_to_json(setup.config, {}));
  json.key("categories").begin_array();
  for (const auto& id : categories.category_ids) id ? json.value(*id) : json.null();
  return json.end_array().end_object().text();
}

}  // namespace

struct ResultsMaker::State {
  State(const EvaluateCommand& options, const coco::Annotations& ground_truth,
        std::span<const coco::ImageRecord* const> pictures)
      : command(options),
        annotations(ground_truth),
        images(pictures.begin(), pictures.end()),
        paths(picture_paths(*options.images, ground_truth, pictures)),
        setup(set_up_model(*options.weights, options.model)),
        categories(match_categories(setup.class_names, ground_truth)),
        net(HostBackend(options.threads), setup.config) {
    for (const std::string& warning : categories.warnings) warn(warning);
    if (command.verbose) std::printf("%s\n", setup_text(setup, net.backend().threads()).c_str());
    std::fflush(stdout);
  }

  /// Looks at the pictures [first, last) and keeps their records; when one can not be read, those of the ones before it.
  void look_at(std::size_t first, std::size_t last) {
    std::vector<Image> pictures;
    std::exception_ptr failure;
    for (std::size_t i = first; i < last && !failure; ++i) {
      try {
        // COCO's annotations are about the pixels as they lie in the file.
        Image picture = io::read_image(paths[i], {.apply_exif_orientation = false});
        check_size(*images[i], paths[i], picture);
        pictures.push_back(std::move(picture));
      } catch (const FormatError&) {
        failure = std::current_exception();
      }
    }
    const auto found = net.detect(std::span<const Image>(pictures));
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      keep(records_of(images[first + i]->id, found[i], pictures[i].height, pictures[i].width));
      ++done;
    }
    if (failure) std::rethrow_exception(failure);
  }

  void check_size(const coco::ImageRecord& image, const std::string& path, const Image& picture) const {
    const bool known = image.height > 0 && image.width > 0;
    if (!known || (picture.height == image.height && picture.width == image.width)) return;
    throw FormatError(path + ": has " + std::to_string(picture.width) + " x " + std::to_string(picture.height) +
                      " pixels, expected " + std::to_string(image.width) + " x " + std::to_string(image.height) +
                      " as in " + annotations.name + "; use the pictures that were annotated");
  }

  std::string records_of(std::int64_t image_id, const Detections& detections, index_t height, index_t width) const {
    std::string text;
    for (const Detection& detection : detections) {
      const auto& category = categories.category_ids.at(static_cast<std::size_t>(detection.class_id) - 1);
      if (!category) continue;
      io::JsonWriter record;
      record.begin_object();
      append_detection(record, image_id, *category, detection, height, width);
      text += (text.empty() ? "" : ",\n") + record.end_object().text();
    }
    return text;
  }

  void keep(const std::string& records) {
    if (log)
      log->add(records);
    else if (!records.empty())
      all_records += (all_records.empty() ? "[\n" : ",\n") + records;
  }

  const EvaluateCommand& command;
  const coco::Annotations& annotations;
  std::vector<const coco::ImageRecord*> images;
  std::vector<std::string> paths;
  ModelSetup setup;
  CategoryMap categories;
  MaskRCNN<HostBackend> net;
  std::optional<ResultsLog> log;
  std::size_t done = 0;     // pictures
  std::string all_records;  // where there is no file for them
};

ResultsMaker::ResultsMaker(const EvaluateCommand& command, const coco::Annotations& annotations,
                           std::span<const coco::ImageRecord* const> images)
    : state_(std::make_unique<State>(command, annotations, images)) {}
ResultsMaker::~ResultsMaker() = default;

const std::string& ResultsMaker::matching() const { return state_->categories.text; }

ResultsMaker::Records ResultsMaker::run() {
  State& state = *state_;
  const std::string path = state.command.results_path();
  if (!path.empty()) {
    std::vector<std::int64_t> ids;
    for (const coco::ImageRecord* image : state.images) ids.push_back(image->id);
    state.log.emplace(path, description(state.command, state.setup, state.images, state.categories), std::move(ids),
                      state.command.resume);
  }
  const std::size_t total = state.images.size();
  if (state.log) state.done = state.log->done();
  if (state.log && !state.log->damage().empty()) warn(state.log->damage());
  if (state.done > 0)
    std::fprintf(stderr, "mrcnn: %s holds %zu of %zu pictures, going on\n", printable(path).c_str(), state.done, total);
  if (state.done < total) load_weights(state.net, state.setup.weights);
  const auto batch = static_cast<std::size_t>(std::max<index_t>(state.net.config().batch_size(), 1));
  Progress progress(static_cast<std::int64_t>(total), "pictures",
                    {.first = static_cast<std::int64_t>(state.done), .memory = true});
  try {
    while (state.done < total) {
      state.look_at(state.done, std::min(state.done + batch, total));
      progress.update(static_cast<std::int64_t>(state.done));
    }
  } catch (const FormatError& error) {
    if (!state.log || state.done == 0) throw;
    throw FormatError(std::string(error.what()) + " (" + std::to_string(state.done) + " of " + std::to_string(total) +
                      " pictures are done: --resume goes on)");
  }
  if (state.log) {
    state.log->finish();
    state.log.reset();
    return {path, true};
  }
  return {state.all_records.empty() ? "[]" : state.all_records + "\n]\n", false};
}

}  // namespace mrcnn::cli
