#ifndef MRCNN_OPS_TOP_K_HPP
#define MRCNN_OPS_TOP_K_HPP

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/detail/float_ops.hpp"
#include "mrcnn/detail/host_top_k.hpp"

namespace mrcnn {
namespace detail {

/// Sort key and index of each score of row `row`.
template <class Scores>
struct RankFunctor {
  Scores scores;
  index_t row;
  std::uint32_t* keys;
  std::int32_t* indices;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    keys[i] = descending_key(scores(row, i));
    indices[i] = static_cast<std::int32_t>(i);
  }
};

template <class Scores>
struct TakeFunctor {
  Scores scores;
  index_t row;
  const std::int32_t* order;
  std::int32_t* indices;
  float* values;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    indices[i] = order[i];
    values[i] = scores(row, order[i]);
  }
};

/// By sorting every row completely.
template <class Backend, class Scores, class Indices, class Values>
void top_k_by_sorting(const Backend& backend, const Scores& scores, const Indices& indices, const Values& values) {
  const index_t n = scores.extent(1);
  const index_t k = indices.extent(1);
  auto keys = make_tensor<std::uint32_t>(backend, {n});
  auto sorted_keys = make_tensor<std::uint32_t>(backend, {n});
  auto order = make_tensor<std::int32_t>(backend, {n});
  auto sorted_order = make_tensor<std::int32_t>(backend, {n});
  for (index_t row = 0; row < scores.extent(0); ++row) {
    backend.parallel_for(n, RankFunctor<Scores>{scores, row, keys.data(), order.data()}, 8192);
    backend.sort_pairs(keys.data(), sorted_keys.data(), order.data(), sorted_order.data(), n);
    backend.parallel_for(
        k, TakeFunctor<Scores>{scores, row, sorted_order.data(), indices.data() + row * k, values.data() + row * k});
  }
}

}  // namespace detail

/// The K largest scores of each row and where they are: descending, equal scores by ascending index, NaN last.
///
/// @param scores   [B, N] float32, dense or strided (a column of a [B, N, C] tensor needs no copy)
/// @param indices  [B, K] int32, K <= N; positions in the row
/// @param values   [B, K] float32; the scores there
///
/// -0 equals +0. K = 0 and B = 0 are legal.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: identical on every backend.
/// Throws: ShapeError, also when K exceeds N. Scratch: 24 bytes for each score of a row, with the sort.
/// Source: TensorFlow's top_k has the same rule for ties.
template <class Backend, class Scores, class Indices, class Values>
void top_k(const Backend& backend, const Scores& scores, Indices&& indices, Values&& values) {
  const auto from = input<deduced, 2>(backend, scores, "top_k", "scores", {any, any});
  using View = std::remove_cvref_t<decltype(from)>;
  static_assert(std::same_as<typename View::value_type, float>, "mrcnn: the scores of top_k are float");
  const index_t n = from.extent(1);
  const auto to = output<std::int32_t, 2>(backend, indices, "top_k", "indices", {from.extent(0), any});
  const index_t k = to.extent(1);
  const auto best = output<float, 2>(backend, values, "top_k", "values", {from.extent(0), k});
  if (k > n)
    throw ShapeError("top_k: indices has shape " + detail::to_string(to.extents()) + ", expected at most " +
                     std::to_string(n) + " columns, the number of scores in a row");
  if (n > std::numeric_limits<std::int32_t>::max())
    throw ShapeError("top_k: scores has shape " + detail::to_string(from.extents()) +
                     ", expected rows of less than 2^31 scores");
  if constexpr (algorithm<Backend, TopKOp>::available) {
    if (backend.use_overrides() && algorithm<Backend, TopKOp>::pays(n, k))
      return algorithm<Backend, TopKOp>::run(backend, from, to, best);
  }
  detail::top_k_by_sorting(backend, from, to, best);
}

}  // namespace mrcnn

#endif
