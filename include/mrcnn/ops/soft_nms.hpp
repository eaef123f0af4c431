#ifndef MRCNN_OPS_SOFT_NMS_HPP
#define MRCNN_OPS_SOFT_NMS_HPP

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/detail/soft_nms_kernels.hpp"
#include "mrcnn/ops/boxes.hpp"

namespace mrcnn {

/// Whose order of events, and so whose rounding and ties.
enum class SoftNmsRule : std::uint8_t {
  /// tf.image.non_max_suppression_with_scores. A score is brought up to date when it is the best known one, by all boxes
  /// kept since it last was, the latest first. Equal scores go by ascending index. Scores must be above the threshold.
  tensorflow,
  /// mmcv.ops.soft_nms. Every kept box rescores all that are left; equal scores go by their place in a list in which the
  /// kept box changes places with the first of the rest, and the last one replaces one that falls out. Scores must be at
  /// or above the threshold, but the best one of all is not tested.
  mmcv,
};

enum class SoftNmsMethod : std::uint8_t {
  gaussian,  ///< tensorflow: exp(-iou^2 / (2 sigma)); mmcv and the paper: exp(-iou^2 / sigma)
  linear,  ///< 1 - iou where iou > threshold (tensorflow's own op has no linear form), iou >= threshold (mmcv), else 1
};

struct SoftNmsOptions {
  SoftNmsRule rule = SoftNmsRule::tensorflow;
  SoftNmsMethod method = SoftNmsMethod::gaussian;
  /// Gaussian only. The paper's and mmcv's 0.5 is 0.25 by TensorFlow's definition.
  float sigma = 0.5F;
  /// Linear only, 0 to 1: from which overlap on a score is lowered.
  float iou_threshold = 0.3F;
  /// What a lowered score must reach. mmcv and the paper 0.001; -infinity: all boxes are kept.
  float score_threshold = 0.001F;
  /// The search ends with this many kept; -1: with the extent of `keep`.
  index_t max_output = -1;
  /// Added to every width and height: 0, or 1 for code that counts pixels (mmcv's `offset`).
  float extent_offset = 0.0F;
};

namespace detail {

inline SoftNmsProblem soft_nms_problem(const char* op, index_t n, index_t capacity, const SoftNmsOptions& options) {
  const auto check = [op](bool good, const char* option, float value, const char* expected) {
    if (!good)
      throw ShapeError(std::string(op) + ": " + option + " is " + std::to_string(value) + ", expected " + expected);
  };
  const bool gaussian = options.method == SoftNmsMethod::gaussian;
  check(!gaussian || options.sigma > 0.0F, "sigma", options.sigma, "above 0; without lowered scores, use nms");
  check(options.iou_threshold >= 0.0F && options.iou_threshold <= 1.0F, "iou_threshold", options.iou_threshold,
        "0 to 1");
  check(options.score_threshold == options.score_threshold, "score_threshold", options.score_threshold, "a number");
  if (n > std::numeric_limits<std::int32_t>::max())
    throw ShapeError(std::string(op) + ": boxes has " + std::to_string(n) + " rows, expected less than 2^31");
  SoftNmsProblem problem;
  problem.n = n;
  problem.capacity = capacity;
  problem.limit = options.max_output < 0 ? capacity : min(capacity, options.max_output);
  problem.weight = {gaussian, options.rule == SoftNmsRule::tensorflow, options.sigma, options.iou_threshold,
                    options.extent_offset};
  problem.score_threshold = options.score_threshold;
  return problem;
}

/// `groups` may be null: then all boxes are of one group.
template <class Backend, class Boxes, class Scores, class Groups, class Keep, class KeptScores, class Count>
void checked_soft_nms(const Backend& backend, const char* op, const Boxes& boxes, const Scores& scores,
                      const Groups& groups, const SoftNmsOptions& options, Keep&& keep, KeptScores&& kept_scores,
                      Count&& count) {
  const auto s = input<float, 1>(backend, scores, op, "scores", {any});
  const auto b = input<float, 2>(backend, boxes, op, "boxes", {s.extent(0), 4});
  const std::int32_t* group = nullptr;
  if constexpr (!std::is_null_pointer_v<Groups>)
    group = input<std::int32_t, 1>(backend, groups, op, "groups", {s.extent(0)}).data();
  const auto k = output<std::int32_t, 1>(backend, keep, op, "keep", {any});
  const auto ks = output<float, 1>(backend, kept_scores, op, "kept_scores", {k.extent(0)});
  const auto c = output<std::int32_t, 0>(backend, count, op, "count", {});
  auto problem = soft_nms_problem(op, s.extent(0), k.extent(0), options);
  problem.boxes = as_boxes(b);
  problem.scores = s.data();
  problem.groups = group;
  problem.keep = k.data();
  problem.kept_scores = ks.data();
  problem.count = c.data();
  run_soft_nms(backend, problem);
}

}  // namespace detail

/// Soft non-maximum suppression: the box with the best score is kept, and lowers the scores of those that it overlaps;
/// then the best of what is left, and so on.
///
/// @param boxes        [N, 4] float32, (x1, y1, x2, y2), any unit; corners in any order by `tensorflow`'s rule
/// @param scores       [N] float32
/// @param options      whose rules, and how an overlap lowers a score
/// @param keep         [K] int32; indices of the kept boxes in the order in which they were kept, then -1
/// @param kept_scores  [K] float32; their scores as lowered until then, then 0
/// @param count        [] int32; how many were kept
///
/// The order is that of descending kept scores when scores are not negative. Boxes without area overlap nothing, nor do
/// those with NaN or whose area overflows; by `mmcv`'s rule neither do reversed ones. An overlap counts as 1 at most. A
/// score of NaN is never kept. N = 0 and K = 0 are legal.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: identical on every backend.
/// Throws: ShapeError, also for options out of range. Complexity: O(N kept), by one block of 256 threads; `tensorflow`
/// rescores only what comes to the top, and is the faster one where few boxes overlap. Scratch: 8 bytes for each box,
/// 16 by `mmcv`'s rule.
/// Source: Bodla et al., "Soft-NMS: improving object detection with one line of code", ICCV 2017; TensorFlow's kernel
/// and mmcv's CPU kernel (its other devices copy to the CPU). exp is our own: the last bit of a score may differ from
/// theirs, and with it the order of boxes whose scores are that close.
template <class Backend, class Boxes, class Scores, class Keep, class KeptScores, class Count>
void soft_nms(const Backend& backend, const Boxes& boxes, const Scores& scores, const SoftNmsOptions& options,
              Keep&& keep, KeptScores&& kept_scores, Count&& count) {
  detail::checked_soft_nms(backend, "soft_nms", boxes, scores, nullptr, options, keep, kept_scores, count);
}

/// `soft_nms` in which only boxes of one group lower each other's scores: groups are classes, or images, or both. The
/// kept ones of all groups come in one order.
///
/// @param boxes        [N, 4] float32, (x1, y1, x2, y2), any unit
/// @param scores       [N] float32
/// @param groups       [N] int32; a box with a negative group is never kept
/// @param options      as for `soft_nms`
/// @param keep         [K] int32; indices of the kept boxes in the order in which they were kept, then -1
/// @param kept_scores  [K] float32; their scores as lowered until then, then 0
/// @param count        [] int32; how many were kept
///
/// Groups are compared as they are; coordinates are not shifted apart, as mmcv does, which costs precision. By `mmcv`'s
/// rule the list is that of all groups together, as in its batched_nms for less than 10,000 boxes. Everything else as for
/// `soft_nms`.
template <class Backend, class Boxes, class Scores, class Groups, class Keep, class KeptScores, class Count>
void batched_soft_nms(const Backend& backend, const Boxes& boxes, const Scores& scores, const Groups& groups,
                      const SoftNmsOptions& options, Keep&& keep, KeptScores&& kept_scores, Count&& count) {
  detail::checked_soft_nms(backend, "batched_soft_nms", boxes, scores, groups, options, keep, kept_scores, count);
}

}  // namespace mrcnn

#endif
