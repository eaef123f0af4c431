#ifndef MRCNN_VIS_DETAIL_PLOT_LEGEND_HPP
#define MRCNN_VIS_DETAIL_PLOT_LEGEND_HPP

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mrcnn/vis/canvas.hpp"
#include "mrcnn/vis/detail/plot_layout.hpp"
#include "mrcnn/vis/palette.hpp"
#include "mrcnn/vis/path.hpp"
#include "mrcnn/vis/text.hpp"

// The lines of a diagram, and their names beside it.

namespace mrcnn::vis::detail {

struct PlotPen {
  Color color;
  float width;
  float dash;  ///< length of the dashes, in pixels; 0: a whole line
  float gap;
};

struct LegendEntry {
  std::string name;
  std::string value;
  PlotPen pen;
};

struct PlotLegend {
  std::vector<LegendEntry> entries;
  std::string heading;  ///< over the values, where there are any
};

inline void draw_plot_line(Canvas& canvas, std::span<const Polyline> parts, const PlotPen& pen) {
  for (const Polyline& part : parts) {
    if (pen.dash > 0.0F && part.size() > 1)
      for (const Polyline& dash : dashes(part, pen.dash, pen.gap)) canvas.cover_line(dash, {pen.width, true});
    else
      canvas.cover_line(part, {part.size() > 1 ? pen.width : 2.0F * pen.width, true});
  }
  canvas.paint(pen.color);
}

// Lengths in a legend, in ems.
inline constexpr float legend_sample = 1.8F;  // of the line
inline constexpr float legend_gap = 0.6F;
inline constexpr float legend_row = 1.55F;

inline constexpr float longest_value = 6.0F;

inline float widest_value(const PlotLegend& legend, const Typeface& typeface) {
  float widest = 0.0F;
  for (const LegendEntry& entry : legend.entries)
    widest = std::max(widest, set_text_within(typeface, entry.value, longest_value).width);
  return widest > 0.0F ? legend_gap + std::max(widest, set_text_within(typeface, legend.heading, longest_value).width)
                       : 0.0F;
}

/// How wide the legend is, in pixels, at most two fifths of the picture; 0 without entries.
inline float legend_width(const PlotLegend& legend, const PlotText& text, index_t picture_width) {
  if (legend.entries.empty()) return 0.0F;
  float names = 0.0F;
  for (const LegendEntry& entry : legend.entries)
    names = std::max(names, set_text(text.typeface, std::string_view(entry.name).substr(0, 400)).width);
  const float ems = legend_sample + legend_gap + names + widest_value(legend, text.typeface);
  return std::min(ems * text.size, 0.4F * static_cast<float>(picture_width));
}

/// Writes the rows of a legend, from the top.
struct LegendWriter {
  Canvas& canvas;
  const Typeface& typeface;
  float size;
  float left, right, top;
  float values;  ///< width of the values' column, in ems
  std::size_t row = 0;

  float cap() const { return typeface.cap_height() * size; }
  float baseline() const {
    return plot_pixel(top + (static_cast<float>(row) + 0.5F) * legend_row * size + 0.5F * cap());
  }
  void write_right(const std::string& text) {
    const TextLine line = set_text_within(typeface, text, longest_value);
    cover_text(canvas, line, right - line.width * size, baseline(), size);
  }
  void write_left(const std::string& text, float from, float limit) {
    cover_text(canvas, set_text_within(typeface, text, (limit - from) / size), from, baseline(), size);
  }
  void write(const LegendEntry& entry) {
    const float middle = baseline() - 0.5F * cap();
    const Polyline sample{{left, middle}, {left + legend_sample * size, middle}};
    draw_plot_line(canvas, {&sample, 1}, entry.pen);
    write_left(entry.name, left + (legend_sample + legend_gap) * size, right - values * size);
    write_right(entry.value);
    canvas.paint(plot_ink);
    ++row;
  }
};

/// The rows from the top of the drawing area. Where they are too many they are set smaller, but not illegibly, and the
/// last one tells how many more there are.
inline void draw_legend(Canvas& canvas, const PlotLegend& legend, const PlotText& text, const PlotLayout& layout) {
  const float values = widest_value(legend, text.typeface);
  const bool headed = values > 0.0F && !legend.heading.empty();
  const std::size_t wanted = legend.entries.size() + (headed ? 1 : 0);
  const float height = layout.y.first - layout.y.last;
  const float fitting = height / (legend_row * static_cast<float>(wanted));
  const float size = std::clamp(fitting, std::min(text.size, std::max(9.0F, 0.65F * text.size)), text.size);
  const auto rows = static_cast<std::size_t>(std::max(2.0F, std::floor(height / (legend_row * size) + 0.01F)));
  const std::size_t left_out = wanted > rows ? wanted - rows + 1 : 0;

  const float left = layout.x.last + 1.4F * text.size;
  LegendWriter writer{canvas, text.typeface, size, left, left + layout.legend_width, layout.y.last, values};
  if (headed) {
    writer.write_right(legend.heading);
    canvas.paint(plot_faint_ink);
    ++writer.row;
  }
  for (std::size_t i = 0; i + left_out < legend.entries.size(); ++i) writer.write(legend.entries[i]);
  if (left_out == 0) return;
  writer.write_left("and " + std::to_string(left_out) + " more", left, writer.right);
  canvas.paint(plot_faint_ink);
}

}  // namespace mrcnn::vis::detail

#endif
