#ifndef MRCNN_TESTS_SUPPORT_DRAW_HPP
#define MRCNN_TESTS_SUPPORT_DRAW_HPP

#include <cstddef>
#include <random>
#include <vector>

namespace mrcnn::test {

/// Seeded random inputs, the same on every platform (the distributions of the standard library are not).
class Draw {
 public:
  explicit Draw(unsigned seed) : generator_(seed) {}

  /// Uniform in [low, high).
  float number(float low, float high) {
    return low + (high - low) * (static_cast<float>(generator_() >> 8) * 0x1p-24F);
  }
  /// Uniform in {low, ..., high}.
  int integer(int low, int high) {
    return low + static_cast<int>(generator_() % static_cast<unsigned>(high - low + 1));
  }

  std::vector<float> numbers(std::size_t count, float low, float high) {
    std::vector<float> values(count);
    for (float& value : values) value = number(low, high);
    return values;
  }
  /// Rows (x1, y1, x2, y2) with x1 < x2 and y1 < y2, inside [0, extent + largest].
  std::vector<float> boxes(std::size_t count, float extent, float smallest, float largest) {
    std::vector<float> values;
    for (std::size_t i = 0; i < count; ++i) {
      const float x = number(0, extent);
      const float y = number(0, extent);
      values.insert(values.end(), {x, y, x + number(smallest, largest), y + number(smallest, largest)});
    }
    return values;
  }

 private:
  std::mt19937 generator_;
};

}  // namespace mrcnn::test

#endif
