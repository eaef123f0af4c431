#ifndef MRCNN_MODELS_PROPOSALS_HPP
#define MRCNN_MODELS_PROPOSALS_HPP

#include <cstdint>

#include "mrcnn/core/tensor.hpp"
#include "mrcnn/ops/box_coder.hpp"
#include "mrcnn/ops/boxes.hpp"
#include "mrcnn/ops/nms.hpp"
#include "mrcnn/ops/top_k.hpp"

namespace mrcnn {

struct ProposalOptions {
  index_t pre_nms_limit = 6000;  ///< anchors that take part, best first
  double nms_threshold = 0.7;
  BoxCoder coder;
  Box window{};          ///< boxes are clipped to it; in the anchors' frame
  float scale_x = 1.0F;  ///< clipped boxes are divided by (scale_x, scale_y) before NMS and output
  float scale_y = 1.0F;
};

namespace detail {

/// Column 1 of [rows, 2].
struct ForegroundScore {
  const float* probabilities;
  float* scores;
  MRCNN_HOST_DEVICE void operator()(index_t i) const { scores[i] = probabilities[2 * i + 1]; }
};

struct DecodeCandidate {
  const Box* anchors;
  const float* deltas;          // [B, anchors, 4]
  const std::int32_t* indices;  // [B, k]
  Box* boxes;                   // [B, k]
  index_t anchor_count;
  index_t candidates;
  ProposalOptions options;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const index_t anchor = indices[i];
    const index_t row = i / candidates * anchor_count + anchor;
    Box box = clip_box(decode_box(anchors[anchor], deltas + 4 * row, options.coder), options.window);
    box.x1 /= options.scale_x;
    box.y1 /= options.scale_y;
    box.x2 /= options.scale_x;
    box.y2 /= options.scale_y;
    boxes[i] = box;
  }
};

/// out[i] = boxes[keep[i]], zeros behind the last.
struct GatherKept {
  const Box* boxes;
  const std::int32_t* keep;
  Box* kept;
  MRCNN_HOST_DEVICE void operator()(index_t i) const { kept[i] = keep[i] < 0 ? Box{0, 0, 0, 0} : boxes[keep[i]]; }
};

}  // namespace detail

/// The regions that the heads look at: the best anchors, refined, clipped and thinned by NMS.
///
/// @param anchors        [A, 4] float32, (x1, y1, x2, y2)
/// @param probabilities  [B, A, 2] float32, background and foreground
/// @param deltas         [B, A, 4] float32, (dx, dy, log dw, log dh), in units of `options.coder.std_dev`
/// @param rois           [B, R, 4] float32 output: kept boxes in descending score, zeros behind them
/// @param counts         [B] int32 output: how many were kept
///
/// Ties go to the lower anchor. Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on
/// every backend. Throws: ShapeError. Source: matterport's ProposalLayer.
template <class Backend, class Anchors, class Probabilities, class Deltas, class Rois, class Counts>
void propose(const Backend& backend, const Anchors& anchors, const Probabilities& probabilities, const Deltas& deltas,
             const ProposalOptions& options, Rois&& rois, Counts&& counts) {
  const auto a = input<float, 2>(backend, anchors, "propose", "anchors", {any, 4});
  const index_t anchor_count = a.extent(0);
  const auto p = input<float, 3>(backend, probabilities, "propose", "probabilities", {any, anchor_count, 2});
  const index_t batch = p.extent(0);
  const auto d = input<float, 3>(backend, deltas, "propose", "deltas", {batch, anchor_count, 4});
  const auto out = output<float, 3>(backend, rois, "propose", "rois", {batch, any, 4});
  const auto out_counts = output<std::int32_t, 1>(backend, counts, "propose", "counts", {batch});
  const index_t limit = out.extent(1);
  const index_t candidates = detail::min(options.pre_nms_limit, anchor_count);

  auto scores = make_tensor<float>(backend, {batch, anchor_count});
  backend.parallel_for(batch * anchor_count, detail::ForegroundScore{p.data(), scores.data()});
  auto indices = make_tensor<std::int32_t>(backend, {batch, candidates});
  auto best = make_tensor<float>(backend, {batch, candidates});
  top_k(backend, scores, indices, best);

  auto boxes = make_tensor<float>(backend, {batch, candidates, 4});
  backend.parallel_for(batch * candidates,
                       detail::DecodeCandidate{as_boxes(a), d.data(), indices.data(), as_boxes(boxes.view()),
                                               anchor_count, candidates, options});
  auto keep = make_tensor<std::int32_t>(backend, {limit});
  for (index_t b = 0; b < batch; ++b) {
    nms(backend, boxes.view().slice(b), best.view().slice(b), {.iou_threshold = options.nms_threshold}, keep,
        out_counts.slice(b));
    backend.parallel_for(limit,
                         detail::GatherKept{as_boxes(boxes.view().slice(b)), keep.data(), as_boxes(out.slice(b))});
  }
}

}  // namespace mrcnn

#endif
