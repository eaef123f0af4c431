#ifndef MRCNN_OPS_BOX_CODER_HPP
#define MRCNN_OPS_BOX_CODER_HPP

#include <limits>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/detail/float_ops.hpp"
#include "mrcnn/ops/boxes.hpp"

namespace mrcnn {

/// How the difference of two boxes is written as deltas (dx, dy, log dw, log dh).
struct BoxCoder {
  /// Deltas are divided by these (x, y, width, height), so that a network's outputs have about unit variance. Detectron's
  /// weights are the reciprocals.
  float std_dev[4] = {0.1F, 0.1F, 0.2F, 0.2F};
  /// Upper limit of log dw and log dh when decoding. Detectron and torchvision use log(1000 / 16), matterport none.
  float max_log_scale = std::numeric_limits<float>::infinity();
};

namespace detail {

struct Deltas {
  float x, y, width, height;
};

MRCNN_HOST_DEVICE inline Deltas encode_box(Box box, Box target, const BoxCoder& coder) {
  const float width = box.x2 - box.x1;
  const float height = box.y2 - box.y1;
  const float target_width = target.x2 - target.x1;
  const float target_height = target.y2 - target.y1;
  const float x = (target.x1 + product(0.5F, target_width)) - (box.x1 + product(0.5F, width));
  const float y = (target.y1 + product(0.5F, target_height)) - (box.y1 + product(0.5F, height));
  return {x / width / coder.std_dev[0], y / height / coder.std_dev[1], log(target_width / width) / coder.std_dev[2],
          log(target_height / height) / coder.std_dev[3]};
}

/// `deltas` are four numbers as the network gives them.
MRCNN_HOST_DEVICE inline Box decode_box(Box box, const float* deltas, const BoxCoder& coder) {
  float width = box.x2 - box.x1;
  float height = box.y2 - box.y1;
  const float x = box.x1 + product(0.5F, width) + product(product(deltas[0], coder.std_dev[0]), width);
  const float y = box.y1 + product(0.5F, height) + product(product(deltas[1], coder.std_dev[1]), height);
  width = product(width, exp(min(product(deltas[2], coder.std_dev[2]), coder.max_log_scale)));
  height = product(height, exp(min(product(deltas[3], coder.std_dev[3]), coder.max_log_scale)));
  const float x1 = x - product(0.5F, width);
  const float y1 = y - product(0.5F, height);
  return {x1, y1, x1 + width, y1 + height};
}

struct EncodeFunctor {
  const Box* boxes;
  const Box* targets;
  Deltas* deltas;
  BoxCoder coder;
  MRCNN_HOST_DEVICE void operator()(index_t i) const { deltas[i] = encode_box(boxes[i], targets[i], coder); }
};

struct DecodeFunctor {
  const Box* boxes;
  const float* deltas;
  Box* decoded;
  BoxCoder coder;
  MRCNN_HOST_DEVICE void operator()(index_t i) const { decoded[i] = decode_box(boxes[i], deltas + 4 * i, coder); }
};

}  // namespace detail

/// The deltas that lead from each box to its target: the offset of the centres in widths and heights of the box, and the
/// logarithms of the ratios of the sides, all divided by the coder's standard deviations.
///
/// @param boxes    [N, 4] float32, (x1, y1, x2, y2), any unit shared with `targets`
/// @param targets  [N, 4] float32
/// @param deltas   [N, 4] float32, (dx, dy, log dw, log dh)
///
/// An empty target gives -infinity for its logarithm, an empty box infinity or NaN, a reversed one NaN. N = 0 is legal.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on every backend.
/// Throws: ShapeError. Source: Girshick et al., "Rich feature hierarchies", CVPR 2014, appendix C.
template <class Backend, class Boxes, class Targets, class DeltasOut>
void encode(const Backend& backend, const BoxCoder& coder, const Boxes& boxes, const Targets& targets,
            DeltasOut&& deltas) {
  const auto from = input<float, 2>(backend, boxes, "encode", "boxes", {any, 4});
  const index_t n = from.extent(0);
  const auto to = input<float, 2>(backend, targets, "encode", "targets", {n, 4});
  const auto out = output<float, 2>(backend, deltas, "encode", "deltas", {n, 4});
  auto* rows = reinterpret_cast<detail::Deltas*>(out.data());
  backend.parallel_for(n, detail::EncodeFunctor{as_boxes(from), as_boxes(to), rows, coder}, 256);
}

/// The boxes to which deltas lead; the inverse of `encode`.
///
/// With the deltas multiplied by the standard deviations, in float32 and in this order: h = y2 - y1; cy = y1 + 0.5 h;
/// cy += dy h; h *= exp(log dh); y1' = cy - 0.5 h; y2' = y1' + h; x likewise.
///
/// @param boxes    [N, 4] float32, (x1, y1, x2, y2), any unit
/// @param deltas   [N, 4] float32, (dx, dy, log dw, log dh), as the network gives them
/// @param decoded  [N, 4] float32, not clipped; may be `boxes`
///
/// Empty boxes stay empty; a delta too large for exp gives infinity or NaN unless `max_log_scale` limits it; NaN in gives
/// NaN out. N = 0 is legal.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on every backend.
/// Throws: ShapeError. Source: as `encode`; the order of operations is matterport's apply_box_deltas.
template <class Backend, class Boxes, class DeltasIn, class Decoded>
void decode(const Backend& backend, const BoxCoder& coder, const Boxes& boxes, const DeltasIn& deltas,
            Decoded&& decoded) {
  const auto from = input<float, 2>(backend, boxes, "decode", "boxes", {any, 4});
  const index_t n = from.extent(0);
  const auto by = input<float, 2>(backend, deltas, "decode", "deltas", {n, 4});
  const auto out = output<float, 2>(backend, decoded, "decode", "decoded", {n, 4});
  backend.parallel_for(n, detail::DecodeFunctor{as_boxes(from), by.data(), as_boxes(out), coder}, 256);
}

}  // namespace mrcnn

#endif
