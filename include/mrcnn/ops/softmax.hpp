#ifndef MRCNN_OPS_SOFTMAX_HPP
#define MRCNN_OPS_SOFTMAX_HPP

#include "mrcnn/core/backend.hpp"
#include "mrcnn/detail/float_ops.hpp"

namespace mrcnn {
namespace detail {

/// exp(x - largest); 1 for the largest itself, also where infinity minus infinity would give NaN.
MRCNN_HOST_DEVICE inline float softmax_term(float x, float largest) { return x == largest ? 1.0F : exp(x - largest); }

/// One row. `out` may be `in`.
struct SoftmaxFunctor {
  const float* in;
  float* out;
  index_t classes;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const float* x = in + i * classes;
    float* y = out + i * classes;
    float largest = x[0];
    for (index_t c = 1; c < classes; ++c) largest = max(largest, x[c]);
    float sum = 0.0F;
    for (index_t c = 0; c < classes; ++c) {
      y[c] = softmax_term(x[c], largest);
      sum += y[c];
    }
    for (index_t c = 0; c < classes; ++c) y[c] /= sum;
  }
};

/// One row of two classes: the same numbers with one exponential, and without a jump that depends on which is larger.
struct PairSoftmaxFunctor {
  const float* in;
  float* out;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const float first = in[2 * i];
    const float second = in[2 * i + 1];
    const bool first_is_largest = !(first < second);
    const float term = softmax_term(first_is_largest ? second : first, first_is_largest ? first : second);
    const float larger = 1.0F / (1.0F + term);
    const float smaller = term / (1.0F + term);
    out[2 * i] = first_is_largest ? larger : smaller;
    out[2 * i + 1] = first_is_largest ? smaller : larger;
  }
};

}  // namespace detail

/// Probabilities of each row of logits: exp(x - largest) divided by their sum, which is added in the order of the classes.
///
/// @param logits         [N, C] float32
/// @param probabilities  [N, C] float32; may be `logits`
///
/// A row with NaN gives NaN throughout. Logits of +infinity share the probability equally, the others get 0; a row of
/// -infinity throughout is uniform. N = 0 and C = 0 are legal.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: bit-identical on every backend.
/// Throws: ShapeError. Source: TensorFlow's softmax computes in this order.
template <class Backend, class Logits, class Probabilities>
void softmax(const Backend& backend, const Logits& logits, Probabilities&& probabilities) {
  const auto in = input<float, 2>(backend, logits, "softmax", "logits", {any, any});
  const auto out = output<float, 2>(backend, probabilities, "softmax", "probabilities", in.extents());
  const index_t classes = in.extent(1);
  if (classes == 0) return;
  if (classes == 2) return backend.parallel_for(in.extent(0), detail::PairSoftmaxFunctor{in.data(), out.data()});
  backend.parallel_for(in.extent(0), detail::SoftmaxFunctor{in.data(), out.data(), classes},
                       detail::max<index_t>(1, 2048 / classes));
}

}  // namespace mrcnn

#endif
