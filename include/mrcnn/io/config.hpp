#ifndef MRCNN_IO_CONFIG_HPP
#define MRCNN_IO_CONFIG_HPP

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mrcnn/io/detail/nearest_name.hpp"
#include "mrcnn/io/json.hpp"
#include "mrcnn/models/mask_rcnn_config.hpp"

namespace mrcnn::io {

/// "legacy" or "modern".
inline const char* name_of(Profile profile) { return profile == Profile::matterport_legacy ? "legacy" : "modern"; }
/// The profile of one of these names, also with "matterport_" before it.
inline std::optional<Profile> profile_named(std::string_view name) {
  if (name == "legacy" || name == "matterport_legacy") return Profile::matterport_legacy;
  if (name == "modern" || name == "matterport_modern") return Profile::matterport_modern;
  return std::nullopt;
}

/// A configuration from JSON, and which settings the text names.
struct ConfigSettings {
  MaskRCNNConfig config;
  /// In lower case. Everything else has the value of the base.
  std::set<std::string, std::less<>> names;
  bool sets(std::string_view name) const { return names.count(name) > 0; }
};

namespace detail {

/// The numbers that a setting, or each element of its list, may have. Both ends are included.
struct SettingRange {
  double low = 0;
  double high = std::numeric_limits<double>::infinity();
};

inline constexpr SettingRange any_count{0, std::numeric_limits<int>::max()};
inline constexpr SettingRange from_one{1, std::numeric_limits<int>::max()};
inline constexpr SettingRange from_zero_to_one{0, 1};
inline constexpr SettingRange positive{std::numeric_limits<float>::min(), std::numeric_limits<float>::max()};

/// Calls f(name, member, range) for every setting: the one list of them. `Config` is MaskRCNNConfig, const or not.
template <class Config, class F>
void for_each_setting(Config& c, F&& f) {
  f("profile", c.profile, SettingRange{});
  f("name", c.name, SettingRange{});
  f("gpu_count", c.gpu_count, from_one);
  f("images_per_gpu", c.images_per_gpu, from_one);
  f("steps_per_epoch", c.steps_per_epoch, any_count);
  f("validation_steps", c.validation_steps, any_count);
  f("backbone", c.backbone, SettingRange{});
  f("backbone_strides", c.backbone_strides, from_one);
  f("fpn_classif_fc_layers_size", c.fpn_classif_fc_layers_size, from_one);
  f("top_down_pyramid_size", c.top_down_pyramid_size, from_one);
  f("rpn_channels", c.rpn_channels, from_one);
  f("mask_head_channels", c.mask_head_channels, from_one);
  f("num_classes", c.num_classes, from_one);
  f("rpn_anchor_scales", c.rpn_anchor_scales, positive);
  f("rpn_anchor_ratios", c.rpn_anchor_ratios, positive);
  f("rpn_anchor_stride", c.rpn_anchor_stride, from_one);
  f("rpn_nms_threshold", c.rpn_nms_threshold, from_zero_to_one);
  f("rpn_train_anchors_per_image", c.rpn_train_anchors_per_image, from_one);
  f("pre_nms_limit", c.pre_nms_limit, from_one);
  f("post_nms_rois_training", c.post_nms_rois_training, from_one);
  f("post_nms_rois_inference", c.post_nms_rois_inference, from_one);
  f("use_mini_mask", c.use_mini_mask, SettingRange{});
  f("mini_mask_shape", c.mini_mask_shape, from_one);
  f("image_resize_mode", c.image_resize_mode, SettingRange{});
  f("image_padding", c.image_padding, SettingRange{});
  f("image_min_dim", c.image_min_dim, from_one);
  f("image_max_dim", c.image_max_dim, from_one);
  f("image_min_scale", c.image_min_scale, SettingRange{0, 1e6});
  f("image_channel_count", c.image_channel_count, from_one);
  f("mean_pixel", c.mean_pixel, SettingRange{-1e6, 1e6});
  f("train_rois_per_image", c.train_rois_per_image, from_one);
  f("roi_positive_ratio", c.roi_positive_ratio, from_zero_to_one);
  f("pool_size", c.pool_size, from_one);
  f("mask_pool_size", c.mask_pool_size, from_one);
  f("mask_shape", c.mask_shape, from_one);
  f("max_gt_instances", c.max_gt_instances, from_one);
  f("rpn_bbox_std_dev", c.rpn_bbox_std_dev, positive);
  f("bbox_std_dev", c.bbox_std_dev, positive);
  f("detection_max_instances", c.detection_max_instances, from_one);
  f("detection_min_confidence", c.detection_min_confidence, from_zero_to_one);
  f("detection_nms_threshold", c.detection_nms_threshold, from_zero_to_one);
  f("learning_rate", c.learning_rate, SettingRange{0, 1e6});
  f("learning_momentum", c.learning_momentum, from_zero_to_one);
  f("weight_decay", c.weight_decay, SettingRange{0, 1e6});
  f("loss_weights", c.loss_weights, SettingRange{0, 1e6});
  f("use_rpn_rois", c.use_rpn_rois, SettingRange{});
  f("train_bn", c.train_bn, SettingRange{});
  f("gradient_clip_norm", c.gradient_clip_norm, SettingRange{0, 1e6});
}

/// Settings of matterport's that follow from others, or do not exist here; they may stand in a file all the same.
inline constexpr std::array derived_settings{"batch_size", "image_shape", "image_meta_size", "compute_backbone_shape"};

inline constexpr std::array loss_names{"rpn_class_loss", "rpn_bbox_loss", "mrcnn_class_loss", "mrcnn_bbox_loss",
                                       "mrcnn_mask_loss"};

struct ResizeModeName {
  ResizeMode mode;
  const char* name;
};
inline constexpr std::array resize_mode_names{
    ResizeModeName{ResizeMode::square, "square"}, ResizeModeName{ResizeMode::pad64, "pad64"},
    ResizeModeName{ResizeMode::none, "none"}, ResizeModeName{ResizeMode::crop, "crop"}};

/// Writes the members of a configuration, one value each.
class SettingWriter {
 public:
  explicit SettingWriter(JsonWriter& json) : json_(json) {}

