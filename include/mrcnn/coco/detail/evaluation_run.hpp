#ifndef MRCNN_COCO_DETAIL_EVALUATION_RUN_HPP
#define MRCNN_COCO_DETAIL_EVALUATION_RUN_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/coco/detail/evaluation_cells.hpp"
#include "mrcnn/coco/detail/evaluation_curves.hpp"
#include "mrcnn/coco/detail/evaluation_match.hpp"
#include "mrcnn/coco/detail/evaluation_overlaps.hpp"
#include "mrcnn/coco/evaluation.hpp"
#include "mrcnn/coco/records.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/core/host_backend.hpp"

namespace mrcnn::coco::detail {

/// One run of `evaluate`: cells, their matches, and the curves that follow from them.
class EvaluationRun {
 public:
  EvaluationRun(const Annotations& ground_truth, std::span<const Result> results, const EvaluateOptions& options)
      : ground_truth_(ground_truth),
        results_(results),
        options_(options),
        backend_(options.threads),
        shapes_("evaluate", ground_truth, results, options.iou_type, options.boundary_ratio) {
    check_options();
    collect();
    evaluation_ = {.iou_type = options.iou_type,
                   .iou_thresholds = options.iou_thresholds,
                   .recall_thresholds = options.recall_thresholds,
                   .category_ids = options.class_agnostic ? std::vector<std::int64_t>{-1} : category_ids_,
                   .areas = options.areas,
                   .max_detections = options.max_detections,
                   .precision = {},
                   .scores = {},
                   .recall = {}};
    std::sort(evaluation_.max_detections.begin(), evaluation_.max_detections.end());
    most_ = evaluation_.max_detections.empty() ? 0 : static_cast<std::uint64_t>(evaluation_.max_detections.back());
    groups_ = (options.iou_thresholds.size() + thresholds_in_group - 1) / thresholds_in_group;
    lowest_threshold_ = least_overlap(options.iou_thresholds);
  }

  Evaluation run() {
    match_all();
    accumulate_all();
    return std::move(evaluation_);
  }

 private:
  struct Worker {
    CellOverlaps overlaps;
    std::vector<MatchCandidate> candidates;
    std::vector<std::size_t> candidate_begins;
    std::vector<MatchTruth> truths;
    std::vector<Matcher> matchers;
  };

  void check_options() const {
    for (const std::int64_t limit : options_.max_detections)
      if (limit < 0)
        throw ShapeError("evaluate: max_detections has " + std::to_string(limit) + ", expected none below 0");
    check_record_counts("evaluate", ground_truth_, results_);
  }

