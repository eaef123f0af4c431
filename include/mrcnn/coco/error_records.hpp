#ifndef MRCNN_COCO_ERROR_RECORDS_HPP
#define MRCNN_COCO_ERROR_RECORDS_HPP

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/coco/evaluation.hpp"

namespace mrcnn::coco {

/// What is wrong with a detection, or with an object; the first that applies, in this order but for `both`, which comes
/// behind `background`. "Own" and "other" are objects of the detection's category and of others.
enum class ErrorKind : std::uint8_t {
  localisation,    ///< the largest overlap with an own object is from the background to the positive threshold
  classification,  ///< overlaps another object by at least the positive threshold
  duplicate,       ///< overlaps an own object that much that a detection with a higher score has taken
  both,            ///< overlaps another object by more than the background threshold
  background,      ///< overlaps nothing by more than the background threshold
  missed,          ///< an object that no detection has found or would find with a repair
};

inline constexpr std::array<ErrorKind, 6> error_kinds = {ErrorKind::classification, ErrorKind::localisation,
                                                         ErrorKind::both,           ErrorKind::duplicate,
                                                         ErrorKind::background,     ErrorKind::missed};

/// "classification", "localisation" ...
inline const char* name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::localisation: return "localisation";
    case ErrorKind::classification: return "classification";
    case ErrorKind::duplicate: return "duplicate";
    case ErrorKind::both: return "both";
    case ErrorKind::background: return "background";
    case ErrorKind::missed: return "missed";
  }
  return "unknown";
}

/// The categories whose AP makes the mean.
enum class ApCategories : std::uint8_t {
  /// Those with objects or detections, before and after a repair each; the AP of one without objects is 0: tidecv.
  seen,
  /// Those with objects; the AP of one whose objects a repair takes away is 0: pycocotools, hotcoco.
  with_objects,
};

/// One error.
struct ErrorRecord {
  ErrorKind kind = ErrorKind::background;
  std::optional<std::size_t> result;      ///< the detection, by its place in the results; none for `missed`
  std::optional<std::size_t> annotation;  ///< the object it is about, by its place; none for `background`
  std::int64_t image_id = 0;
  double score = 0;      ///< of the detection; 0 for `missed`
  double iou = 0;        ///< with that object; `background`: the largest; `missed`: the largest of a detection
  bool excused = false;  ///< lies in a crowd of its category
};

/// The errors of one kind, and how much AP is gained when all of them are repaired: misplaced and misnamed detections
/// become hits (the best of each object that is free) or go away, others go away, missed objects too.
struct ErrorFigure {
  std::int64_t count = 0;
  double delta_ap = 0;
};

/// What `analyze_errors` finds.
struct ErrorAnalysis {
  IouType iou_type = IouType::bbox;
  double positive_threshold = 0.5;
  double background_threshold = 0.1;
  double ap = -1;                           ///< 0 to 1; -1 without objects
  std::array<ErrorFigure, 6> figures = {};  ///< by ErrorKind
  std::int64_t hits = 0;
  ErrorFigure false_positives;  ///< detections that are neither hits nor excused; delta: if they came behind all hits
  ErrorFigure false_negatives;  ///< objects without a hit; delta: if they were no objects
  /// Detections by descending score (then by picture and place), then missed objects by picture and place.
  std::vector<ErrorRecord> records;

  const ErrorFigure& of(ErrorKind kind) const { return figures[static_cast<std::size_t>(kind)]; }
};

/// A picture and what is wrong in it.
struct PictureMisses {
  std::int64_t image_id = 0;
  double weight = 0;                 ///< 1 for each missed object, the score of each false detection
  std::vector<std::size_t> records;  ///< places in `ErrorAnalysis::records`, ascending
};

/// The pictures with the worst misses, worst first, of equal ones the one with the smaller id. Excused detections and
/// those with a score below `min_score` do not count: a detector that lists everything would drown in them. O(N log N).
inline std::vector<PictureMisses> worst_pictures(const ErrorAnalysis& analysis, std::size_t count,
                                                 double min_score = 0.5) {
  std::map<std::int64_t, PictureMisses> pictures;
  for (std::size_t i = 0; i < analysis.records.size(); ++i) {
    const ErrorRecord& record = analysis.records[i];
    const bool missed = record.kind == ErrorKind::missed;
    if (!missed && (record.excused || !(record.score >= min_score))) continue;
    PictureMisses& picture = pictures[record.image_id];
    picture.image_id = record.image_id;
    picture.weight += missed ? 1.0 : record.score;
    picture.records.push_back(i);
  }
  std::vector<PictureMisses> worst;
  for (auto& [id, picture] : pictures) worst.push_back(std::move(picture));
  std::stable_sort(worst.begin(), worst.end(),
                   [](const PictureMisses& a, const PictureMisses& b) { return a.weight > b.weight; });
  if (worst.size() > count) worst.resize(count);
  return worst;
}

/// The analysis as a table of 10 lines; AP in percent, as papers print it.
inline std::string error_text(const ErrorAnalysis& analysis) {
  std::string text;
  char line[96];
  const auto add = [&](const char* name, const ErrorFigure& figure) {
    std::snprintf(line, sizeof line, "%-16s %9lld %7.2f\n", name, static_cast<long long>(figure.count),
                  100.0 * figure.delta_ap);
    text += line;
  };
  if (analysis.ap < 0)
    std::snprintf(line, sizeof line, "AP at IoU %.2f: none, there are no objects\n", analysis.positive_threshold);
  else
    std::snprintf(line, sizeof line, "AP at IoU %.2f: %.2f\n", analysis.positive_threshold, 100.0 * analysis.ap);
  text += line;
  std::snprintf(line, sizeof line, "%-16s %9s %7s\n", "errors", "count", "dAP");
  text += line;
  for (const ErrorKind kind : error_kinds) add(name_of(kind), analysis.of(kind));
  add("false positives", analysis.false_positives);
  add("false negatives", analysis.false_negatives);
  return text;
}

}  // namespace mrcnn::coco

#endif