  template <class T>
  void operator()(const char* name, const T& value, const SettingRange& /*range*/) {
    json_.key(name);
    write(value);
  }

 private:
  void write(const std::string& text) { json_.value(text); }
  void write(bool truth) { json_.value(truth); }
  void write(int number) { json_.value(number); }
  void write(double number) { json_.value(number); }
  void write(Profile profile) { json_.value(name_of(profile)); }
  void write(ResizeMode mode) {
    for (const auto& row : resize_mode_names)
      if (row.mode == mode) json_.value(row.name);
  }
  void write(const ResNetConfig& backbone) {
    if (backbone == ResNetConfig::resnet50()) {
      json_.value("resnet50");
    } else if (backbone == ResNetConfig::resnet101()) {
      json_.value("resnet101");
    } else {
      json_.begin_object().key("blocks");
      write(backbone.blocks);
      json_.key("widths");
      write(backbone.widths);
      json_.member("stem_channels", backbone.stem_channels).end_object();
    }
  }
  template <class List>
    requires requires(const List& list) { list.begin(); }
  void write(const List& list) {
    JsonWriter line;  // lists of numbers stay on one line
    line.begin_array();
    for (const auto number : list) line.value(number);
    json_.raw(line.end_array().text());
  }

  JsonWriter& json_;
};

/// Reads the value of one setting.
class SettingReader {
 public:
  SettingReader(const JsonValue& value, const SettingRange& range) : value_(value), range_(range) {}

