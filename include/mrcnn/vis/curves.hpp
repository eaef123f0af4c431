#ifndef MRCNN_VIS_CURVES_HPP
#define MRCNN_VIS_CURVES_HPP

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mrcnn/core/error.hpp"
#include "mrcnn/core/image.hpp"
#include "mrcnn/vis/canvas.hpp"
#include "mrcnn/vis/detail/plot_layout.hpp"
#include "mrcnn/vis/detail/plot_legend.hpp"
#include "mrcnn/vis/font.hpp"
#include "mrcnn/vis/palette.hpp"
#include "mrcnn/vis/path.hpp"

// Lines in a diagram, such as precision over recall; coco/curves.hpp makes them from an evaluation. Link
// mrcnn::image_io, which holds the part that reads fonts.
//
//   const std::vector<vis::Curve> curves = coco::precision_recall_curves(evaluation);
//   io::write_image("precision_recall.png", vis::draw_curves(curves, {.title = "balloon, masks"}));

namespace mrcnn::vis {

/// A line of a diagram.
struct Curve {
  std::string name;            ///< in the legend, UTF-8; a curve without a name is not in it
  std::string value;           ///< behind the name in the legend, such as an average precision
  std::vector<double> x;       ///< as many as `y`
  std::vector<double> y;       ///< what is NaN, or lies beyond the axes as -1 does, is not drawn
  std::optional<Color> color;  ///< without it the i-th curve has `curve_color(i)`, and dashes from the eighth on
};

struct CurveOptions {
  index_t width = 1000;  ///< of the picture, in pixels; 1 to 16384
  index_t height = 700;
  std::string title = {};
  std::string x_label = "recall";
  std::string y_label = "precision";
  std::string value_label = "AP";  ///< over the values in the legend
  double x_low = 0.0;              ///< where the axes begin and end
  double x_high = 1.0;
  double y_low = 0.0;
  double y_high = 1.0;
  bool legend = true;
  float line_width = 0.0F;  ///< in pixels; 0: after the size of the picture
  float text_size = 0.0F;   ///< in pixels to the em; 0: after the size of the picture
  /// A font file; when empty, a font of the system, or our own strokes where there is none.
  std::string font_path = {};
  /// A typeface that is already there; goes before `font_path`.
  std::shared_ptr<const Typeface> typeface = {};
};

/// The colour of the i-th curve on white: seven that keep apart for colour-blind eyes too, over and over.
/// Source: Okabe and Ito, "Color universal design", 2008, without its yellow, which is too pale for lines.
constexpr Color curve_color(std::size_t i) {
  constexpr std::array<Color, 7> colors{
      {{0, 114, 178}, {213, 94, 0}, {0, 158, 115}, {204, 121, 167}, {0, 0, 0}, {230, 159, 0}, {86, 180, 233}}};
  return colors[i % colors.size()];
}

/// The colour at `position` in [0, 1] of a scale from blue over green and amber to red, dark enough for lines on white:
/// for curves that have an order.
constexpr Color scale_color(double position) {
  constexpr std::array<Color, 5> stops{{{40, 60, 150}, {0, 130, 170}, {20, 150, 90}, {220, 150, 0}, {190, 30, 45}}};
  const double at = (position > 0.0 ? (position < 1.0 ? position : 1.0) : 0.0) * 4.0;
  const auto stop = at < 4.0 ? static_cast<std::size_t>(at) : std::size_t{3};
  const double share = at - static_cast<double>(stop);
  const auto mixed = [&](std::uint8_t from, std::uint8_t to) {
    return static_cast<std::uint8_t>((1.0 - share) * from + share * to + 0.5);
  };
  const Color a = stops[stop];
  const Color b = stops[stop + 1];
  return {mixed(a.red, b.red), mixed(a.green, b.green), mixed(a.blue, b.blue)};
}

namespace detail {

inline void check_curves(std::span<const Curve> curves, const CurveOptions& options) {
  const auto fail = [](const std::string& what) { throw ShapeError("draw_curves: " + what); };
  constexpr index_t longest = 16384;
  if (options.width < 1 || options.height < 1 || options.width > longest || options.height > longest)
    fail("the picture is " + std::to_string(options.height) + " x " + std::to_string(options.width) +
         " pixels, expected 1 to " + std::to_string(longest) + " each way");
  const auto check_axis = [&](const char* axis, double low, double high) {
    // Where doubles lie too close to one another, or too far apart, there are no ticks to find.
    const double length = high - low;
    if (!(length > 1e-9 * std::max(std::abs(low), std::abs(high)) && length > 1e-100 && length < 1e100))
      fail(std::string("the ") + axis + " axis goes from " + std::to_string(low) + " to " + std::to_string(high) +
           ", expected finite numbers that grow");
  };
  check_axis("x", options.x_low, options.x_high);
  check_axis("y", options.y_low, options.y_high);
  for (std::size_t i = 0; i < curves.size(); ++i)
    if (curves[i].x.size() != curves[i].y.size())
      fail("curve " + std::to_string(i) + " has " + std::to_string(curves[i].y.size()) + " values y, expected " +
           std::to_string(curves[i].x.size()) + " as x");
}

/// The colour and the dashes of the i-th curve.
inline PlotPen pen_of(const Curve& curve, std::size_t i, float width) {
  const std::size_t round = curve.color ? 0 : i / 7;
  return {curve.color.value_or(curve_color(i)), width, round % 3 == 0 ? 0.0F : (round % 3 == 1 ? 5.0F : 1.5F) * width,
          2.5F * width};
}

/// The stretches of a curve that lie within the axes.
inline std::vector<Polyline> visible_parts(const Curve& curve, const PlotLayout& layout) {
  std::vector<Polyline> parts;
  bool pen_is_down = false;
  for (std::size_t k = 0; k < curve.x.size(); ++k) {
    const bool visible = layout.x.contains(curve.x[k]) && layout.y.contains(curve.y[k]);
    if (visible && !pen_is_down) parts.emplace_back();
    if (visible) parts.back().push_back({layout.x.at(curve.x[k]), layout.y.at(curve.y[k])});
    pen_is_down = visible;
  }
  return parts;
}

inline PlotLegend legend_of(std::span<const Curve> curves, const CurveOptions& options, float line_width) {
  PlotLegend legend{{}, options.value_label};
  for (std::size_t i = 0; i < curves.size() && options.legend; ++i)
    if (!curves[i].name.empty())
      legend.entries.push_back({curves[i].name, curves[i].value, pen_of(curves[i], i, line_width)});
  return legend;
}

}  // namespace detail

/// Draws curves into a diagram on white: axes with ticks and numbers, a light grid, a title, and a legend on the right.
///
/// @param curves  any number; later ones lie on top of earlier ones
///
/// Points that are not finite or lie beyond the axes are left out and part the line; a point alone is a dot. What the
/// legend has no room for is set smaller, then shortened ("..."), and of too many names the last row tells how many
/// more there are. In a small picture first the legend is left out, then title and labels, then the numbers.
/// One thread; the picture depends on the arguments and the font only. O(pixels + points).
/// Throws: ShapeError for a size outside 1 to 16384, axes that do not grow, x and y of different length; FormatError for
/// a `font_path` that can not be used.
inline Image draw_curves(std::span<const Curve> curves, const CurveOptions& options = {}) {
  detail::check_curves(curves, options);
  const auto typeface = options.typeface != nullptr ? options.typeface
                        : options.font_path.empty() ? default_typeface()
                                                    : load_font(options.font_path);
  Image image(options.height, options.width);
  std::fill(image.pixels.begin(), image.pixels.end(), std::uint8_t{255});
  Canvas canvas(image);

  detail::PlotText text{*typeface, detail::plot_text_size(options.width, options.height, options.text_size)};
  const float line_width =
      options.line_width > 0.0F ? std::min(options.line_width, 1000.0F) : std::max(1.5F, text.size / 7.0F);
  const detail::PlotFrame frame{options.width, options.height, options.title, options.x_label, options.y_label,
                                options.x_low, options.x_high, options.y_low, options.y_high};
  const detail::PlotLegend legend = detail::legend_of(curves, options, line_width);
  const detail::PlotLayout layout = detail::plot_layout(frame, text, detail::legend_width(legend, text, options.width));

  detail::draw_axes(canvas, frame, text, layout);
  for (std::size_t i = 0; i < curves.size(); ++i)
    detail::draw_plot_line(canvas, detail::visible_parts(curves[i], layout), detail::pen_of(curves[i], i, line_width));
  if (layout.legend_width > 0.0F) detail::draw_legend(canvas, legend, text, layout);
  return image;
}

}  // namespace mrcnn::vis

#endif
