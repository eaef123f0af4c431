#ifndef MRCNN_VIS_DETAIL_PLOT_LAYOUT_HPP
#define MRCNN_VIS_DETAIL_PLOT_LAYOUT_HPP

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/vis/canvas.hpp"
#include "mrcnn/vis/palette.hpp"
#include "mrcnn/vis/text.hpp"

// The frame of a diagram: where its parts lie, and its axes.

namespace mrcnn::vis::detail {

inline constexpr Color plot_ink{40, 40, 40};
inline constexpr Color plot_faint_ink{90, 90, 90};
inline constexpr Color plot_grid{228, 228, 228};

/// What a diagram shows besides its curves.
struct PlotFrame {
  index_t width;
  index_t height;
  std::string title;
  std::string x_label;
  std::string y_label;
  double x_low, x_high, y_low, y_high;
};

struct PlotText {
  const Typeface& typeface;
  float size;  ///< pixels to the em
};

/// One direction of the drawing area: numbers `low` to `high` lie at the pixels `first` to `last`.
struct PlotAxis {
  double low = 0;
  double high = 1;
  float first = 0;
  float last = 0;

  bool contains(double value) const { return value >= low && value <= high; }
  float at(double value) const { return first + static_cast<float>((value - low) / (high - low)) * (last - first); }
};

/// Where the parts lie, in pixels.
struct PlotLayout {
  PlotAxis x;
  PlotAxis y;  ///< `first` is the lower end, the larger coordinate
  bool numbers = false;
  bool labels = false;
  float legend_width = 0;  ///< 0: there is none
};

struct PlotTicks {
  std::vector<double> values;
  std::vector<std::string> texts;
};

inline float plot_text_size(index_t width, index_t height, float wanted) {
  if (wanted > 0.0F) return std::clamp(wanted, 1.0F, 4000.0F);
  const auto shorter = static_cast<float>(std::min(width, height));
  const auto longer = static_cast<float>(std::max(width, height));
  return std::max(11.0F, std::floor(std::min(shorter, 0.75F * longer) / 38.0F + 0.5F));
}

/// A number for people: as few decimals as the step between ticks has.
inline std::string tick_text(double value, double step) {
  const double decimals = std::ceil(-std::log10(step) - 1e-9);
  std::array<char, 64> digits;
  auto end = digits.data();
  if (std::abs(value) < 1e-9 * step) value = 0.0;  // and never -0
  if (decimals > 9.0 || std::abs(value) >= 1e9)
    end = std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::scientific, 2).ptr;
  else
    end = std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed,
                        decimals > 0.0 ? static_cast<int>(decimals) : 0)
              .ptr;
  return {digits.data(), end};
}

/// Multiples of 1, 2 or 5 times a power of ten, at most `most` steps long.
inline PlotTicks plot_ticks(double low, double high, double most) {
  const double least_step = (high - low) / std::max(1.0, most);
  const double power = std::pow(10.0, std::floor(std::log10(least_step)));
  double step = 10.0 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= least_step * (1.0 - 1e-9)) step = factor * power;
  PlotTicks ticks;
  const double slack = 1e-9 * (high - low);
  for (double k = std::ceil((low - slack) / step); k * step <= high + slack && ticks.values.size() < 1000; k += 1.0) {
    ticks.values.push_back(std::clamp(k * step, low, high));
    ticks.texts.push_back(tick_text(k * step, step));
  }
  return ticks;
}

inline PlotTicks x_ticks(const PlotFrame& frame, const PlotLayout& layout, float text_size) {
  return plot_ticks(frame.x_low, frame.x_high,
                    static_cast<double>((layout.x.last - layout.x.first) / (3.2F * text_size)));
}

inline PlotTicks y_ticks(const PlotFrame& frame, const PlotLayout& layout, float text_size) {
  return plot_ticks(frame.y_low, frame.y_high,
                    static_cast<double>((layout.y.first - layout.y.last) / (2.2F * text_size)));
}

/// A line turned to read from bottom to top.
inline TextLine turned_upwards(TextLine line) {
  for (auto* parts : {&line.contours, &line.strokes})
    for (Polyline& part : *parts)
      for (Point& point : part) point = {point.y, -point.x};
  return line;
}