  void read(std::string& text) const { text = value_.string(); }
  void read(bool& truth) const { truth = value_.boolean(); }
  void read(int& number) const { number = static_cast<int>(integer(value_)); }
  void read(double& number) const { number = real(value_); }
  void read(Profile& profile) const {
    const auto found = profile_named(value_.string());
    if (!found) value_.fail("found '" + std::string(value_.string()) + "', expected legacy or modern");
    profile = *found;
  }
  void read(ResizeMode& mode) const {
    const std::string_view text = value_.string();
    for (const auto& row : resize_mode_names)
      if (text == row.name) {
        mode = row.mode;
        return;
      }
    value_.fail("found '" + std::string(text) + "', expected square, pad64, none or crop");
  }
  void read(ResNetConfig& backbone) const {
    if (value_.is_string() && value_.string() == "resnet50") {
      backbone = ResNetConfig::resnet50();
    } else if (value_.is_string() && value_.string() == "resnet101") {
      backbone = ResNetConfig::resnet101();
    } else if (value_.is_object()) {
      read_stages(backbone);
    } else {
      value_.fail("found " + value_.minified() +
                  R"(, expected "resnet50", "resnet101" or an object such as {"blocks": [3, 4, 6, 3]})");
    }
  }
  template <class T>
  void read(std::vector<T>& list) const {
    if (value_.size() == 0) value_.fail("found an empty list, expected at least one number");
    list.clear();
    value_.for_each_element([&](const JsonValue& element) { list.push_back(number<T>(element)); });
  }
  template <class T, std::size_t N>
  void read(std::array<T, N>& list) const {
    if (value_.size() != static_cast<index_t>(N))
      value_.fail("found " + std::to_string(value_.size()) + " numbers, expected " + std::to_string(N));
    std::size_t i = 0;
    value_.for_each_element([&](const JsonValue& element) { list[i++] = number<T>(element); });
  }
  /// Of the five losses, by name or in order.
  void read_losses(std::array<double, 5>& weights) const {
    if (!value_.is_object()) return read(weights);
    value_.for_each_member([&](std::string_view name, const JsonValue& weight) {
      for (std::size_t i = 0; i < weights.size(); ++i)
        if (name == loss_names[i]) {
          weights[i] = real(weight);
          return;
        }
      std::string expected;
      for (const char* loss : loss_names) expected += (expected.empty() ? "" : ", ") + std::string(loss);
      value_.fail("has the unknown loss '" + std::string(name) + "', expected " + expected);
    });
  }

 private:
  template <class T>
  T number(const JsonValue& value) const {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(integer(value));
    else
      return static_cast<T>(real(value));
  }
  std::int64_t integer(const JsonValue& value) const {
    return value.integer(static_cast<std::int64_t>(range_.low), static_cast<std::int64_t>(range_.high));
  }
  double real(const JsonValue& value) const {
    const double number = value.number();
    if (number >= range_.low && number <= range_.high) return number;
    JsonWriter low;
    JsonWriter high;
    value.fail("found " + value.minified() + ", expected a number " +
               (range_.low == positive.low
                    ? "above 0"
                    : "from " + low.value(range_.low).text() + " to " + high.value(range_.high).text()));
  }
  void read_stages(ResNetConfig& backbone) const {
    ResNetConfig read_so_far = ResNetConfig::resnet50();
    bool has_blocks = false;
    value_.for_each_member([&](std::string_view name, const JsonValue& member) {
      const SettingReader reader(member, from_one);
      if (name == "blocks") {
        reader.read(read_so_far.blocks);
        has_blocks = true;
      } else if (name == "widths") {
        reader.read(read_so_far.widths);
      } else if (name == "stem_channels") {
        reader.read(read_so_far.stem_channels);
      } else {
        value_.fail("has the unknown member '" + std::string(name) + "', expected blocks, widths, stem_channels");
      }
      if (member.is_array() && member.size() != 4)
        member.fail("found " + std::to_string(member.size()) + " numbers, expected 4: one for each of stages 2 to 5");
    });
    if (!has_blocks) value_.fail("has no member 'blocks', expected the block counts of stages 2 to 5");
    backbone = read_so_far;
  }

