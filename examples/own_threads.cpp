// The library on threads of your own: an executor is all that a host backend asks for.
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/ops/activation.hpp"

namespace {

/// Runs tasks on two threads that live for one call; yours would hand them to a pool that you have.
class TwoThreads final : public mrcnn::HostExecutor {
 public:
  int threads() const override { return 2; }
  void run(mrcnn::index_t tasks, Task task, void* context) override {
    const auto half = [=](int worker) {
      for (mrcnn::index_t i = worker; i < tasks; i += 2) task(context, i, worker);
    };
    std::thread other([&half] { half(1); });
    half(0);
    other.join();
  }
};

}  // namespace

int main() {
  const mrcnn::HostBackend backend(std::make_shared<TwoThreads>());
  auto values = mrcnn::make_tensor_from<float>(backend, {4}, {-1, 2, -3, 4});
  mrcnn::relu(backend, values, values);
  const std::vector<float> found = mrcnn::to_host(backend, values);
  std::printf("%g %g %g %g\n", static_cast<double>(found[0]), static_cast<double>(found[1]),
              static_cast<double>(found[2]), static_cast<double>(found[3]));
  return found == std::vector<float>{0, 2, 0, 4} ? 0 : 1;
}
