#ifndef MRCNN_DETAIL_NMS_KERNELS_HPP
#define MRCNN_DETAIL_NMS_KERNELS_HPP

#include <cstdint>
#include <limits>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/detail/float_ops.hpp"
#include "mrcnn/ops/boxes.hpp"

// Non-maximum suppression on any backend. The boxes, sorted by score, are taken in chunks: those of a chunk are first
// held against all boxes kept so far, then against each other, in tiles of 64 x 64 pairs whose results are the bits of a
// word; one block finally walks the chunk in order and decides. Memory is that of one chunk's bits, whatever N.

namespace mrcnn::detail {

/// When two boxes overlap too much.
struct NmsRule {
  double threshold = 0;
  bool double_precision = false;
};

/// The arguments of `nms`, checked. `groups` may be null: then all boxes are of one group.
struct NmsProblem {
  const Box* boxes = nullptr;
  const float* scores = nullptr;
  const std::int32_t* groups = nullptr;
  std::int32_t* keep = nullptr;
  std::int32_t* count = nullptr;
  index_t n = 0;
  index_t capacity = 0;  ///< of `keep`
  index_t limit = 0;     ///< how many may be kept, at most `capacity`
  NmsRule rule;
  float score_threshold = 0;
};

MRCNN_HOST_DEVICE inline Box ordered_corners(Box box) {
  return {min(box.x1, box.x2), min(box.y1, box.y2), max(box.x1, box.x2), max(box.y1, box.y2)};
}

template <class Real>
MRCNN_HOST_DEVICE Real box_area(Box box) {
  return product(static_cast<Real>(box.x2) - static_cast<Real>(box.x1),
                 static_cast<Real>(box.y2) - static_cast<Real>(box.y1));
}

template <class Real>
MRCNN_HOST_DEVICE bool overlap_exceeds(Box a, Box b, Real threshold) {
  const Real area_a = box_area<Real>(a);
  const Real area_b = box_area<Real>(b);
  if (!(area_a > 0 && area_b > 0)) return false;  // also for NaN
  const Real width = static_cast<Real>(min(a.x2, b.x2)) - static_cast<Real>(max(a.x1, b.x1));
  const Real height = static_cast<Real>(min(a.y2, b.y2)) - static_cast<Real>(max(a.y1, b.y1));
  const Real intersection = product(max(width, Real{0}), max(height, Real{0}));
  return intersection / (area_a + area_b - intersection) > threshold;
}

/// Whether one of two boxes, of which the other is kept, is suppressed. Symmetric; corners are in order.
MRCNN_HOST_DEVICE inline bool suppresses(Box a, Box b, NmsRule rule) {
  return rule.double_precision ? overlap_exceeds<double>(a, b, rule.threshold)
                               : overlap_exceeds<float>(a, b, static_cast<float>(rule.threshold));
}

/// The key of boxes that are never kept: that of NaN, the last of all.
inline constexpr std::uint32_t never_kept = 0xFFFFFFFFU;

struct NmsKeyFunctor {
  NmsProblem problem;
  std::uint32_t* keys;
  std::int32_t* indices;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const bool candidate =
        problem.scores[i] > problem.score_threshold && (problem.groups == nullptr || problem.groups[i] >= 0);
    keys[i] = candidate ? descending_key(problem.scores[i]) : never_kept;
    indices[i] = static_cast<std::int32_t>(i);
  }
};

/// The boxes in the order of their scores; those never kept get group -1.
struct NmsGatherFunctor {
  NmsProblem problem;
  const std::uint32_t* keys;
  const std::int32_t* order;
  Box* boxes;
  std::int32_t* groups;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    boxes[i] = ordered_corners(problem.boxes[order[i]]);
    groups[i] = keys[i] == never_kept ? -1 : problem.groups == nullptr ? 0 : problem.groups[order[i]];
  }
};

/// The sorted boxes, and what is known of them so far.
struct NmsState {
  const Box* boxes;
  const std::int32_t* groups;
  std::int32_t* kept;  ///< positions in the sorted order
  std::int32_t* kept_count;
  std::uint64_t* overlaps;  ///< row i of the chunk: a bit for each later box of the chunk that it would suppress
  std::uint64_t* removed;   ///< a bit for each box of the chunk that an earlier chunk's box suppresses
  index_t first;            ///< of the chunk
  index_t n;
  index_t words;  ///< in a row of `overlaps`
  index_t limit;
  NmsRule rule;

  static constexpr int tile = 64;
};

/// Block (w, k): 64 boxes of the chunk against 64 kept ones. 64 threads.
struct AgainstKeptKernel {
  NmsState state;

