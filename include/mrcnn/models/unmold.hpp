#ifndef MRCNN_MODELS_UNMOLD_HPP
#define MRCNN_MODELS_UNMOLD_HPP

#include <algorithm>
#include <cmath>

#include "mrcnn/models/mask_rcnn_config.hpp"
#include "mrcnn/ops/boxes.hpp"
#include "mrcnn/ops/image.hpp"

namespace mrcnn {

/// What a profile means for a molded image of one size: the frames of anchors, proposals and detections.
struct ProfileFrames {
  BoxFrame anchors = BoxFrame::pixels;  ///< also of the detections
  Box clip{};                           ///< proposals are clipped to it, in the anchors' frame
  float proposal_scale_x = 1.0F;        ///< proposals = clipped boxes / scale, always normalised
  float proposal_scale_y = 1.0F;
  bool round_detections = false;

  ProfileFrames(Profile profile, index_t height, index_t width) {
    if (profile == Profile::matterport_legacy) {
      clip = {0, 0, static_cast<float>(width), static_cast<float>(height)};
      proposal_scale_x = clip.x2;
      proposal_scale_y = clip.y2;
      round_detections = true;
    } else {
      anchors = BoxFrame::size_minus_one;
      clip = {0, 0, 1, 1};
    }
  }
};

/// The window of a plan in the frame of the detections.
inline Box detection_window(Profile profile, const LetterboxPlan& plan) {
  if (profile == Profile::matterport_legacy) return plan.window();
  return detail::normalize_box(
      plan.window(), detail::frame_scale("detection_window", BoxFrame::size_minus_one, plan.height, plan.width));
}

/// A detection's box, from the molded image back to whole pixels of the original picture.
///
/// @param box  (x1, y1, x2, y2) as `select_detections` returns it: pixels (legacy) or normalised (modern)
///
/// Legacy: in double, cut off towards zero. Modern: through the normalised window, rounded half to even.
/// Source: matterport's unmold_detections of V2.0 and of its last state.
inline Box unmold_box(Profile profile, const Box& box, const LetterboxPlan& plan) {
  if (profile == Profile::matterport_legacy) {
    const double scale = std::min(static_cast<double>(plan.source_height) / static_cast<double>(plan.resized_height),
                                  static_cast<double>(plan.source_width) / static_cast<double>(plan.resized_width));
    const auto pixel = [scale](float value, index_t shift) {
      return static_cast<float>(std::trunc((static_cast<double>(value) - static_cast<double>(shift)) * scale));
    };
    return {pixel(box.x1, plan.left), pixel(box.y1, plan.top), pixel(box.x2, plan.left), pixel(box.y2, plan.top)};
  }
  const Box window = detection_window(profile, plan);
  const float width = window.x2 - window.x1;
  const float height = window.y2 - window.y1;
  const Box relative{(box.x1 - window.x1) / width, (box.y1 - window.y1) / height, (box.x2 - window.x1) / width,
                     (box.y2 - window.y1) / height};
  const detail::FrameScale scale{static_cast<double>(plan.source_width) - 1.0,
                                 static_cast<double>(plan.source_height) - 1.0, 1.0};
  return detail::denormalize_box(relative, scale, true);
}

}  // namespace mrcnn

#endif
