#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/ops/activation.hpp"
#include "mrcnn/ops/anchors.hpp"
#include "mrcnn/ops/box_coder.hpp"
#include "mrcnn/ops/box_iou_loss.hpp"
#include "mrcnn/ops/boxes.hpp"
#include "mrcnn/ops/conv2d.hpp"
#include "mrcnn/ops/conv_transpose2d.hpp"
#include "mrcnn/ops/crop_and_resize.hpp"
#include "mrcnn/ops/image.hpp"
#include "mrcnn/ops/iou.hpp"
#include "mrcnn/ops/linear.hpp"
#include "mrcnn/ops/masks_to_boxes.hpp"
#include "mrcnn/ops/matcher.hpp"
#include "mrcnn/ops/matrix_nms.hpp"
#include "mrcnn/ops/multiclass_nms.hpp"
#include "mrcnn/ops/nms.hpp"
#include "mrcnn/ops/onnx_nms.hpp"
#include "mrcnn/ops/paste_masks.hpp"
#include "mrcnn/ops/pool.hpp"
#include "mrcnn/ops/prototype_masks.hpp"
#include "mrcnn/ops/pyramid.hpp"
#include "mrcnn/ops/resize.hpp"
#include "mrcnn/ops/rle_encode.hpp"
#include "mrcnn/ops/roi_align.hpp"
#include "mrcnn/ops/sampler.hpp"
#include "mrcnn/ops/soft_nms.hpp"
#include "mrcnn/ops/softmax.hpp"
#include "mrcnn/ops/top_k.hpp"
#include "mrcnn/ops/upsample.hpp"
#include "mrcnn/ops/weighted_boxes_fusion.hpp"

using namespace mrcnn;  // NOLINT

namespace {

/// The arguments of a call, one of which has an extent that it must not have.
class Arguments {
 public:
  enum class Fault { none, wrong, negative, least, huge };

  Arguments(int faulty, Fault fault) : faulty_(faulty), fault_(fault) {}

  HostBackend backend{1};

  /// @param dimension  whose extent is one too many when this argument is the wrong one
  /// @param expected   the shape that the message then names; null where any extents are right
  template <class T, class Layout = layout_right, std::size_t Rank>
  auto view(const char* name, const index_t (&extents)[Rank], int dimension = 0, const char* expected = nullptr) {
    Extents<static_cast<int>(Rank)> e{};
    for (std::size_t i = 0; i < Rank; ++i) e[static_cast<int>(i)] = extents[i];
    void* memory = memory_.emplace_back(4096).data();
    if (count_++ == faulty_) {
      index_t& extent = e[dimension];
      switch (fault_) {
        case Fault::none: break;
        case Fault::wrong: ++extent; break;
        case Fault::negative: extent = -1; break;
        case Fault::least: extent = std::numeric_limits<index_t>::min(); break;
        case Fault::huge: extent = index_t{1} << 60; break;
      }
      if (fault_ != Fault::none) memory = nullptr;  // whoever touches it is found out
      name_ = name;
      found_ = mrcnn::detail::to_string(e);
      expected_ = expected;
    }
    return HostView<T, static_cast<int>(Rank), Layout>(static_cast<T*>(memory), e);
  }
  HostView<std::int32_t, 0> count() {
    return {reinterpret_cast<std::int32_t*>(memory_.emplace_back(16).data()), Extents<0>{}};
  }

  int size() const { return count_; }
  /// Null: the wrong argument was not wrong.
  const char* expected() const { return expected_; }
  const std::string& name() const { return name_; }
  const std::string& found() const { return found_; }

