// Each stage of the network alone, with the original's own input, so that errors can not hide behind earlier ones.

#include <doctest/doctest.h>

#include <cstdio>

#include "mrcnn/io/image.hpp"
#include "tests/support/golden.hpp"

using namespace mrcnn;
using namespace mrcnn::test;

namespace {

using HostTensor = Tensor<float, 4, HostBackend>;

HostTensor feature(const HostBackend& backend, const GoldenCase& golden, const std::string& name) {
  auto tensor = make_tensor<float>(backend, golden.extents(name));
  const auto values = golden.whole(name).elements;
  backend.copy(tensor.data(), values.data(), values.size() * sizeof(float));
  return tensor;
}

template <class T>
Values values_of(const HostBackend& backend, const T& tensor) {
  Values v;
  const auto view = as_view(tensor);
  for (int i = 0; i < view.rank(); ++i) v.extents.push_back(view.extent(i));
  v.elements = to_host(backend, view);
  return v;
}

/// One stage from the original's input: 2e-5 of the largest magnitude, about what one more set of float32 kernels differs
/// by in the deepest stage that starts anew (a sum of 12,544 products, or 13 convolutions).
void check_stage(const GoldenCase& golden, const char* stage, const Values& ours, double tolerance = 2e-5) {
  const auto difference = golden.compare(stage, ours);
  std::printf("%-32s %-20s alone %.2e\n", golden.title().c_str(), stage, difference.relative());
  INFO(golden.title(), " ", stage);
  CHECK(difference.relative() <= tolerance);
}

struct CaseName {
  const char* model;
  const char* which;
};
constexpr CaseName all_cases[] = {{"seeded_r50", "a"},      {"seeded_r50", "b"},       {"seeded_r101", "a"},
                                  {"seeded_r101", "b"},     {"balloon_resnet50", "a"}, {"balloon_resnet50", "b"},
                                  {"balloon_resnet50", "c"}};

template <class F>
void for_every_case(const F& f) {
  for (const char* profile : {"legacy", "modern"})
    for (const CaseName& name : all_cases) {
      const GoldenCase golden(name.model, name.which, profile);
      CAPTURE(golden.title());
      f(golden);
    }
}

LetterboxPlan plan_of(const GoldenCase& golden) {
  const Image picture = io::read_image(golden.picture_path());
  return plan_image(golden.config(), picture.height, picture.width);
}

}  // namespace

TEST_CASE("stages alone: feature pyramid and region proposal network") {
  const HostBackend backend;
  for (const char* profile : {"legacy", "modern"}) {
    const GoldenCase golden("seeded_r50", "a", profile);  // the case whose feature maps are stored whole
    FPN<HostBackend> fpn(golden.config().backbone, golden.config().top_down_pyramid_size);
    load_part(backend, golden.weights(), fpn);
    const ResNetFeatures<HostBackend> c{feature(backend, golden, "C1"), feature(backend, golden, "C2"),
                                        feature(backend, golden, "C3"), feature(backend, golden, "C4"),
                                        feature(backend, golden, "C5")};
    const auto p = fpn.forward(backend, c);
    constexpr const char* names[] = {"P2", "P3", "P4", "P5", "P6"};
    for (std::size_t l = 0; l < 5; ++l) {
      Values v = values_of(backend, p[l]);
      v.extents.erase(v.extents.begin());
      check_stage(golden, names[l], v);
    }

    RPN<HostBackend> rpn(golden.config());
    load_part(backend, golden.weights(), rpn);
    const PyramidFeatures<HostBackend> levels{feature(backend, golden, "P2"), feature(backend, golden, "P3"),
                                              feature(backend, golden, "P4"), feature(backend, golden, "P5"),
                                              feature(backend, golden, "P6")};
    const auto out = rpn.forward(backend, levels);
    check_stage(golden, "rpn_class_logits", values_of(backend, out.logits.view().slice(0)));
    check_stage(golden, "rpn_class", values_of(backend, out.probabilities.view().slice(0)));
    check_stage(golden, "rpn_bbox", values_of(backend, out.deltas.view().slice(0)));
  }
}

TEST_CASE("stages alone: proposals have the original's rows in its order") {
  const HostBackend backend;
  for_every_case([&](const GoldenCase& golden) {
    if (!golden.has("rpn_bbox") || !golden.has("rpn_class")) return;  // samples only
    const MaskRCNNConfig config = golden.config();
    const index_t side = config.image_max_dim;
    const ProfileFrames frames(config.profile, side, side);
    const AnchorGenerator generator{config.rpn_anchor_scales, config.rpn_anchor_ratios, config.backbone_strides, 1};
    const index_t count = generator.count(side, side);
    auto anchors = make_tensor<float>(backend, {count, 4});
    generate_anchors(backend, generator, side, side, frames.anchors, anchors);
    const Values probabilities = golden.whole("rpn_class");
    const Values deltas = golden.whole("rpn_bbox");
    ProposalOptions options;
    options.window = frames.clip;
    options.scale_x = frames.proposal_scale_x;
    options.scale_y = frames.proposal_scale_y;
    for (const bool overrides : {true, false}) {
      const HostBackend either({.use_overrides = overrides});
      auto rois = make_tensor<float>(either, {1, config.post_nms_rois_inference, 4});
      auto counts = make_tensor<std::int32_t>(either, {1});
      propose(either, anchors, probabilities.view(Extents<3>{{1, count, 2}}), deltas.view(Extents<3>{{1, count, 4}}),
              options, rois, counts);
      Values ours = values_of(either, rois.view().slice(0));
      // The original's exp differs in the last bit; the rows and their order must not.
      check_stage(golden, "rpn_rois", ours, 1e-6);
    }
  });
}