  std::vector<std::int64_t> wanted_categories() const {
    if (options_.category_ids) return *options_.category_ids;
    std::vector<std::int64_t> ids = ids_of(ground_truth_.categories);
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  void collect() {
    const std::vector<std::int64_t> wanted = wanted_categories();
    const IdIndex categories(ascending_ids(wanted));
    const IdIndex images = options_.image_ids ? IdIndex(ascending_ids(*options_.image_ids)) : shapes_.images();
    category_ids_ = categories.ids();
    const bool agnostic = options_.class_agnostic;
    auto truths = truth_entries(ground_truth_.annotations, images, categories, agnostic);
    auto detections = detection_entries(results_, shapes_.images(), images, categories);
    for (const CellEntry& entry : truths) {
      shapes_.check_area(ground_truth_.annotations[entry.record]);
      shapes_.check(ground_truth_.annotations[entry.record]);
    }
    for (const CellEntry& entry : detections) shapes_.check(entry.record);
    if (agnostic && wanted != category_ids_) {
      truths = in_given_order(truths, wanted, categories);
      detections = in_given_order(detections, wanted, categories);
    }
    cells_ = make_cells(std::move(truths), std::move(detections), images.size(), wanted.size(), agnostic);
  }
  /// Without categories, pycocotools takes objects category by category as they are listed, also those listed twice: an
  /// entry for each time, whose category is its place in the list.
  static std::vector<CellEntry> in_given_order(const std::vector<CellEntry>& entries,
                                               const std::vector<std::int64_t>& wanted, const IdIndex& categories) {
    std::vector<std::vector<std::int32_t>> places(categories.size());
    for (std::size_t i = 0; i < wanted.size(); ++i)
      places[static_cast<std::size_t>(categories.find(wanted[i]))].push_back(static_cast<std::int32_t>(i));
    std::vector<CellEntry> listed;
    for (const CellEntry& entry : entries)
      for (const std::int32_t place : places[static_cast<std::size_t>(entry.category)])
        listed.push_back({entry.record, entry.image, place});
    return listed;
  }

  // --- matching, cell by cell

  std::size_t outcome_set(std::size_t area, std::size_t group) const {
    return (area * groups_ + group) * cells_.detections.size();
  }
  std::span<const double> thresholds(std::size_t group) const {
    const std::size_t begin = group * thresholds_in_group;
    return std::span(options_.iou_thresholds)
        .subspan(begin, std::min(thresholds_in_group, options_.iou_thresholds.size() - begin));
  }

  void match_all() {
    outcomes_.resize(options_.areas.size() * groups_ * cells_.detections.size());
    scores_.resize(cells_.detections.size());
    std::vector<Worker> workers(static_cast<std::size_t>(backend_.threads()));
    for (Worker& worker : workers)
      for (std::size_t g = 0; g < groups_; ++g) worker.matchers.emplace_back(thresholds(g));
    constexpr std::size_t cells_in_task = 64;
    const std::size_t cells = cells_.cells.size();
    const std::size_t tasks = (cells + cells_in_task - 1) / cells_in_task;
    // A caller who watches is called between parts of the work.
    const std::size_t parts = options_.progress ? std::min<std::size_t>(std::max<std::size_t>(tasks, 1), 100) : 1;
    for (std::size_t part = 0; part < parts; ++part) {
      const std::size_t begin = tasks * part / parts;
      const std::size_t end = tasks * (part + 1) / parts;
      backend_.run_tasks(static_cast<index_t>(end - begin), [&](index_t i, int worker) {
        const std::size_t first = (begin + static_cast<std::size_t>(i)) * cells_in_task;
        for (std::size_t c = first; c < std::min(cells, first + cells_in_task); ++c)
          match_cell(cells_.cells[c], workers[static_cast<std::size_t>(worker)]);
      });
      if (options_.progress && !options_.progress(static_cast<index_t>(part + 1), static_cast<index_t>(parts)))
        throw Cancelled("evaluate: cancelled");
    }
  }

  /// How many detections of a cell count.
  std::size_t counted(const EvaluationCell& cell) const {
    return static_cast<std::size_t>(std::min<std::uint64_t>(cell.detection_end - cell.detection_begin, most_));
  }

  void match_cell(const EvaluationCell& cell, Worker& worker) {
    sort_detections(cell);
    const std::span<const CellEntry> truths(cells_.truths.data() + cell.truth_begin, cell.truth_end - cell.truth_begin);
    const std::span<const CellEntry> detections(cells_.detections.data() + cell.detection_begin, counted(cell));
    if (detections.empty()) return;
    worker.overlaps.compute(shapes_, truths, detections);
    find_candidates(worker, detections.size(), truths.size());
    for (std::size_t a = 0; a < options_.areas.size(); ++a) {
      const AreaRange& range = options_.areas[a];
      set_truths(truths, range, worker.truths);
      for (std::size_t g = 0; g < groups_; ++g) {
        MatchOutcome* outcomes = outcomes_.data() + outcome_set(a, g) + cell.detection_begin;
        Matcher& matcher = worker.matchers[g];
        matcher.begin_cell(truths.size());
        for (std::size_t d = 0; d < detections.size(); ++d) {
          const std::span<const MatchCandidate> candidates(worker.candidates.data() + worker.candidate_begins[d],
                                                           worker.candidate_begins[d + 1] - worker.candidate_begins[d]);
          outcomes[d] = candidates.empty() ? MatchOutcome{} : matcher.match(candidates, worker.truths);
          const double area = worker.overlaps.area(d);
          if (area < range.low || area > range.high)
            outcomes[d].ignored |= static_cast<ThresholdBits>(matcher.all() & ~outcomes[d].matched);
        }
      }
    }
  }

  /// Best first; equal scores keep their order.
  void sort_detections(const EvaluationCell& cell) {
    const std::size_t count = cell.detection_end - cell.detection_begin;
    CellEntry* entries = cells_.detections.data() + cell.detection_begin;
    const auto score = [&](const CellEntry& entry) { return results_[entry.record].score; };
    const auto better = [&](const CellEntry& a, const CellEntry& b) { return score(a) > score(b); };
    if (!std::is_sorted(entries, entries + count, better)) std::stable_sort(entries, entries + count, better);
    for (std::size_t i = 0; i < count; ++i) scores_[cell.detection_begin + i] = score(entries[i]);
  }

  /// The pairs whose overlap is enough for the lowest threshold.
  void find_candidates(Worker& worker, std::size_t detections, std::size_t truths) const {
    worker.candidates.clear();
    worker.candidate_begins.assign(1, 0);
    for (std::size_t d = 0; d < detections; ++d) {
      for (std::size_t t = 0; t < truths; ++t) {
        const double overlap = worker.overlaps.overlap(d, t);
        if (!(overlap < lowest_threshold_)) worker.candidates.push_back({static_cast<std::uint32_t>(t), overlap});
      }
      worker.candidate_begins.push_back(worker.candidates.size());
    }
  }

  void set_truths(std::span<const CellEntry> entries, const AreaRange& range, std::vector<MatchTruth>& truths) const {
    truths.clear();
    for (const CellEntry& entry : entries) {
      const Annotation& annotation = ground_truth_.annotations[entry.record];
      truths.push_back(
          {annotation.is_crowd, is_ignored(annotation, range), annotation.id != 0 || options_.match_id_zero});
    }
  }
  static bool is_ignored(const Annotation& annotation, const AreaRange& range) {
    return annotation.is_crowd || *annotation.area < range.low || *annotation.area > range.high;
  }

  // --- curves, category by category

  void accumulate_all() {
    const std::size_t categories = evaluation_.category_ids.size();
    const std::size_t cells =
        evaluation_.iou_thresholds.size() * categories * evaluation_.areas.size() * evaluation_.max_detections.size();
    evaluation_.recall.assign(cells, -1.0);
    evaluation_.precision.assign(cells * evaluation_.recall_thresholds.size(), -1.0);
    evaluation_.scores.assign(cells * evaluation_.recall_thresholds.size(), -1.0);
    std::vector<std::vector<ScoredDetection>> ranked(static_cast<std::size_t>(backend_.threads()));
    std::vector<std::size_t> order(categories);
    for (std::size_t k = 0; k < categories; ++k) order[k] = k;
    std::stable_sort(order.begin(), order.end(),  // the longest first
                     [&](std::size_t a, std::size_t b) { return cells_in(a).size() > cells_in(b).size(); });
    backend_.run_tasks(static_cast<index_t>(categories), [&](index_t i, int worker) {
      accumulate(order[static_cast<std::size_t>(i)], ranked[static_cast<std::size_t>(worker)]);
    });
  }

  std::span<const EvaluationCell> cells_in(std::size_t category) const {
    const std::size_t begin = cells_.category_begins[category];
    return std::span(cells_.cells).subspan(begin, cells_.category_begins[category + 1] - begin);
  }

  void accumulate(std::size_t category, std::vector<ScoredDetection>& ranked) {
    rank_detections(category, ranked);
    for (std::size_t a = 0; a < evaluation_.areas.size(); ++a) {
      std::int64_t objects = 0;
      for (const EvaluationCell& cell : cells_in(category))
        for (std::uint32_t t = cell.truth_begin; t < cell.truth_end; ++t)
          objects += is_ignored(ground_truth_.annotations[cells_.truths[t].record], evaluation_.areas[a]) ? 0 : 1;
      if (objects == 0) continue;
      for (std::size_t g = 0; g < groups_; ++g) {
        PrecisionCurves curves(evaluation_.recall_thresholds, objects, thresholds(g).size());
        const MatchOutcome* outcomes = outcomes_.data() + outcome_set(a, g);
        for (std::size_t m = 0; m < evaluation_.max_detections.size(); ++m) {
          const auto limit = static_cast<std::uint64_t>(evaluation_.max_detections[m]);
          curves.begin();
          for (const ScoredDetection& detection : ranked)
            if (detection.rank < limit) curves.add(detection.score, outcomes[detection.place]);
          for (std::size_t t = 0; t < thresholds(g).size(); ++t)
            store(curves, t, {g * thresholds_in_group + t, category, a, m});
        }
      }
    }
  }

  /// The detections of a category that count, best first; equal scores picture by picture.
  void rank_detections(std::size_t category, std::vector<ScoredDetection>& ranked) const {
    ranked.clear();
    for (const EvaluationCell& cell : cells_in(category))
      for (std::size_t i = 0; i < counted(cell); ++i) {
        const std::size_t place = cell.detection_begin + i;
        ranked.push_back({scores_[place], static_cast<std::uint32_t>(place), static_cast<std::uint32_t>(i)});
      }
    std::sort(ranked.begin(), ranked.end(), [](const ScoredDetection& a, const ScoredDetection& b) {
      return a.score != b.score ? a.score > b.score : a.place < b.place;
    });
  }

  struct Place {
    std::size_t t;
    std::size_t k;
    std::size_t a;
    std::size_t m;
  };
  void store(PrecisionCurves& curves, std::size_t t, const Place& place) {
    evaluation_.recall[evaluation_.recall_place(place.t, place.k, place.a, place.m)] = curves.recall(t);
    curves.read(t, [&](std::size_t r, double precision, double score) {
      const std::size_t i = evaluation_.precision_place(place.t, r, place.k, place.a, place.m);
      evaluation_.precision[i] = precision;
      evaluation_.scores[i] = score;
    });
  }

  const Annotations& ground_truth_;
  std::span<const Result> results_;
  const EvaluateOptions& options_;
  HostBackend backend_;
  EvaluationShapes shapes_;
  std::vector<std::int64_t> category_ids_;
  EvaluationCells cells_;
  Evaluation evaluation_;
  std::uint64_t most_ = 0;
  std::size_t groups_ = 0;
  double lowest_threshold_ = 0;
  std::vector<MatchOutcome> outcomes_;  // [areas, groups, detections]
  std::vector<double> scores_;          // [detections], as they are sorted in their cells
};

}  // namespace mrcnn::coco::detail

#endif
