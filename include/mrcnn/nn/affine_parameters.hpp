#ifndef MRCNN_NN_AFFINE_PARAMETERS_HPP
#define MRCNN_NN_AFFINE_PARAMETERS_HPP

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/nn/batch_norm2d.hpp"
#include "mrcnn/nn/parameter.hpp"

namespace mrcnn::nn {

/// The names of a layer's arrays in a weights file. `batch_norm` is empty where none follows.
struct LayerName {
  std::string layer;
  std::string batch_norm = {};
};

/// What convolutions and linear layers have in common: a kernel whose first extent is the output channel, a bias, and
/// perhaps a batch norm behind them.
class AffineParameters {
 public:
  AffineParameters(const LayerName& name, ParameterKind kind, std::vector<index_t> kernel_shape)
      : bias_(Parameter::zeros(name.layer + "/bias", ParameterKind::vector, {kernel_shape[0]})),
        kernel_(Parameter::zeros(name.layer + "/kernel", kind, std::move(kernel_shape))) {
    if (!name.batch_norm.empty()) norm_.emplace(name.batch_norm, bias_.shape[0]);
  }

  template <class F>
  void for_each(F&& f) {
    f(kernel_);
    f(bias_);
    if (norm_) norm_->for_each_parameter(f);
  }

  /// Kernel and bias with the batch norm folded in: {kernel, bias}, the raw parameters given up.
  std::pair<std::vector<float>, std::vector<float>> take_folded() {
    if (norm_) norm_->fold_into(kernel_.values, bias_.values);
    std::pair<std::vector<float>, std::vector<float>> folded(std::move(kernel_.values), std::move(bias_.values));
    for_each([](Parameter& p) { p.release(); });
    return folded;
  }

  const std::vector<index_t>& kernel_shape() const { return kernel_.shape; }

 private:
  Parameter bias_;
  Parameter kernel_;
  std::optional<BatchNorm2d> norm_;
};

}  // namespace mrcnn::nn

#endif
