#ifndef MRCNN_DETAIL_CPU_FEATURES_HPP
#define MRCNN_DETAIL_CPU_FEATURES_HPP

#include <cstdlib>
#include <string>

#include "mrcnn/core/error.hpp"
#include "mrcnn/detail/simd.hpp"

namespace mrcnn::detail {

/// The instruction sets for which host kernels are compiled, from the least to the best.
enum class Isa {
  scalar,    ///< one float at a time: compilers without vector extensions
  portable,  ///< 128-bit vectors: every x86-64 (SSE2) and aarch64 (NEON)
  avx2,      ///< 256-bit vectors and fused multiply-add
  avx512,    ///< 512-bit vectors
};
inline constexpr Isa all_isas[] = {Isa::scalar, Isa::portable, Isa::avx2, Isa::avx512};

inline const char* name(Isa isa) {
  switch (isa) {
    case Isa::portable: return "portable";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
    default: return "scalar";
  }
}

/// Whether this program has kernels for the instruction set, and this processor and operating system run them.
inline bool supported(Isa isa) {
#if MRCNN_DETAIL_HAS_X86_TARGETS
  __builtin_cpu_init();  // asks CPUID, and XGETBV whether the system saves the registers
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::avx2) return avx2;
  if (isa == Isa::avx512)
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
  return isa == Isa::scalar || (isa == Isa::portable && MRCNN_DETAIL_HAS_VECTORS);
}

/// The instruction set called `wanted`, or the best there is when that is null or empty.
/// Throws: Error when there is no such instruction set, or this machine lacks it.
inline Isa choose_isa(const char* wanted) {
  const std::string text = wanted == nullptr ? "" : wanted;
  Isa best = Isa::scalar;
  std::string known;
  for (const Isa isa : all_isas) {
    if (!supported(isa)) continue;
    if (text == name(isa)) return isa;
    best = isa;
    known += (known.empty() ? "" : ", ") + std::string(name(isa));
  }
  if (!text.empty())
    throw Error("MRCNN_ISA is '" + text + "', but this program on this machine has: " + known +
                "; unset the variable to take the best");
  return best;
}

/// The instruction set of this process's host kernels: environment variable MRCNN_ISA, else the best there is.
inline Isa active_isa() {
  static const Isa isa = choose_isa(std::getenv("MRCNN_ISA"));
  return isa;
}

}  // namespace mrcnn::detail

#endif
