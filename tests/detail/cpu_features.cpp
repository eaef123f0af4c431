#include "mrcnn/detail/cpu_features.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/ops/conv2d.hpp"

namespace mrcnn::detail {
namespace {

/// The words after "flags" that the operating system lists for the first processor; empty where it does not.
std::string listed_flags() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("flags", 0) == 0) return line + " ";
  return {};
}

bool lists(const std::string& flags, const std::string& word) {
  return flags.find(" " + word + " ") != std::string::npos;
}

TEST_CASE("the instruction sets found are those that the operating system lists") {
  const std::string flags = listed_flags();
  if (flags.empty()) return;
  CHECK(supported(Isa::scalar));
  CHECK(supported(Isa::avx2) == (lists(flags, "avx2") && lists(flags, "fma")));
  CHECK(supported(Isa::avx512) == (supported(Isa::avx2) && lists(flags, "avx512f") && lists(flags, "avx512bw") &&
                                   lists(flags, "avx512dq") && lists(flags, "avx512vl")));
}

TEST_CASE("without a wish the best instruction set is taken: never the scalar one on a machine with vectors") {
  const std::string flags = listed_flags();
  if (flags.empty()) return;
  if (lists(flags, "avx512f") && lists(flags, "avx512bw") && lists(flags, "avx512dq") && lists(flags, "avx512vl"))
    CHECK(choose_isa(nullptr) == Isa::avx512);
  else if (lists(flags, "avx2") && lists(flags, "fma"))
    CHECK(choose_isa("") == Isa::avx2);
  else
    CHECK(choose_isa(nullptr) == Isa::portable);
}

TEST_CASE("weights are packed for the instruction set in force, and its kernel runs") {
  const HostBackend backend(1);
  const HostView<const float, 1> no_bias;
  const auto packed = pack_conv2d(backend, make_tensor_from<float>(backend, {1, 1, 1, 1}, {2}), no_bias);
  const Isa expected = choose_isa(std::getenv("MRCNN_ISA"));
  CHECK(active_isa() == expected);
  CHECK(packed.packed().kernel.isa == expected);
#if MRCNN_DETAIL_HAS_X86_TARGETS
  if (expected == Isa::avx512) CHECK((packed.packed().kernel.run == &run_conv_chunk_avx512));
  if (expected == Isa::avx2) CHECK((packed.packed().kernel.run == &run_conv_chunk_avx2));
#endif
  if (expected != Isa::scalar) CHECK((packed.packed().kernel.run != &run_conv_chunk_scalar));
}

TEST_CASE("an instruction set can be asked for by name, and a wrong name says which there are") {
  for (const Isa isa : all_isas)
    if (supported(isa)) CHECK(choose_isa(name(isa)) == isa);
  try {
    choose_isa("mmx");
    FAIL("no error");
  } catch (const Error& error) {
    const std::string text = error.what();
    CHECK(text.find("MRCNN_ISA is 'mmx'") != std::string::npos);
    CHECK(text.find("scalar") != std::string::npos);
  }
}

}  // namespace
}  // namespace mrcnn::detail