  template <class Block>
  MRCNN_HOST_DEVICE void operator()(Block& block) const {
    const index_t kept_begin = block.index(1) * NmsState::tile;
    const index_t all_kept = *state.kept_count;
    const index_t kept_here = min<index_t>(NmsState::tile, all_kept - kept_begin);
    if (kept_here <= 0 || all_kept >= state.limit) return;
    auto boxes = block.template shared<Box>(NmsState::tile);
    auto groups = block.template shared<std::int32_t>(NmsState::tile);
    auto removed = block.template shared<std::uint64_t>(1);
    block.each_thread([&](int t) {
      if (t == 0) removed[0] = 0;
      if (t >= kept_here) return;
      const std::int32_t position = state.kept[kept_begin + t];
      boxes[t] = state.boxes[position];
      groups[t] = state.groups[position];
    });
    block.each_thread([&](int t) {
      const index_t i = state.first + block.index(0) * NmsState::tile + t;
      if (i >= state.n || state.groups[i] < 0) return;
      const Box box = state.boxes[i];
      bool suppressed = false;
      for (index_t k = 0; k < kept_here && !suppressed; ++k)
        suppressed = groups[k] == state.groups[i] && suppresses(box, boxes[k], state.rule);
      if (suppressed) removed.atomic_or(0, std::uint64_t{1} << t);
    });
    block.one_thread([&] {
      const std::uint64_t bits = removed[0];
      if (bits != 0) Block::atomic_or(state.removed + block.index(0), bits);
    });
  }
};

/// Block (column, row): 64 boxes of the chunk against 64 later ones. 64 threads.
struct OverlapTileKernel {
  NmsState state;

  template <class Block>
  MRCNN_HOST_DEVICE void operator()(Block& block) const {
    const index_t column = block.index(0);
    const index_t row = block.index(1);
    const index_t column_begin = state.first + column * NmsState::tile;
    const index_t columns_here = min<index_t>(NmsState::tile, state.n - column_begin);
    if (row > column || columns_here <= 0 || *state.kept_count >= state.limit) return;
    auto boxes = block.template shared<Box>(NmsState::tile);
    auto groups = block.template shared<std::int32_t>(NmsState::tile);
    block.each_thread([&](int t) {
      if (t >= columns_here) return;
      boxes[t] = state.boxes[column_begin + t];
      groups[t] = state.groups[column_begin + t];
    });
    block.each_thread([&](int t) {
      const index_t i = state.first + row * NmsState::tile + t;
      if (i >= state.n) return;
      const Box box = state.boxes[i];
      std::uint64_t bits = 0;
      for (index_t k = row == column ? t + 1 : 0; k < columns_here; ++k)
        if (groups[k] == state.groups[i] && suppresses(box, boxes[k], state.rule)) bits |= std::uint64_t{1} << k;
      state.overlaps[(i - state.first) * state.words + column] = bits;
    });
  }
};

/// One block: walks the chunk, 64 boxes at a time. Which of the 64 are kept, one thread finds from their bits among
/// themselves; then all threads mark what the kept ones suppress in the rest of the chunk.
struct SweepKernel {
  NmsState state;

  template <class Block>
  MRCNN_HOST_DEVICE void operator()(Block& block) const {
    auto removed = block.template shared<std::uint64_t>(state.words);
    auto own = block.template shared<std::uint64_t>(NmsState::tile);
    auto candidates = block.template shared<std::uint64_t>(1);
    auto chosen = block.template shared<std::uint64_t>(1);
    auto count = block.template shared<std::int32_t>(1);
    block.each_thread([&](int t) {
      for (index_t w = t; w < state.words; w += block.threads()) removed[w] = state.removed[w];
      if (t == 0) count[0] = *state.kept_count;
    });
    for (index_t w = 0; w < state.words; ++w) {
      const index_t begin = state.first + w * NmsState::tile;
      const std::int32_t kept_before = block.uniform(static_cast<std::int32_t>(count[0]));
      if (kept_before >= state.limit || begin >= state.n) break;
      block.each_thread([&](int t) {
        if (t == 0) candidates[0] = 0;
      });
      block.each_thread([&](int t) {
        if (t >= NmsState::tile) return;
        const bool candidate = begin + t < state.n && state.groups[begin + t] >= 0;
        own[t] = candidate ? state.overlaps[(w * NmsState::tile + t) * state.words + w] : std::uint64_t{0};
        if (candidate) candidates.atomic_or(0, std::uint64_t{1} << t);
      });
      block.one_thread([&] {
        std::uint64_t open = candidates[0] & ~removed[w];
        std::uint64_t kept = 0;
        std::int32_t kept_now = kept_before;
        while (open != 0 && kept_now < state.limit) {
          const int i = lowest_one(open);
          kept |= std::uint64_t{1} << i;
          open &= ~(own[i] | std::uint64_t{1} << i);
          ++kept_now;
        }
        chosen[0] = kept;
        count[0] = kept_now;
      });
      const std::uint64_t kept = block.uniform(static_cast<std::uint64_t>(chosen[0]));
      block.each_thread([&](int t) {
        if (t < NmsState::tile && (kept >> t & 1) != 0) {
          const int earlier = count_ones(kept & ((std::uint64_t{1} << t) - 1));
          state.kept[kept_before + earlier] = static_cast<std::int32_t>(begin + t);
        }
        for (index_t later = w + 1 + t; later < state.words; later += block.threads()) {
          std::uint64_t bits = removed[later];
          for (std::uint64_t rest = kept; rest != 0; rest &= rest - 1)
            bits |= state.overlaps[(w * NmsState::tile + lowest_one(rest)) * state.words + later];
          removed[later] = bits;
        }
      });
    }
    block.one_thread([&] { *state.kept_count = count[0]; });
  }
};

