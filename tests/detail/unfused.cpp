// Compiled several times with other flags (see tests/CMakeLists.txt); the results must have the same bits.
//
// MRCNN_UNFUSED_NAMESPACE  where the functions go
// MRCNN_UNFUSED_TARGET     the functions' target attribute, when the flags give none

#include <cstring>

#include "mrcnn/detail/float_ops.hpp"

#if defined(MRCNN_UNFUSED_TARGET) && defined(__x86_64__)
#define MRCNN_UNFUSED_ATTRIBUTE __attribute__((target("avx2,fma")))
#else
#define MRCNN_UNFUSED_ATTRIBUTE
#endif

namespace mrcnn::MRCNN_UNFUSED_NAMESPACE {

void difference(const float* a, const float* b, const float* c, float* out, int n);
void difference(const double* a, const double* b, const double* c, double* out, int n);
void difference_of_four(const float* a, const float* b, const float* c, float* out, int n);

MRCNN_UNFUSED_ATTRIBUTE void difference(const float* a, const float* b, const float* c, float* out, int n) {
  for (int i = 0; i < n; ++i) out[i] = detail::product(a[i], b[i]) - c[i];
}
MRCNN_UNFUSED_ATTRIBUTE void difference(const double* a, const double* b, const double* c, double* out, int n) {
  for (int i = 0; i < n; ++i) out[i] = detail::product(a[i], b[i]) - c[i];
}
/// As the first, four at a time; n is a multiple of 4.
MRCNN_UNFUSED_ATTRIBUTE void difference_of_four(const float* a, const float* b, const float* c, float* out, int n) {
  for (int i = 0; i < n; i += 4) {
    detail::Float4 x, y, z;
    std::memcpy(&x, a + i, sizeof x);
    std::memcpy(&y, b + i, sizeof y);
    std::memcpy(&z, c + i, sizeof z);
    const detail::Float4 result = detail::product(x, y) - z;
    std::memcpy(out + i, &result, sizeof result);
  }
}

}  // namespace mrcnn::MRCNN_UNFUSED_NAMESPACE
