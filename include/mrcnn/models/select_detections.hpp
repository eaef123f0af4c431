#ifndef MRCNN_MODELS_SELECT_DETECTIONS_HPP
#define MRCNN_MODELS_SELECT_DETECTIONS_HPP

#include <cstdint>

#include "mrcnn/core/tensor.hpp"
#include "mrcnn/detail/float_ops.hpp"
#include "mrcnn/ops/box_coder.hpp"
#include "mrcnn/ops/boxes.hpp"
#include "mrcnn/ops/nms.hpp"

namespace mrcnn {

struct SelectDetectionsOptions {
  double nms_threshold = 0.3;
  double min_confidence = 0.7;  ///< 0: off
  BoxCoder coder;
  float scale_x = 1.0F;  ///< refined boxes are multiplied by (scale_x, scale_y) before they are clipped to the window
  float scale_y = 1.0F;
  /// Boxes are rounded to whole numbers (half to even) and their overlaps computed in double, as numpy does with integers.
  bool round_boxes = false;
};

namespace detail {

/// Class, score and refined box of one proposal. Group -1 is a proposal that can not become a detection.
struct RefineProposal {
  const Box* rois;             // [B, R]
  const float* probabilities;  // [B, R, classes]
  const float* deltas;         // [B, R, classes * 4]
  const Box* windows;          // [B]
  Box* boxes;
  float* scores;
  std::int32_t* groups;
  index_t rois_per_image;
  index_t classes;
  SelectDetectionsOptions options;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const float* probability = probabilities + i * classes;
    index_t best = 0;
    for (index_t c = 1; c < classes; ++c)
      if (probability[c] > probability[best]) best = c;
    Box box = decode_box(rois[i], deltas + (i * classes + best) * 4, options.coder);
    box.x1 = product(box.x1, options.scale_x);
    box.y1 = product(box.y1, options.scale_y);
    box.x2 = product(box.x2, options.scale_x);
    box.y2 = product(box.y2, options.scale_y);
    box = clip_box(box, windows[i / rois_per_image]);
    if (options.round_boxes)
      box = {round_half_even(box.x1), round_half_even(box.y1), round_half_even(box.x2), round_half_even(box.y2)};
    boxes[i] = box;
    scores[i] = probability[best];
    const bool confident =
        options.min_confidence == 0.0 || probability[best] >= static_cast<float>(options.min_confidence);
    groups[i] = best > 0 && confident ? static_cast<std::int32_t>(best) : -1;
  }
};

/// Rows (x1, y1, x2, y2, class, score), zeros behind the last.
struct GatherDetections {
  const Box* boxes;
  const float* scores;
  const std::int32_t* groups;
  const std::int32_t* keep;
  float* rows;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const std::int32_t k = keep[i];
    const Box box = k < 0 ? Box{0, 0, 0, 0} : boxes[k];
    float* row = rows + 6 * i;
    row[0] = box.x1;
    row[1] = box.y1;
    row[2] = box.x2;
    row[3] = box.y2;
    row[4] = k < 0 ? 0.0F : static_cast<float>(groups[k]);
    row[5] = k < 0 ? 0.0F : scores[k];
  }
};

}  // namespace detail

/// The detections among the proposals: each proposal's best class, its box refined by that class's deltas and clipped,
/// then NMS within each class, and the best of all classes.
///
/// @param rois           [B, R, 4] float32, (x1, y1, x2, y2)
/// @param probabilities  [B, R, C] float32; class 0 is the background
/// @param deltas         [B, R, C * 4] float32, in units of `options.coder.std_dev`
/// @param windows        [B, 4] float32: the part of each molded image that is picture, in the frame of the result
/// @param detections     [B, D, 6] float32 output: (x1, y1, x2, y2, class, score), best first, zeros behind them
/// @param counts         [B] int32 output: how many there are
///
/// Equal scores: the lower proposal first. A NaN score is never a detection. Synchronisation: enqueued on the backend;
/// does not wait. Determinism: bit-identical on every backend. Throws: ShapeError. Source: matterport's DetectionLayer.
template <class Backend, class Rois, class Probabilities, class Deltas, class Windows, class Rows, class Counts>
void select_detections(const Backend& backend, const Rois& rois, const Probabilities& probabilities,
                       const Deltas& deltas, const Windows& windows, const SelectDetectionsOptions& options,
                       Rows&& detections, Counts&& counts) {
  constexpr const char* op = "select_detections";
  const auto r = input<float, 3>(backend, rois, op, "rois", {any, any, 4});
  const index_t batch = r.extent(0);
  const index_t count = r.extent(1);
  const auto p = input<float, 3>(backend, probabilities, op, "probabilities", {batch, count, any});
  const index_t classes = p.extent(2);
  const auto d = input<float, 3>(backend, deltas, op, "deltas", {batch, count, 4 * classes});
  const auto w = input<float, 2>(backend, windows, op, "windows", {batch, 4});
  const auto out = output<float, 3>(backend, detections, op, "detections", {batch, any, 6});
  const auto out_counts = output<std::int32_t, 1>(backend, counts, op, "counts", {batch});
  if (classes < 1)
    throw ShapeError("select_detections: probabilities has no classes, expected at least the background");

  auto boxes = make_tensor<float>(backend, {batch, count, 4});
  auto scores = make_tensor<float>(backend, {batch, count});
  auto groups = make_tensor<std::int32_t>(backend, {batch, count});
  backend.parallel_for(batch * count,
                       detail::RefineProposal{as_boxes(r), p.data(), d.data(), as_boxes(w), as_boxes(boxes.view()),
                                              scores.data(), groups.data(), count, classes, options},
                       64);
  auto keep = make_tensor<std::int32_t>(backend, {out.extent(1)});
  const NmsOptions nms_options{.iou_threshold = options.nms_threshold, .double_precision = options.round_boxes};
  for (index_t b = 0; b < batch; ++b) {
    batched_nms(backend, boxes.view().slice(b), scores.view().slice(b), groups.view().slice(b), nms_options, keep,
                out_counts.slice(b));
    backend.parallel_for(out.extent(1),
                         detail::GatherDetections{as_boxes(boxes.view().slice(b)), scores.view().slice(b).data(),
                                                  groups.view().slice(b).data(), keep.data(), out.slice(b).data()});
  }
}

}  // namespace mrcnn

#endif
