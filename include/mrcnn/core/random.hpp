#ifndef MRCNN_CORE_RANDOM_HPP
#define MRCNN_CORE_RANDOM_HPP

#include <cstdint>

#include "mrcnn/core/config.hpp"

namespace mrcnn {

/// Counter-based random numbers (Philox4x32-10): the same stream on every platform, backend and thread.
///
/// A stream is named by what it is for: (seed, purpose, epoch, index). Two streams with different names are independent,
/// so work can be split among threads without changing what is drawn.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
class Philox {
 public:
  using result_type = std::uint32_t;

  MRCNN_HOST_DEVICE constexpr explicit Philox(std::uint64_t seed, std::uint32_t purpose = 0, std::uint32_t epoch = 0,
                                              std::uint32_t index = 0)
      : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}, name_{purpose, epoch, index} {}

  static constexpr std::uint32_t min() { return 0; }
  static constexpr std::uint32_t max() { return 0xFFFFFFFFU; }

  /// 32 random bits.
  MRCNN_HOST_DEVICE constexpr std::uint32_t operator()() {
    if (used_ == 4) {
      block_ = rounds({counter_++, name_[0], name_[1], name_[2]}, key_[0], key_[1]);
      used_ = 0;
    }
    return block_[used_++];
  }

  /// Uniform in [0, 1), a multiple of 2^-24.
  MRCNN_HOST_DEVICE constexpr float uniform() { return static_cast<float>((*this)() >> 8) * 0x1p-24F; }

  /// Uniform in [0, n), without bias. `n` is positive.
  MRCNN_HOST_DEVICE constexpr std::uint32_t below(std::uint32_t n) {
    const std::uint32_t threshold = (0U - n) % n;
    for (;;) {
      const std::uint64_t wide = static_cast<std::uint64_t>((*this)()) * n;
      if (static_cast<std::uint32_t>(wide) >= threshold) return static_cast<std::uint32_t>(wide >> 32);
    }
  }

  struct Block {
    std::uint32_t words[4];
    MRCNN_HOST_DEVICE constexpr std::uint32_t operator[](int i) const { return words[i]; }
  };

  /// The ten-round bijection itself.
  MRCNN_HOST_DEVICE static constexpr Block rounds(Block c, std::uint32_t key0, std::uint32_t key1) {
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t a = 0xD2511F53ULL * c.words[0];
      const std::uint64_t b = 0xCD9E8D57ULL * c.words[2];
      c = {{static_cast<std::uint32_t>(b >> 32) ^ c.words[1] ^ key0, static_cast<std::uint32_t>(b),
            static_cast<std::uint32_t>(a >> 32) ^ c.words[3] ^ key1, static_cast<std::uint32_t>(a)}};
      key0 += 0x9E3779B9U;
      key1 += 0xBB67AE85U;
    }
    return c;
  }

 private:
  std::uint32_t key_[2];
  std::uint32_t name_[3];
  std::uint32_t counter_ = 0;
  Block block_{};
  int used_ = 4;
};

}  // namespace mrcnn

#endif
