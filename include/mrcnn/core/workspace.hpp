#ifndef MRCNN_CORE_WORKSPACE_HPP
#define MRCNN_CORE_WORKSPACE_HPP

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/error.hpp"

namespace mrcnn {

/// One run of a driver over planned memory: first recorded without memory, later replayed over a slab.
///
/// A backend that is attached to an arena takes all its memory from it. Used by `Workspace`; not thread-safe.
class Arena {
 public:
  static constexpr std::size_t alignment = 256;

  struct Block {
    std::size_t bytes = 0;
    std::size_t offset = 0;  ///< in the slab
    std::size_t taken = 0;   ///< position in the run's sequence of takes and gives
    std::size_t given = 0;
  };
  struct Plan {
    std::vector<Block> blocks;  ///< in the order of their takes
    std::size_t bytes = 0;      ///< of the slab
  };

  /// Records into `plan`.
  explicit Arena(Plan& plan) : plan_(&plan) {}
  /// Replays `plan` over `slab`.
  Arena(Plan& plan, void* slab) : plan_(&plan), slab_(static_cast<std::byte*>(slab)) {}

  bool recording() const { return slab_ == nullptr; }

  void* take(std::size_t bytes) {
    const std::size_t rounded = detail::round_up(std::max<std::size_t>(bytes, 1), alignment);
    if (recording()) {
      plan_->blocks.push_back({rounded, virtual_end_, clock_++, 0});
      virtual_end_ += rounded;
      return virtual_base() + plan_->blocks.back().offset;
    }
    if (next_ == plan_->blocks.size() || plan_->blocks[next_].bytes < rounded)
      throw Error("Workspace: the driver asks for " + std::to_string(bytes) + " bytes in step " +
                  std::to_string(next_) + ", more than in its dry run; a driver may take memory by extents only");
    if (plan_->blocks[next_].taken != clock_++)
      throw Error(
          "Workspace: in step " + std::to_string(next_) +
          " the driver has given back more or less than in its dry run; a driver may not branch on values, and a "
          "workspace serves one driver");
    return slab_ + plan_->blocks[next_++].offset;
  }

  void give(void* memory) noexcept {
    if (!recording()) {  // the plan knows where
      ++clock_;
      return;
    }
    const auto offset = static_cast<std::size_t>(static_cast<std::byte*>(memory) - virtual_base());
    const auto block = std::lower_bound(plan_->blocks.begin(), plan_->blocks.end(), offset,
                                        [](const Block& b, std::size_t o) { return b.offset < o; });
    if (block != plan_->blocks.end()) block->given = clock_++;
  }

  /// Ends a replay. Throws: Error when the driver took memory less often than in its dry run.
  void finish() const {
    if (next_ != plan_->blocks.size())
      throw Error("Workspace: the driver took memory " + std::to_string(next_) + " times, in its dry run " +
                  std::to_string(plan_->blocks.size()) + " times; a driver may not branch on values");
  }

  /// Ends a recording: places the blocks so that those that live at the same time do not overlap.
  void place() {
    std::vector<Block*> by_size;
    for (Block& block : plan_->blocks) {
      if (block.given == 0) throw Error("Workspace: the driver kept arena memory after its run");
      by_size.push_back(&block);
    }
    std::stable_sort(by_size.begin(), by_size.end(),
                     [](const Block* a, const Block* b) { return a->bytes > b->bytes; });
    std::vector<const Block*> placed;  // by offset
    for (Block* block : by_size) {
      std::size_t offset = 0;
      for (const Block* other : placed) {
        if (other->given < block->taken || block->given < other->taken) continue;
        if (other->offset >= offset + block->bytes) break;
        offset = std::max(offset, other->offset + other->bytes);
      }
      block->offset = offset;
      placed.insert(std::upper_bound(placed.begin(), placed.end(), block,
                                     [](const Block* a, const Block* b) { return a->offset < b->offset; }),
                    block);
      plan_->bytes = std::max(plan_->bytes, offset + block->bytes);
    }
  }

 private:
  // While recording, addresses only need to be distinct; nothing is read or written there.
  static std::byte* virtual_base() { return reinterpret_cast<std::byte*>(std::uintptr_t{1} << 40); }

  Plan* plan_;
  std::byte* slab_ = nullptr;
  std::size_t virtual_end_ = 0;
  std::size_t clock_ = 1;
  std::size_t next_ = 0;
};

/// Memory for a driver that runs again and again on the same shapes, without allocating.
///
/// The first `run` for a key calls the driver twice: once dry, with a backend that does no work and only records what
/// memory the driver takes and for how long; then for real, over one slab in which memory is reused as soon as its
/// lifetime ends. Later runs with that key replay the plan. One workspace serves one thread at a time.
class Workspace {
 public:
  /// Runs `driver(backend)`, where the backend it is given draws all memory from this workspace.
  ///
  /// @param key     whatever the driver's memory depends on, usually the extents of its input
  /// @param driver  called once or twice; takes memory by extents only, gives all of it back, and leaves its results in
  ///                tensors of the caller's. A loop that `live` shortens may take less than in the dry run, as often.
  /// Throws: Error when the driver takes more memory than in its dry run, or in another order, and whatever it throws.
  template <class Backend, class Driver>
  void run(const Backend& backend, const Extents<4>& key, Driver&& driver) {
    Entry* entry = find(key);
    if (entry == nullptr) {
      auto fresh = std::make_unique<Entry>();
      fresh->key = key;
      Arena recorder(fresh->plan);
      driver(backend.attached(recorder));
      recorder.place();
      entries_.push_back(std::move(fresh));
      entry = entries_.back().get();
    }
    if (entry->plan.bytes > capacity_ || slab_ == nullptr) {
      slab_.reset();
      capacity_ = std::max<std::size_t>(entry->plan.bytes, Arena::alignment);
      slab_ = std::shared_ptr<void>(backend.allocate(capacity_),
                                    [backend, bytes = capacity_](void* memory) { backend.deallocate(memory, bytes); });
    }
    Arena arena(entry->plan, slab_.get());
    driver(backend.attached(arena));
    arena.finish();
  }

  /// Bytes of the slab.
  std::size_t bytes() const { return capacity_; }

 private:
  struct Entry {
    Extents<4> key{};
    Arena::Plan plan;
  };

  Entry* find(const Extents<4>& key) {
    for (const auto& entry : entries_)
      if (entry->key == key) return entry.get();
    return nullptr;
  }

  std::vector<std::unique_ptr<Entry>> entries_;
  std::shared_ptr<void> slab_;
  std::size_t capacity_ = 0;
};

}  // namespace mrcnn

#endif
