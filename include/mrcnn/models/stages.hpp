#ifndef MRCNN_MODELS_STAGES_HPP
#define MRCNN_MODELS_STAGES_HPP

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "mrcnn/core/tensor.hpp"

namespace mrcnn {

/// Receives a tensor of the network: its name, extents and elements (copies on the host). Names are those of the
/// original: molded_image, window, C1 .. C5, P2 .. P6, rpn_class_logits, rpn_class, rpn_bbox, anchors, rpn_rois,
/// pooled_class, mrcnn_class_logits, mrcnn_class, mrcnn_bbox, detections, pooled_mask, mrcnn_mask.
using StageObserver =
    std::function<void(const std::string& name, std::span<const index_t> extents, std::span<const float> elements)>;

/// Time spent in one stage, over all pictures.
struct StageTime {
  std::string stage;
  double seconds = 0;
};

/// What looks at the network while it runs: nothing, an observer of tensors, a clock. Both wait for the backend, so that
/// a run that is watched is slower where work would overlap.
class StageWatch {
 public:
  StageWatch() = default;
  StageWatch(const StageObserver* observer, std::vector<StageTime>* times) : observer_(observer), times_(times) {
    last_ = Clock::now();
  }

  /// Whether tensors are observed.
  bool taps() const { return observer_ != nullptr && *observer_; }

  /// Observes a tensor without its first extent, which is a batch of 1.
  template <class Backend, class V>
  void tap(const Backend& backend, const char* name, const V& tensor) const {
    if (taps() && !backend.dry()) tap_unbatched(backend, name, as_view(tensor).slice(0));
  }
  /// Observes a tensor as it is.
  template <class Backend, class V>
  void tap_unbatched(const Backend& backend, const char* name, const V& tensor) const {
    if (!taps() || backend.dry()) return;
    const auto view = as_view(tensor);
    std::vector<index_t> extents;
    for (int i = 0; i < view.rank(); ++i) extents.push_back(view.extent(i));
    (*observer_)(name, extents, to_host(backend, view));
  }

  /// Ends a stage: the time since the last one goes to its account.
  template <class Backend>
  void done(const Backend& backend, const char* stage) const {
    if (times_ == nullptr || backend.dry()) return;
    backend.synchronize();
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    for (StageTime& time : *times_)
      if (time.stage == stage) {
        time.seconds += seconds;
        return;
      }
    times_->push_back({stage, seconds});
  }

 private:
  using Clock = std::chrono::steady_clock;

  const StageObserver* observer_ = nullptr;
  std::vector<StageTime>* times_ = nullptr;
  mutable Clock::time_point last_;
};

}  // namespace mrcnn

#endif