TEST_CASE("stages alone: box head") {
  const HostBackend backend;
  for_every_case([&](const GoldenCase& golden) {
    BoxHead<HostBackend> head(golden.config());
    load_part(backend, golden.weights(), head);
    Values pooled = golden.whole("pooled_class");
    const index_t rows = pooled.rows();
    auto input = make_tensor<float>(backend, {rows, pooled.extents[1], pooled.extents[2], pooled.extents[3]});
    backend.copy(input.data(), pooled.elements.data(), pooled.elements.size() * sizeof(float));
    const auto out = head.forward(backend, input);
    const index_t classes = golden.config().num_classes;
    const auto check_rows = [&](const char* stage, const Values& ours) {
      const Values theirs = golden.whole(stage);
      GoldenCase::Difference difference;
      for (std::size_t i = 0; i < ours.elements.size(); ++i)
        GoldenCase::add(difference, ours.elements[i], theirs.elements[i]);
      std::printf("%-32s %-20s alone %.2e\n", golden.title().c_str(), stage, difference.relative());
      CHECK(difference.relative() <= 2e-5);
    };
    check_rows("mrcnn_class_logits", values_of(backend, out.logits));
    check_rows("mrcnn_class", values_of(backend, out.probabilities));
    check_rows("mrcnn_bbox", {{rows, classes, 4}, to_host(backend, out.deltas)});
  });
}

TEST_CASE("stages alone: detections have the original's rows in its order") {
  for_every_case([&](const GoldenCase& golden) {
    const MaskRCNNConfig config = golden.config();
    const index_t side = config.image_max_dim;
    const index_t classes = config.num_classes;
    const ProfileFrames frames(config.profile, side, side);
    const Values rois = golden.whole("rpn_rois");
    const index_t count = rois.rows();
    const Values probabilities = golden.whole("mrcnn_class");
    const Values deltas = golden.whole("mrcnn_bbox");
    const Box window = detection_window(config.profile, plan_of(golden));
    SelectDetectionsOptions options;
    options.min_confidence = config.detection_min_confidence;
    options.scale_x = frames.proposal_scale_x;
    options.scale_y = frames.proposal_scale_y;
    options.round_boxes = frames.round_detections;
    for (const bool overrides : {true, false}) {
      const HostBackend backend({.use_overrides = overrides});
      auto rows = make_tensor<float>(backend, {1, config.detection_max_instances, 6});
      auto counts = make_tensor<std::int32_t>(backend, {1});
      select_detections(backend, rois.view(Extents<3>{{1, count, 4}}),
                        probabilities.view(Extents<3>{{1, count, classes}}),
                        deltas.view(Extents<3>{{1, count, 4 * classes}}), HostView<const float, 2>(&window.x1, {1, 4}),
                        options, rows, counts);
      const Values ours = values_of(backend, rows.view().slice(0));
      const Values theirs = golden.whole("detections");
      for (index_t i = 0; i < theirs.rows(); ++i) {
        INFO("row ", i);
        CHECK(ours.row(i)[4] == theirs.row(i)[4]);
        CHECK(ours.row(i)[5] == theirs.row(i)[5]);
      }
      check_stage(golden, "detections", ours, config.profile == Profile::matterport_legacy ? 0.0 : 1e-6);
    }
  });
}

TEST_CASE("stages alone: mask head") {
  const HostBackend backend;
  for_every_case([&](const GoldenCase& golden) {
    MaskHead<HostBackend> head(golden.config());
    load_part(backend, golden.weights(), head);
    const Values pooled = golden.whole("pooled_mask");
    auto input = make_tensor<float>(backend, {pooled.rows(), pooled.extents[1], pooled.extents[2], pooled.extents[3]});
    backend.copy(input.data(), pooled.elements.data(), pooled.elements.size() * sizeof(float));
    auto logits = head.forward(backend, input, pooled.rows());
    sigmoid(backend, logits, logits);
    const Values ours = values_of(backend, logits);
    const Values theirs = golden.whole("mrcnn_mask");
    GoldenCase::Difference difference;
    for (std::size_t i = 0; i < std::min(ours.elements.size(), theirs.elements.size()); ++i)
      GoldenCase::add(difference, ours.elements[i], theirs.elements[i]);
    std::printf("%-32s %-20s alone %.2e\n", golden.title().c_str(), "mrcnn_mask", difference.relative());
    CHECK(difference.relative() <= 1e-4);
  });
}

TEST_CASE("stages alone: boxes, classes and scores of the result") {
  for_every_case([&](const GoldenCase& golden) {
    const MaskRCNNConfig config = golden.config();
    const LetterboxPlan plan = plan_of(golden);
    const Values rows = golden.whole("detections");
    const Values rois = golden.whole("final_rois");
    const auto class_ids = golden.raw<std::int32_t>("final_class_ids");
    const auto scores = golden.raw<float>("final_scores");
    index_t kept = 0;
    for (index_t i = 0; i < rows.rows() && rows.row(i)[4] > 0; ++i) {
      const float* row = rows.row(i);
      const Box box = unmold_box(config.profile, {row[0], row[1], row[2], row[3]}, plan);
      if (!((box.x2 - box.x1) * (box.y2 - box.y1) > 0)) continue;
      REQUIRE(kept < rois.rows());
      const float* expected = rois.row(kept);
      CHECK(box == Box{expected[0], expected[1], expected[2], expected[3]});
      CHECK(static_cast<std::int32_t>(row[4]) == class_ids[static_cast<std::size_t>(kept)]);
      CHECK(row[5] == scores[static_cast<std::size_t>(kept)]);
      ++kept;
    }
    CHECK(kept == rois.rows());
  });
}
