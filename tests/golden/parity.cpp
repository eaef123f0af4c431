// The whole chain, from the picture to the pasted masks, against the original Keras code: every tensor on the way, for
// every golden case and both profiles.

#include <doctest/doctest.h>

#include <cstdio>
#include <set>

#include "mrcnn/io/image.hpp"
#include "mrcnn/ops/top_k.hpp"
#include "tests/support/golden.hpp"

using namespace mrcnn;
using namespace mrcnn::test;

namespace {

/// What the original differs from itself by, with another set of correct float32 kernels: the golden README's noise floor
/// (largest difference / largest magnitude), for the 50-layer and the 101-layer model.
struct Noise {
  const char* stage;
  double r50;
  double r101;
};
constexpr Noise noise_floor[] = {
    {"C1", 1.5e-7, 1.4e-7},
    {"C2", 8.7e-7, 9.1e-7},
    {"C3", 1.9e-6, 2.1e-6},
    {"C4", 7.0e-6, 2.6e-5},
    {"C5", 1.3e-5, 5.9e-5},
    {"P2", 9.1e-6, 3.3e-5},
    {"P3", 1.2e-5, 4.7e-5},
    {"P4", 1.4e-5, 5.8e-5},
    {"P5", 1.5e-5, 6.4e-5},
    {"P6", 1.6e-5, 5.5e-5},
    {"rpn_class_logits", 1.3e-5, 4.5e-5},
    {"rpn_class", 3.4e-5, 1.3e-4},
    {"rpn_bbox", 1.4e-5, 6.0e-5},
    {"rpn_rois", 2.5e-6, 4.6e-6},
    {"pooled_class", 4.0e-5, 6.5e-5},
    {"mrcnn_class_logits", 1.6e-5, 6.1e-5},
    {"mrcnn_class", 4.4e-5, 1.3e-4},
    {"mrcnn_bbox", 4.3e-5, 6.8e-5},
    {"detections", 9.7e-6, 3.8e-5},
    {"pooled_mask", 6.4e-5, 2.2e-4},
    {"mrcnn_mask", 3.5e-4, 8.8e-4},
};

bool deep(const GoldenCase& golden) { return golden.model() == "seeded_r101"; }

double noise(const GoldenCase& golden, const std::string& stage) {
  for (const Noise& n : noise_floor)
    if (stage == n.stage) return deep(golden) ? n.r101 : n.r50;
  return 0;
}

/// 1e-4 of the largest magnitude; 5e-4 for the 101-layer model, which amplifies rounding about five times; three times the
/// noise floor where that is more.
double tolerance(const GoldenCase& golden, const std::string& stage) {
  return std::max(deep(golden) ? 5e-4 : 1e-4, 3 * noise(golden, stage));
}

void report(const GoldenCase& golden, const std::string& stage, double relative) {
  std::printf("%-32s %-20s %.2e\n", golden.title().c_str(), stage.c_str(), relative);
  INFO(golden.title(), " ", stage);
  CHECK(relative <= tolerance(golden, stage));
}

/// match[i]: our row for row i of the original's, or -1. Rows are boxes, first `box_at` floats apart.
using Matches = std::vector<index_t>;

Matches match_rows(const Values& theirs, const Values& ours, bool classes, double picture) {
  Matches match(static_cast<std::size_t>(theirs.rows()), -1);
  std::vector<bool> used(static_cast<std::size_t>(ours.rows()), false);
  for (index_t i = 0; i < theirs.rows(); ++i) {
    const float* row = theirs.row(i);
    double best = -1;
    for (index_t j = 0; j < ours.rows(); ++j) {
      if (used[static_cast<std::size_t>(j)] || (classes && ours.row(j)[4] != row[4])) continue;
      if (!same_box(row, ours.row(j), picture)) continue;
      const double overlap = iou(row, ours.row(j));
      // Of equal overlaps the row at the same place; two boxes of a tie may be identical.
      if (overlap > best || (overlap == best && j == i)) {
        best = overlap;
        match[static_cast<std::size_t>(i)] = j;
      }
    }
    if (match[static_cast<std::size_t>(i)] >= 0)
      used[static_cast<std::size_t>(match[static_cast<std::size_t>(i)])] = true;
  }
  return match;
}

/// Rows of a padded tensor until the first that is all zeros.
Values without_padding(Values v) {
  index_t rows = 0;
  for (; rows < v.rows(); ++rows) {
    const float* row = v.row(rows);
    if (std::all_of(row, row + v.row_size(), [](float x) { return x == 0.0F; })) break;
  }
  v.elements.resize(static_cast<std::size_t>(rows * v.row_size()));
  v.extents[0] = rows;
  return v;
}

/// The score of each of our proposals: that of the candidate whose refined box it is.
std::vector<float> proposal_scores(const GoldenCase& golden, const NetworkRun& run, const Values& rois) {
  const MaskRCNNConfig config = golden.config();
  const HostBackend backend(1);
  const Values& anchors = run.taps.at("anchors");
  const Values& deltas = run.taps.at("rpn_bbox");
  const Values& probabilities = run.taps.at("rpn_class");
  const ProfileFrames frames(config.profile, config.image_max_dim, config.image_max_dim);
  const Values theirs = golden.has("rpn_class") ? golden.whole("rpn_class") : probabilities;
  std::map<std::array<float, 4>, float> score_of;
  for (index_t a = 0; a < anchors.rows(); ++a) {
    Box anchor{anchors.row(a)[0], anchors.row(a)[1], anchors.row(a)[2], anchors.row(a)[3]};
    Box box = detail::clip_box(detail::decode_box(anchor, deltas.row(a), BoxCoder{}), frames.clip);
    score_of[{box.x1 / frames.proposal_scale_x, box.y1 / frames.proposal_scale_y, box.x2 / frames.proposal_scale_x,
              box.y2 / frames.proposal_scale_y}] = theirs.row(a)[1];
  }
  std::vector<float> scores;
  for (index_t i = 0; i < rois.rows(); ++i) {
    const float* r = rois.row(i);
    const auto found = score_of.find({r[0], r[1], r[2], r[3]});
    REQUIRE(found != score_of.end());
    scores.push_back(found->second);
  }
  return scores;
}

/// Every pair of matched rows that stands in the other order must have scores that the noise can exchange.
void check_order(const GoldenCase& golden, const char* stage, const Matches& match, const std::vector<float>& scores,
                 double limit) {
  index_t last = -1;
  for (std::size_t i = 0; i < match.size(); ++i) {
    if (match[i] < 0) continue;
    if (match[i] < last) {
      const double gap = std::abs(static_cast<double>(scores[static_cast<std::size_t>(last)]) -
                                  scores[static_cast<std::size_t>(match[i])]);
      std::printf("%-32s %-20s rows swapped at %zu, scores %.3g apart\n", golden.title().c_str(), stage, i, gap);
      CHECK(gap < limit);
    }
    last = std::max(last, match[i]);
  }
}

/// A proposal that only one side has is explained when a decision of NMS was within the noise: its overlap with some row is
/// at the threshold, or with another such row above it, or the list was full.
void explain_missing(const GoldenCase& golden, const Values& theirs, const Values& ours, const Matches& match) {
  const double threshold = golden.config().rpn_nms_threshold;
  std::set<index_t> matched(match.begin(), match.end());
  std::vector<const float*> explained;
  const auto explain = [&](const float* row, const char* side, index_t index) {
    double nearest = 1;
    for (const Values* list : {&theirs, &ours})
      for (index_t k = 0; k < list->rows(); ++k)
        nearest = std::min(nearest, std::abs(iou(row, list->row(k)) - threshold));
    const bool consequence =
        std::any_of(explained.begin(), explained.end(), [&](const float* e) { return iou(row, e) > threshold - 1e-3; });
    const bool at_end = index >= theirs.rows() - static_cast<index_t>(explained.size()) - 1 && !explained.empty();
    std::printf("%-32s %-20s row %lld only in %s: IoU %.2g from the threshold%s%s\n", golden.title().c_str(),
                "rpn_rois", static_cast<long long>(index), side, nearest, consequence ? ", follows from another" : "",
                at_end ? ", at the end of a full list" : "");
    const bool fine = nearest < 5e-4 || consequence || at_end;  // IoU noise: box noise 5e-6 over sides of 0.02
    CHECK(fine);
    explained.push_back(row);
  };
  for (index_t i = 0; i < std::max(theirs.rows(), ours.rows()); ++i) {
    if (i < theirs.rows() && match[static_cast<std::size_t>(i)] < 0) explain(theirs.row(i), "the original", i);
    if (i < ours.rows() && matched.count(i) == 0) explain(ours.row(i), "ours", i);
  }
}

/// The largest difference of rows, ours found through the matches.
GoldenCase::Difference compare_matched(const Values& theirs, const Values& ours, const Matches& match) {
  GoldenCase::Difference difference;
  for (index_t i = 0; i < theirs.rows(); ++i) {
    const index_t j = match[static_cast<std::size_t>(i)];
    for (index_t k = 0; k < theirs.row_size(); ++k) {
      if (j >= 0) GoldenCase::add(difference, ours.row(j)[k], theirs.row(i)[k]);
      difference.magnitude = std::max(difference.magnitude, std::abs(static_cast<double>(theirs.row(i)[k])));
    }
  }
  return difference;
}

void check_dense_stages(const GoldenCase& golden, const NetworkRun& run) {
  for (const char* stage :
       {"C1", "C2", "C3", "C4", "C5", "P2", "P3", "P4", "P5", "P6", "rpn_class_logits", "rpn_class", "rpn_bbox"})
    report(golden, stage, golden.compare(stage, run.taps.at(stage)).relative());
  CHECK(golden.compare("window", run.taps.at("window")).largest == 0);
  if (golden.has("anchors")) CHECK(golden.compare("anchors", run.taps.at("anchors")).largest == 0);
  if (golden.has("molded_image")) CHECK(golden.compare("molded_image", run.taps.at("molded_image")).largest == 0);
}

/// The box head's outputs for `rois`, from our own pyramid.
std::map<std::string, Values> classify(const GoldenCase& golden, const NetworkRun& run, const Values& rois) {
  const HostBackend backend;
  const MaskRCNNConfig config = golden.config();
  BoxHead<HostBackend> head(config);
  load_part(backend, golden.weights(), head);
  const auto level = [&](const char* name) {
    const Values& v = run.taps.at(name);
    return v.view(Extents<4>{{1, v.extents[0], v.extents[1], v.extents[2]}});
  };
  PyramidCropAndResizeOptions options;
  options.level.image_height = config.image_max_dim;
  options.level.image_width = config.image_max_dim;
  const index_t n = rois.rows();
  auto pooled = make_tensor<float>(backend, {n, config.pool_size, config.pool_size, config.top_down_pyramid_size});
  const auto images =
      make_tensor_from<std::int32_t>(backend, {n}, std::vector<std::int32_t>(static_cast<std::size_t>(n)));
  pyramid_crop_and_resize(backend, make_feature_pyramid(2, level("P2"), level("P3"), level("P4"), level("P5")),
                          rois.view(Extents<2>{{n, 4}}), images, options, pooled);
  const auto out = head.forward(backend, pooled);
  const index_t classes = config.num_classes;
  return {{"mrcnn_class_logits", {{n, classes}, to_host(backend, out.logits)}},
          {"mrcnn_class", {{n, classes}, to_host(backend, out.probabilities)}},
          {"mrcnn_bbox", {{n, classes, 4}, to_host(backend, out.deltas)}}};
}

/// The box head, row by row. A sample exactly on the far edge of the map counts or not by the last bit of the box (spec
/// 9.2), so that a proposal that touches x = 1 or y = 1 may be pooled with or without its last row or column. For such
/// rows our pooling and head are given the original's own box, and must then agree.
void check_box_head(const GoldenCase& golden, const NetworkRun& run, const Values& rois, const Matches& match) {
  const auto again = classify(golden, run, rois);
  std::set<index_t> edge_rows;
  for (const char* stage : {"mrcnn_class_logits", "mrcnn_class", "mrcnn_bbox"}) {
    const Values theirs = golden.whole(stage);
    double magnitude = 0;
    for (const float x : theirs.elements) magnitude = std::max(magnitude, std::abs(static_cast<double>(x)));
    double worst = 0;
    for (index_t i = 0; i < rois.rows(); ++i) {
      const index_t j = match[static_cast<std::size_t>(i)];
      if (j < 0) continue;
      GoldenCase::Difference row;
      for (index_t k = 0; k < theirs.row_size(); ++k)
        GoldenCase::add(row, run.taps.at(stage).row(j)[k], theirs.row(i)[k]);
      if (row.largest > tolerance(golden, stage) * magnitude) {
        CHECK((rois.row(i)[2] == 1.0F || rois.row(i)[3] == 1.0F));
        edge_rows.insert(i);
        row = {};
        for (index_t k = 0; k < theirs.row_size(); ++k)
          GoldenCase::add(row, again.at(stage).row(i)[k], theirs.row(i)[k]);
      }
      worst = std::max(worst, row.largest);
    }
    report(golden, stage, worst / magnitude);
  }
  for (const index_t i : edge_rows)
    std::printf("%-32s box head: row %lld lies on the far edge, compared with the original's box\n",
                golden.title().c_str(), static_cast<long long>(i));
}

Matches check_proposals(const GoldenCase& golden, const NetworkRun& run) {
  const Values theirs = without_padding(golden.whole("rpn_rois"));
  const Values ours = without_padding(run.taps.at("rpn_rois"));
  const Matches match = match_rows(theirs, ours, false, 1.0);
  explain_missing(golden, theirs, ours, match);
  check_order(golden, "rpn_rois", match, proposal_scores(golden, run, ours), 2 * noise(golden, "rpn_class"));
  report(golden, "rpn_rois", compare_matched(theirs, ours, match).relative());
  report(golden, "pooled_class",
         compare_matched(golden.whole("pooled_class"), run.taps.at("pooled_class"), match).relative());
  check_box_head(golden, run, theirs, match);
  return match;
}

/// Detections one to one by class and overlap; what only one side has must lie within the noise of the confidence
/// threshold or follow from a proposal that differs.
Matches check_detections(const GoldenCase& golden, const NetworkRun& run) {
  const bool legacy = golden.config().profile == Profile::matterport_legacy;
  const Values theirs = without_padding(golden.whole("detections"));
  const Values ours = without_padding(run.taps.at("detections"));
  const Matches match = match_rows(theirs, ours, true, legacy ? golden.config().image_max_dim : 1.0);
  const double score_tolerance = deep(golden) ? 5e-4 : 1e-4;
  double worst_box = 0;
  double worst_score = 0;
  std::vector<float> scores;
  for (index_t j = 0; j < ours.rows(); ++j) scores.push_back(ours.row(j)[5]);
  for (index_t i = 0; i < theirs.rows(); ++i) {
    const float* row = theirs.row(i);
    const index_t j = match[static_cast<std::size_t>(i)];
    if (j < 0) {
      const double margin = std::abs(static_cast<double>(row[5]) - golden.config().detection_min_confidence);
      std::printf("%-32s detections: row %lld only in the original, score %.6f\n", golden.title().c_str(),
                  static_cast<long long>(i), static_cast<double>(row[5]));
      CHECK(margin < score_tolerance);
      continue;
    }
    const double pixels = legacy ? 1.0 : static_cast<double>(golden.config().image_max_dim - 1);
    for (int k = 0; k < 4; ++k)
      worst_box = std::max(worst_box, pixels * std::abs(static_cast<double>(row[k]) - ours.row(j)[k]));
    worst_score = std::max(worst_score, std::abs(static_cast<double>(row[5]) - ours.row(j)[5]));
  }
  for (index_t j = 0; j < ours.rows(); ++j) {
    if (std::find(match.begin(), match.end(), j) != match.end()) continue;
    std::printf("%-32s detections: row %lld only in ours, score %.6f\n", golden.title().c_str(),
                static_cast<long long>(j), static_cast<double>(ours.row(j)[5]));
    CHECK(std::abs(ours.row(j)[5] - golden.config().detection_min_confidence) < score_tolerance);
  }
  check_order(golden, "detections", match, scores, 2 * noise(golden, "mrcnn_class"));
  std::printf("%-32s detections: %lld matched of %lld, boxes within %.3g pixels, scores within %.2e\n",
              golden.title().c_str(),
              static_cast<long long>(std::count_if(match.begin(), match.end(), [](index_t j) { return j >= 0; })),
              static_cast<long long>(theirs.rows()), worst_box, worst_score);
  CHECK(worst_box <= (legacy ? 0.0 : 0.05));
  CHECK(worst_score <= score_tolerance);
  return match;
}

void check_masks(const GoldenCase& golden, const NetworkRun& run, const Matches& match) {
  for (const char* stage : {"pooled_mask", "mrcnn_mask"}) {
    Values reference = golden.whole(stage);
    reference.extents[0] = std::min(reference.extents[0], static_cast<index_t>(match.size()));
    report(golden, stage, compare_matched(reference, run.taps.at(stage), match).relative());
  }
  // The selected class's mask of every detection.
  const Values selected = golden.whole("mrcnn_mask_selected");
  const Values& masks = run.taps.at("mrcnn_mask");
  const Values detections = golden.whole("detections");
  const index_t classes = masks.extents[3];
  double worst = 0;
  for (index_t i = 0; i < selected.rows(); ++i) {
    const index_t j = match[static_cast<std::size_t>(i)];
    if (j < 0) continue;
    const auto c = static_cast<index_t>(detections.row(i)[4]);
    for (index_t p = 0; p < selected.row_size(); ++p)
      worst = std::max(worst, std::abs(static_cast<double>(selected.row(i)[p]) - masks.row(j)[p * classes + c]));
  }
  report(golden, "mrcnn_mask", worst);
}

/// The results in the picture: boxes equal up to a pixel at a rounding edge, masks up to one pixel in a thousand (one
/// pixel in smaller boxes).
void check_results(const GoldenCase& golden, const NetworkRun& run) {
  const bool legacy = golden.config().profile == Profile::matterport_legacy;
  const Values rois = golden.whole("final_rois");
  const auto class_ids = golden.raw<std::int32_t>("final_class_ids");
  const auto bits = golden.raw<std::uint8_t>("final_masks_bits");
  const Image picture = io::read_image(golden.picture_path());
  const std::size_t bytes = (static_cast<std::size_t>(picture.height * picture.width) + 7) / 8;
  std::vector<bool> used(run.detections.size(), false);
  index_t wrong_worst = 0;
  double worst_share = 0;
  for (index_t i = 0; i < rois.rows(); ++i) {
    const float* box = rois.row(i);
    const auto same = [&](std::size_t j) {
      const Box& b = run.detections[j].box;
      return !used[j] && run.detections[j].class_id == class_ids[static_cast<std::size_t>(i)] && iou(box, &b.x1) > 0.9;
    };
    std::size_t j = static_cast<std::size_t>(i) < used.size() ? static_cast<std::size_t>(i) : 0;
    if (used.empty() || !same(j))
      for (j = 0; j < used.size() && !same(j); ++j) {
      }
    if (j == used.size()) {
      std::printf("%-32s results: row %lld only in the original\n", golden.title().c_str(), static_cast<long long>(i));
      continue;  // judged in check_detections
    }
    used[j] = true;
    const Detection& found = run.detections[j];
    double off = 0;
    for (int k = 0; k < 4; ++k) off = std::max(off, std::abs(static_cast<double>(box[k]) - found.box[k]));
    if (off > 0)
      std::printf("%-32s results: row %lld is off by %g pixel at a rounding edge\n", golden.title().c_str(),
                  static_cast<long long>(i), off);
    CHECK(off <= (legacy ? 0.0 : 1.0));
    if (off > 0) continue;  // another box is another mask
    index_t wrong = 0;
    index_t area = 0;
    for (auto y = static_cast<index_t>(box[1]); y < static_cast<index_t>(box[3]); ++y)
      for (auto x = static_cast<index_t>(box[0]); x < static_cast<index_t>(box[2]); ++x) {
        const auto p = static_cast<std::size_t>(y * picture.width + x);
        const bool theirs = (bits[static_cast<std::size_t>(i) * bytes + p / 8] >> (7 - p % 8) & 1) != 0;
        ++area;
        if (theirs != found.mask.contains(x, y)) ++wrong;
      }
    wrong_worst = std::max(wrong_worst, wrong);
    worst_share = std::max(worst_share, static_cast<double>(wrong) / static_cast<double>(area));
    INFO(golden.title(), " mask ", i, ": ", wrong, " of ", area, " pixels differ");
    CHECK(wrong <= (area + 999) / 1000);
  }
  CHECK(static_cast<index_t>(run.detections.size()) <= rois.rows() + 1);
  std::printf("%-32s results: %lld instances, at most %lld wrong mask pixels, %.2g of a box\n", golden.title().c_str(),
              static_cast<long long>(rois.rows()), static_cast<long long>(wrong_worst), worst_share);
}

void check_chain(const std::string& model, const std::vector<std::string>& cases) {
  const HostBackend backend;
  for (const char* profile : {"legacy", "modern"}) {
    const auto net = GoldenCase(model, cases[0], profile).network(backend);
    for (const std::string& which : cases) {
      const GoldenCase golden(model, which, profile);
      CAPTURE(golden.title());
      const NetworkRun run = run_network(net, io::read_image(golden.picture_path()));
      check_dense_stages(golden, run);
      check_proposals(golden, run);
      const Matches match = check_detections(golden, run);
      check_masks(golden, run, match);
      check_results(golden, run);
    }
  }
}

}  // namespace

TEST_CASE("parity: ResNet-50 with seeded weights") { check_chain("seeded_r50", {"a", "b"}); }
TEST_CASE("parity: ResNet-101 with seeded weights") { check_chain("seeded_r101", {"a", "b"}); }
TEST_CASE("parity: trained balloon model") { check_chain("balloon_resnet50", {"a", "b", "c"}); }