/// From positions in the sorted order to indices, padded with -1.
struct NmsFinishFunctor {
  NmsProblem problem;
  const std::int32_t* order;
  const std::int32_t* kept;
  const std::int32_t* kept_count;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    if (i == 0) *problem.count = *kept_count;
    if (i < problem.capacity) problem.keep[i] = i < *kept_count ? order[kept[i]] : -1;
  }
};

template <class Backend>
void nms_by_chunks(const Backend& backend, const NmsProblem& problem) {
  constexpr index_t tile = NmsState::tile;
  constexpr index_t largest_chunk = 4096;
  const index_t n = problem.n;
  const index_t chunk = min(largest_chunk, round_up(max<index_t>(n, 1), tile));
  const index_t words = chunk / tile;
  auto keys = make_tensor<std::uint32_t>(backend, {n});
  auto sorted_keys = make_tensor<std::uint32_t>(backend, {n});
  auto indices = make_tensor<std::int32_t>(backend, {n});
  auto order = make_tensor<std::int32_t>(backend, {n});
  auto boxes = make_tensor<Box>(backend, {n});
  auto groups = make_tensor<std::int32_t>(backend, {n});
  auto kept = make_tensor<std::int32_t>(backend, {min(problem.limit, n)});
  auto kept_count = make_scalar<std::int32_t>(backend);
  auto overlaps = make_tensor<std::uint64_t>(backend, {chunk, words});
  auto removed = make_tensor<std::uint64_t>(backend, {words});

  backend.parallel_for(n, NmsKeyFunctor{problem, keys.data(), indices.data()}, 8192);
  backend.sort_pairs(keys.data(), sorted_keys.data(), indices.data(), order.data(), n);
  backend.parallel_for(n, NmsGatherFunctor{problem, sorted_keys.data(), order.data(), boxes.data(), groups.data()},
                       4096);
  backend.fill(kept_count.data(), 0, sizeof(std::int32_t));
  NmsState state{boxes.data(), groups.data(), kept.data(), kept_count.data(), overlaps.data(), removed.data(), 0, n,
                 words,        problem.limit, problem.rule};
  for (; state.first < n; state.first += chunk) {
    backend.fill(removed.data(), 0, static_cast<std::size_t>(words) * sizeof(std::uint64_t));
    const index_t kept_tiles = ceil_div(min(problem.limit, state.first), tile);
    backend.launch_blocks(
        LaunchShape{{{words, kept_tiles, 1}}, NmsState::tile, tile * (sizeof(Box) + sizeof(std::int32_t)) + 256},
        AgainstKeptKernel{state});
    backend.launch_blocks(
        LaunchShape{{{words, words, 1}}, NmsState::tile, tile * (sizeof(Box) + sizeof(std::int32_t)) + 256},
        OverlapTileKernel{state});
    backend.launch_blocks(
        LaunchShape{{{1, 1, 1}}, 256, static_cast<std::size_t>(words + tile) * sizeof(std::uint64_t) + 256},
        SweepKernel{state});
  }
  backend.parallel_for(max<index_t>(problem.capacity, 1),
                       NmsFinishFunctor{problem, order.data(), kept.data(), kept_count.data()}, 8192);
}

}  // namespace mrcnn::detail

#endif
