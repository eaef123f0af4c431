#ifndef MRCNN_VIS_PALETTE_HPP
#define MRCNN_VIS_PALETTE_HPP

#include <array>
#include <cstdint>

namespace mrcnn::vis {

/// 8-bit sRGB.
struct Color {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;

  friend constexpr bool operator==(Color, Color) = default;
};

inline constexpr Color white{255, 255, 255};
inline constexpr Color black{0, 0, 0};

namespace detail {

constexpr std::uint8_t to_byte(double unit) {
  return static_cast<std::uint8_t>(unit < 0.0 ? 0.0 : (unit > 1.0 ? 255.0 : unit * 255.0 + 0.5));
}

/// The fraction of full light that an sRGB byte stands for: (s / 255) ^ 2.2, as x^2 * x^0.2 with x^0.2 by Newton's
/// steps, so that it needs no library function and can be computed at compile time.
constexpr double linear_light(std::uint8_t channel) {
  const double x = channel / 255.0;
  if (x == 0.0) return 0.0;
  double root = 1.0;
  for (int step = 0; step < 24; ++step) root -= (root - x / (root * root * root * root)) / 5.0;
  return x * x * root;
}

}  // namespace detail

/// A colour from hue, saturation and value, each in [0, 1]; hue wraps around.
constexpr Color from_hsv(double hue, double saturation, double value) {
  const double turns = hue - static_cast<double>(static_cast<std::int64_t>(hue));
  const double sector = (turns < 0.0 ? turns + 1.0 : turns) * 6.0;
  const auto channel = [&](double offset) {
    double k = offset + sector;
    if (k >= 6.0) k -= 6.0;
    const double ramp = k < 4.0 - k ? k : 4.0 - k;
    const double limited = ramp < 0.0 ? 0.0 : (ramp > 1.0 ? 1.0 : ramp);
    return detail::to_byte(value - value * saturation * limited);
  };
  return {channel(5.0), channel(3.0), channel(1.0)};
}

/// The colour of the i-th instance: always the same for the same i, bright, and unlike its neighbours.
///
/// Hues advance by the golden section of the circle, so that any run of them is spread almost evenly; saturation and
/// value change every few steps to keep apart what comes round to a similar hue.
constexpr Color instance_color(std::int64_t i) {
  constexpr double golden_section = 0.61803398874989485;
  constexpr std::array<double, 3> saturations{0.92, 0.68, 1.00};
  constexpr std::array<double, 2> values{1.00, 0.86};
  const std::int64_t index = i < 0 ? -(i + 1) : i;
  const auto tier = static_cast<std::size_t>(index / 8 % 6);
  return from_hsv(0.02 + golden_section * static_cast<double>(index % 1000000), saturations[tier % 3],
                  values[tier / 3]);
}

/// Relative luminance, 0 for black to 1 for white. Source: WCAG 2, with the exponent 2.2 for the sRGB curve.
constexpr double luminance(Color color) {
  return 0.2126 * detail::linear_light(color.red) + 0.7152 * detail::linear_light(color.green) +
         0.0722 * detail::linear_light(color.blue);
}

/// Contrast of two colours, 1 (equal) to 21 (black on white). 4.5 reads well as small text. Source: WCAG 2.
constexpr double contrast(Color a, Color b) {
  const double la = luminance(a) + 0.05;
  const double lb = luminance(b) + 0.05;
  return la > lb ? la / lb : lb / la;
}

/// `color`, darkened just far enough that white text on it has the given contrast.
constexpr Color darkened_for_white_text(Color color, double wanted_contrast = 5.0) {
  Color darker = color;
  for (int step = 63; step >= 0 && contrast(darker, white) < wanted_contrast; --step) {
    const auto scaled = [step](std::uint8_t channel) { return static_cast<std::uint8_t>(channel * step / 64); };
    darker = {scaled(color.red), scaled(color.green), scaled(color.blue)};
  }
  return darker;
}

}  // namespace mrcnn::vis

#endif
