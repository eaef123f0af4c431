#ifndef MRCNN_DETAIL_CHANNEL_LOOP_HPP
#define MRCNN_DETAIL_CHANNEL_LOOP_HPP

#include <concepts>

#include "mrcnn/core/config.hpp"
#include "mrcnn/core/tensor_view.hpp"
#include "mrcnn/detail/float_ops.hpp"

namespace mrcnn::detail {

/// How many channels of a pixel one call of a functor handles: all of them on the host, where the inner loop becomes
/// vector instructions; one on a device, where neighbouring threads then read neighbouring channels.
template <class Backend>
constexpr index_t channels_per_call(index_t channels) {
  return std::same_as<typename Backend::space_type, space::host> ? max<index_t>(channels, 1) : 1;
}

/// Calls f.template run<Width>(c) so that channels [begin, end) are covered, in tiles of 32 and then one by one. A tile's
/// loops have a fixed length, so that compilers vectorise them without asking whether it pays. (Loops of 16 g++ would
/// unroll at -O3 before it vectorises, and then leave them scalar.)
template <class F>
MRCNN_HOST_DEVICE void for_channel_tiles(index_t begin, index_t end, const F& f) {
  index_t c = begin;
  for (; c + 32 <= end; c += 32) f.template run<32>(c);
  for (; c < end; ++c) f.template run<1>(c);
}

}  // namespace mrcnn::detail

#endif
