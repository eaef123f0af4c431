#ifndef MRCNN_VIS_CAPTION_HPP
#define MRCNN_VIS_CAPTION_HPP

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/ops/boxes.hpp"
#include "mrcnn/vis/canvas.hpp"
#include "mrcnn/vis/palette.hpp"
#include "mrcnn/vis/text.hpp"

namespace mrcnn::vis::detail {

/// A line of white text on a rounded plate, measured in pixels.
struct Caption {
  TextLine text;
  float size = 0;   ///< of the type, pixels to the em
  float width = 0;  ///< of the plate
  float height = 0;
  float padding = 0;   ///< from the plate's left side to the text
  float baseline = 0;  ///< from the plate's top to the text's baseline
  Point corner;        ///< the plate's upper left corner, once it is placed
  Color backing;
};

/// Measures a caption. Type that would make the plate wider or higher than the picture is set smaller.
inline Caption make_caption(const Typeface& typeface, std::string_view text, float size, index_t picture_width,
                            index_t picture_height) {
  Caption caption;
  caption.text = set_text(typeface, text);
  const float ascent = std::max(caption.text.ascent, typeface.cap_height());
  const float descent = std::max(caption.text.descent, 0.2F);
  constexpr float side = 0.36F;   // space beside the text, in ems
  constexpr float above = 0.20F;  // space above and below
  const float width = caption.text.width + 2.0F * side;
  const float height = ascent + descent + 2.0F * above;
  const float fitting =
      std::min(static_cast<float>(picture_width) / width, static_cast<float>(picture_height) / height);
  caption.size = std::min(size, fitting);
  caption.padding = side * caption.size;
  caption.width = width * caption.size;
  caption.height = height * caption.size;
  caption.baseline = (above + ascent) * caption.size;
  if (caption.size == size) {  // on whole pixels, unless it is a tight fit
    caption.width = std::min(std::ceil(caption.width), static_cast<float>(picture_width));
    caption.height = std::min(std::ceil(caption.height), static_cast<float>(picture_height));
    caption.baseline = std::floor(caption.baseline + 0.5F);
  }
  return caption;
}

/// Finds places for captions at their boxes, inside the picture and clear of each other where that is possible.
class CaptionPlacer {
 public:
  CaptionPlacer(index_t width, index_t height)
      : width_(static_cast<float>(width)), height_(static_cast<float>(height)) {}

  /// Sets the caption's corner. Preferred is the upper left corner of the box, or on top of it when the box is so small
  /// that the caption would hide it; then come the box's other corners and sides, and lines further up and down. The
  /// place that hides least of earlier captions wins, the more preferred one among equals.
  void place(Caption& caption, const Box& box) {
    const float w = caption.width;
    const float h = caption.height;
    const float left = box.x1;
    const float right = box.x2 - w;
    const bool roomy = box.y2 - box.y1 >= 3.0F * h && box.x2 - box.x1 >= w;
    const Point inside{left, box.y1};
    const Point on_top{left, box.y1 - h};
    const Point places[] = {roomy ? inside : on_top, roomy ? on_top : inside, {left, box.y2},
                            {right, box.y1},         {right, box.y1 - h},     {left, box.y2 - h},
                            {left, box.y1 + h},      {right, box.y2 - h},     {right, box.y2},
                            {right, box.y1 + h},     {left, box.y1 - 2 * h},  {left, box.y1 + 2 * h},
                            {right, box.y1 - 2 * h}, {right, box.y1 + 2 * h}, {left, box.y2 + h},
                            {left, box.y1 + 3 * h},  {left, box.y1 - 3 * h}};
    float least = -1.0F;
    for (const Point wanted : places) {
      const Point corner{moved_inside(wanted.x, w, width_), moved_inside(wanted.y, h, height_)};
      const float moved =
          std::abs(corner.x - wanted.x) + std::abs(corner.y - wanted.y) > 2.0F * h ? 0.25F * w * h : 0.0F;
      const float hidden = overlap_with_earlier(corner, w, h) + moved;
      if (least >= 0.0F && hidden >= least) continue;
      least = hidden;
      caption.corner = corner;
      if (hidden == 0.0F) break;
    }
    taken_.push_back({caption.corner.x, caption.corner.y, caption.corner.x + w, caption.corner.y + h});
  }

 private:
  static float moved_inside(float at, float length, float extent) {
    const float rounded = length < extent ? std::floor(at + 0.5F) : at;
    return std::max(0.0F, std::min(rounded, extent - length));
  }

  float overlap_with_earlier(Point corner, float w, float h) const {
    float sum = 0.0F;
    for (const Box& other : taken_) {
      const float across = std::min(corner.x + w, other.x2) - std::max(corner.x, other.x1);
      const float down = std::min(corner.y + h, other.y2) - std::max(corner.y, other.y1);
      if (across > 0.0F && down > 0.0F) sum += across * down;
    }
    return sum;
  }

  float width_;
  float height_;
  std::vector<Box> taken_;
};

inline void draw_caption(Canvas& canvas, const Caption& caption) {
  const auto [x, y] = caption.corner;
  const Polyline plate[] = {rounded_rectangle(x, y, x + caption.width, y + caption.height, 0.18F * caption.size)};
  canvas.cover_contours(plate);
  canvas.paint(caption.backing, 0.88F);
  cover_text(canvas, caption.text, x + caption.padding, y + caption.baseline, caption.size);
  canvas.paint(white);
}

}  // namespace mrcnn::vis::detail

#endif
