#ifndef MRCNN_COCO_DETAIL_EVALUATION_CURVES_HPP
#define MRCNN_COCO_DETAIL_EVALUATION_CURVES_HPP

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "mrcnn/coco/detail/evaluation_match.hpp"

namespace mrcnn::coco::detail {

/// A detection of a category, in the order of scores.
struct ScoredDetection {
  double score;
  std::uint32_t place;  ///< of its outcome
  std::uint32_t rank;   ///< among those of its cell
};

/// Which true positive, counted from 1, first reaches each recall: 0 for a threshold that any detection reaches.
inline std::vector<std::int64_t> hits_for_recalls(std::span<const double> recall_thresholds, std::int64_t objects) {
  constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
  std::vector<std::int64_t> hits;
  const auto n = static_cast<double>(objects);
  for (const double threshold : recall_thresholds) {
    if (threshold <= 0.0) {
      hits.push_back(0);
    } else if (!(threshold <= 1.0)) {
      hits.push_back(never);
    } else {
      // The division decides, not the product that the guess is made of.
      auto hit = static_cast<std::int64_t>(std::ceil(threshold * n));
      while (hit > 1 && static_cast<double>(hit - 1) / n >= threshold) --hit;
      while (static_cast<double>(hit) / n < threshold) ++hit;
      hits.push_back(std::max<std::int64_t>(hit, 1));
    }
  }
  return hits;
}

/// Precision, recall and scores of one category and area for a group of thresholds and one limit of detections.
///
/// Only true positives raise the recall, and precision falls in between, so they are all that is kept.
class PrecisionCurves {
 public:
  PrecisionCurves(std::span<const double> recall_thresholds, std::int64_t objects, std::size_t thresholds)
      : objects_(objects), hits_(hits_for_recalls(recall_thresholds, objects)), all_(bits_below(thresholds)) {
    for (std::size_t t = 0; t < thresholds; ++t) points_[t].reserve(static_cast<std::size_t>(objects));
  }

  void begin() {
    detections_ = 0;
    misses_of_all_ = 0;
    for (std::size_t t = 0; t < thresholds_in_group; ++t) {
      misses_[t] = 0;
      points_[t].clear();
    }
  }

  /// The next detection in the order of scores.
  void add(double score, MatchOutcome outcome) {
    if (detections_++ == 0) first_score_ = score;
    const auto hits = static_cast<ThresholdBits>(outcome.matched & ~outcome.ignored);
    auto misses = static_cast<ThresholdBits>(all_ & ~outcome.matched & ~outcome.ignored);
    if (misses == all_) {
      ++misses_of_all_;
      return;
    }
    for (; misses != 0; misses = static_cast<ThresholdBits>(misses & (misses - 1))) ++misses_[std::countr_zero(misses)];
    for (unsigned left = hits; left != 0; left &= left - 1) {
      const auto t = static_cast<std::size_t>(std::countr_zero(left));
      const auto found = static_cast<double>(points_[t].size() + 1);
      const auto missed = static_cast<double>(misses_[t] + misses_of_all_);
      points_[t].push_back({found / (missed + found + std::numeric_limits<double>::epsilon()), score});
    }
  }

  double recall(std::size_t t) const {
    return detections_ == 0 ? 0.0 : static_cast<double>(points_[t].size()) / static_cast<double>(objects_);
  }
  /// Calls write(r, precision, score) for each recall threshold.
  template <class Write>
  void read(std::size_t t, const Write& write) {
    std::vector<Point>& points = points_[t];
    for (std::size_t i = points.size(); i-- > 1;)
      if (points[i].precision > points[i - 1].precision) points[i - 1].precision = points[i].precision;
    bool reached = detections_ > 0;
    for (std::size_t r = 0; r < hits_.size(); ++r) {
      // Behind the first recall that is not reached pycocotools leaves all others at 0, in whatever order they come.
      reached = reached && hits_[r] <= static_cast<std::int64_t>(points.size());
      if (!reached)
        write(r, 0.0, 0.0);
      else if (hits_[r] == 0)
        write(r, points.empty() ? 0.0 : points[0].precision, first_score_);
      else
        write(r, points[static_cast<std::size_t>(hits_[r] - 1)].precision,
              points[static_cast<std::size_t>(hits_[r] - 1)].score);
    }
  }

 private:
  struct Point {
    double precision;
    double score;
  };
  static ThresholdBits bits_below(std::size_t thresholds) {
    return static_cast<ThresholdBits>((1U << thresholds) - 1U);
  }

  std::int64_t objects_;
  std::vector<std::int64_t> hits_;
  ThresholdBits all_;
  std::int64_t detections_ = 0;
  std::int64_t misses_of_all_ = 0;
  std::int64_t misses_[thresholds_in_group] = {};
  double first_score_ = 0;
  std::vector<Point> points_[thresholds_in_group];
};

}  // namespace mrcnn::coco::detail

#endif
