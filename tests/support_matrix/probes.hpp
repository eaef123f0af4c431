#ifndef MRCNN_TESTS_SUPPORT_MATRIX_PROBES_HPP
#define MRCNN_TESTS_SUPPORT_MATRIX_PROBES_HPP

// One call of each op in the support matrix of docs/ops.md, templated on the backend, on the element type of the op's main
// tensor (features, boxes, scores, masks or image) and on its layout. Nothing here is run: whether a call compiles is the
// question. The function `probe_OP` belongs to the row of OP.

#include <thrust/system/cpp/execution_policy.h>

#include <array>
#include <cstdint>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/core/thrust_backend.hpp"
#include "mrcnn/mrcnn.hpp"
#include "mrcnn/testing/sim_backend.hpp"

namespace support {

using namespace mrcnn;

using host = HostBackend;
using sim = SimBackend;
using thrust_policy = std::remove_cvref_t<decltype(thrust::cpp::par)>;
using thrust = ThrustBackend<thrust_policy>;
using float32 = float;
using float64 = double;
using uint8 = std::uint8_t;
using int32 = std::int32_t;
using uint32 = std::uint32_t;
using dense = layout_right;
using NCHW = layout_nchw;
using strided = layout_stride;

/// A backend whose type no other line has: a compiler reports an error in a template once, not for each of its users.
template <class B, int Line>
struct on : B {};

template <class B>
B backend();
/// An argument; outputs too, because nothing is run.
template <class B, class T, int Rank, class L = layout_right>
TensorView<T, Rank, typename B::space_type, L> tensor();

template <class B>
struct With {
  B b = backend<B>();
  TensorView<float, 1, typename B::space_type> row = tensor<B, float, 1>();
  TensorView<float, 2, typename B::space_type> rows = tensor<B, float, 2>();
  TensorView<float, 3, typename B::space_type> floats = tensor<B, float, 3>();
  TensorView<std::int32_t, 1, typename B::space_type> indices = tensor<B, std::int32_t, 1>();
  TensorView<std::int32_t, 0, typename B::space_type> count = tensor<B, std::int32_t, 0>();
  TensorView<std::uint8_t, 3, typename B::space_type> planes = tensor<B, std::uint8_t, 3>();
};

// Boxes.
template <class B, class T, class L>
void probe_convert_boxes() {
  With<B> w;
  convert_boxes(w.b, tensor<B, T, 2, L>(), {}, w.rows);
}
template <class B, class T, class L>
void probe_box_areas() {
  With<B> w;
  box_areas(w.b, tensor<B, T, 2, L>(), {}, w.row);
}
template <class B, class T, class L>
void probe_clip_boxes() {
  With<B> w;
  clip_boxes(w.b, tensor<B, T, 2, L>(), Box{0, 0, 1, 1}, w.rows);
}
template <class B, class T, class L>
void probe_remove_small_boxes() {
  With<B> w;
  remove_small_boxes(w.b, tensor<B, T, 2, L>(), {}, w.indices, w.count);
}
template <class B, class T, class L>
void probe_normalize_boxes() {
  With<B> w;
  normalize_boxes(w.b, tensor<B, T, 2, L>(), {}, w.rows);
}
template <class B, class T, class L>
void probe_denormalize_boxes() {
  With<B> w;
  denormalize_boxes(w.b, tensor<B, T, 2, L>(), {}, w.rows);
}
template <class B, class T, class L>
void probe_masks_to_boxes() {
  With<B> w;
  masks_to_boxes(w.b, tensor<B, T, 3, L>(), {}, w.rows);
}
template <class B, class T, class L>
void probe_box_iou() {
  With<B> w;
  box_iou(w.b, tensor<B, T, 2, L>(), w.rows, {}, w.rows);
}
template <class B, class T, class L>
void probe_paired_box_iou() {
  With<B> w;
  paired_box_iou(w.b, tensor<B, T, 2, L>(), w.rows, {}, w.row);
}
template <class B, class T, class L>
void probe_box_iou_loss() {
  box_iou_loss(backend<B>(), tensor<B, T, 2, L>(), tensor<B, T, 2, L>(), {}, tensor<B, T, 1>());
}
template <class B, class T, class L>
void probe_box_iou_loss_backward() {
  box_iou_loss_backward(backend<B>(), tensor<B, T, 2, L>(), tensor<B, T, 2, L>(), tensor<B, T, 1>(), {},
                        tensor<B, T, 2>());
}
template <class B, class T, class L>
void probe_encode() {
  With<B> w;
  encode(w.b, BoxCoder{}, tensor<B, T, 2, L>(), w.rows, w.rows);
}
template <class B, class T, class L>
void probe_decode() {
  With<B> w;
  decode(w.b, BoxCoder{}, tensor<B, T, 2, L>(), w.rows, w.rows);
}
template <class B, class T, class L>
void probe_generate_anchors() {
  generate_anchors(backend<B>(), AnchorGenerator{}, 1, 1, BoxFrame::pixels, tensor<B, T, 2, L>());
}

// Choosing.
template <class B, class T, class L>
void probe_top_k() {
  top_k(backend<B>(), tensor<B, T, 2, L>(), tensor<B, std::int32_t, 2>(), tensor<B, T, 2>());
}
template <class B, class T, class L>
void probe_sort_by_score() {
  sort_by_score(backend<B>(), tensor<B, T, 2, L>(), tensor<B, std::int32_t, 2>());
}
template <class B, class T, class L>
void probe_nms() {
  With<B> w;
  nms(w.b, tensor<B, T, 2, L>(), w.row, {}, w.indices, w.count);
}
template <class B, class T, class L>
void probe_batched_nms() {
  With<B> w;
  batched_nms(w.b, tensor<B, T, 2, L>(), w.row, w.indices, {}, w.indices, w.count);
}
template <class B, class T, class L>
void probe_multiclass_nms() {
  With<B> w;
  multiclass_nms(w.b, tensor<B, T, 2, L>(), tensor<B, T, 2, L>(), {}, w.indices, w.indices, w.row, w.count);
}
template <class B, class T, class L>
void probe_onnx_non_max_suppression() {
  With<B> w;
  onnx_non_max_suppression(w.b, tensor<B, T, 3, L>(), w.floats, {}, tensor<B, std::int64_t, 2>(), w.count);
}
template <class B, class T, class L>
void probe_soft_nms() {
  With<B> w;
  soft_nms(w.b, tensor<B, T, 2, L>(), w.row, {}, w.indices, w.row, w.count);
}
template <class B, class T, class L>
void probe_batched_soft_nms() {
  With<B> w;
  batched_soft_nms(w.b, tensor<B, T, 2, L>(), w.row, w.indices, {}, w.indices, w.row, w.count);
}
template <class B, class T, class L>
void probe_matrix_nms() {
  With<B> w;
  matrix_nms(w.b, tensor<B, T, 2, L>(), w.row, w.indices, {}, w.row);
}
template <class B, class T, class L>
void probe_matrix_nms_from_overlaps() {
  With<B> w;
  matrix_nms_from_overlaps(w.b, tensor<B, T, 2, L>(), w.row, w.indices, {}, w.row);
}
template <class B, class T, class L>
void probe_weighted_boxes_fusion() {
  With<B> w;
  weighted_boxes_fusion(w.b, tensor<B, T, 2, L>(), w.row, w.indices, w.indices, w.row, {}, w.rows, w.row, w.indices,
                        w.count);
}
template <class B, class T, class L>
void probe_match_overlaps() {
  With<B> w;
  match_overlaps(w.b, tensor<B, T, 2, L>(), {}, w.indices);
}
template <class B, class T, class L>
void probe_match_anchors() {
  With<B> w;
  match_anchors(w.b, tensor<B, T, 2, L>(), w.rows, {}, w.indices);
}
template <class B, class T, class L>
void probe_sample_balanced() {
  With<B> w;
  sample_balanced(w.b, tensor<B, T, 1, L>(), {}, w.indices);
}

// Regions.
template <class B, class T, class L>
void probe_assign_pyramid_levels() {
  With<B> w;
  assign_pyramid_levels(w.b, tensor<B, T, 2, L>(), {}, w.indices);
}
template <class B, class T, class L>
void probe_crop_and_resize() {
  With<B> w;
  crop_and_resize(w.b, tensor<B, T, 4, L>(), w.rows, w.indices, {}, tensor<B, T, 4, L>());
}
template <class B, class T, class L>
void probe_crop_and_resize_backward_features() {
  With<B> w;
  crop_and_resize_backward_features(w.b, tensor<B, T, 4, L>(), w.rows, w.indices, {}, tensor<B, T, 4, L>());
}
template <class B, class T, class L>
void probe_crop_and_resize_backward_boxes() {
  With<B> w;
  crop_and_resize_backward_boxes(w.b, tensor<B, T, 4, L>(), tensor<B, T, 4, L>(), w.rows, w.indices, {}, w.rows);
}
template <class B, class T, class L>
auto two_levels() {
  return make_feature_pyramid(2, tensor<B, T, 4, L>(), tensor<B, T, 4, L>());
}
template <class B, class T, class L>
void probe_pyramid_crop_and_resize() {
  With<B> w;
  pyramid_crop_and_resize(w.b, two_levels<B, T, L>(), w.rows, w.indices, {}, tensor<B, T, 4, L>());
}
template <class B, class T, class L>
void probe_pyramid_crop_and_resize_backward_features() {
  With<B> w;
  pyramid_crop_and_resize_backward_features(w.b, tensor<B, T, 4, L>(), w.rows, w.indices, {},
                                            make_gradient_pyramid(2, tensor<B, T, 4, L>(), tensor<B, T, 4, L>()));
}
template <class B, class T, class L>
void probe_roi_align() {
  With<B> w;
  roi_align(w.b, tensor<B, T, 4, L>(), w.rows, w.indices, RoiAlignOptions{}, tensor<B, T, 4, L>());
}
template <class B, class T, class L>
void probe_roi_align_backward() {
  With<B> w;
  roi_align_backward(w.b, tensor<B, T, 4, L>(), w.rows, w.indices, RoiAlignOptions{}, tensor<B, T, 4, L>());
}
template <class B, class T, class L>
void probe_pyramid_roi_align() {
  With<B> w;
  pyramid_roi_align(w.b, two_levels<B, T, L>(), w.rows, w.indices, PyramidRoiAlignOptions{}, tensor<B, T, 4, L>());
}
template <class B, class T, class L>
void probe_pyramid_roi_align_backward() {
  With<B> w;
  pyramid_roi_align_backward(w.b, tensor<B, T, 4, L>(), w.rows, w.indices, PyramidRoiAlignOptions{},
                             make_gradient_pyramid(2, tensor<B, T, 4, L>(), tensor<B, T, 4, L>()));
}

// Masks.
template <class B, class T, class L>
void probe_paste_masks() {
  With<B> w;
  paste_masks(w.b, tensor<B, T, 3, L>(), w.rows, {}, w.planes);
}
template <class B, class T, class L>
void probe_paste_soft_masks() {
  With<B> w;
  paste_soft_masks(w.b, tensor<B, T, 3, L>(), w.rows, {}, w.floats);
}
template <class B, class T, class L>
void probe_paste_masks_into_crops() {
  With<B> w;
  (void)paste_masks_into_crops(w.b, tensor<B, T, 3, L>(), w.rows, {}, 1, 1);
}
template <class B, class T, class L>
void probe_paste_masks_to_rle() {
  With<B> w;
  (void)paste_masks_to_rle(w.b, tensor<B, T, 3, L>(), w.rows, {}, 1, 1);
}
template <class B, class T, class L>
void probe_prototype_masks() {
  With<B> w;
  prototype_masks(w.b, w.rows, tensor<B, T, 4, L>(), w.rows, {}, w.planes);
}
template <class B, class T, class L>
void probe_prototype_masks_to_rle() {
  With<B> w;
  (void)prototype_masks_to_rle(w.b, w.rows, tensor<B, T, 4, L>(), w.rows, {}, 1, 1);
}
template <class B, class T, class L>
void probe_encode_masks() {
  With<B> w;
  encode_masks(w.b, tensor<B, T, 3, L>(), tensor<B, std::uint32_t, 1>(), tensor<B, index_t, 1>());
}
template <class B, class T, class L>
void probe_encode_mask_bits() {
  With<B> w;
  encode_mask_bits(w.b, tensor<B, T, 3, L>(), 1, tensor<B, std::uint32_t, 1>(), tensor<B, index_t, 1>());
}

// Images.
template <class B, class T, class L>
void probe_resize() {
  resize(backend<B>(), tensor<B, T, 3, L>(), {}, tensor<B, T, 3, L>());
}
template <class B, class T, class L>
void probe_normalize_image() {
  With<B> w;
  normalize_image(w.b, tensor<B, T, 3, L>(), {}, w.floats);
}
template <class B, class T, class L>
void probe_letterbox() {
  letterbox(backend<B>(), tensor<B, T, 3, L>(), LetterboxPlan{}, Resampler::pillow, tensor<B, T, 3>());
}
template <class B, class T, class L>
void probe_mold_image() {
  With<B> w;
  mold_image(w.b, tensor<B, T, 3, L>(), LetterboxPlan{}, {}, w.floats);
}

}  // namespace support

#endif
