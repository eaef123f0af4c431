#ifndef MRCNN_COCO_DETAIL_EVALUATION_MATCH_HPP
#define MRCNN_COCO_DETAIL_EVALUATION_MATCH_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mrcnn::coco::detail {

/// Thresholds go by sixteen: a bit for each.
using ThresholdBits = std::uint16_t;
inline constexpr std::size_t thresholds_in_group = 16;

/// What became of a detection, for each threshold of a group.
struct MatchOutcome {
  ThresholdBits matched = 0;
  ThresholdBits ignored = 0;
};

/// An object of a cell, in one range of areas.
struct MatchTruth {
  bool crowd;
  bool ignored;
  bool counts;  ///< false: a match with it is none, but takes it
};

/// An overlap that some threshold is content with.
struct MatchCandidate {
  std::uint32_t truth;
  double overlap;
};

/// What a threshold asks for: a perfect overlap reaches 1.
inline double least_overlap(double threshold) {
  constexpr double almost_one = 1 - 1e-10;
  return almost_one < threshold ? almost_one : threshold;
}
/// What the easiest of them asks for; NaN when one is NaN, which asks for nothing.
inline double least_overlap(std::span<const double> thresholds) {
  double least = 1;
  for (const double threshold : thresholds) {
    if (std::isnan(threshold)) return threshold;
    least = std::min(least, least_overlap(threshold));
  }
  return least;
}

/// Gives objects to detections, best score first, as pycocotools does: each takes the object with the largest overlap
/// that is still free (of equal overlaps the later), and an ignored one only when there is no other. Crowds are never
/// taken away.
class Matcher {
 public:
  /// @param thresholds  one group: at most 16
  explicit Matcher(std::span<const double> thresholds) : thresholds_(thresholds.size()) {
    for (std::size_t t = 0; t < thresholds_; ++t) least_[t] = least_overlap(thresholds[t]);
  }
  ThresholdBits all() const { return static_cast<ThresholdBits>((1U << thresholds_) - 1U); }

  void begin_cell(std::size_t truths) { taken_.assign(truths, 0); }

  /// The next detection. `candidates` ascend by object.
  MatchOutcome match(std::span<const MatchCandidate> candidates, std::span<const MatchTruth> truths) {
    chosen_ = 0;
    for (const bool ignored : {false, true}) {
      const ThresholdBits open = static_cast<ThresholdBits>(all() & ~chosen_);
      for (const MatchCandidate& candidate : candidates)
        if (truths[candidate.truth].ignored == ignored) offer(candidate, truths[candidate.truth].crowd, open);
    }
    MatchOutcome outcome;
    for (std::size_t t = 0; t < thresholds_; ++t) {
      const auto bit = static_cast<ThresholdBits>(1U << t);
      if ((chosen_ & bit) == 0) continue;
      const MatchTruth& truth = truths[best_truth_[t]];
      taken_[best_truth_[t]] |= bit;
      if (truth.counts) outcome.matched |= bit;
      if (truth.ignored) outcome.ignored |= bit;
    }
    return outcome;
  }

 private:
  void offer(const MatchCandidate& candidate, bool crowd, ThresholdBits open) {
    const double overlap = candidate.overlap;
    if (!crowd) open = static_cast<ThresholdBits>(open & ~taken_[candidate.truth]);
    for (std::size_t t = 0; t < thresholds_; ++t) {
      const auto bit = static_cast<ThresholdBits>(1U << t);
      // As it is said: an overlap that is NaN is not less.
      if ((open & bit) == 0 || overlap < ((chosen_ & bit) != 0 ? best_[t] : least_[t])) continue;
      best_[t] = overlap;
      best_truth_[t] = candidate.truth;
      chosen_ |= bit;
    }
  }

  std::size_t thresholds_;
  double least_[thresholds_in_group] = {};
  double best_[thresholds_in_group] = {};
  std::uint32_t best_truth_[thresholds_in_group] = {};
  ThresholdBits chosen_ = 0;
  std::vector<ThresholdBits> taken_;
};

}  // namespace mrcnn::coco::detail

#endif
