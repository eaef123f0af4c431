#ifndef MRCNN_OPS_NMS_HPP
#define MRCNN_OPS_NMS_HPP

#include <cstdint>
#include <limits>
#include <string>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/detail/host_nms.hpp"
#include "mrcnn/detail/nms_kernels.hpp"
#include "mrcnn/ops/boxes.hpp"

namespace mrcnn {

struct NmsOptions {
  /// A box is suppressed when its intersection over union with a kept one is strictly greater; 0 to 1.
  double iou_threshold = 0.5;
  /// Only boxes with a score strictly greater are considered.
  float score_threshold = -std::numeric_limits<float>::infinity();
  /// The search ends with this many kept; -1: with the extent of `keep`.
  index_t max_output = -1;
  /// Compute overlaps in double, and compare with the threshold as it stands; otherwise both are float32. Needed where
  /// an overlap can equal the threshold: boxes of whole pixels reach 3 / 10, which rounds otherwise in float32.
  bool double_precision = false;
};

namespace detail {

inline NmsProblem nms_problem(const char* op, index_t n, index_t capacity, const NmsOptions& options) {
  if (!(options.iou_threshold >= 0.0 && options.iou_threshold <= 1.0))
    throw ShapeError(std::string(op) + ": iou_threshold is " + std::to_string(options.iou_threshold) +
                     ", expected 0 to 1");
  if (n > std::numeric_limits<std::int32_t>::max())
    throw ShapeError(std::string(op) + ": boxes has " + std::to_string(n) + " rows, expected less than 2^31");
  NmsProblem problem;
  problem.n = n;
  problem.capacity = capacity;
  problem.limit = options.max_output < 0 ? capacity : min(capacity, options.max_output);
  problem.rule = {options.iou_threshold, options.double_precision};
  problem.score_threshold = options.score_threshold;
  return problem;
}

template <class Backend>
void run_nms(const Backend& backend, const NmsProblem& problem) {
  if constexpr (algorithm<Backend, NmsOp>::available) {
    if (backend.use_overrides()) return algorithm<Backend, NmsOp>::run(backend, problem);
  }
  nms_by_chunks(backend, problem);
}

}  // namespace detail

/// Greedy non-maximum suppression: of the boxes by descending score (equal scores by ascending index), each is kept
/// unless it overlaps one kept before it by more than the threshold.
///
/// @param boxes   [N, 4] float32, (x1, y1, x2, y2), any unit; corners in any order
/// @param scores  [N] float32
/// @param keep    [K] int32; indices of the kept boxes by descending score, then -1
/// @param count   [] int32; how many were kept
///
/// Boxes without area overlap nothing: they are kept and suppress nothing, and so are boxes with NaN and those whose area
/// overflows. A score of NaN or -infinity is never kept. N = 0 and K = 0 are legal.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: identical on every backend.
/// Throws: ShapeError, also for a threshold outside [0, 1]. Complexity: O(N log N + N kept) on the host, which stops at
/// the last result; O(N^2) elsewhere. Scratch: 40 bytes for each box, those of the sort, and at most 2 MB.
/// Source: Neubeck and Van Gool, "Efficient non-maximum suppression", ICPR 2006; edges as in TensorFlow's
/// non_max_suppression.
template <class Backend, class Boxes, class Scores, class Keep, class Count>
void nms(const Backend& backend, const Boxes& boxes, const Scores& scores, const NmsOptions& options, Keep&& keep,
         Count&& count) {
  const auto s = input<float, 1>(backend, scores, "nms", "scores", {any});
  const auto b = input<float, 2>(backend, boxes, "nms", "boxes", {s.extent(0), 4});
  const auto k = output<std::int32_t, 1>(backend, keep, "nms", "keep", {any});
  const auto c = output<std::int32_t, 0>(backend, count, "nms", "count", {});
  auto problem = detail::nms_problem("nms", s.extent(0), k.extent(0), options);
  problem.boxes = as_boxes(b);
  problem.scores = s.data();
  problem.keep = k.data();
  problem.count = c.data();
  detail::run_nms(backend, problem);
}

/// `nms` in which only boxes of one group suppress each other: groups are classes, or images, or both. The kept ones of
/// all groups come in one order, by descending score.
///
/// @param boxes   [N, 4] float32, (x1, y1, x2, y2), any unit; corners in any order
/// @param scores  [N] float32
/// @param groups  [N] int32; a box with a negative group is never kept
/// @param keep    [K] int32; indices of the kept boxes by descending score, then -1
/// @param count   [] int32; how many were kept
///
/// Groups are compared as they are; coordinates are not shifted apart, which would cost precision. Everything else as
/// for `nms`.
template <class Backend, class Boxes, class Scores, class Groups, class Keep, class Count>
void batched_nms(const Backend& backend, const Boxes& boxes, const Scores& scores, const Groups& groups,
                 const NmsOptions& options, Keep&& keep, Count&& count) {
  const auto s = input<float, 1>(backend, scores, "batched_nms", "scores", {any});
  const auto b = input<float, 2>(backend, boxes, "batched_nms", "boxes", {s.extent(0), 4});
  const auto g = input<std::int32_t, 1>(backend, groups, "batched_nms", "groups", {s.extent(0)});
  const auto k = output<std::int32_t, 1>(backend, keep, "batched_nms", "keep", {any});
  const auto c = output<std::int32_t, 0>(backend, count, "batched_nms", "count", {});
  auto problem = detail::nms_problem("batched_nms", s.extent(0), k.extent(0), options);
  problem.boxes = as_boxes(b);
  problem.scores = s.data();
  problem.groups = g.data();
  problem.keep = k.data();
  problem.count = c.data();
  detail::run_nms(backend, problem);
}

}  // namespace mrcnn

#endif
