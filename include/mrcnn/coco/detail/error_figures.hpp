#ifndef MRCNN_COCO_DETAIL_ERROR_FIGURES_HPP
#define MRCNN_COCO_DETAIL_ERROR_FIGURES_HPP

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mrcnn/coco/detail/error_search.hpp"
#include "mrcnn/coco/detail/picture_groups.hpp"
#include "mrcnn/coco/error_records.hpp"

namespace mrcnn::coco::detail {

/// AP at 101 recalls, as tidecv sums it.
/// @param ranks    for each hit its rank among the category's detections, from 1 on
/// @param objects  how many there are to find
inline double average_precision_of(std::span<const std::int64_t> ranks, std::int64_t objects) {
  std::vector<double> precision(ranks.size());
  double best = 0.0;  // of this hit and those behind it
  for (std::size_t i = ranks.size(); i-- > 0;) {
    best = std::max(best, static_cast<double>(i + 1) / static_cast<double>(ranks[i]));
    precision[i] = best;
  }
  double sum = 0.0;
  std::size_t hit = 0;
  for (int step = 0; step <= 100; ++step) {
    const double recall = static_cast<double>(step) / 100.0;
    while (hit < ranks.size() && static_cast<double>(hit + 1) / static_cast<double>(objects) < recall) ++hit;
    if (hit == ranks.size()) break;
    sum += precision[hit];
  }
  return sum / 101.0;
}

/// Collects detections by descending score.
class ApCurves {
 public:
  explicit ApCurves(std::size_t categories) : seen_(categories, 0), ranks_(categories) {}

  void add(std::int32_t category, bool hit) {
    const auto c = static_cast<std::size_t>(category);
    ++seen_[c];
    if (hit) ranks_[c].push_back(seen_[c]);
  }

  /// The mean AP of the categories that `counted` says; none when there are none.
  /// @param objects  how many each has; the AP of a category without is 0
  template <class Counted>
  std::optional<double> mean(std::span<const std::int64_t> objects, const Counted& counted) const {
    double sum = 0.0;
    std::int64_t count = 0;
    for (std::size_t c = 0; c < seen_.size(); ++c) {
      if (!counted(c, objects[c] > 0 || seen_[c] > 0)) continue;
      ++count;
      if (objects[c] > 0) sum += average_precision_of(ranks_[c], objects[c]);
    }
    if (count == 0) return std::nullopt;
    return sum / static_cast<double>(count);
  }

 private:
  std::vector<std::int64_t> seen_;
  std::vector<std::vector<std::int64_t>> ranks_;
};

/// The AP of what was found, and of what would be found after a repair.
class ErrorFigures {
 public:
  ErrorFigures(const PictureGroups& groups, std::span<const PictureErrors> errors,
               std::span<const RankedDetection> ranked, ApCategories which)
      : which_(which),
        objects_(groups.categories.size(), 0),
        missed_(groups.categories.size(), 0),
        unfound_(groups.categories.size(), 0) {
    for (std::size_t p = 0; p < errors.size(); ++p)
      for (std::size_t g = 0; g < errors[p].objects.size(); ++g) {
        const JudgedObject& object = errors[p].objects[g];
        const auto c = static_cast<std::size_t>(groups.annotation_categories[groups.pictures[p].objects[g]]);
        ++objects_[c];
        unfound_[c] += object.found ? 0 : 1;
        missed_[c] += object.found || object.repairable ? 0 : 1;
      }
    points_.reserve(ranked.size());
    for (const RankedDetection& rank : ranked) {
      const PictureGroup& picture = groups.pictures[rank.picture];
      const JudgedDetection& detection = errors[rank.picture].detections[rank.place];
      points_.push_back({groups.result_categories[picture.detections[rank.place]], -1, detection});
      if (detection.repairable)
        points_.back().repaired =
            groups.annotation_categories[picture.objects[static_cast<std::size_t>(detection.object)]];
    }
  }

  void write(ErrorAnalysis& analysis) const {
    const auto base = after([](const JudgedDetection&) { return false; }, objects_);
    if (!base || std::all_of(objects_.begin(), objects_.end(), [](std::int64_t n) { return n == 0; })) return;
    analysis.ap = *base;
    const auto gain = [&](std::optional<double> ap) { return ap ? std::max(*ap - *base, 0.0) : 0.0; };
    for (const ErrorKind kind : error_kinds) {
      const bool missed = kind == ErrorKind::missed;
      analysis.figures[static_cast<std::size_t>(kind)].delta_ap =
          gain(after([kind](const JudgedDetection& detection) { return detection.kind == kind; },
                     missed ? without(missed_) : objects_));
    }
    analysis.false_negatives.delta_ap = gain(after([](const JudgedDetection&) { return false; }, without(unfound_)));
    analysis.false_positives.delta_ap = gain(hits_first());
  }

 private:
  struct Point {
    std::int32_t category;
    std::int32_t repaired;  ///< the category in which a repair makes it a hit; -1: it goes away
    JudgedDetection detection;
  };

  /// The mean AP once the errors that `repaired` names are.
  template <class Repaired>
  std::optional<double> after(const Repaired& repaired, std::span<const std::int64_t> objects) const {
    ApCurves curves(objects.size());
    for (const Point& point : points_) {
      if (!point.detection.hit && repaired(point.detection)) {
        if (point.repaired >= 0) curves.add(point.repaired, true);
      } else if (!point.detection.excused) {
        curves.add(point.category, point.detection.hit);
      }
    }
    return mean(curves, objects);
  }
  std::optional<double> hits_first() const {
    ApCurves curves(objects_.size());
    for (const bool hits : {true, false})
      for (const Point& point : points_)
        if (!point.detection.excused && point.detection.hit == hits) curves.add(point.category, hits);
    return mean(curves, objects_);
  }
  /// `with_objects` keeps its categories when a repair takes their objects away.
  std::optional<double> mean(const ApCurves& curves, std::span<const std::int64_t> objects) const {
    return curves.mean(objects,
                       [&](std::size_t c, bool seen) { return which_ == ApCategories::seen ? seen : objects_[c] > 0; });
  }
  std::vector<std::int64_t> without(std::span<const std::int64_t> gone) const {
    std::vector<std::int64_t> left = objects_;
    for (std::size_t c = 0; c < left.size(); ++c) left[c] -= gone[c];
    return left;
  }

  ApCategories which_;
  std::vector<Point> points_;
  std::vector<std::int64_t> objects_;  ///< of each category
  std::vector<std::int64_t> missed_;
  std::vector<std::int64_t> unfound_;
};

}  // namespace mrcnn::coco::detail

#endif