 private:
  int faulty_;
  Fault fault_;
  int count_ = 0;
  std::string name_;
  std::string found_;
  const char* expected_ = nullptr;
  std::vector<std::vector<std::byte>> memory_;
};

using Bytes = std::uint8_t;
using Int = std::int32_t;

struct Row {
  const char* op;
  void (*call)(Arguments&);
};

const Row rows[] = {
    {"clip_boxes",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       clip_boxes(a.backend, boxes, Box{0, 0, 1, 1}, a.view<float>("clipped", {3, 4}, 0, "[3, 4]"));
     }},
    {"clip_boxes",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {2, 3, 4}, 2, "[any, any, 4]");
       const auto windows = a.view<float>("windows", {2, 4}, 0, "[2, 4]");
       clip_boxes(a.backend, boxes, windows, a.view<float>("clipped", {2, 3, 4}, 1, "[2, 3, 4]"));
     }},
    {"image_windows",
     [](Arguments& a) {
       const auto sizes = a.view<Int>("sizes", {3, 2}, 1, "[any, 2]");
       image_windows(a.backend, sizes, ImageEdge::size, a.view<float>("windows", {3, 4}, 0, "[3, 4]"));
     }},
    {"convert_boxes",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       convert_boxes(a.backend, boxes, {}, a.view<float>("converted", {3, 4}, 0, "[3, 4]"));
     }},
    {"box_areas",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       box_areas(a.backend, boxes, {}, a.view<float>("areas", {3}, 0, "[3]"));
     }},
    {"remove_small_boxes",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       remove_small_boxes(a.backend, boxes, {}, a.view<Int>("keep", {3}, 0, "[3]"), a.count());
     }},
    {"normalize_boxes",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       normalize_boxes(a.backend, boxes, {.height = 5, .width = 5}, a.view<float>("normalized", {3, 4}, 0, "[3, 4]"));
     }},
    {"denormalize_boxes",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       denormalize_boxes(a.backend, boxes, {.height = 5, .width = 5}, a.view<float>("pixels", {3, 4}, 0, "[3, 4]"));
     }},
    {"masks_to_boxes",
     [](Arguments& a) {
       const auto masks = a.view<Bytes>("masks", {2, 5, 6});
       masks_to_boxes(a.backend, masks, {}, a.view<float>("boxes", {2, 4}, 0, "[2, 4]"));
     }},
    {"box_iou",
     [](Arguments& a) {
       const auto first = a.view<float>("a", {3, 4}, 1, "[any, 4]");
       const auto second = a.view<float>("b", {2, 4}, 1, "[any, 4]");
       box_iou(a.backend, first, second, {}, a.view<float>("overlaps", {3, 2}, 1, "[3, 2]"));
     }},
    {"paired_box_iou",
     [](Arguments& a) {
       const auto first = a.view<float>("a", {3, 4}, 1, "[any, 4]");
       const auto second = a.view<float>("b", {3, 4}, 0, "[3, 4]");
       paired_box_iou(a.backend, first, second, {}, a.view<float>("overlaps", {3}, 0, "[3]"));
     }},
    {"box_iou_loss",
     [](Arguments& a) {
       const auto predicted = a.view<float>("predicted", {3, 4}, 1, "[any, 4]");
       const auto target = a.view<float>("target", {3, 4}, 0, "[3, 4]");
       box_iou_loss(a.backend, predicted, target, {}, a.view<float>("losses", {3}, 0, "[3]"));
     }},
    {"box_iou_loss_backward",
     [](Arguments& a) {
       const auto predicted = a.view<double>("predicted", {3, 4}, 1, "[any, 4]");
       const auto target = a.view<double>("target", {3, 4}, 0, "[3, 4]");
       const auto grad = a.view<double>("grad_losses", {3}, 0, "[3]");
       box_iou_loss_backward(a.backend, predicted, target, grad, {},
                             a.view<double>("grad_predicted", {3, 4}, 1, "[3, 4]"));
     }},
    {"encode",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       const auto targets = a.view<float>("targets", {3, 4}, 0, "[3, 4]");
       encode(a.backend, BoxCoder{}, boxes, targets, a.view<float>("deltas", {3, 4}, 0, "[3, 4]"));
     }},
    {"decode",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       const auto deltas = a.view<float>("deltas", {3, 8}, 0, "[3, any]");
       decode(a.backend, BoxCoder{}, boxes, deltas, a.view<float>("decoded", {3, 8}, 1, "[3, 8]"));
     }},
    {"decode",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       const auto deltas = a.view<float>("deltas", {3, 2, 4}, 2, "[3, any, 4]");
       decode(a.backend, BoxCoder{}, boxes, deltas, a.view<float>("decoded", {3, 2, 4}, 1, "[3, 2, 4]"));
     }},
    {"generate_anchors",
     [](Arguments& a) {
       const AnchorGenerator generator{.scales = {8}, .ratios = {1}, .strides = {4}};
       generate_anchors(a.backend, generator, 8, 8, BoxFrame::pixels, a.view<float>("anchors", {4, 4}, 0, "[4, 4]"));
     }},
    {"generate_anchors",
     [](Arguments& a) {
       const AnchorGenerator generator{.scales = {8}, .ratios = {1}, .strides = {4}};
       generate_anchors(a.backend, generator, {{{2, 3}}}, a.view<float>("anchors", {6, 4}, 0, "[6, 4]"));
     }},
    {"top_k",
     [](Arguments& a) {
       const auto scores = a.view<float>("scores", {2, 5}, 1);
       const auto indices = a.view<Int>("indices", {2, 3}, 0, "[2, any]");
       top_k(a.backend, scores, indices, a.view<float>("values", {2, 3}, 1, "[2, 3]"));
     }},
    {"sort_by_score",
     [](Arguments& a) {
       const auto scores = a.view<float>("scores", {2, 5}, 1);
       sort_by_score(a.backend, scores, a.view<Int>("indices", {2, 5}, 1, "[2, 5]"));
     }},
    {"nms",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {5, 4}, 1, "[5, 4]");
       const auto scores = a.view<float>("scores", {5});
       nms(a.backend, boxes, scores, {}, a.view<Int>("keep", {3}), a.count());
     }},
    {"nms",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {2, 5, 4}, 2, "[2, 5, 4]");
       const auto scores = a.view<float>("scores", {2, 5});
       const auto keep = a.view<Int>("keep", {2, 3}, 0, "[2, any]");
       nms(a.backend, boxes, scores, {}, keep, a.view<Int>("count", {2}, 0, "[2]"));
     }},
    {"batched_nms",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {5, 4}, 0, "[5, 4]");
       const auto scores = a.view<float>("scores", {5});
       const auto groups = a.view<Int>("groups", {5}, 0, "[5]");
       batched_nms(a.backend, boxes, scores, groups, {}, a.view<Int>("keep", {3}), a.count());
     }},
    {"multiclass_nms",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {5, 4}, 1, "[5, 4]");
       const auto scores = a.view<float>("scores", {5, 2}, 1);
       const auto keep = a.view<Int>("keep", {3});
       const auto classes = a.view<Int>("classes", {3}, 0, "[3]");
       multiclass_nms(a.backend, boxes, scores, {}, keep, classes, a.view<float>("values", {3}, 0, "[3]"), a.count());
     }},
    {"onnx_non_max_suppression",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {2, 5, 4}, 1, "[2, 5, 4]");
       const auto scores = a.view<float>("scores", {2, 3, 5}, 1);
       onnx_non_max_suppression(a.backend, boxes, scores, {}, a.view<std::int64_t>("selected", {4, 3}, 1, "[any, 3]"),
                                a.count());
     }},
    {"soft_nms",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {5, 4}, 1, "[5, 4]");
       const auto scores = a.view<float>("scores", {5});
       const auto keep = a.view<Int>("keep", {3});
       soft_nms(a.backend, boxes, scores, {}, keep, a.view<float>("kept_scores", {3}, 0, "[3]"), a.count());
     }},
    {"batched_soft_nms",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {5, 4}, 1, "[5, 4]");
       const auto scores = a.view<float>("scores", {5});
       const auto groups = a.view<Int>("groups", {5}, 0, "[5]");
       const auto keep = a.view<Int>("keep", {3});
       batched_soft_nms(a.backend, boxes, scores, groups, {}, keep, a.view<float>("kept_scores", {3}, 0, "[3]"),
                        a.count());
     }},
    {"matrix_nms",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {5, 4}, 1, "[5, 4]");
       const auto scores = a.view<float>("scores", {5});
       const auto classes = a.view<Int>("classes", {5}, 0, "[5]");
       matrix_nms(a.backend, boxes, scores, classes, {}, a.view<float>("decayed", {5}, 0, "[5]"));
     }},
    {"matrix_nms",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {5, 4}, 1, "[5, 4]");
       const auto scores = a.view<float>("scores", {5});
       const auto classes = a.view<Int>("classes", {5}, 0, "[5]");
       const auto keep = a.view<Int>("keep", {3});
       matrix_nms(a.backend, boxes, scores, classes, {}, keep, a.view<float>("kept_scores", {3}, 0, "[3]"), a.count());
     }},
    {"matrix_nms_from_overlaps",
     [](Arguments& a) {
       const auto overlaps = a.view<float>("overlaps", {5, 5}, 1, "[5, 5]");
       const auto scores = a.view<float>("scores", {5});
       const auto classes = a.view<Int>("classes", {5}, 0, "[5]");
       matrix_nms_from_overlaps(a.backend, overlaps, scores, classes, {}, a.view<float>("decayed", {5}, 0, "[5]"));
     }},
    {"weighted_boxes_fusion",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {5, 4}, 1, "[5, 4]");
       const auto scores = a.view<float>("scores", {5});
       const auto labels = a.view<Int>("labels", {5}, 0, "[5]");
       const auto models = a.view<Int>("models", {5}, 0, "[5]");
       const auto weights = a.view<float>("weights", {2});
       const auto fused_boxes = a.view<float>("fused_boxes", {3, 4}, 1, "[any, 4]");
       const auto fused_scores = a.view<float>("fused_scores", {3}, 0, "[3]");
       weighted_boxes_fusion(a.backend, boxes, scores, labels, models, weights, {}, fused_boxes, fused_scores,
                             a.view<Int>("fused_labels", {3}, 0, "[3]"), a.count());
     }},
    {"match_overlaps",
     [](Arguments& a) {
       const auto overlaps = a.view<float>("overlaps", {2, 5}, 1);
       match_overlaps(a.backend, overlaps, {}, a.view<Int>("matches", {5}, 0, "[5]"));
     }},
    {"match_anchors",
     [](Arguments& a) {
       const auto targets = a.view<float>("targets", {2, 4}, 1, "[any, 4]");
       const auto crowds = a.view<float>("crowds", {1, 4}, 1, "[any, 4]");
       const auto anchors = a.view<float>("anchors", {5, 4}, 1, "[any, 4]");
       match_anchors(a.backend, targets, crowds, anchors, {}, a.view<Int>("matches", {5}, 0, "[5]"));
     }},
    {"sample_balanced",
     [](Arguments& a) {
       const auto labels = a.view<Int>("labels", {2, 5}, 1);
       sample_balanced(a.backend, labels, {}, a.view<Int>("sampled", {2, 5}, 0, "[2, 5]"));
     }},
    {"sample_balanced",
     [](Arguments& a) {
       const auto labels = a.view<Int>("labels", {2, 5}, 1);
       const auto indices = a.view<Int>("indices", {2, 3}, 1, "[2, 3]");
       sample_balanced(a.backend, labels, {.count = 3}, indices, a.view<Int>("counts", {2, 2}, 0, "[2, 2]"));
     }},
    {"crop_and_resize",
     [](Arguments& a) {
       const auto features = a.view<float>("features", {1, 4, 4, 2}, 1);
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       const auto indices = a.view<Int>("box_indices", {3}, 0, "[3]");
       crop_and_resize(a.backend, features, boxes, indices, {},
                       a.view<float>("crops", {3, 2, 2, 2}, 3, "[3, any, any, 2]"));
     }},
    {"crop_and_resize_backward_features",
     [](Arguments& a) {
       const auto grads = a.view<float>("grad_crops", {3, 2, 2, 2}, 0, "[3, any, any, 2]");
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       const auto indices = a.view<Int>("box_indices", {3}, 0, "[3]");
       crop_and_resize_backward_features(a.backend, grads, boxes, indices, {},
                                         a.view<float>("grad_features", {1, 4, 4, 2}, 1));
     }},
    {"crop_and_resize_backward_boxes",
     [](Arguments& a) {
       const auto grads = a.view<float>("grad_crops", {3, 2, 2, 2}, 0, "[3, any, any, 2]");
       const auto features = a.view<float>("features", {1, 4, 4, 2}, 1);
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       const auto indices = a.view<Int>("box_indices", {3}, 0, "[3]");
       crop_and_resize_backward_boxes(a.backend, grads, features, boxes, indices, {},
                                      a.view<float>("grad_boxes", {3, 4}, 0, "[3, 4]"));
     }},
    {"assign_pyramid_levels",
     [](Arguments& a) {
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       assign_pyramid_levels(a.backend, boxes, {}, a.view<Int>("levels", {3}, 0, "[3]"));
     }},
    {"pyramid_crop_and_resize",
     [](Arguments& a) {
       const auto fine = a.view<float>("level 2", {1, 4, 4, 2}, 1);
       const auto coarse = a.view<float>("level 3", {1, 2, 2, 2}, 3, "[1, any, any, 2]");
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       const auto indices = a.view<Int>("box_indices", {3}, 0, "[3]");
       const auto levels = a.view<Int>("levels", {3}, 0, "[3]");
       pyramid_crop_and_resize(a.backend, make_feature_pyramid(2, fine, coarse), boxes, indices, levels, {},
                               a.view<float>("pooled", {3, 2, 2, 2}, 3, "[3, any, any, 2]"));
     }},
    {"pyramid_crop_and_resize_backward_features",
     [](Arguments& a) {
       const auto grads = a.view<float>("grad_pooled", {3, 2, 2, 2}, 3, "[3, any, any, 2]");
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       const auto indices = a.view<Int>("box_indices", {3}, 0, "[3]");
       const auto fine = a.view<float>("level 2", {1, 4, 4, 2}, 1);
       const auto coarse = a.view<float>("level 3", {1, 2, 2, 2}, 0, "[1, any, any, 2]");
       pyramid_crop_and_resize_backward_features(a.backend, grads, boxes, indices,
                                                 PyramidCropAndResizeOptions{{.min_level = 2, .max_level = 3}},
                                                 make_gradient_pyramid(2, fine, coarse));
     }},
    {"roi_align",
     [](Arguments& a) {
       const auto features = a.view<float, layout_nchw>("features", {1, 4, 4, 2}, 1);
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       const auto indices = a.view<Int>("box_indices", {3}, 0, "[3]");
       roi_align(a.backend, features, boxes, indices, {}, a.view<float>("pooled", {3, 2, 2, 2}, 3, "[3, any, any, 2]"));
     }},
    {"roi_align_backward",
     [](Arguments& a) {
       const auto grads = a.view<float>("grad_pooled", {3, 2, 2, 2}, 3, "[3, any, any, 2]");
       const auto features = a.view<float>("features", {1, 4, 4, 2}, 1);
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       const auto indices = a.view<Int>("box_indices", {3}, 0, "[3]");
       roi_align_backward(a.backend, grads, features, boxes, indices, {},
                          a.view<float>("grad_features", {1, 4, 4, 2}, 0, "[1, 4, 4, 2]"));
     }},
    {"pyramid_roi_align",
     [](Arguments& a) {
       const auto fine = a.view<float>("level 2", {1, 4, 4, 2}, 1);
       const auto coarse = a.view<float>("level 3", {1, 2, 2, 2}, 3, "[1, any, any, 2]");
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       const auto indices = a.view<Int>("box_indices", {3}, 0, "[3]");
       pyramid_roi_align(a.backend, make_feature_pyramid(2, fine, coarse), boxes, indices,
                         PyramidRoiAlignOptions{.level = {.min_level = 2, .max_level = 3}},
                         a.view<float>("pooled", {3, 2, 2, 2}, 0, "[3, any, any, 2]"));
     }},
    {"pyramid_roi_align_backward",
     [](Arguments& a) {
       const auto grads = a.view<float>("grad_pooled", {3, 2, 2, 2}, 0, "[3, any, any, 2]");
       const auto boxes = a.view<float>("boxes", {3, 4}, 1, "[any, 4]");
       const auto indices = a.view<Int>("box_indices", {3}, 0, "[3]");
       const auto levels = a.view<Int>("levels", {3}, 0, "[3]");
       const auto fine = a.view<float>("level 2", {1, 4, 4, 2}, 1);
       const auto coarse = a.view<float>("level 3", {1, 2, 2, 2}, 3, "[1, any, any, 2]");
       pyramid_roi_align_backward(a.backend, grads, boxes, indices, levels, PyramidRoiAlignOptions{},
                                  make_gradient_pyramid(2, fine, coarse));
     }},
    {"paste_masks",
     [](Arguments& a) {
       const auto masks = a.view<float>("masks", {2, 3, 3}, 1);
       const auto boxes = a.view<float>("boxes", {2, 4}, 0, "[2, 4]");
       paste_masks(a.backend, masks, boxes, {}, a.view<Bytes>("planes", {2, 5, 5}, 0, "[2, any, any]"));
     }},
    {"paste_soft_masks",
     [](Arguments& a) {
       const auto masks = a.view<float>("masks", {2, 3, 3}, 1);
       const auto boxes = a.view<float>("boxes", {2, 4}, 0, "[2, 4]");
       paste_soft_masks(a.backend, masks, boxes, {}, a.view<float>("planes", {2, 5, 5}, 0, "[2, any, any]"));
     }},
    {"paste_masks_into_crops",
     [](Arguments& a) {
       const auto masks = a.view<float>("masks", {2, 3, 3}, 1);
       paste_masks_into_crops(a.backend, masks, a.view<float>("boxes", {2, 4}, 0, "[2, 4]"), {}, 5, 5);
     }},
    {"paste_masks_to_rle",
     [](Arguments& a) {
       const auto masks = a.view<float>("masks", {2, 3, 3}, 1);
       paste_masks_to_rle(a.backend, masks, a.view<float>("boxes", {2, 4}, 1, "[2, 4]"), {}, 5, 5);
     }},
    {"prototype_masks",
     [](Arguments& a) {
       const auto coefficients = a.view<float>("coefficients", {2, 3}, 1, "[any, 3]");
       const auto prototypes = a.view<float>("prototypes", {1, 4, 4, 3}, 0, "[1, any, any, any]");
       const auto boxes = a.view<float>("boxes", {2, 4}, 0, "[2, 4]");
       prototype_masks(a.backend, coefficients, prototypes, boxes, {},
                       a.view<Bytes>("planes", {2, 5, 5}, 0, "[2, any, any]"));
     }},
    {"prototype_soft_masks",
     [](Arguments& a) {
       const auto coefficients = a.view<float>("coefficients", {2, 3}, 1, "[any, 3]");
       const auto prototypes = a.view<float>("prototypes", {1, 4, 4, 3}, 0, "[1, any, any, any]");
       const auto boxes = a.view<float>("boxes", {2, 4}, 0, "[2, 4]");
       prototype_soft_masks(a.backend, coefficients, prototypes, boxes, {},
                            a.view<float>("planes", {2, 5, 5}, 0, "[2, any, any]"));
     }},
    {"prototype_masks_into_crops",
     [](Arguments& a) {
       const auto coefficients = a.view<float>("coefficients", {2, 3}, 1, "[any, 3]");
       const auto prototypes = a.view<float>("prototypes", {1, 4, 4, 3}, 0, "[1, any, any, any]");
       const auto boxes = a.view<float>("boxes", {2, 4}, 0, "[2, 4]");
       prototype_masks_into_crops(a.backend, coefficients, prototypes, boxes, {}, 5, 5);
     }},
    {"prototype_masks_to_rle",
     [](Arguments& a) {
       const auto coefficients = a.view<float>("coefficients", {2, 3}, 1, "[any, 3]");
       const auto prototypes = a.view<float>("prototypes", {1, 4, 4, 3}, 0, "[1, any, any, any]");
       const auto boxes = a.view<float>("boxes", {2, 4}, 0, "[2, 4]");
       prototype_masks_to_rle(a.backend, coefficients, prototypes, boxes, {}, 5, 5);
     }},
    {"encode_masks",
     [](Arguments& a) {
       const auto planes = a.view<Bytes>("planes", {2, 3, 3}, 1);
       const auto counts = a.view<std::uint32_t>("counts", {20});
       encode_masks(a.backend, planes, counts, a.view<index_t>("offsets", {3}, 0, "[3]"));
     }},
    {"encode_mask_bits",
     [](Arguments& a) {
       const auto bits = a.view<std::uint32_t>("bits", {2, 3, 2}, 2, "[any, any, 2]");
       const auto counts = a.view<std::uint32_t>("counts", {20});
       encode_mask_bits(a.backend, bits, 40, counts, a.view<index_t>("offsets", {3}, 0, "[3]"));
     }},
    {"resize",
     [](Arguments& a) {
       const auto source = a.view<Bytes>("source", {2, 3, 3, 2}, 1);
       resize(a.backend, source, {}, a.view<Bytes>("resized", {2, 5, 5, 2}, 3, "[2, any, any, 2]"));
     }},
    {"normalize_image",
     [](Arguments& a) {
       const auto image = a.view<Bytes>("image", {3, 4, 3}, 2, "[any, any, 3]");
       normalize_image(a.backend, image, {}, a.view<float>("output", {3, 4, 3}, 1, "[3, 4, 3]"));
     }},
    {"subtract_mean",
     [](Arguments& a) {
       const auto molded = a.view<Bytes>("molded", {3, 4, 3}, 2, "[any, any, 3]");
       subtract_mean(a.backend, molded, {1, 2, 3}, a.view<float>("output", {3, 4, 3}, 1, "[3, 4, 3]"));
     }},
    {"letterbox",
     [](Arguments& a) {
       const auto plan = plan_yolo_letterbox(3, 4, {.height = 8, .width = 8});
       const auto source = a.view<Bytes>("source", {3, 4, 3}, 0, "[3, 4, 3]");
       letterbox(a.backend, source, plan, Resampler::pillow, a.view<Bytes>("molded", {8, 8, 3}, 0, "[8, 8, 3]"));
     }},
    {"mold_image",
     [](Arguments& a) {
       const auto plan = plan_yolo_letterbox(3, 4, {.height = 8, .width = 8});
       const auto source = a.view<Bytes>("source", {3, 4, 3}, 1, "[3, 4, 3]");
       mold_image(a.backend, source, plan, {}, a.view<float>("molded", {1, 8, 8, 3}, 0, "[1, 8, 8, 3]"));
     }},
    {"softmax",
     [](Arguments& a) {
       const auto logits = a.view<float>("logits", {3, 2}, 1);
       softmax(a.backend, logits, a.view<float>("probabilities", {3, 2}, 1, "[3, 2]"));
     }},
    {"relu",
     [](Arguments& a) {
       const auto x = a.view<float>("x", {3, 2}, 1);
       relu(a.backend, x, a.view<float>("y", {3, 2}, 1, "[3, 2]"));
     }},
    {"sigmoid",
     [](Arguments& a) {
       const auto x = a.view<float>("x", {3}, 0);
       sigmoid(a.backend, x, a.view<float>("y", {3}, 0, "[3]"));
     }},
    {"max_pool2d",
     [](Arguments& a) {
       const auto input = a.view<float>("input", {1, 4, 4, 2}, 1);
       max_pool2d(a.backend, input, {}, a.view<float>("output", {1, 2, 2, 2}, 3, "[1, 2, 2, 2]"));
     }},
    {"upsample_nearest2x",
     [](Arguments& a) {
       const auto coarse = a.view<float>("coarse", {1, 2, 2, 2}, 1);
       upsample_nearest2x(a.backend, coarse, a.view<float>("out", {1, 4, 4, 2}, 3, "[1, any, any, 2]"));
     }},
    {"upsample_nearest2x_add",
     [](Arguments& a) {
       const auto coarse = a.view<float>("coarse", {1, 2, 2, 2}, 1);
       const auto addend = a.view<float>("addend", {1, 4, 4, 2}, 3, "[1, 4, 4, 2]");
       upsample_nearest2x_add(a.backend, coarse, addend, a.view<float>("out", {1, 4, 4, 2}, 0, "[1, any, any, 2]"));
     }},
    {"pack_conv2d",
     [](Arguments& a) {
       const auto kernel = a.view<float>("kernel", {2, 1, 1, 3}, 1);
       pack_conv2d(a.backend, kernel, a.view<float>("bias", {2}, 0, "[2]"));
     }},
    {"conv2d",
     [](Arguments& a) {
       const std::vector<float> kernel(6);
       const auto packed = pack_conv2d(a.backend, HostView<const float, 4>(kernel.data(), {2, 1, 1, 3}),
                                       HostView<const float, 1>(nullptr, {0}));
       const auto input = a.view<float>("input", {1, 4, 4, 3}, 3, "[any, any, any, 3]");
       const auto residual = a.view<float>("residual", {1, 4, 4, 2}, 1, "[1, 4, 4, 2]");
       conv2d(a.backend, input, packed, residual, Residual::same, {},
              a.view<float>("output", {1, 4, 4, 2}, 1, "[1, 4, 4, 2]"));
     }},
    {"pack_conv_transpose2d",
     [](Arguments& a) {
       const auto kernel = a.view<float>("kernel", {2, 2, 2, 3}, 1, "[any, 2, 2, any]");
       pack_conv_transpose2d(a.backend, kernel, a.view<float>("bias", {2}, 0, "[2]"));
     }},
    {"conv_transpose2d",
     [](Arguments& a) {
       const std::vector<float> kernel(24);
       const auto packed = pack_conv_transpose2d(a.backend, HostView<const float, 4>(kernel.data(), {2, 2, 2, 3}),
                                                 HostView<const float, 1>(nullptr, {0}));
       const auto input = a.view<float>("input", {1, 2, 2, 3}, 3, "[any, any, any, 3]");
       conv_transpose2d(a.backend, input, packed, {}, a.view<float>("output", {1, 4, 4, 2}, 1, "[1, 4, 4, 2]"));
     }},
    {"pack_linear",
     [](Arguments& a) {
       const auto weights = a.view<float>("weights", {2, 3}, 1);
       pack_linear(a.backend, weights, a.view<float>("bias", {2}, 0, "[2]"));
     }},
    {"linear",
     [](Arguments& a) {
       const std::vector<float> weights(6);
       const auto packed = pack_linear(a.backend, HostView<const float, 2>(weights.data(), {2, 3}),
                                       HostView<const float, 1>(nullptr, {0}));
       const auto input = a.view<float>("input", {4, 3}, 1, "[any, 3]");
       linear(a.backend, input, packed, {}, a.view<float>("output", {4, 2}, 0, "[4, 2]"));
     }},
};