  const JsonValue& value_;
  SettingRange range_;
};

/// What follows from other settings must agree with them: a file that says both was written by matterport's code.
inline void check_derived(const std::string& name, const JsonValue& value, const ConfigSettings& settings) {
  const MaskRCNNConfig& config = settings.config;
  if (name == "compute_backbone_shape") {
    if (!value.is_null())
      value.fail("found " + value.minified() + ", expected null: other backbones are described by 'backbone'");
  } else if (name == "batch_size") {
    if (value.integer() != config.batch_size())
      value.fail("found " + value.minified() + ", expected images_per_gpu * gpu_count = " +
                 std::to_string(config.batch_size()) + "; set those, or leave it out");
  } else if (name == "image_shape") {
    const int side = config.image_resize_mode == ResizeMode::crop ? config.image_min_dim : config.image_max_dim;
    if (value.integers() != std::vector<std::int64_t>{side, side, config.image_channel_count})
      value.fail("found " + value.minified() + ", expected [" + std::to_string(side) + ", " + std::to_string(side) +
                 ", " + std::to_string(config.image_channel_count) +
                 "], which follows from image_max_dim; set that, or leave it out");
  } else if (const auto size = value.integer(); settings.sets("num_classes")) {
    // The length of matterport's meta vector, of its last and of its first state.
    if (size != config.num_classes + 12 && size != config.num_classes + 8)
      value.fail("found " + value.minified() +
                 ", expected num_classes + 12 = " + std::to_string(config.num_classes + 12) + "; leave it out");
  }
}

}  // namespace detail

/// Settings from a JSON object, over those of `base`.
///
/// Keys are the members of MaskRCNNConfig, in lower or in upper case, as matterport writes them: "num_classes" or
/// "NUM_CLASSES". "profile" is "legacy" or "modern"; "backbone" "resnet50", "resnet101" or {"blocks": [3, 4, 6, 3],
/// "widths": [64, 128, 256, 512], "stem_channels": 64}; "loss_weights" an object or a list. Settings of matterport's
/// that follow from others (batch_size, image_shape, image_meta_size) must agree with them.
/// Only each value's own type and range are checked; `check_config` says whether they make a network.
/// Throws: FormatError, with the document's name, for an unknown key (and the nearest known one), a key that stands
/// there twice or in two spellings, a value of the wrong type or out of range.
inline ConfigSettings config_from_json(const JsonValue& object, const MaskRCNNConfig& base = {}) {
  ConfigSettings settings{base, {}};
  std::vector<std::string> known(detail::derived_settings.begin(), detail::derived_settings.end());
  detail::for_each_setting(base, [&](const char* name, const auto&, const auto&) { known.emplace_back(name); });

  std::map<std::string, JsonValue> values;
  object.for_each_member([&](std::string_view key, const JsonValue& value) {
    std::string name(key);
    if (name == detail::upper_case(name)) name = detail::lower_case(name);
    if (std::find(known.begin(), known.end(), name) == known.end())
      object.fail("has the unknown setting '" + std::string(key) + "', expected a member of MaskRCNNConfig" +
                  detail::did_you_mean(name, known));
    if (!values.emplace(name, value).second)
      object.fail("sets '" + name + "' twice; keys in lower and upper case are the same");
  });
  detail::for_each_setting(settings.config, [&]<class T>(const std::string& name, T& member, const auto& range) {
    const auto value = values.find(name);
    if (value == values.end()) return;
    const detail::SettingReader reader(value->second, range);
    if constexpr (std::is_same_v<T, std::array<double, 5>>)
      reader.read_losses(member);
    else
      reader.read(member);
    settings.names.insert(name);
  });
  for (const char* name : detail::derived_settings)
    if (const auto value = values.find(name); value != values.end())
      detail::check_derived(name, value->second, settings);
  return settings;
}

/// The same for a text; `source` stands for the file in messages.
inline ConfigSettings parse_config(std::string_view text, const std::string& source, const MaskRCNNConfig& base = {}) {
  return config_from_json(JsonDocument::parse(text, source).root(), base);
}
/// The same for a file. Throws also when it is missing or not JSON.
inline ConfigSettings read_config(const std::string& path, const MaskRCNNConfig& base = {}) {
  return config_from_json(JsonDocument::open(path).root(), base);
}

/// Every setting as a JSON object, one a line; `config_from_json` reads back the same configuration, bit for bit.
/// Throws: Error when a number is NaN or infinite.
inline std::string config_to_json(const MaskRCNNConfig& config, const JsonWriterOptions& options = {.indent = 2}) {
  JsonWriter json(options);
  json.begin_object();
  detail::for_each_setting(config, detail::SettingWriter(json));
  return json.end_object().text();
}

}  // namespace mrcnn::io

#endif
