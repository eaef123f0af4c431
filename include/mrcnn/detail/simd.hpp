#ifndef MRCNN_DETAIL_SIMD_HPP
#define MRCNN_DETAIL_SIMD_HPP

#include <cstdint>
#include <type_traits>
#include <utility>

#include "mrcnn/core/config.hpp"

// Vectors of floats through the compiler's vector extensions, for code that is compiled once for each instruction set:
// a body marked MRCNN_DETAIL_INLINE takes the instruction set of the function that it is inlined into, and that
// function carries MRCNN_DETAIL_TARGET_AVX2 or _AVX512. Vectors are passed by reference, because by value they would
// have another calling convention in each instruction set. Lambdas in such bodies are marked
// MRCNN_DETAIL_INLINE_LAMBDA: they do not inherit a target, but they are inlined as well.

#if defined(__GNUC__) && (defined(__x86_64__) || defined(__aarch64__))
#define MRCNN_DETAIL_HAS_VECTORS 1
// Unrolled vector code is not checked by -fsanitize=undefined, for which the compiler would take a minute a source;
// -fsanitize=address still watches what it reads and writes.
#define MRCNN_DETAIL_UNCHECKED __attribute__((no_sanitize("undefined")))
#define MRCNN_DETAIL_INLINE __attribute__((always_inline)) MRCNN_DETAIL_UNCHECKED inline
#define MRCNN_DETAIL_INLINE_LAMBDA __attribute__((always_inline)) MRCNN_DETAIL_UNCHECKED
#if defined(__clang__)
#define MRCNN_DETAIL_FUSE _Pragma("clang fp contract(fast)")
#else
#define MRCNN_DETAIL_FUSE
#endif
#else
#define MRCNN_DETAIL_HAS_VECTORS 0
#define MRCNN_DETAIL_UNCHECKED
#define MRCNN_DETAIL_INLINE inline
#define MRCNN_DETAIL_INLINE_LAMBDA
#define MRCNN_DETAIL_FUSE
#endif

#if MRCNN_DETAIL_HAS_VECTORS && defined(__x86_64__)
#define MRCNN_DETAIL_HAS_X86_TARGETS 1
#define MRCNN_DETAIL_TARGET_AVX2 __attribute__((target("avx2,fma"))) MRCNN_DETAIL_UNCHECKED
#define MRCNN_DETAIL_TARGET_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))) MRCNN_DETAIL_UNCHECKED
#else
#define MRCNN_DETAIL_HAS_X86_TARGETS 0
#endif

namespace mrcnn::detail {

template <int... I, class F>
MRCNN_DETAIL_INLINE void each_of(std::integer_sequence<int, I...>, const F& f) {
  (f(std::integral_constant<int, I>{}), ...);
}

/// f(0), f(1), ..., f(N - 1) with constants, written out: arrays of vectors that are only indexed like this become
/// registers at every level of optimisation. (Compilers unroll loops too late for that.)
template <int N, class F>
MRCNN_DETAIL_INLINE void each(const F& f) {
  each_of(std::make_integer_sequence<int, N>{}, f);
}

/// `type` holds `Lanes` floats; `unaligned` is the same at any address of a float.
template <int Lanes>
struct FloatVector;

template <>
struct FloatVector<1> {
  using type = float;
  using unaligned = float;
};

#if MRCNN_DETAIL_HAS_VECTORS
template <>
struct FloatVector<4> {
  typedef float type __attribute__((vector_size(16)));
  typedef float unaligned __attribute__((vector_size(16), aligned(4), may_alias));
};
template <>
struct FloatVector<8> {
  typedef float type __attribute__((vector_size(32)));
  typedef float unaligned __attribute__((vector_size(32), aligned(4), may_alias));
};
template <>
struct FloatVector<16> {
  typedef float type __attribute__((vector_size(64)));
  typedef float unaligned __attribute__((vector_size(64), aligned(4), may_alias));
};
#endif

template <int Lanes>
using Floats = typename FloatVector<Lanes>::type;

template <int Lanes>
MRCNN_DETAIL_INLINE void load(Floats<Lanes>& vector, const float* from) {
  vector = *reinterpret_cast<const typename FloatVector<Lanes>::unaligned*>(from);
}

template <int Lanes>
MRCNN_DETAIL_INLINE void store(float* to, const Floats<Lanes>& vector) {
  *reinterpret_cast<typename FloatVector<Lanes>::unaligned*>(to) = vector;
}

/// sum += a * b, rounded once where the instruction set has a fused multiply-add. (`a` is a scalar up to here, because
/// g++ takes a vector of sixteen equal floats apart when it is stored, even in what later becomes a register.)
template <int Lanes>
MRCNN_DETAIL_INLINE void multiply_add(Floats<Lanes>& sum, float a, const Floats<Lanes>& b) {
  MRCNN_DETAIL_FUSE
  sum += a * b;
}

#if MRCNN_DETAIL_HAS_VECTORS
/// As many integers as `Floats<Lanes>` has floats.
template <int Lanes>
using Ints = decltype(Floats<Lanes>{} < Floats<Lanes>{});
#endif
#if MRCNN_DETAIL_HAS_X86_TARGETS
/// The lanes' sign bits, lane 0 lowest. (g++ 12 takes comparisons of 512-bit vectors apart; their signs it does not.)
inline unsigned sign_bits(const Ints<4>& lanes) {
  return static_cast<unsigned>(__builtin_ia32_movmskps(reinterpret_cast<Floats<4>>(lanes)));
}
MRCNN_DETAIL_TARGET_AVX2 inline unsigned sign_bits(const Ints<8>& lanes) {
  return static_cast<unsigned>(__builtin_ia32_movmskps256(reinterpret_cast<Floats<8>>(lanes)));
}
MRCNN_DETAIL_TARGET_AVX512 inline unsigned sign_bits(const Ints<16>& lanes) {
  return static_cast<unsigned>(__builtin_ia32_cvtd2mask512(lanes));
}
#elif MRCNN_DETAIL_HAS_VECTORS
inline unsigned sign_bits(const Ints<4>& lanes) {
  const Ints<4> ones = lanes < 0;
  const Ints<4> bits = ones & Ints<4>{1, 2, 4, 8};
  return static_cast<unsigned>(bits[0] | bits[1] | bits[2] | bits[3]);
}
#endif

/// Negative lanes become 0; NaN stays.
template <int Lanes>
MRCNN_DETAIL_INLINE void clear_negative(Floats<Lanes>& vector) {
  const Floats<Lanes> zero{};
  vector = vector < zero ? zero : vector;
}

/// Compares 64 bytes at once: bit i of a result stands for bytes[i].
class PortableByteBlock {
 public:
  explicit PortableByteBlock(const char* bytes) : bytes_(bytes) {}

