#ifndef MRCNN_DETAIL_HOST_BLOCK_HPP
#define MRCNN_DETAIL_HOST_BLOCK_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "mrcnn/core/backend.hpp"

namespace mrcnn::detail {

/// Memory of the blocks that run on one host thread, kept from block to block.
class BlockMemory {
 public:
  static BlockMemory& of_this_thread() {
    thread_local BlockMemory memory;
    return memory;
  }
  void reset() { current_ = used_ = 0; }
  void* take(std::size_t bytes) {
    bytes = round_up(std::max<std::size_t>(bytes, 1), std::size_t{64});
    while (current_ < chunks_.size() && used_ + bytes > chunks_[current_].size) {
      ++current_;
      used_ = 0;
    }
    if (current_ == chunks_.size()) {
      const std::size_t size = std::max<std::size_t>(bytes, std::size_t{1} << 16);
      chunks_.push_back({std::make_unique<Line[]>(size / sizeof(Line)), size});
      used_ = 0;
    }
    void* memory = reinterpret_cast<std::byte*>(chunks_[current_].lines.get()) + used_;
    used_ += bytes;
    return memory;
  }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  struct Chunk {
    std::unique_ptr<Line[]> lines;
    std::size_t size;
  };
  std::vector<Chunk> chunks_;
  std::size_t current_ = 0;
  std::size_t used_ = 0;
};

/// What a block kernel sees on the host: its phases, each a loop over the block's threads.
///
/// `each_thread(f)` runs f(t) for every thread, then a barrier; `one_thread(f)` runs f once, then a barrier; `uniform(v)`
/// reads a value that all threads agree on, then a barrier. `shared<T>(n)` is memory of the block, `local<T>(init)` a
/// variable of each thread that lives across phases.
class HostBlock {
 public:
  HostBlock(const LaunchShape& shape, index_t linear)
      : index_{{linear % shape.grid[0], linear / shape.grid[0] % shape.grid[1],
                linear / shape.grid[0] / shape.grid[1]}},
        threads_(shape.threads) {
    BlockMemory::of_this_thread().reset();
  }

  index_t index(int dimension) const { return index_[dimension]; }
  int threads() const { return threads_; }

  template <class F>
  void each_thread(const F& f) {
    for (int t = 0; t < threads_; ++t) f(t);
  }
  template <class F>
  void one_thread(const F& f) {
    f();
  }
  template <class T>
  T uniform(T value) {
    return value;
  }

  template <class T>
  class Shared {
   public:
    explicit Shared(T* data) : data_(data) {}
    T& operator[](index_t i) const { return data_[i]; }
    /// Combine with what other threads of the block do in the same phase; return the old value.
    T atomic_or(index_t i, T value) const { return std::exchange(data_[i], static_cast<T>(data_[i] | value)); }
    T atomic_add(index_t i, T value) const { return std::exchange(data_[i], static_cast<T>(data_[i] + value)); }

   private:
    T* data_;
  };
  template <class T>
  Shared<T> shared(index_t n) {
    return Shared<T>(static_cast<T*>(BlockMemory::of_this_thread().take(static_cast<std::size_t>(n) * sizeof(T))));
  }

  template <class T>
  class Local {
   public:
    explicit Local(T* data) : data_(data) {}
    T& operator[](int thread) const { return data_[thread]; }

   private:
    T* data_;
  };
  template <class T>
  Local<T> local(T init) {
    T* data = static_cast<T*>(BlockMemory::of_this_thread().take(static_cast<std::size_t>(threads_) * sizeof(T)));
    std::fill_n(data, threads_, init);
    return Local<T>(data);
  }

  /// On global memory, against other blocks.
  template <class T>
  static T atomic_or(T* target, T value) {
    return std::atomic_ref<T>(*target).fetch_or(value, std::memory_order_relaxed);
  }
  template <class T>
  static T atomic_add(T* target, T value) {
    return std::atomic_ref<T>(*target).fetch_add(value, std::memory_order_relaxed);
  }

 private:
  Extents<3> index_;
  int threads_;
};

}  // namespace mrcnn::detail

#endif
