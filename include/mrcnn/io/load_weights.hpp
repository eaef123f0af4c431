#ifndef MRCNN_IO_LOAD_WEIGHTS_HPP
#define MRCNN_IO_LOAD_WEIGHTS_HPP

#include <string>
#include <vector>

#include "mrcnn/io/weights.hpp"
#include "mrcnn/nn/parameter.hpp"

namespace mrcnn {

struct LoadWeightsOptions {
  /// False: parameters that the file lacks, or has in another shape, keep what they have; the report names them.
  bool require_all = true;
};

namespace io {

/// Where a model's raw parameters lie, for reading and writing files.
template <class Net>
std::vector<ParameterSlot> parameter_slots(Net& net) {
  std::vector<ParameterSlot> slots;
  net.for_each_parameter([&slots](nn::Parameter& p) { slots.push_back({p.name, p.kind, p.shape, p.values.data()}); });
  return slots;
}

}  // namespace io

/// Fills a model from an open weights file and makes it ready for inference.
///
/// Arrays are matched by name; the report lists every one: used, unused, missing, of the wrong shape, converted.
/// Throws: FormatError when a parameter is missing or of the wrong shape (unless `require_all` is false), when a value is
/// NaN or infinite, or when the file can not be read; Error when the model is loaded already.
template <class Net>
io::WeightsReport load_weights(Net& net, const io::WeightsFile& file, const LoadWeightsOptions& options = {}) {
  const auto slots = io::parameter_slots(net);
  auto report = io::load_parameters(file, slots, {.threads = net.backend().threads()});
  if (options.require_all) report.throw_if_incomplete();
  net.prepare();
  return report;
}

}  // namespace mrcnn

#endif
