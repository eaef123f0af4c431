#ifndef MRCNN_TESTS_SUPPORT_GOLDEN_HPP
#define MRCNN_TESTS_SUPPORT_GOLDEN_HPP

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/core/image.hpp"
#include "mrcnn/io/json.hpp"
#include "mrcnn/io/load_weights.hpp"
#include "mrcnn/io/open_weights.hpp"
#include "mrcnn/io/safetensors.hpp"
#include "mrcnn/models/mask_rcnn.hpp"
#include "tests/support/seeded_weights.hpp"
#include "tests/support/shared.hpp"

namespace mrcnn::test {

/// A tensor on the host.
struct Values {
  std::vector<index_t> extents;
  std::vector<float> elements;

  index_t rows() const { return extents[0]; }
  index_t row_size() const {
    index_t size = 1;
    for (std::size_t i = 1; i < extents.size(); ++i) size *= extents[i];
    return size;
  }
  const float* row(index_t i) const { return elements.data() + i * row_size(); }
  /// Over these extents, for ops.
  template <int Rank>
  HostView<const float, Rank> view(const Extents<Rank>& e) const {
    return {elements.data(), e};
  }
};

/// Exchanges x and y in boxes and deltas: between our (x1, y1, x2, y2) and the original's (y1, x1, y2, x2), either way.
inline Values swap_axes(Values v, index_t row_length) {
  for (std::size_t i = 0; i + 3 < v.elements.size(); i += static_cast<std::size_t>(row_length)) {
    std::swap(v.elements[i], v.elements[i + 1]);
    std::swap(v.elements[i + 2], v.elements[i + 3]);
  }
  return v;
}

/// The tensor under one of the golden names in our order, from the original's order, or back.
inline Values reordered(const std::string& name, Values v) {
  if (name == "detections") return swap_axes(std::move(v), 6);
  if (name == "rpn_bbox" || name == "mrcnn_bbox" || name == "anchors" || name == "rpn_rois" || name == "window" ||
      name == "final_rois")
    return swap_axes(std::move(v), 4);
  return v;
}

/// What the original computed for one picture with one profile.
class GoldenCase {
 public:
  /// @param model    "seeded_r50", "seeded_r101", "balloon_resnet50"
  /// @param which    "a", "b", "c"
  /// @param profile  "legacy", "modern"
  GoldenCase(std::string model, const std::string& which, std::string profile)
      : model_(std::move(model)),
        profile_(std::move(profile)),
        stem_(shared_path("golden/" + model_ + "/case_" + which).string()),
        tensors_(io::SafeTensors::open(stem_ + ".safetensors")),
        description_(io::JsonDocument::open(stem_ + ".json")) {}

  std::string title() const { return stem_.substr(stem_.find("golden/") + 7) + " " + profile_; }
  const std::string& model() const { return model_; }
  std::string picture_path() const { return stem_ + ".png"; }

  MaskRCNNConfig config() const {
    const auto json = description_.root()["config"];
    const auto integer = [&](const char* key) { return static_cast<int>(json[key].integer()); };
    MaskRCNNConfig config =
        profile_ == "legacy" ? MaskRCNNConfig::matterport_legacy() : MaskRCNNConfig::matterport_modern();
    config.num_classes = integer("NUM_CLASSES");
    config.backbone = json["BACKBONE"].string() == "resnet50" ? ResNetConfig::resnet50() : ResNetConfig::resnet101();
    config.image_min_dim = integer("IMAGE_MIN_DIM");
    config.image_max_dim = integer("IMAGE_MAX_DIM");
    config.post_nms_rois_inference = integer("POST_NMS_ROIS_INFERENCE");
    config.detection_min_confidence = json["DETECTION_MIN_CONFIDENCE"].number();
    config.rpn_anchor_scales.clear();
    for (const double scale : json["RPN_ANCHOR_SCALES"].numbers())
      config.rpn_anchor_scales.push_back(static_cast<float>(scale));
    return config;
  }

  io::WeightsFile weights() const {
    if (model_ == "balloon_resnet50")
      return io::open_weights(shared_path("golden/balloon_resnet50/mask_rcnn_balloon_resnet50.h5").string());
    return seeded_weights(model_);
  }
  MaskRCNN<HostBackend> network(const HostBackend& backend) const {
    MaskRCNN<HostBackend> net(backend, config());
    load_weights(net, weights());
    return net;
  }

  bool has(const std::string& name) const { return tensors_.contains(profile_ + "/" + name); }
  /// A whole tensor in our order.
  Values whole(const std::string& name) const { return reordered(name, stored(name)); }
  Extents<4> extents(const std::string& name) const {
    const auto v = tensors_.info(profile_ + "/" + name).shape;
    return {{1, v[0], v[1], v[2]}};
  }
  template <class T>
  std::vector<T> raw(const std::string& name) const {
    return tensors_.read<T>(profile_ + "/" + name);
  }

