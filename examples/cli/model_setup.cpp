#include "model_setup.hpp"

#include <algorithm>
#include <limits>

#include "class_names.hpp"
#include "mrcnn/io/config.hpp"
#include "mrcnn/io/open_weights.hpp"

namespace mrcnn::cli {

namespace {

/// Settings with where they come from, for messages.
struct Settings {
  io::ConfigSettings values;
  std::string source;
};

/// Takes what the arrays say about a network's size; throws when a configuration says something else.
class SizesFromWeights {
 public:
  SizesFromWeights(const std::string& path, MaskRCNNConfig& config, const std::vector<Settings>& settings)
      : path_(path), config_(config), settings_(settings) {}

  void size(const char* name, int MaskRCNNConfig::*member, index_t found, const char* layer) {
    if (found <= 0 || found > std::numeric_limits<int>::max())
      throw FormatError(path_ + ": array '" + layer + "/kernel' has a shape that no Mask R-CNN has; see mrcnn inspect");
    compare(name, std::to_string(config_.*member), std::to_string(found));
    config_.*member = static_cast<int>(found);
  }
  void backbone(const io::ModelDescription& model) {
    ResNetConfig found;
    found.blocks = model.blocks;
    found.widths.assign(model.widths.begin(), model.widths.end());
    found.stem_channels = static_cast<int>(model.stem_channels);
    if (!(config_.backbone == found)) {
      const auto text = [](const ResNetConfig& backbone) {
        MaskRCNNConfig holder;
        holder.backbone = backbone;
        return std::string(
            io::JsonDocument::parse(io::config_to_json(holder), "backbone").root()["backbone"].minified());
      };
      compare("backbone", text(config_.backbone), text(found));
    }
    config_.backbone = found;
  }
  void ratios(index_t found) {
    const auto count = static_cast<index_t>(config_.rpn_anchor_ratios.size());
    if (found == count) return;
    const std::string source = source_of("rpn_anchor_ratios");
    throw FormatError((source.empty() ? path_ : source) + ": rpn_anchor_ratios has " + std::to_string(count) +
                      " numbers, expected " + std::to_string(found) + ", since " + path_ + " has " +
                      std::to_string(found) +
                      " anchors at each position; name the ratios that the model was trained with" +
                      (source.empty() ? " in --config" : ""));
  }

 private:
  void compare(const std::string& name, const std::string& configured, const std::string& found) const {
    const std::string source = source_of(name);
    if (configured == found || source.empty()) return;
    throw FormatError(source + ": " + name + " is " + configured + ", expected " + found + " as in " + path_ +
                      "; correct it or leave it out");
  }
  /// The configuration that sets the name; empty when none does.
  std::string source_of(const std::string& name) const {
    for (const Settings& settings : settings_)
      if (settings.values.sets(name)) return settings.source;
    return {};
  }

