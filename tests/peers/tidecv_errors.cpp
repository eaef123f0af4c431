// Errors of detections beside tidecv, which TIDE's authors publish; see tidecv_errors.py.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "mrcnn/coco/error_analysis.hpp"
#include "tests/support/peer_data.hpp"

namespace mrcnn::coco {
namespace {

using test::PeerData;

constexpr std::array kinds = {ErrorKind::localisation, ErrorKind::classification, ErrorKind::duplicate,
                              ErrorKind::both,         ErrorKind::background,     ErrorKind::missed};

/// A table of the peer, read row by row.
template <class T>
class Rows {
 public:
  Rows(const PeerData& peer, const std::string& name, std::size_t columns = 1)
      : values_(peer.values<T>(name)), columns_(columns) {}

  const T* next() {
    const T* row = values_.data() + at_;
    at_ += columns_;
    REQUIRE(at_ <= values_.size());
    return row;
  }
  std::vector<T> next(std::size_t rows) {
    std::vector<T> several;
    for (std::size_t i = 0; i < rows; ++i) several.push_back(*next());
    return several;
  }

 private:
  std::vector<T> values_;
  std::size_t columns_;
  std::size_t at_ = 0;
};

/// A problem and what tidecv makes of it.
struct Problem {
  Annotations truth;
  std::vector<Result> results;
  ErrorAnalysisOptions options;
  std::vector<std::int32_t> counts;        ///< of each of `kinds`
  std::vector<std::int32_t> result_kinds;  ///< places in `kinds`, -1 for none
  std::vector<std::int32_t> object_kinds;
  std::vector<double> figures;  ///< AP, its gain for each of `kinds`, for false positives, for false negatives; percent
  bool distinct_scores = false;
};

class Problems {
 public:
  Problem next() {
    const std::int32_t* length = lengths_.next();
    const bool with_masks = *segm_.next() != 0;
    Problem problem;
    problem.truth.images.resize(static_cast<std::size_t>(length[0]));
    problem.truth.categories.resize(static_cast<std::size_t>(length[1]));
    problem.truth.annotations.resize(static_cast<std::size_t>(length[2]));
    problem.results.resize(static_cast<std::size_t>(length[3]));
    problem.distinct_scores = length[4] != 0;
    for (ImageRecord& image : problem.truth.images) {
      const std::int32_t* row = pictures_.next();
      image.id = row[0];
      image.height = row[1];
      image.width = row[2];
    }
    for (CategoryRecord& category : problem.truth.categories) category.id = *categories_.next();
    for (Annotation& annotation : problem.truth.annotations) {
      read(annotation, objects_, object_boxes_);
      annotation.is_crowd = *crowds_.next() != 0;
      if (with_masks) annotation.segmentation = next_mask(problem.truth, annotation.image_id, object_runs_);
    }
    for (Result& result : problem.results) {
      read(result, results_, result_boxes_);
      result.score = *scores_.next();
      if (with_masks) result.segmentation = next_mask(problem.truth, result.image_id, result_runs_);
    }
    const double* setting = settings_.next();
    problem.options.iou_type = with_masks ? IouType::segm : IouType::bbox;
    problem.options.positive_threshold = setting[0];
    problem.options.background_threshold = setting[1];
    problem.options.max_detections = static_cast<std::int64_t>(setting[2]);
    problem.counts = counts_.next(kinds.size());
    problem.result_kinds = result_kinds_.next(problem.results.size());
    problem.object_kinds = object_kinds_.next(problem.truth.annotations.size());
    problem.figures = figures_.next(kinds.size() + 3);
    return problem;
  }
  std::size_t count() const { return peer_.values<std::int32_t>("segm").size(); }

 private:
  template <class Record>
  static void read(Record& record, Rows<std::int32_t>& places, Rows<double>& boxes) {
    const std::int32_t* place = places.next();
    const double* box = boxes.next();
    record.image_id = place[0];
    record.category_id = place[1];
    record.bbox = {box[0], box[1], box[2], box[3]};
  }
  static Rle next_mask(const Annotations& truth, std::int64_t image_id, Rows<std::int32_t>& runs) {
    Rle mask;
    for (const ImageRecord& image : truth.images)
      if (image.id == image_id) mask = {image.height, image.width, {}};
    for (const std::int32_t run : runs.next(static_cast<std::size_t>(*runs.next())))
      mask.counts.push_back(static_cast<std::uint32_t>(run));
    return mask;
  }

  PeerData peer_;
  Rows<std::int32_t> lengths_{peer_, "lengths", 5}, pictures_{peer_, "pictures", 3}, categories_{peer_, "categories"},
      objects_{peer_, "objects", 2}, crowds_{peer_, "crowds"}, object_runs_{peer_, "object_runs"},
      object_kinds_{peer_, "object_kinds"}, results_{peer_, "results", 2}, result_runs_{peer_, "result_runs"},
      result_kinds_{peer_, "result_kinds"}, segm_{peer_, "segm"}, counts_{peer_, "counts"};
  Rows<double> object_boxes_{peer_, "object_boxes", 4}, result_boxes_{peer_, "result_boxes", 4},
      scores_{peer_, "scores"}, settings_{peer_, "settings", 3}, figures_{peer_, "figures"};
};

void check_records(const Problem& problem, const ErrorAnalysis& analysis) {
  std::vector<std::int32_t> results(problem.results.size(), -1);
  std::vector<std::int32_t> objects(problem.truth.annotations.size(), -1);
  for (const ErrorRecord& record : analysis.records) {
    const auto kind = static_cast<std::int32_t>(std::find(kinds.begin(), kinds.end(), record.kind) - kinds.begin());
    (record.result ? results[*record.result] : objects[*record.annotation]) = kind;
  }
  CHECK(results == problem.result_kinds);
  CHECK(objects == problem.object_kinds);
  for (std::size_t k = 0; k < kinds.size(); ++k) CHECK(analysis.of(kinds[k]).count == problem.counts[k]);
}

void check_figures(const Problem& problem, const ErrorAnalysis& analysis) {
  std::vector<double> figures = {std::max(analysis.ap, 0.0)};  // tidecv's is 0 without objects
  for (const ErrorKind kind : kinds) figures.push_back(analysis.of(kind).delta_ap);
  figures.push_back(analysis.false_positives.delta_ap);
  figures.push_back(analysis.false_negatives.delta_ap);
  for (std::size_t i = 0; i < figures.size(); ++i) {
    // Of equal scores tidecv puts errors first once anything is repaired, so that even nothing costs or gains AP.
    const bool comparable = problem.distinct_scores || i == 0 || i == kinds.size() + 1;
    if (comparable) CHECK_MESSAGE(std::abs(figures[i] - problem.figures[i] / 100.0) < 1e-14, i);
  }
}

TEST_CASE("tidecv: every error, and what each kind costs, with boxes and masks") {
  Problems problems;
  const std::size_t count = problems.count();
  CHECK(count > 500);
  for (std::size_t i = 0; i < count; ++i) {
    CAPTURE(i);
    const Problem problem = problems.next();
    const ErrorAnalysis analysis = analyze_errors(problem.truth, problem.results, problem.options);
    check_records(problem, analysis);
    check_figures(problem, analysis);
  }
}

}  // namespace
}  // namespace mrcnn::coco
