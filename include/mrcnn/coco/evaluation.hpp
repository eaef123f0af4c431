#ifndef MRCNN_COCO_EVALUATION_HPP
#define MRCNN_COCO_EVALUATION_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mrcnn/coco/records.hpp"
#include "mrcnn/detail/float_ops.hpp"

namespace mrcnn::coco {

enum class IouType : std::uint8_t {
  bbox,      ///< boxes
  segm,      ///< masks
  boundary,  ///< masks: the smaller of the overlaps of masks and of their boundaries
};

/// Objects whose area, in pixels, lies in [low, high].
struct AreaRange {
  std::string name;
  double low = 0;
  double high = 0;
};

/// `count` numbers from `first` to `last`, to the bit those of numpy.linspace.
inline std::vector<double> linspace(double first, double last, std::size_t count) {
  std::vector<double> numbers(count);
  const double step = (last - first) / static_cast<double>(count > 1 ? count - 1 : 1);
  for (std::size_t i = 0; i < count; ++i) numbers[i] = mrcnn::detail::product(static_cast<double>(i), step) + first;
  if (count > 1) numbers.back() = last;
  return numbers;
}

struct EvaluateOptions {
  IouType iou_type = IouType::bbox;
  std::vector<double> iou_thresholds = linspace(0.5, 0.95, 10);
  std::vector<double> recall_thresholds = linspace(0, 1, 101);
  std::vector<AreaRange> areas = {{"all", 0, 1e10}, {"small", 0, 1024}, {"medium", 1024, 9216}, {"large", 9216, 1e10}};
  std::vector<std::int64_t> max_detections = {1, 10, 100};
  /// The pictures to evaluate; absent: all.
  std::optional<std::vector<std::int64_t>> image_ids = {};
  /// The categories to evaluate; absent: all.
  std::optional<std::vector<std::int64_t>> category_ids = {};
  /// Categories do not matter: objects and detections of all (of `category_ids`) meet.
  bool class_agnostic = false;
  /// pycocotools takes a match with the annotation of id 0 for none. True: it is one.
  bool match_id_zero = false;
  /// Width of a boundary as a part of the picture's diagonal.
  double boundary_ratio = 0.02;
  /// Threads; 0: as many as the process may use.
  int threads = 0;
  /// Called now and then with steps done and of all; returns false to stop, which throws Cancelled.
  std::function<bool(index_t done, index_t total)> progress = {};
};

/// What `evaluate` finds. An entry is -1 where there is nothing to find.
struct Evaluation {
  IouType iou_type = IouType::bbox;
  std::vector<double> iou_thresholds;
  std::vector<double> recall_thresholds;
  std::vector<std::int64_t> category_ids;  ///< ascending; {-1} when class-agnostic
  std::vector<AreaRange> areas;
  std::vector<std::int64_t> max_detections;  ///< ascending
  std::vector<double> precision;  ///< [T, R, K, A, M]: thresholds, recalls, categories, areas, max_detections
  std::vector<double> scores;     ///< [T, R, K, A, M]
  std::vector<double> recall;     ///< [T, K, A, M]
  /// pycocotools' 12 numbers, in its order. The first is that of exactly 100 detections, and -1 when `max_detections` does
  /// not have that; the others are those of the first, second and third limit.
  std::array<double, 12> stats{};

  /// Where an entry stands in `precision` and `scores`, and in `recall`.
  std::size_t precision_place(std::size_t threshold, std::size_t recall_threshold, std::size_t category,
                              std::size_t area, std::size_t limit) const {
    return recall_place(threshold * recall_thresholds.size() + recall_threshold, category, area, limit);
  }
  std::size_t recall_place(std::size_t threshold, std::size_t category, std::size_t area, std::size_t limit) const {
    return ((threshold * category_ids.size() + category) * areas.size() + area) * max_detections.size() + limit;
  }
};

}  // namespace mrcnn::coco

#endif
