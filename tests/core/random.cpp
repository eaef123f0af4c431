#include "mrcnn/core/random.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <vector>

namespace mrcnn {
namespace {

using Words = std::array<std::uint32_t, 4>;

Words words(const Philox::Block& block) { return {block[0], block[1], block[2], block[3]}; }

// The published known answers of the generator's reference implementation (Random123, philox4x32 with 10 rounds).
TEST_CASE("Philox: the published known answers") {
  CHECK(words(Philox::rounds({{0, 0, 0, 0}}, 0, 0)) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(words(Philox::rounds({{~0U, ~0U, ~0U, ~0U}}, ~0U, ~0U)) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(words(Philox::rounds({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0)) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("Philox: is usable in constant expressions") {
  constexpr std::uint32_t first = [] { return Philox(0)(); }();
  static_assert(first == 0x6627e8d5U);
}

TEST_CASE("Philox: a stream is the blocks of its name, in order") {
  Philox stream(0x0000000200000001ULL, 3, 4, 5);
  for (std::uint32_t counter = 0; counter < 3; ++counter) {
    const Words block = words(Philox::rounds({{counter, 3, 4, 5}}, 1, 2));
    for (const std::uint32_t word : block) CHECK(stream() == word);
  }
}

TEST_CASE("Philox: every part of the name makes another stream") {
  const auto first = [](Philox stream) { return stream(); };
  const std::uint32_t base = first(Philox(1));
  CHECK(first(Philox(1)) == base);
  CHECK(first(Philox(2)) != base);
  CHECK(first(Philox(1ULL << 32)) != base);
  CHECK(first(Philox(1, 1)) != base);
  CHECK(first(Philox(1, 0, 1)) != base);
  CHECK(first(Philox(1, 0, 0, 1)) != base);
}

TEST_CASE("Philox: uniform lies in [0, 1), on the grid of 2^-24, and averages one half") {
  Philox stream(7);
  double sum = 0;
  constexpr int draws = 100000;
  bool inside = true;
  for (int i = 0; i < draws; ++i) {
    const float u = stream.uniform();
    inside = inside && u >= 0.0F && u < 1.0F && u * 0x1p24F == static_cast<float>(static_cast<int>(u * 0x1p24F));
    sum += static_cast<double>(u);
  }
  CHECK(inside);
  CHECK(sum / draws == doctest::Approx(0.5).epsilon(0.01));
}

TEST_CASE("Philox: below(n) reaches every value equally often and nothing else") {
  Philox stream(11);
  std::vector<int> counts(6, 0);
  bool inside = true;
  for (int i = 0; i < 60000; ++i) {
    const std::uint32_t value = stream.below(6);
    inside = inside && value < 6;
    if (value < 6) ++counts[value];
  }
  CHECK(inside);
  for (const int count : counts) CHECK(count == doctest::Approx(10000).epsilon(0.05));
  CHECK(stream.below(1) == 0);
}

}  // namespace
}  // namespace mrcnn
