#include "mrcnn/core/workspace.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "mrcnn/core/host_backend.hpp"
#include "tests/support/backends.hpp"

// Every allocation of this program through operator new is counted.
namespace {
std::atomic<int> allocations = 0;
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(bytes == 0 ? 1 : bytes);
}
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (void* memory = operator new(bytes, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace mrcnn {
namespace {

constexpr index_t kilobyte = 1024;

struct SetTo {
  std::int32_t* values;
  std::int32_t value;
  MRCNN_HOST_DEVICE void operator()(index_t i) const { values[i] = value; }
};

// A driver with two temporaries that live at the same time and a third after them.
auto three_temporaries(std::vector<const void*>& addresses) {
  return [&addresses](const HostBackend& backend) {
    addresses.clear();
    {
      auto first = make_tensor<std::uint8_t>(backend, {3 * kilobyte});
      auto second = make_tensor<std::uint8_t>(backend, {2 * kilobyte});
      addresses = {first.data(), second.data()};
    }
    auto third = make_tensor<std::uint8_t>(backend, {4 * kilobyte});
    addresses.push_back(third.data());
  };
}

TEST_CASE("Workspace: the slab is as large as what lives at the same time, not as the sum") {
  const HostBackend backend(1);
  Workspace workspace;
  std::vector<const void*> addresses;
  workspace.run(backend, Extents<4>{}, three_temporaries(addresses));
  CHECK(workspace.bytes() == 5 * kilobyte);
  CHECK(addresses[0] != addresses[1]);
}

TEST_CASE("Workspace: memory that lives at the same time does not overlap") {
  const HostBackend backend(3);
  Workspace workspace;
  // A chain in which each tensor is given back two steps after it was taken, as feature maps are.
  const auto driver = [](const HostBackend& b) {
    auto previous = make_tensor<std::int32_t>(b, {100});
    b.parallel_for(100, SetTo{previous.data(), 0});
    for (std::int32_t step = 1; step < 40; ++step) {
      const index_t size = 100 + (step * 37) % 400;
      auto current = make_tensor<std::int32_t>(b, {size});
      auto scratch = make_tensor<std::int32_t>(b, {(step * 53) % 300});
      b.parallel_for(size, SetTo{current.data(), step});
      b.parallel_for(scratch.size(), SetTo{scratch.data(), -1});
      if (!b.dry()) {
        const auto kept = to_host(b, previous);
        CHECK(kept == std::vector<std::int32_t>(kept.size(), step - 1));
      }
      previous = std::move(current);
    }
  };
  for (int repeat = 0; repeat < 3; ++repeat) workspace.run(backend, Extents<4>{}, driver);
}

TEST_CASE("Workspace: a driver runs dry once, then for real at the same addresses") {
  const HostBackend backend(1);
  Workspace workspace;
  int dry_runs = 0;
  int runs = 0;
  const void* address = nullptr;
  const auto driver = [&](const HostBackend& b) {
    (b.dry() ? dry_runs : runs) += 1;
    auto tensor = make_tensor<std::int32_t>(b, {10});
    b.parallel_for(10, SetTo{tensor.data(), 1});
    if (b.dry()) return;
    if (address != nullptr) CHECK(tensor.data() == address);
    address = tensor.data();
  };
  for (int i = 0; i < 3; ++i) workspace.run(backend, Extents<4>{1, 2, 3, 4}, driver);
  CHECK(dry_runs == 1);
  CHECK(runs == 3);
}

TEST_CASE("Workspace: a dry run runs nothing") {
  const HostBackend backend(2);
  Arena::Plan plan;
  Arena recorder(plan);
  const HostBackend dry = backend.attached(recorder);
  REQUIRE(dry.dry());
  CHECK_FALSE(backend.dry());
  auto tensor = make_tensor<std::int32_t>(dry, {10});
  auto sorted = make_tensor<std::int32_t>(dry, {10});
  auto count = make_scalar<std::int32_t>(dry);
  int calls = 0;
  // Any access to memory would crash: nothing lies at these addresses.
  dry.parallel_for(10, SetTo{tensor.data(), 1});
  dry.run_tasks(10, [&](index_t, int) { ++calls; });
  dry.launch_blocks(LaunchShape{.grid = {{4, 1, 1}}, .threads = 1, .shared_bytes = 0}, [&](auto&) { ++calls; });
  dry.fill(tensor.data(), 0, 40);
  dry.copy(tensor.data(), sorted.data(), 40);
  dry.sort_pairs(reinterpret_cast<const std::uint32_t*>(tensor.data()), reinterpret_cast<std::uint32_t*>(sorted.data()),
                 tensor.data(), sorted.data(), 10);
  dry.exclusive_scan(tensor.data(), sorted.data(), 10);
  dry.select(reinterpret_cast<const std::uint8_t*>(tensor.data()), 10, sorted.data(), count.data());
  dry.reduce(
      tensor.data(), 10, 0, [](int a, int b) { return a + b; }, count.data());
  CHECK(dry.live(count.data(), 17) == 17);
  CHECK(calls == 0);
}

TEST_CASE("Workspace: once the plan is there, a run allocates nothing") {
  const HostBackend backend(3);
  Workspace workspace;
  auto keys = make_tensor_from<std::uint32_t>(backend, {4}, {4, 3, 2, 1});
  auto sorted = make_tensor<std::uint32_t>(backend, {4});
  auto order = make_tensor<std::int32_t>(backend, {4});
  const auto driver = [&](const HostBackend& b) {
    auto indices = make_tensor<std::int32_t>(b, {4});
    b.parallel_for(4, SetTo{indices.data(), 1});
    b.sort_pairs(keys.data(), sorted.data(), indices.data(), order.data(), 4);
    b.reduce(
        indices.data(), 4, std::int32_t{0}, [](std::int32_t x, std::int32_t y) { return x + y; }, order.data());
  };
  workspace.run(backend, Extents<4>{}, driver);
  const int before = allocations;
  for (int i = 0; i < 10; ++i) workspace.run(backend, Extents<4>{}, driver);
  CHECK(allocations == before);
}

TEST_CASE("Workspace: a loop that a count shortens may take less than in the dry run") {
  const HostBackend backend(1);
  Workspace workspace;
  const std::int32_t count = 3;
  const auto driver = [&](const HostBackend& b) {
    const index_t rows = b.live(&count, 100);
    auto first = make_tensor<std::int32_t>(b, {rows, 64});
    auto second = make_tensor<std::int32_t>(b, {rows, 64});
    b.parallel_for(first.size(), SetTo{first.data(), 1});
    b.parallel_for(second.size(), SetTo{second.data(), 2});
    if (!b.dry()) CHECK(to_host(b, first) == std::vector<std::int32_t>(3 * 64, 1));
  };
  for (int i = 0; i < 2; ++i) workspace.run(backend, Extents<4>{}, driver);
}

TEST_CASE("Workspace: a driver that asks for more memory than in its dry run is stopped") {
  const HostBackend backend(1);
  {
    Workspace workspace;
    CHECK_THROWS_WITH_AS(
        workspace.run(
            backend, Extents<4>{},
            [](const HostBackend& b) { auto tensor = make_tensor<std::uint8_t>(b, {b.dry() ? 1000 : 2000}); }),
        "Workspace: the driver asks for 2000 bytes in step 0, more than in its dry run; a driver may take "
        "memory by extents only",
        Error);
  }
  Workspace workspace;
  CHECK_THROWS_AS(workspace.run(backend, Extents<4>{},
                                [](const HostBackend& b) {
                                  auto first = make_tensor<std::uint8_t>(b, {10});
                                  if (!b.dry()) auto second = make_tensor<std::uint8_t>(b, {10});
                                }),
                  Error);
}

TEST_CASE("Workspace: a driver that keeps arena memory is told so") {
  const HostBackend backend(1);
  Workspace workspace;
  CHECK_THROWS_WITH_AS(workspace.run(backend, Extents<4>{}, [&](const HostBackend& b) { b.allocate(100); }),
                       "Workspace: the driver kept arena memory after its run", Error);
}

TEST_CASE("Workspace: shapes have plans of their own and share one slab, which only grows") {
  const HostBackend backend(1);
  Workspace workspace;
  int dry_runs = 0;
  const auto run = [&](index_t rows) {
    workspace.run(backend, Extents<4>{rows, 0, 0, 0}, [&](const HostBackend& b) {
      dry_runs += b.dry() ? 1 : 0;
      auto tensor = make_tensor<std::uint8_t>(b, {rows});
      b.fill(tensor.data(), 1, static_cast<std::size_t>(rows));
    });
  };
  run(4096);
  run(1024);
  CHECK(workspace.bytes() == 4096);
  run(8192);
  CHECK(workspace.bytes() == 8192);
  run(1024);
  run(4096);
  CHECK(dry_runs == 3);
}

TEST_CASE("Workspace: what a driver throws passes through, and the workspace still works") {
  const HostBackend backend(1);
  Workspace workspace;
  bool fail = true;
  int real_runs = 0;
  const auto driver = [&](const HostBackend& b) {
    auto tensor = make_tensor<std::uint8_t>(b, {100});
    if (b.dry()) return;
    if (fail) throw std::runtime_error("no luck");
    ++real_runs;
  };
  CHECK_THROWS_WITH_AS(workspace.run(backend, Extents<4>{}, driver), "no luck", std::runtime_error);
  fail = false;
  workspace.run(backend, Extents<4>{}, driver);
  CHECK(real_runs == 1);
}

TEST_CASE("Workspace: a driver without memory, and tensors without elements") {
  const HostBackend backend(1);
  Workspace workspace;
  int runs = 0;
  for (int i = 0; i < 2; ++i)
    workspace.run(backend, Extents<4>{}, [&](const HostBackend& b) { runs += b.dry() ? 0 : 1; });
  workspace.run(backend, Extents<4>{9, 9, 9, 9}, [&](const HostBackend& b) {
    auto none = make_tensor<float>(b, {0, 4});
    auto also_none = make_tensor<float>(b, {0, 4});
    runs += b.dry() ? 0 : 1;
  });
  CHECK(runs == 3);
}

}  // namespace
}  // namespace mrcnn
