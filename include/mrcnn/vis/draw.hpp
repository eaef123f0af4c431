#ifndef MRCNN_VIS_DRAW_HPP
#define MRCNN_VIS_DRAW_HPP

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mrcnn/core/image.hpp"
#include "mrcnn/models/detections.hpp"
#include "mrcnn/vis/canvas.hpp"
#include "mrcnn/vis/caption.hpp"
#include "mrcnn/vis/contour.hpp"
#include "mrcnn/vis/font.hpp"
#include "mrcnn/vis/palette.hpp"
#include "mrcnn/vis/path.hpp"
#include "mrcnn/vis/text.hpp"

// Pictures of what was found. Link mrcnn::image_io, which holds the part that reads fonts.

namespace mrcnn::vis {

struct DrawOptions {
  bool masks = true;     ///< tint the pixels of every instance
  bool outlines = true;  ///< draw the border of every mask
  bool boxes = true;
  bool captions = true;  ///< "<class> <score>"
  double mask_alpha = 0.5;
  double box_alpha = 0.7;
  /// One colour for everything; without it the i-th detection has `instance_color(i)`.
  std::optional<Color> color;
  float line_width = 0.0F;  ///< of boxes, in pixels; 0: after the size of the picture
  float text_size = 0.0F;   ///< in pixels to the em; 0: after the size of the picture
  /// A font file; when empty, a font of the system, or our own strokes where there is none.
  std::string font_path;
  /// A typeface that is already there, for many pictures; goes before `font_path`.
  std::shared_ptr<const Typeface> typeface;
};

/// Tints the pixels of a mask: each channel becomes (1 - alpha) * pixel + alpha * colour, the fraction cut off; `alpha`
/// is limited to [0, 1]. Parts outside the picture are ignored.
/// Throws: ShapeError when the mask's pixels, or the image's, do not match their extents.
/// Source: matterport's apply_mask (alpha 0.5).
inline void tint(Image& image, const InstanceMask& mask, Color color, double alpha = 0.5) {
  detail::check_mask("tint", mask);
  detail::check_image("tint", image);
  const double share = alpha > 0.0 ? std::min(alpha, 1.0) : 0.0;
  std::array<std::array<std::uint8_t, 256>, 3> tinted;
  const std::array<std::uint8_t, 3> channels{color.red, color.green, color.blue};
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t value = 0; value < 256; ++value)
      tinted[c][value] = static_cast<std::uint8_t>((1.0 - share) * static_cast<double>(value) +
                                                   share * static_cast<double>(channels[c]));
  const index_t left = std::max<index_t>(0, -mask.x);
  const index_t right = std::min(mask.width, image.width - mask.x);
  const index_t bottom = std::min(mask.height, image.height - mask.y);
  for (index_t y = std::max<index_t>(0, -mask.y); y < bottom && left < right; ++y) {
    const std::uint8_t* row = mask.pixels.data() + y * mask.width;
    const index_t origin = (mask.y + y) * image.width + mask.x;  // of the mask's row, in or left of the picture
    for (index_t x = detail::next_set(row, left, right); x < right;) {
      const index_t end = detail::next_clear(row, x, right);
      std::uint8_t* const last = image.pixels.data() + 3 * (origin + end);
      for (std::uint8_t* pixel = image.pixels.data() + 3 * (origin + x); pixel != last; pixel += 3) {
        pixel[0] = tinted[0][pixel[0]];
        pixel[1] = tinted[1][pixel[1]];
        pixel[2] = tinted[2][pixel[2]];
      }
      x = detail::next_set(row, end, right);
    }
  }
}