  /// Where (byte | also) == value: `also` holds bits that do not matter, which `value` has.
  std::uint64_t equal(char value, char also = 0) const {
    return bits_of([&](std::uint64_t word) {
      word = (word | repeat(also)) ^ repeat(value);  // 0 where equal
      return ~(((word & low_bits) + low_bits) | word);
    });
  }
  /// Where a byte is a control character below 0x20, or none of ASCII.
  std::uint64_t not_printable() const {
    return bits_of([](std::uint64_t word) { return ~((word & low_bits) + repeat(0x80 - 0x20)) | word; });
  }

 private:
  static constexpr std::uint64_t low_bits = 0x7F7F7F7F7F7F7F7FU;

  static constexpr std::uint64_t repeat(int byte) {
    return std::uint64_t{0x0101010101010101U} * static_cast<unsigned char>(byte);
  }
  /// The top bits of test(word) for eight words, gathered.
  template <class Test>
  std::uint64_t bits_of(const Test& test) const {
    std::uint64_t bits = 0;
    for (int part = 0; part < 8; ++part) {
      std::uint64_t word = 0;
      for (int byte = 7; byte >= 0; --byte) word = word << 8U | static_cast<unsigned char>(bytes_[part * 8 + byte]);
      bits |= ((((test(word) & ~low_bits) >> 7U) * 0x0102040810204080U) >> 56U) << (part * 8);
    }
    return bits;
  }

  const char* bytes_;
};

#if MRCNN_DETAIL_HAS_X86_TARGETS
/// The same through SSE2, which all x86-64 have.
class ByteBlock {
 public:
  MRCNN_DETAIL_INLINE explicit ByteBlock(const char* bytes) : bytes_(bytes) {}

  MRCNN_DETAIL_INLINE std::uint64_t equal(char value, char also = 0) const {
    std::uint64_t bits = 0;
    for (int part = 0; part < 4; ++part) bits |= top_bits((vector(part) | also) == value, part);
    return bits;
  }
  MRCNN_DETAIL_INLINE std::uint64_t not_printable() const {
    std::uint64_t bits = 0;
    for (int part = 0; part < 4; ++part) bits |= top_bits(vector(part) < 0x20, part);
    return bits;
  }

 private:
  typedef signed char Bytes __attribute__((vector_size(16)));
  typedef signed char Unaligned __attribute__((vector_size(16), aligned(1), may_alias));
  typedef char Plain __attribute__((vector_size(16)));

  MRCNN_DETAIL_INLINE Bytes vector(int part) const { return *reinterpret_cast<const Unaligned*>(bytes_ + part * 16); }
  MRCNN_DETAIL_INLINE static std::uint64_t top_bits(const Bytes& lanes, int part) {
    const int bits = __builtin_ia32_pmovmskb128(reinterpret_cast<const Plain&>(lanes));
    return static_cast<std::uint64_t>(static_cast<unsigned>(bits)) << (part * 16);
  }

  const char* bytes_;
};
#else
using ByteBlock = PortableByteBlock;
#endif

}  // namespace mrcnn::detail

#endif
