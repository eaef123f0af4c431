#ifndef MRCNN_COCO_DETAIL_EVALUATION_STATS_HPP
#define MRCNN_COCO_DETAIL_EVALUATION_STATS_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/coco/detail/numpy_mean.hpp"
#include "mrcnn/coco/evaluation.hpp"

namespace mrcnn::coco::detail {

/// One of pycocotools' 12 numbers.
struct StatisticRule {
  bool precision;
  double iou_threshold;  ///< 0: all
  const char* area;
  std::size_t limit;  ///< which of the numbers of detections
};
inline constexpr std::size_t limit_is_100 = 99;
inline constexpr std::array<StatisticRule, 12> statistic_rules{{{true, 0, "all", limit_is_100},
                                                                {true, 0.5, "all", 2},
                                                                {true, 0.75, "all", 2},
                                                                {true, 0, "small", 2},
                                                                {true, 0, "medium", 2},
                                                                {true, 0, "large", 2},
                                                                {false, 0, "all", 0},
                                                                {false, 0, "all", 1},
                                                                {false, 0, "all", 2},
                                                                {false, 0, "small", 2},
                                                                {false, 0, "medium", 2},
                                                                {false, 0, "large", 2}}};

/// The most detections that a rule speaks of; absent when fewer than three numbers are evaluated.
inline std::optional<std::int64_t> limit_of(const Evaluation& evaluation, const StatisticRule& rule) {
  if (rule.limit == limit_is_100) return 100;
  if (rule.limit >= evaluation.max_detections.size()) return {};
  return evaluation.max_detections[rule.limit];
}

/// The places in the last two dimensions that numpy's `[..., areas, limits]` picks: they go in pairs, one alone with all
/// of the other.
inline std::vector<std::pair<std::size_t, std::size_t>> area_limit_pairs(const Evaluation& evaluation,
                                                                         const StatisticRule& rule) {
  std::vector<std::size_t> areas;
  std::vector<std::size_t> limits;
  const auto limit = limit_of(evaluation, rule);
  for (std::size_t a = 0; a < evaluation.areas.size(); ++a)
    if (evaluation.areas[a].name == rule.area) areas.push_back(a);
  for (std::size_t m = 0; m < evaluation.max_detections.size(); ++m)
    if (evaluation.max_detections[m] == limit) limits.push_back(m);
  const std::size_t count = areas.size() == 1 ? limits.size() : areas.size();
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  if (limits.size() != 1 && limits.size() != count) return pairs;
  for (std::size_t i = 0; i < count; ++i)
    pairs.emplace_back(areas[areas.size() == 1 ? 0 : i], limits[limits.size() == 1 ? 0 : i]);
  return pairs;
}

/// The mean of the entries above -1 that the rule takes; -1 when there are none.
inline double statistic(const Evaluation& evaluation, const StatisticRule& rule) {
  const auto pairs = area_limit_pairs(evaluation, rule);
  const std::vector<double>& table = rule.precision ? evaluation.precision : evaluation.recall;
  const std::size_t rows = rule.precision ? evaluation.recall_thresholds.size() : 1;
  std::vector<double> numbers;
  for (std::size_t t = 0; t < evaluation.iou_thresholds.size(); ++t) {
    if (rule.iou_threshold != 0 && evaluation.iou_thresholds[t] != rule.iou_threshold) continue;
    for (std::size_t row = t * rows; row < (t + 1) * rows; ++row)
      for (std::size_t k = 0; k < evaluation.category_ids.size(); ++k)
        for (const auto& [area, limit] : pairs) {
          const double number = table[evaluation.recall_place(row, k, area, limit)];
          if (number > -1) numbers.push_back(number);
        }
  }
  return numbers.empty() ? -1.0 : numpy_mean(numbers);
}

inline std::string formatted(const char* format, double number) {
  char text[64];
  std::snprintf(text, sizeof text, format, number);
  return text;
}

/// A text of at least `width` columns.
inline std::string padded(std::string text, std::size_t width, bool to_the_right) {
  if (text.size() < width) text.insert(to_the_right ? 0 : text.size(), width - text.size(), ' ');
  return text;
}

/// The line that pycocotools prints for a number.
inline std::string statistic_line(const Evaluation& evaluation, const StatisticRule& rule, double number) {
  const std::vector<double>& thresholds = evaluation.iou_thresholds;
  std::string iou = formatted("%.2f", rule.iou_threshold);
  if (rule.iou_threshold == 0 && !thresholds.empty())
    iou = formatted("%.2f", thresholds.front()) + formatted(":%.2f", thresholds.back());
  std::string line = rule.precision ? " Average Precision  (AP)" : " Average Recall     (AR)";
  line += " @[ IoU=" + padded(iou, 9, false);
  line += " | area=" + padded(rule.area, 6, true);
  line += " | maxDets=" + padded(std::to_string(limit_of(evaluation, rule).value_or(-1)), 3, true);
  return line + " ] = " + formatted("%.3f", number);
}

}  // namespace mrcnn::coco::detail

#endif
