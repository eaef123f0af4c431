#ifndef MRCNN_TESTS_SUPPORT_SMALL_WEIGHTS_HPP
#define MRCNN_TESTS_SUPPORT_SMALL_WEIGHTS_HPP

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "mrcnn/io/config.hpp"
#include "mrcnn/io/load_weights.hpp"
#include "tests/support/keras_file.hpp"
#include "tests/support/small_model.hpp"

namespace mrcnn::test {

/// Calls f(slots) with the raw parameters of a small model with seeded weights.
inline void with_small_weights(const MaskRCNNConfig& config,
                               const std::function<void(const std::vector<io::ParameterSlot>&)>& f) {
  MaskRCNN<HostBackend> model(HostBackend(1), config);
  struct Unprepared {
    MaskRCNN<HostBackend>& model;
    void for_each_parameter(const std::function<void(nn::Parameter&)>& visit) { model.for_each_parameter(visit); }
    void prepare() {}
  } unprepared{model};
  fill_with_random_weights(unprepared);
  f(io::parameter_slots(model));
}

/// A small model with seeded weights in the native format, with its configuration.
inline void write_small_weights(const std::string& path, const MaskRCNNConfig& config,
                                const std::vector<std::string>& class_names = {}) {
  with_small_weights(config, [&](const auto& slots) {
    io::save_parameters(path, slots, {io::config_to_json(config), class_names});
  });
}

/// The same model as Keras writes it. `change` may alter, rename or clear the arrays of a layer before they are written;
/// they are named "conv1/kernel:0".
inline void write_small_keras_weights(const std::string& path, const MaskRCNNConfig& config,
                                      const std::function<void(std::vector<KerasArray>&)>& change = {}) {
  with_small_weights(config, [&](const auto& slots) {
    std::vector<std::string> layers;
    std::map<std::string, std::vector<KerasArray>> arrays;
    for (const io::ParameterSlot& slot : slots) {
      const std::string layer = slot.name.substr(0, slot.name.find('/'));
      if (arrays.count(layer) == 0) layers.push_back(layer);
      const auto shape = io::stored_shape(slot, io::WeightsLayout::keras);
      std::vector<float> values(static_cast<std::size_t>(io::detail::shape_size(shape)));
      // Element (out, y, x, in) of ours is (y, x, in, out) of Keras's; (y, x, out, in) in a transposed convolution.
      const auto& s = slot.shape;
      const index_t outputs = slot.kind == ParameterKind::vector ? 1 : s[0];
      const index_t inner = static_cast<index_t>(values.size()) / outputs;
      const bool deltas = layer == "rpn_bbox_pred" || layer == "mrcnn_bbox_fc";
      const auto keras_output = [&](index_t out) {  // (dx, dy, dw, dh) to (dy, dx, dh, dw)
        return deltas ? out / 4 * 4 + (out % 4 ^ 1) : out;
      };
      for (index_t out = 0; out < outputs; ++out)
        for (index_t i = 0; i < inner; ++i) {
          index_t to = i * outputs + keras_output(out);
          if (slot.kind == ParameterKind::vector) to = keras_output(i);
          if (slot.kind == ParameterKind::conv_transpose) to = (i / s[3] * s[0] + out) * s[3] + i % s[3];
          values[static_cast<std::size_t>(to)] = slot.data[out * inner + i];
        }
      arrays[layer].push_back({slot.name + ":0", shape, values});
    }
    KerasFile file(path);
    for (const std::string& layer : layers) {
      if (change) change(arrays[layer]);
      file.layer(layer, arrays[layer]);
    }
  });
}

}  // namespace mrcnn::test

#endif