  struct Difference {
    double largest = 0;    ///< largest absolute difference
    double magnitude = 0;  ///< largest magnitude of the original's tensor
    double relative() const { return magnitude > 0 ? largest / magnitude : largest; }
  };

  /// How far one of our tensors is from the original's, over all elements that are stored.
  Difference compare(const std::string& name, const Values& ours) const {
    const Values theirs_order = reordered(name, ours);
    Difference difference;
    if (has(name)) {
      const Values theirs = stored(name);
      REQUIRE(theirs.elements.size() <= theirs_order.elements.size());
      for (std::size_t i = 0; i < theirs.elements.size(); ++i)
        add(difference, theirs_order.elements[i], theirs.elements[i]);
      return difference;
    }
    const Values sample = stored(name + ".sample");
    const auto profile = description_.root()["profiles"][profile_.c_str()];
    const auto stride = static_cast<std::size_t>(profile["sample_strides"][name.c_str()].integer());
    for (std::size_t i = 0; i < sample.elements.size(); ++i)
      add(difference, theirs_order.elements.at(i * stride), sample.elements[i]);
    difference.magnitude = profile["stats"][name.c_str()]["absmax"].number();
    return difference;
  }

  static void add(Difference& difference, float ours, float theirs) {
    difference.largest = std::max(difference.largest, std::abs(static_cast<double>(ours) - theirs));
    if (std::isnan(ours) != std::isnan(theirs)) difference.largest = INFINITY;
    difference.magnitude = std::max(difference.magnitude, std::abs(static_cast<double>(theirs)));
  }

 private:
  Values stored(const std::string& name) const {
    const auto& info = tensors_.info(profile_ + "/" + name);
    Values values{info.shape, {}};
    if (info.dtype == io::DataType::i32) {
      const auto integers = tensors_.read<std::int32_t>(info.name);
      values.elements.assign(integers.begin(), integers.end());
    } else {
      values.elements = tensors_.read<float>(info.name);
    }
    return values;
  }

  std::string model_;
  std::string profile_;
  std::string stem_;
  io::SafeTensors tensors_;
  io::JsonDocument description_;
};

/// Every tensor of the network for one picture, and what was found in it.
struct NetworkRun {
  std::map<std::string, Values> taps;
  Detections detections;
};

inline NetworkRun run_network(const MaskRCNN<HostBackend>& net, const Image& picture) {
  NetworkRun run;
  DetectOptions options;
  options.observer = [&run](const std::string& name, std::span<const index_t> extents,
                            std::span<const float> elements) {
    run.taps[name] = {{extents.begin(), extents.end()}, {elements.begin(), elements.end()}};
  };
  run.detections = net.detect(picture, options);
  return run;
}

/// Intersection over union of two boxes in any frame, in double.
inline double iou(const float* a, const float* b) {
  const double width = std::min<double>(a[2], b[2]) - std::max<double>(a[0], b[0]);
  const double height = std::min<double>(a[3], b[3]) - std::max<double>(a[1], b[1]);
  const double both = std::max(width, 0.0) * std::max(height, 0.0);
  const double area_a = (static_cast<double>(a[2]) - a[0]) * (static_cast<double>(a[3]) - a[1]);
  const double area_b = (static_cast<double>(b[2]) - b[0]) * (static_cast<double>(b[3]) - b[1]);
  return both > 0 ? both / (area_a + area_b - both) : 0.0;
}

/// Whether two boxes are the same up to noise: they overlap almost wholly, or they are empty (then nothing overlaps) and
/// their corners agree to 1e-4 of the picture.
inline bool same_box(const float* a, const float* b, double picture) {
  if (iou(a, b) > 0.99) return true;
  const bool empty = !((a[2] - a[0]) * (a[3] - a[1]) > 0) && !((b[2] - b[0]) * (b[3] - b[1]) > 0);
  double off = 0;
  for (int k = 0; k < 4; ++k) off = std::max(off, std::abs(static_cast<double>(a[k]) - b[k]));
  return empty && off <= 1e-4 * picture;
}

/// A part of a model, filled from a file, for running it alone: `load_part(backend, file, head)`.
template <class Part>
void load_part(const HostBackend& backend, const io::WeightsFile& file, Part& part) {
  std::vector<io::ParameterSlot> slots;
  const auto add = [&slots](nn::Parameter& p) { slots.push_back({p.name, p.kind, p.shape, p.values.data()}); };
  if constexpr (requires { part.for_each_layer([](auto&) {}); })
    part.for_each_layer([&](auto& layer) { layer.for_each_parameter(add); });
  else
    part.for_each_parameter(add);
  REQUIRE(io::load_parameters(file, slots).complete());
  if constexpr (requires { part.for_each_layer([](auto&) {}); })
    part.for_each_layer([&](auto& layer) { layer.prepare(backend); });
  else
    part.prepare(backend);
}

}  // namespace mrcnn::test

#endif
