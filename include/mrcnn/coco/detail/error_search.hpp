#ifndef MRCNN_COCO_DETAIL_ERROR_SEARCH_HPP
#define MRCNN_COCO_DETAIL_ERROR_SEARCH_HPP

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "mrcnn/coco/detail/picture_groups.hpp"
#include "mrcnn/coco/error_records.hpp"

namespace mrcnn::coco::detail {

struct ErrorRule {
  double positive;
  double background;
  bool count_excused;
};

/// What became of a detection.
struct JudgedDetection {
  bool hit = false;
  bool excused = false;
  bool repairable = false;  ///< the detection that a repair makes the hit of `object`
  ErrorKind kind = ErrorKind::background;
  std::int32_t object = -1;  ///< place in the picture's objects
  double iou = 0;
};

/// What became of an object.
struct JudgedObject {
  bool found = false;
  bool repairable = false;
  double iou = 0;
};

struct PictureErrors {
  std::vector<JudgedDetection> detections;
  std::vector<JudgedObject> objects;
};

/// Judges one picture's detections, which are in the order of their scores.
class ErrorSearch {
 public:
  ErrorSearch(const PictureGroups& groups, const PictureGroup& picture, const PictureOverlaps& overlaps,
              const ErrorRule& rule)
      : groups_(groups), picture_(picture), overlaps_(overlaps), rule_(rule) {
    errors_.detections.resize(picture.detections.size());
    errors_.objects.resize(picture.objects.size());
  }

  PictureErrors run() && {
    for (std::size_t d = 0; d < errors_.detections.size(); ++d) match(d);
    for (std::size_t d = 0; d < errors_.detections.size(); ++d) {
      JudgedDetection& detection = errors_.detections[d];
      for (std::size_t g = 0; g < errors_.objects.size(); ++g)
        errors_.objects[g].iou = std::max(errors_.objects[g].iou, row(d)[g]);
      if (detection.hit) continue;
      detection.excused = in_crowd(d);
      if (!detection.excused || rule_.count_excused) classify(d);
    }
    return std::move(errors_);
  }

 private:
  std::span<const double> row(std::size_t d) const {
    return std::span(overlaps_.objects).subspan(d * picture_.objects.size(), picture_.objects.size());
  }
  std::int32_t category(std::size_t d) const { return groups_.result_categories[picture_.detections[d]]; }
  bool is_own(std::size_t d, std::size_t g) const {
    return groups_.annotation_categories[picture_.objects[g]] == category(d);
  }
  double overlap(std::size_t d, std::int32_t g) const { return g < 0 ? 0.0 : row(d)[static_cast<std::size_t>(g)]; }

  void match(std::size_t d) {
    const std::int32_t best =
        best_column(row(d), [&](std::size_t g) { return is_own(d, g) && !errors_.objects[g].found; });
    if (best < 0 || !(overlap(d, best) >= rule_.positive)) return;
    errors_.objects[static_cast<std::size_t>(best)].found = true;
    errors_.detections[d] = {.hit = true, .object = best, .iou = overlap(d, best)};
  }

  bool in_crowd(std::size_t d) const {
    const std::size_t crowds = picture_.crowds.size();
    for (std::size_t c = 0; c < crowds; ++c)
      if (groups_.annotation_categories[picture_.crowds[c]] == category(d) &&
          overlaps_.crowds[d * crowds + c] > rule_.positive)
        return true;
    return false;
  }

  void classify(std::size_t d) {
    const std::int32_t own = best_column(row(d), [&](std::size_t g) { return is_own(d, g); });
    const double own_overlap = overlap(d, own);
    if (own >= 0 && own_overlap >= rule_.background && own_overlap <= rule_.positive)
      return blame(d, ErrorKind::localisation, own, true);
    const std::int32_t other = best_column(row(d), [&](std::size_t g) { return !is_own(d, g); });
    if (overlap(d, other) >= rule_.positive) return blame(d, ErrorKind::classification, other, true);
    const std::int32_t taken =
        best_column(row(d), [&](std::size_t g) { return is_own(d, g) && errors_.objects[g].found; });
    if (overlap(d, taken) >= rule_.positive) return blame(d, ErrorKind::duplicate, taken, false);
    const std::int32_t any = best_column(row(d), [](std::size_t) { return true; });
    blame(d, overlap(d, any) > rule_.background ? ErrorKind::both : ErrorKind::background, any, false);
  }

  /// An object that is free goes to the first detection whose repair would find it.
  void blame(std::size_t d, ErrorKind kind, std::int32_t g, bool repairs) {
    JudgedDetection& detection = errors_.detections[d];
    detection.kind = kind;
    detection.iou = overlap(d, g);
    detection.object = kind == ErrorKind::background ? -1 : g;
    if (!repairs) return;
    JudgedObject& object = errors_.objects[static_cast<std::size_t>(g)];
    detection.repairable = !object.found && !object.repairable;
    object.repairable = object.repairable || !object.found;
  }

  const PictureGroups& groups_;
  const PictureGroup& picture_;
  const PictureOverlaps& overlaps_;
  const ErrorRule& rule_;
  PictureErrors errors_;
};

/// A detection of a picture, by places, among those of all pictures.
struct RankedDetection {
  double score;
  std::uint32_t picture;
  std::uint32_t place;
};

/// All detections by descending score; equal ones by picture, then in the order of the picture.
inline std::vector<RankedDetection> rank_detections(const PictureGroups& groups, std::span<const Result> results) {
  std::vector<RankedDetection> ranked;
  ranked.reserve(results.size());
  for (std::size_t p = 0; p < groups.pictures.size(); ++p) {
    const std::vector<std::uint32_t>& detections = groups.pictures[p].detections;
    for (std::size_t d = 0; d < detections.size(); ++d)
      ranked.push_back({results[detections[d]].score, static_cast<std::uint32_t>(p), static_cast<std::uint32_t>(d)});
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const RankedDetection& a, const RankedDetection& b) { return a.score > b.score; });
  return ranked;
}

}  // namespace mrcnn::coco::detail

#endif