  const std::string& path_;
  MaskRCNNConfig& config_;
  const std::vector<Settings>& settings_;
};

/// A message of `check_config`, "MaskRCNNConfig: image_max_dim is 100, ...", that begins with what sets the value, or
/// with `otherwise`.
std::string with_source(std::string message, const std::vector<Settings>& settings, const std::string& otherwise) {
  const std::string head = "MaskRCNNConfig: ";
  if (message.compare(0, head.size(), head) == 0) message.erase(0, head.size());
  const std::string name = message.substr(0, message.find_first_of(" ."));
  for (const Settings& source : settings)
    if (source.values.sets(name)) return source.source + ": " + message;
  return otherwise + ": " + message;
}

/// Throws unless every array of a Mask R-CNN is there.
void check_is_whole(const std::string& path, const io::ModelDescription& model) {
  index_t missing = 0;
  index_t expected = 0;
  std::string first;
  for (const auto& part : model.parts) {
    expected += part.expected;
    missing += static_cast<index_t>(part.missing.size());
    if (first.empty() && !part.missing.empty()) first = part.missing[0];
  }
  if (missing == 0) return;
  throw FormatError(path + ": " + std::to_string(missing) + " of the " + std::to_string(expected) +
                    " arrays of a Mask R-CNN " + (missing == 1 ? "is" : "are") + " missing (" +
                    (missing == 1 ? "" : "first ") + "'" + first +
                    "'), expected a whole model; mrcnn inspect shows what is there");
}

}  // namespace

void ModelOptions::add_to(CommandLine& line) {
  line.option("--profile", "NAME",
              "legacy (matterport's first versions; the published weights) or modern\n"
              "(its last state): how pictures are resized, boxes rounded, masks pasted.\n"
              "Default: that of --config or of the weights, else legacy.",
              profile);
  line.option("--config", "FILE.json",
              "Settings under matterport's names, in lower or upper case, such as\n"
              "{\"image_min_dim\": 512, \"image_max_dim\": 512}. They go before those stored\n"
              "with the weights. Class count and backbone are found in the weights.",
              config);
  line.option("--classes", "NAMES",
              "Names of the classes without the background: coco, a file with one name\n"
              "a line, or a list: a,b,c. Default: those stored with the weights, COCO's\n"
              "for 81 classes, else class 1, class 2, ...",
              classes);
}

void ModelOptions::check(const CommandLine& line) const {
  if (profile && !io::profile_named(*profile)) line.fail("--profile is '" + *profile + "', expected legacy or modern");
  if (classes) check_class_option(line, *classes);
}

ModelSetup set_up_model(const std::string& weights_path, const ModelOptions& options,
                        const std::function<void(const io::WeightsFile&, const io::ModelDescription&)>& on_missing) {
  std::optional<io::JsonDocument> document;
  if (options.config) document = io::JsonDocument::open(*options.config);
  ModelSetup setup{io::open_weights(weights_path), {}, {}, {}, false};
  setup.description = io::describe_model(setup.weights);
  const auto& parts = setup.description.parts;
  if (on_missing && std::any_of(parts.begin(), parts.end(), [](const auto& part) { return !part.missing.empty(); }))
    on_missing(setup.weights, setup.description);
  check_is_whole(weights_path, setup.description);
  const auto metadata = io::native_metadata(setup.weights);

  std::vector<Settings> settings;
  if (document) settings.push_back({io::config_from_json(document->root()), *options.config});
  if (!metadata.config.empty()) {
    const std::string source = weights_path + ": stored configuration";
    settings.push_back({io::parse_config(metadata.config, source), source});
    setup.config = settings.back().values.config;
  }
  if (document) setup.config = io::config_from_json(document->root(), setup.config).config;
  if (options.profile) setup.config.profile = *io::profile_named(*options.profile);
  if (options.min_confidence) setup.config.detection_min_confidence = *options.min_confidence;
  // There are never more detections than proposals; memory for more would only be wasted.
  if (options.max_detections)
    setup.config.detection_max_instances = std::min(*options.max_detections, setup.config.post_nms_rois_inference);

  const auto& model = setup.description;
  SizesFromWeights sizes(weights_path, setup.config, settings);
  sizes.size("num_classes", &MaskRCNNConfig::num_classes, model.class_count, "mrcnn_class_logits");
  sizes.backbone(model);
  sizes.size("top_down_pyramid_size", &MaskRCNNConfig::top_down_pyramid_size, model.pyramid_channels, "fpn_c5p5");
  sizes.size("fpn_classif_fc_layers_size", &MaskRCNNConfig::fpn_classif_fc_layers_size, model.head_channels,
             "mrcnn_class_conv1");
  sizes.size("pool_size", &MaskRCNNConfig::pool_size, model.pool_size, "mrcnn_class_conv1");
  sizes.size("rpn_channels", &MaskRCNNConfig::rpn_channels, model.rpn_channels, "rpn_conv_shared");
  sizes.size("mask_head_channels", &MaskRCNNConfig::mask_head_channels, model.mask_channels, "mrcnn_mask_conv1");
  sizes.ratios(model.anchors);
  try {
    check_config(setup.config);
  } catch (const ShapeError& error) {
    throw FormatError(with_source(error.what(), settings, options.config ? *options.config : weights_path));
  }
  setup.class_names = settle_class_names(options.classes, metadata.class_names, setup.config.num_classes, weights_path);
  setup.names_are_given = options.classes || !metadata.class_names.empty();
  return setup;
}

std::string setup_text(const ModelSetup& setup, int threads) {
  std::string text = "weights: " + setup.weights.path() + "\nmodel: " + setup.description.summary() +
                     "\nthreads: " + std::to_string(threads) + "\nconfiguration: " + io::config_to_json(setup.config) +
                     "\nclasses:";
  for (std::size_t i = 0; i < setup.class_names.size(); ++i)
    text += (i == 0 ? " " : ", ") + std::to_string(i + 1) + " " + setup.class_names[i];
  return text + "\n";
}

}  // namespace mrcnn::cli
