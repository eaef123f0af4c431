#ifndef MRCNN_NN_BATCH_NORM2D_HPP
#define MRCNN_NN_BATCH_NORM2D_HPP

#include <cmath>
#include <string>
#include <vector>

#include "mrcnn/core/error.hpp"
#include "mrcnn/nn/parameter.hpp"

namespace mrcnn::nn {

/// Batch norm with frozen statistics: y = gamma (x - mean) / sqrt(variance + epsilon) + beta, over channels.
class BatchNorm2d {
 public:
  static constexpr double epsilon = 0.001;  // Keras's default; PyTorch has 1e-5

  BatchNorm2d(const std::string& name, index_t channels)
      : gamma_(Parameter::zeros(name + "/gamma", ParameterKind::vector, {channels})),
        beta_(Parameter::zeros(name + "/beta", ParameterKind::vector, {channels})),
        moving_mean_(Parameter::zeros(name + "/moving_mean", ParameterKind::vector, {channels})),
        moving_variance_(Parameter::zeros(name + "/moving_variance", ParameterKind::vector, {channels})) {}

  template <class F>
  void for_each_parameter(F&& f) {
    f(gamma_);
    f(beta_);
    f(moving_mean_);
    f(moving_variance_);
  }

  /// Folds the norm into the kernel [out, ...] and bias [out] of the layer before it. In double, rounded once.
  /// Throws: FormatError when a variance is negative.
  void fold_into(std::vector<float>& kernel, std::vector<float>& bias) const {
    const std::size_t channels = bias.size();
    const std::size_t taps = kernel.size() / channels;
    for (std::size_t o = 0; o < channels; ++o) {
      if (!(static_cast<double>(moving_variance_.values[o]) + epsilon > 0))
        throw FormatError(moving_variance_.name + " is " + std::to_string(moving_variance_.values[o]) +
                          " for channel " + std::to_string(o) +
                          ", expected no negative variance: the weights are damaged");
      const double gain = gamma_.values[o] / std::sqrt(static_cast<double>(moving_variance_.values[o]) + epsilon);
      for (std::size_t i = o * taps; i < (o + 1) * taps; ++i)
        kernel[i] = static_cast<float>(static_cast<double>(kernel[i]) * gain);
      bias[o] = static_cast<float>((static_cast<double>(bias[o]) - moving_mean_.values[o]) * gain + beta_.values[o]);
    }
  }

 private:
  Parameter gamma_;
  Parameter beta_;
  Parameter moving_mean_;
  Parameter moving_variance_;
};

}  // namespace mrcnn::nn

#endif
