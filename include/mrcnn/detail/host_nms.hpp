#ifndef MRCNN_DETAIL_HOST_NMS_HPP
#define MRCNN_DETAIL_HOST_NMS_HPP

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/detail/float_ops.hpp"
#include "mrcnn/detail/nms_kernels.hpp"

namespace mrcnn {

class HostBackend;

/// Names `nms` and `batched_nms` for `algorithm`.
struct NmsOp {};

namespace detail {

/// The kept boxes that a new one must be held against, in blocks of 16 so that the comparison becomes vector
/// instructions, and in one chain of blocks for each binary order of magnitude of their areas: boxes that overlap by
/// more than t have areas whose ratio is more than t.
class KeptBoxes {
 public:
  struct alignas(64) Lanes {
    static constexpr int count = 16;
    float x1[count], y1[count], x2[count], y2[count];
    float bound[count];  ///< infinity where no box is
    std::int32_t group[count];
    std::int32_t next;  ///< block of the chain, -1: none
    std::int32_t used;
  };
  static constexpr int magnitudes = 256;

  /// Blocks enough for `boxes` of any areas.
  static index_t capacity(index_t boxes) {
    return min<index_t>(boxes, ceil_div<index_t>(boxes, Lanes::count) + magnitudes);
  }

  KeptBoxes(NmsRule rule, Lanes* blocks) : rule_(rule), blocks_(blocks) {
    std::fill_n(head_, magnitudes, -1);
    // A float of 2^-20 and less: no order of magnitude is too far away, and every pair is computed exactly.
    if (rule.threshold < 0x1p-20) return;
    reach_ = static_cast<int>(std::log2(1.0 / rule.threshold) + 0.01) + 1;
    factor_ = static_cast<float>(rule.threshold / (1.0 + rule.threshold) * (1.0 - 0x1p-20));
  }

  /// Keeps a box unless one kept before suppresses it. Corners are in order.
  bool keep(Box box, std::int32_t group) {
    const float area = rule_.double_precision ? static_cast<float>(box_area<double>(box)) : box_area<float>(box);
    const bool has_area = rule_.double_precision ? box_area<double>(box) > 0.0 : area > 0.0F;
    if (!has_area) return true;  // neither suppresses nor is suppressed; also for NaN
    const int magnitude = static_cast<int>(std::bit_cast<std::uint32_t>(area) >> 23);
    const float own_bound = bound(area);
    for (int m = std::max(magnitude - reach_, 0); m <= std::min(magnitude + reach_, magnitudes - 1); ++m)
      for (std::int32_t b = head_[m]; b >= 0; b = blocks_[b].next)
        if (suppressed_by(blocks_[b], box, own_bound, group)) return false;
    add(box, group, own_bound, magnitude);
    return true;
  }

 private:
  // The decision is intersection / union > t. With union = A + B - intersection it is equivalent, but for rounding, to
  // intersection > (A + B) t / (1 + t), which needs no division. A factor that is 2^-20 too small covers the rounding
  // errors, so that this test misses nothing; what passes it is decided exactly. Areas near the ends of float's range,
  // where errors are larger, always pass, and so does NaN.
  float bound(float area) const {
    return area >= 0x1p-100F && area <= 0x1p126F ? factor_ * area : -std::numeric_limits<float>::infinity();
  }

  bool suppressed_by(const Lanes& kept, Box box, float own_bound, std::int32_t group) const {
    unsigned near = 0;
    for (int i = 0; i < Lanes::count; ++i) {
      const float width = max(min(box.x2, kept.x2[i]) - max(box.x1, kept.x1[i]), 0.0F);
      const float height = max(min(box.y2, kept.y2[i]) - max(box.y1, kept.y1[i]), 0.0F);
      near |= static_cast<unsigned>(!(width * height < own_bound + kept.bound[i])) &
              static_cast<unsigned>(kept.group[i] == group);
    }
    if (near == 0) return false;
    for (int i = 0; i < kept.used; ++i)
      if (kept.group[i] == group && suppresses({kept.x1[i], kept.y1[i], kept.x2[i], kept.y2[i]}, box, rule_))
        return true;
    return false;
  }

  void add(Box box, std::int32_t group, float own_bound, int magnitude) {
    std::int32_t& head = head_[magnitude];
    if (head < 0 || blocks_[head].used == Lanes::count) {
      Lanes& fresh = blocks_[blocks_used_];
      fresh = {};
      std::fill_n(fresh.bound, Lanes::count, std::numeric_limits<float>::infinity());
      fresh.next = head;
      head = blocks_used_++;
    }
    Lanes& block = blocks_[head];
    const int i = block.used++;
    block.x1[i] = box.x1;
    block.y1[i] = box.y1;
    block.x2[i] = box.x2;
    block.y2[i] = box.y2;
    block.bound[i] = own_bound;
    block.group[i] = group;
  }

  NmsRule rule_;
  Lanes* blocks_;
  std::int32_t blocks_used_ = 0;
  std::int32_t head_[magnitudes];
  int reach_ = magnitudes;
  float factor_ = 0.0F;
};

}  // namespace detail

/// On the host each box is held against the kept ones only, and the search ends with the last result.
template <>
struct algorithm<HostBackend, NmsOp> {
  static constexpr bool available = true;

  template <class Backend>
  static void run(const Backend& backend, const detail::NmsProblem& problem) {
    const index_t n = problem.n;
    auto keys = make_tensor<std::uint32_t>(backend, {n});
    auto sorted_keys = make_tensor<std::uint32_t>(backend, {n});
    auto indices = make_tensor<std::int32_t>(backend, {n});
    auto order = make_tensor<std::int32_t>(backend, {n});
    auto blocks =
        make_tensor<detail::KeptBoxes::Lanes>(backend, {detail::KeptBoxes::capacity(detail::min(problem.limit, n))});
    backend.parallel_for(n, detail::NmsKeyFunctor{problem, keys.data(), indices.data()}, 8192);
    backend.sort_pairs(keys.data(), sorted_keys.data(), indices.data(), order.data(), n);
    backend.run_tasks(
        1, [&problem, n, lanes = blocks.data(), ranks = sorted_keys.data(), by_score = order.data()](index_t, int) {
          detail::KeptBoxes kept(problem.rule, lanes);
          index_t count = 0;
          for (index_t i = 0; i < n && count < problem.limit && ranks[i] != detail::never_kept; ++i) {
            const std::int32_t index = by_score[i];
            const std::int32_t group = problem.groups == nullptr ? 0 : problem.groups[index];
            if (kept.keep(detail::ordered_corners(problem.boxes[index]), group)) problem.keep[count++] = index;
          }
          std::fill(problem.keep + count, problem.keep + problem.capacity, -1);
          *problem.count = static_cast<std::int32_t>(count);
        });
  }
};

}  // namespace mrcnn

#endif
