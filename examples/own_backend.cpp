// A backend of your own: what the library asks of one, for a machine with a single thread. The ops run on it unchanged.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/ops/iou.hpp"

namespace {

class SingleThread {
 public:
  using space_type = mrcnn::space::host;  // where its memory lies
  using element_type = float;             // of activations

  void* allocate(std::size_t bytes) const { return std::aligned_alloc(64, (bytes + 64) / 64 * 64); }
  void deallocate(void* memory, std::size_t) const { std::free(memory); }
  void copy_from_host(void* to, const void* from, std::size_t bytes) const { std::memcpy(to, from, bytes); }
  void copy_to_host(void* to, const void* from, std::size_t bytes) const { std::memcpy(to, from, bytes); }
  void fill(void* memory, int value, std::size_t bytes) const { std::memset(memory, value, bytes); }
  void synchronize() const {}         // nothing runs behind the caller's back
  bool dry() const { return false; }  // true while a Workspace measures

  template <class F>
  void parallel_for(mrcnn::index_t n, const F& f, mrcnn::index_t /*grain*/ = 1) const {
    for (mrcnn::index_t i = 0; i < n; ++i) f(i);
  }
};
static_assert(mrcnn::backend<SingleThread>);

}  // namespace

int main() {
  const SingleThread backend;
  const auto a = mrcnn::make_tensor_from<float>(backend, {1, 4}, {0, 0, 10, 10});
  const auto b = mrcnn::make_tensor_from<float>(backend, {2, 4}, {0, 0, 7, 10, 5, 0, 15, 10});
  auto overlaps = mrcnn::make_tensor<float>(backend, {1, 2});
  mrcnn::box_iou(backend, a, b, {}, overlaps);
  const std::vector<float> found = mrcnn::to_host(backend, overlaps);
  std::printf("%.2f %.2f\n", static_cast<double>(found[0]), static_cast<double>(found[1]));
  return found[0] == 0.7F ? 0 : 1;
}