/// What the call with one argument at fault says; empty if nothing.
std::string refusal(const Row& row, Arguments& arguments) {
  try {
    row.call(arguments);
  } catch (const ShapeError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("ops: a wrong extent of any argument is named, with the op, the shape found and the one expected") {
  for (const Row& row : rows) {
    const std::string op = row.op;
    CAPTURE(op);
    Arguments right(-1, Arguments::Fault::none);
    CHECK(refusal(row, right) == "");
    CHECK(right.size() > 0);
    for (int i = 0; i < right.size(); ++i) {
      Arguments none(i, Arguments::Fault::none);
      refusal(row, none);
      if (none.expected() == nullptr) continue;  // others are measured by this one
      Arguments wrong(i, Arguments::Fault::wrong);
      const std::string message = refusal(row, wrong);
      CHECK(message == op + ": " + wrong.name() + " has shape " + wrong.found() + ", expected " + none.expected());
    }
  }
}

TEST_CASE("ops: tensors without elements are done with at once, or refused, however long they are") {
  const HostBackend backend(1);
  constexpr index_t endless = index_t{1} << 50;
  const HostView<float, 2> scores(nullptr, {endless, 0});
  const HostView<std::int32_t, 2> whole(nullptr, {endless, 0});
  const float number = 0;
  const HostView<const float, 2> box(&number, {0, 4});
  const std::vector<float> mask(4);
  CHECK_NOTHROW(top_k(backend, scores, whole, scores));
  CHECK_NOTHROW(sort_by_score(backend, scores, whole));
  CHECK_NOTHROW(softmax(backend, scores, scores));
  CHECK_NOTHROW(sample_balanced(backend, whole, {}, whole));
  CHECK_NOTHROW(sigmoid(backend, scores, scores));
  CHECK_NOTHROW(paste_masks(backend, HostView<const float, 3>(mask.data(), {1, 1, 1}),
                            HostView<const float, 2>(mask.data(), {1, 4}), {},
                            HostView<std::uint8_t, 3>(nullptr, {1, endless, 0})));
  CHECK(paste_masks_to_rle(backend, HostView<const float, 3>(mask.data(), {1, 1, 1}),
                           HostView<const float, 2>(mask.data(), {1, 4}), {}, endless, 0)[0]
            .counts == std::vector<std::uint32_t>{0});
  const HostView<float, 4> map(nullptr, {endless, 4, 4, 0});
  CHECK_NOTHROW(max_pool2d(backend, map, {}, HostView<float, 4>(nullptr, {endless, 2, 2, 0})));
  CHECK_NOTHROW(upsample_nearest2x(backend, map, HostView<float, 4>(nullptr, {endless, 8, 8, 0})));
  CHECK_NOTHROW(resize(backend, map, {Resampler::torch_area}, HostView<float, 4>(nullptr, {endless, 8, 8, 0})));
  std::vector<float> gradient(4, 9.0F);
  const HostView<float, 4> grad_features(gradient.data(), {1, 2, 2, 1});
  const std::int32_t image = 0;
  const HostView<const float, 2> one_box(mask.data(), {1, 4});
  const HostView<const std::int32_t, 1> its_image(&image, {1});
  const HostView<const float, 4> crops(nullptr, {1, endless, 0, 1});
  crop_and_resize_backward_features(backend, crops, one_box, its_image, {}, grad_features);
  CHECK(gradient == std::vector<float>(4));
  gradient.assign(4, 9.0F);
  roi_align_backward(backend, crops, HostView<const float, 4>(gradient.data(), {1, 2, 2, 1}), one_box, its_image,
                     {.pooling = RoiPooling::max}, grad_features);
  CHECK(gradient == std::vector<float>(4));
  std::int32_t count = -1;
  CHECK_THROWS_AS(onnx_non_max_suppression(backend, HostView<const float, 3>(nullptr, {endless, 0, 4}),
                                           HostView<const float, 3>(nullptr, {endless, 2, 0}), {},
                                           HostView<std::int64_t, 2>(nullptr, {0, 3}),
                                           HostView<std::int32_t, 0>(&count, Extents<0>{})),
                  ShapeError);
  CHECK_THROWS_AS(multiclass_nms(backend, box, HostView<const float, 2>(nullptr, {0, endless}), {},
                                 HostView<std::int32_t, 1>(nullptr, {0}), HostView<std::int32_t, 1>(nullptr, {0}),
                                 HostView<float, 1>(nullptr, {0}), HostView<std::int32_t, 0>(&count, Extents<0>{})),
                  ShapeError);
}

TEST_CASE("ops: options and sizes at the ends of their types are refused") {
  constexpr index_t most = std::numeric_limits<index_t>::max();
  constexpr index_t least = std::numeric_limits<index_t>::min();
  CHECK_THROWS_AS(max_pool2d_extents({{1, 4, 4, 1}}, {.kernel = most, .padding = {most - 1, 0, 0, 0}}), ShapeError);
  CHECK_THROWS_AS(max_pool2d_extents({{1, most, 4, 1}}, {}), ShapeError);
  CHECK_THROWS_AS(conv2d_extents({{1, 4, 4, 1}}, {{1, 1, 1, 1}}, {.padding = {most, 0, most, 0}}), ShapeError);
  CHECK_THROWS_AS(conv2d_extents({{1, 4, least, 1}}, {{1, 1, 1, 1}}, {}), ShapeError);
  CHECK_THROWS_AS(same_padding(4, 3, 0), ShapeError);
  CHECK_THROWS_AS(same_padding(least, 3, 1), ShapeError);
  CHECK(same_padding(most, 3, 2).high == 1);
  CHECK_THROWS_AS(letterbox_window(most, most, 1, 1, LetterboxRounding::truncate), ShapeError);
  const AnchorGenerator generator{.scales = {8}, .ratios = {1}, .strides = {1}};
  CHECK_THROWS_AS(generator.count(most, most), ShapeError);
  CHECK_THROWS_AS(generator.count(-1, 4), ShapeError);
  CHECK_THROWS_AS(generator.count({{{index_t{1} << 40, index_t{1} << 20}}}), ShapeError);

  const HostBackend backend(1);
  LetterboxPlan plan = plan_yolo_letterbox(1, 1, {.height = 2, .width = 2});
  plan.height = least;
  const std::vector<std::uint8_t> pixels(3);
  std::vector<float> molded(12);
  CHECK_THROWS_AS(mold_image(backend, HostView<const std::uint8_t, 3>(pixels.data(), {1, 1, 3}), plan, {},
                             HostView<float, 3>(molded.data(), {2, 2, 3})),
                  ShapeError);
  const HostView<float, 4> map(molded.data(), {1, 2, 2, 1});
  const HostView<const float, 2> boxes(nullptr, {0, 4});
  const HostView<const std::int32_t, 1> indices(nullptr, {0});
  const HostView<float, 4> pooled(nullptr, {0, 1, 1, 1});
  auto gradients = make_gradient_pyramid(2, map);
  gradients.count = std::numeric_limits<int>::max();
  CHECK_THROWS_AS(
      pyramid_roi_align_backward(backend, pooled, boxes, indices, indices, PyramidRoiAlignOptions{}, gradients),
      ShapeError);
  const auto far = make_feature_pyramid(std::numeric_limits<int>::max(), map);
  CHECK_THROWS_WITH_AS(pyramid_roi_align(backend, far, boxes, indices, indices, PyramidRoiAlignOptions{}, pooled),
                       "pyramid_roi_align: the pyramid's first_level is 2147483647, expected -1000 to 1000",
                       ShapeError);
}

TEST_CASE("ops: negative extents and those that no memory has are refused before anything is touched") {
  for (const Row& row : rows) {
    const std::string op = row.op;
    CAPTURE(op);
    Arguments right(-1, Arguments::Fault::none);
    refusal(row, right);
    for (int i = 0; i < right.size(); ++i) {
      for (const auto fault : {Arguments::Fault::negative, Arguments::Fault::least}) {
        Arguments negative(i, fault);
        const std::string message = refusal(row, negative);
        CAPTURE(message);
        CHECK(message.starts_with(op + ": " + negative.name() + " has a negative extent: ["));
      }
      Arguments huge(i, Arguments::Fault::huge);
      const std::string message = refusal(row, huge);
      CHECK(message == op + ": " + huge.name() + " is too large: shape " + huge.found());
    }
  }
}