/// The text, or its beginning and "..." where it is wider than `width` ems.
inline TextLine set_text_within(const Typeface& typeface, std::string_view text, float width) {
  constexpr std::size_t longest = 400;  // bytes that are looked at
  const auto fits = [&](const TextLine& line) { return line.width <= width + 0.01F; };
  TextLine line = set_text(typeface, text.substr(0, longest));
  if (text.size() <= longest && fits(line)) return line;
  TextLine shortened;
  std::size_t low = 0;
  for (std::size_t high = std::min(text.size(), longest); low < high;) {
    const std::size_t middle = (low + high) / 2;
    std::size_t end = middle;  // not within a character
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    line = set_text(typeface, std::string(text.substr(0, end)) + "...");
    if (fits(line)) {
      shortened = std::move(line);
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return shortened;
}

/// Whole pixels, so that straight lines are crisp.
inline float plot_pixel(float at) { return std::floor(at + 0.5F); }

/// The layout with as much around the drawing area as asked for.
inline PlotLayout plot_layout_with(const PlotFrame& frame, const PlotText& text, bool numbers, bool labels,
                                   float legend_width) {
  const float u = text.size;
  PlotLayout layout{
      {frame.x_low, frame.x_high, 0, 0}, {frame.y_low, frame.y_high, 0, 0}, numbers, labels, legend_width};
  const auto width = static_cast<float>(frame.width);
  const auto height = static_cast<float>(frame.height);
  float left = std::min(2.0F + 0.02F * width, 0.25F * width);
  float top = std::min(2.0F + 0.02F * height, 0.25F * height);
  float right = left;
  float bottom = top;
  if (numbers) {
    float widest = 0.0F;
    for (const std::string& number : plot_ticks(frame.y_low, frame.y_high, 10.0).texts)
      widest = std::max(widest, set_text(text.typeface, number).width);
    left = (widest + 1.3F) * u;
    bottom = 2.2F * u;
    right = 1.6F * u;
    top = 1.2F * u;
  }
  if (labels) {
    if (!frame.title.empty()) top = 3.0F * u;
    if (!frame.x_label.empty()) bottom += 1.5F * u;
    if (!frame.y_label.empty()) left += 1.6F * u;
  }
  if (legend_width > 0.0F) right = legend_width + 2.4F * u;
  layout.x.first = plot_pixel(left);
  layout.x.last = plot_pixel(std::max(width - right, left));
  layout.y.first = plot_pixel(std::max(height - bottom, top));
  layout.y.last = plot_pixel(top);
  return layout;
}

/// The layout with everything that the picture has room for.
inline PlotLayout plot_layout(const PlotFrame& frame, const PlotText& text, float legend_width) {
  const auto is_roomy = [&](const PlotLayout& layout) {
    return layout.x.last - layout.x.first >= 9.0F * text.size && layout.y.first - layout.y.last >= 7.0F * text.size;
  };
  for (const auto& [numbers, labels, legend] :
       {std::array<bool, 3>{true, true, true}, std::array<bool, 3>{true, true, false},
        std::array<bool, 3>{true, false, false}}) {
    const PlotLayout layout = plot_layout_with(frame, text, numbers, labels, legend ? legend_width : 0.0F);
    if (is_roomy(layout)) return layout;
  }
  return plot_layout_with(frame, text, false, false, 0.0F);
}

/// A pixel-wide line, or thicker in a large picture, on whole pixels.
inline void cover_rule(Canvas& canvas, float x1, float y1, float x2, float y2, float width) {
  const float low = std::floor(0.5F * width);
  if (x1 == x2)
    canvas.cover_rectangle(x1 - low, y1, x1 - low + width, y2);
  else
    canvas.cover_rectangle(x1, y1 - low, x2, y1 - low + width);
}

inline void draw_labels(Canvas& canvas, const PlotFrame& frame, const PlotText& text, const PlotLayout& layout) {
  const float u = text.size;
  const float across = layout.x.last - layout.x.first;
  const float down = layout.y.first - layout.y.last;
  const float title_width = static_cast<float>(frame.width) - layout.x.first - u;
  const TextLine title = set_text_within(text.typeface, frame.title, title_width / (1.2F * u));
  cover_text(canvas, title, layout.x.first, layout.y.last - 1.2F * u, 1.2F * u);
  canvas.paint(black);
  const TextLine below = set_text_within(text.typeface, frame.x_label, across / u);
  cover_text(canvas, below, layout.x.first + 0.5F * (across - below.width * u),
             static_cast<float>(frame.height) - 0.75F * u, u);
  const TextLine beside = set_text_within(text.typeface, frame.y_label, down / u);
  cover_text(canvas, turned_upwards(beside), 1.45F * u, layout.y.first - 0.5F * (down - beside.width * u), u);
  canvas.paint(plot_ink);
}

/// The grid, the axes, their ticks and numbers, the title and the labels.
inline void draw_axes(Canvas& canvas, const PlotFrame& frame, const PlotText& text, const PlotLayout& layout) {
  const float u = text.size;
  const float rule = std::max(1.0F, std::floor(u / 16.0F));
  const PlotAxis& x = layout.x;
  const PlotAxis& y = layout.y;
  const PlotTicks along = x_ticks(frame, layout, u);
  const PlotTicks up = y_ticks(frame, layout, u);
  if (layout.numbers) {
    for (const double value : along.values)
      cover_rule(canvas, plot_pixel(x.at(value)), y.last, plot_pixel(x.at(value)), y.first, rule);
    for (const double value : up.values)
      cover_rule(canvas, x.first, plot_pixel(y.at(value)), x.last, plot_pixel(y.at(value)), rule);
    canvas.paint(plot_grid);
    const float tick = std::max(3.0F, std::floor(0.3F * u));
    for (std::size_t i = 0; i < along.values.size(); ++i) {
      const float at = plot_pixel(x.at(along.values[i]));
      const TextLine number = set_text(text.typeface, along.texts[i]);
      cover_rule(canvas, at, y.first, at, y.first + tick, rule);
      cover_text(canvas, number, at - 0.5F * number.width * u, y.first + 1.5F * u, u);
    }
    for (std::size_t i = 0; i < up.values.size(); ++i) {
      const float at = plot_pixel(y.at(up.values[i]));
      const TextLine number = set_text(text.typeface, up.texts[i]);
      cover_rule(canvas, x.first - tick, at, x.first, at, rule);
      cover_text(canvas, number, x.first - 0.55F * u - number.width * u,
                 plot_pixel(at + 0.5F * text.typeface.cap_height() * u), u);
    }
    canvas.paint(plot_faint_ink);
  }
  cover_rule(canvas, x.first, y.last, x.first, y.first + rule, rule);
  cover_rule(canvas, x.first, y.first, x.last, y.first, rule);
  canvas.paint(plot_faint_ink);
  if (layout.labels) draw_labels(canvas, frame, text, layout);
}

}  // namespace mrcnn::vis::detail

#endif