namespace detail {

/// Lengths in pixels that suit a picture: legible when it is small, not hair-thin when it is large. The unit is a
/// picture of 1024 pixels; larger ones grow a little less than in proportion, since they are looked at more closely.
struct DrawSizes {
  float line_width;
  float outline_width;
  float text_size;
};

inline DrawSizes draw_sizes(const Image& image, const DrawOptions& options) {
  const auto longer = static_cast<float>(std::max(image.width, image.height));
  const auto shorter = static_cast<float>(std::min(image.width, image.height));
  const float extent = std::min(longer, 2.0F * shorter) / 1024.0F;
  const float scale = extent <= 1.0F ? extent : 1.0F + 0.8F * (extent - 1.0F);
  DrawSizes sizes{options.line_width, 0.0F, options.text_size};
  // Whole numbers of pixels keep straight lines crisp.
  if (!(sizes.line_width > 0.0F)) sizes.line_width = std::max(2.0F, std::floor(2.0F * scale + 0.5F));
  if (!(sizes.text_size > 0.0F)) sizes.text_size = std::max(12.0F, std::floor(15.0F * scale + 0.5F));
  sizes.line_width = std::min(sizes.line_width, 1000.0F);
  sizes.text_size = std::min(sizes.text_size, 4000.0F);
  sizes.outline_width = std::max(1.25F, 0.6F * sizes.line_width);
  return sizes;
}

/// Whether there is something to show: finite coordinates, and a positive width and height.
inline bool is_drawable(const Box& box) {
  return std::isfinite(box.x1) && std::isfinite(box.y1) && std::isfinite(box.x2) && std::isfinite(box.y2) &&
         box.x2 > box.x1 && box.y2 > box.y1;
}

/// A coordinate of a box's side, moved so that the line is seen: one on the picture's edge comes to lie just inside,
/// and one far outside just outside.
inline float visible_side(float at, index_t extent, float width) {
  const float half = 0.5F * width;
  const auto last = static_cast<float>(extent);
  if (at < -half) return -2.0F * width;
  if (at > last + half) return last + 2.0F * width;
  return std::clamp(at, std::min(half, last), std::max(last - half, 0.0F) < half ? half : last - half);
}

inline void draw_box(Canvas& canvas, const Box& box, Color color, float alpha, float width) {
  const float x1 = visible_side(box.x1, canvas.width(), width);
  const float y1 = visible_side(box.y1, canvas.height(), width);
  const float x2 = visible_side(box.x2, canvas.width(), width);
  const float y2 = visible_side(box.y2, canvas.height(), width);
  for (const Polyline& dash : dashed_rectangle(x1, y1, x2, y2, 4.0F * width, 2.5F * width))
    canvas.cover_line(dash, {width, false});
  canvas.paint(color, alpha);
}

inline void draw_outline(Canvas& canvas, const InstanceMask& mask, Color color, float width) {
  for (const Polyline& line : mask_contours(mask)) canvas.cover_line(line, {width, true});
  canvas.paint(color);
}

inline std::string caption_of(const Detection& detection, const std::vector<std::string>& class_names) {
  const auto index = static_cast<std::int64_t>(detection.class_id) - 1;
  const bool named = index >= 0 && index < static_cast<std::int64_t>(class_names.size());
  std::string caption =
      named ? class_names[static_cast<std::size_t>(index)] : "class " + std::to_string(detection.class_id);
  if (!std::isfinite(detection.score) || detection.score == 0.0F) return caption;
  std::array<char, 64> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), detection.score, std::chars_format::fixed, 3);
  return caption + ' ' + std::string(digits.data(), end.ptr);
}

inline std::shared_ptr<const Typeface> typeface_for(const DrawOptions& options) {
  if (options.typeface != nullptr) return options.typeface;
  return options.font_path.empty() ? default_typeface() : load_font(options.font_path);
}

}  // namespace detail

/// Draws detections over a picture: tinted masks, their outlines, dashed boxes, and a caption "<class> <score>" each.
///
/// @param image        changed in place
/// @param detections   in the order in which masks are blended; with captions that must overlap, the earlier one is on
///                     top
/// @param class_names  without the background: class 1 is `class_names[0]`; UTF-8. A class without a name is "class 7".
///
/// Boxes whose coordinates are not finite, or that have no area, are left out together with their mask and caption.
/// What lies outside the picture is cut off; captions are moved inside. A score of 0, or one that is not finite, is not
/// printed. Runs on the calling thread; the picture depends on the arguments and the font only, neither on the run nor
/// on the locale. Throws: ShapeError when an image or a mask has not the bytes that its extents say, FormatError for a
/// `font_path` that can not be used; the image is unchanged then.
/// Source: matterport's display_instances, with captions on a backing in the instance's colour.
inline void draw_detections(Image& image, std::span<const Detection> detections,
                            const std::vector<std::string>& class_names, const DrawOptions& options = {}) {
  detail::check_image("draw_detections", image);
  for (const Detection& detection : detections) detail::check_mask("draw_detections", detection.mask);
  const auto typeface = options.captions && !detections.empty() ? detail::typeface_for(options) : nullptr;
  if (image.width == 0 || image.height == 0) return;
  const detail::DrawSizes sizes = detail::draw_sizes(image, options);
  std::vector<std::size_t> drawn;
  for (std::size_t i = 0; i < detections.size(); ++i)
    if (detail::is_drawable(detections[i].box)) drawn.push_back(i);
  const auto color_of = [&](std::size_t i) {
    return options.color.value_or(instance_color(static_cast<std::int64_t>(i)));
  };

  if (options.masks)
    for (const std::size_t i : drawn) tint(image, detections[i].mask, color_of(i), options.mask_alpha);
  Canvas canvas(image);
  for (const std::size_t i : drawn) {
    if (options.boxes)
      detail::draw_box(canvas, detections[i].box, color_of(i), static_cast<float>(options.box_alpha), sizes.line_width);
    if (options.outlines) detail::draw_outline(canvas, detections[i].mask, color_of(i), sizes.outline_width);
  }
  if (typeface == nullptr) return;
  detail::CaptionPlacer placer(image.width, image.height);
  std::vector<detail::Caption> captions;
  for (const std::size_t i : drawn) {
    auto caption = detail::make_caption(*typeface, detail::caption_of(detections[i], class_names), sizes.text_size,
                                        image.width, image.height);
    placer.place(caption, detections[i].box);
    caption.backing = darkened_for_white_text(color_of(i));
    captions.push_back(std::move(caption));
  }
  for (auto caption = captions.rbegin(); caption != captions.rend(); ++caption) detail::draw_caption(canvas, *caption);
}

}  // namespace mrcnn::vis

#endif
