// Speed of the host's convolution on layers of Mask R-CNN, against the multiply-add peak measured in the same run.
//
//   conv_bench [rounds = 5] [part of a layer's name]
//
// Layers, thread counts and the peak are interleaved in rounds. A machine shared with others slows the wall clock, so
// that CPU time is shown beside it: "per core" is GFLOP per second of CPU time, "of peak" its ratio to the peak
// measured the same way. MRCNN_ISA=portable|avx2|avx512 chooses the instruction set. The last table compares the
// portable kernel with Eigen's matrix product as this program was compiled (build it without -m flags), whose patch
// matrix is ready.

#include <time.h>

#include <Eigen/Core>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/detail/cpu_features.hpp"
#include "mrcnn/detail/simd.hpp"
#include "mrcnn/ops/conv2d.hpp"
#include "tests/support/convolution.hpp"

namespace mrcnn::test {
namespace {

struct Layer {
  const char* name;
  Extents<4> input;
  Extents<4> kernel;
  index_t stride = 1;
  ConvAlgorithm algorithm = ConvAlgorithm::direct;
};

const Layer layers[] = {
    {"P2 3x3 256 @128", {{1, 128, 128, 256}}, {{256, 3, 3, 256}}},
    {"res2 3x3 64 @128", {{1, 128, 128, 64}}, {{64, 3, 3, 64}}},
    {"res3 3x3 128 @64", {{1, 64, 64, 128}}, {{128, 3, 3, 128}}},
    {"res4 3x3 256 @32", {{1, 32, 32, 256}}, {{256, 3, 3, 256}}},
    {"res5 3x3 512 @16", {{1, 16, 16, 512}}, {{512, 3, 3, 512}}},
    {"RPN 3x3 256->512 @64", {{1, 64, 64, 256}}, {{512, 3, 3, 256}}},
    {"mask 3x3 256 @14 x100", {{100, 14, 14, 256}}, {{256, 3, 3, 256}}},
    {"P2 3x3 256 @128, Winograd", {{1, 128, 128, 256}}, {{256, 3, 3, 256}}, 1, ConvAlgorithm::winograd},
    {"mask 3x3 256 @14 x100, W.", {{100, 14, 14, 256}}, {{256, 3, 3, 256}}, 1, ConvAlgorithm::winograd},
    {"res2 1x1 64->256 @128", {{1, 128, 128, 64}}, {{256, 1, 1, 64}}},
    {"res2 1x1 256->64 @128", {{1, 128, 128, 256}}, {{64, 1, 1, 256}}},
    {"res4 1x1 1024->256 @32", {{1, 32, 32, 1024}}, {{256, 1, 1, 1024}}},
    {"res4 1x1 256->1024 @32", {{1, 32, 32, 256}}, {{1024, 1, 1, 256}}},
    {"res5 1x1 2048->512 @16", {{1, 16, 16, 2048}}, {{512, 1, 1, 2048}}},
    {"res4 1x1 512->256 stride 2", {{1, 64, 64, 512}}, {{256, 1, 1, 512}}, 2},
    {"C1 7x7 3->64 stride 2", {{1, 512, 512, 3}}, {{64, 7, 7, 3}}, 2},
    {"RPN 1x1 512->18 @64", {{1, 64, 64, 512}}, {{18, 1, 1, 512}}},
    {"fc 12544->1024 x1000", {{1, 1, 1000, 12544}}, {{1024, 1, 1, 12544}}},
    {"fc 1024->324 x1000", {{1, 1, 1000, 1024}}, {{324, 1, 1, 1024}}},
};

struct Clock {
  double wall, cpu;
};

Clock now() {
  timespec cpu{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now().time_since_epoch();
  return {wall.count(), static_cast<double>(cpu.tv_sec) + 1e-9 * static_cast<double>(cpu.tv_nsec)};
}

template <int Lanes, int Sums>
MRCNN_DETAIL_INLINE void burst(index_t n, float* values) {
  detail::Floats<Lanes> sums[Sums];
  detail::Floats<Lanes> factor;
  const float other = values[0];
  detail::load<Lanes>(factor, values);
  detail::each<Sums>([&](auto i) MRCNN_DETAIL_INLINE_LAMBDA { detail::load<Lanes>(sums[i], values + i); });
  for (index_t k = 0; k < n; ++k)
    detail::each<Sums>([&](auto i) MRCNN_DETAIL_INLINE_LAMBDA { detail::multiply_add<Lanes>(sums[i], other, factor); });
  detail::each<Sums>([&](auto i) MRCNN_DETAIL_INLINE_LAMBDA { detail::store<Lanes>(values + i * Lanes, sums[i]); });
}

#if MRCNN_DETAIL_HAS_X86_TARGETS
MRCNN_DETAIL_TARGET_AVX512 void burst_avx512(index_t n, float* values) { burst<16, 24>(n, values); }
MRCNN_DETAIL_TARGET_AVX2 void burst_avx2(index_t n, float* values) { burst<8, 12>(n, values); }
#endif

/// GFLOP per second of CPU time that a burst of `flops` operations reaches.
template <class Burst>
double rate(const Burst& run_burst, double flops) {
  constexpr index_t n = 400000;
  std::vector<float> values(1024, 1e-3F);
  const Clock start = now();
  run_burst(n, values.data());
  const double seconds = now().cpu - start.cpu;
  volatile float sink = values[100];
  static_cast<void>(sink);
  return flops * static_cast<double>(n) / seconds * 1e-9;
}

/// Multiplications and additions in registers, in the instruction set in force. (Some processors do as much with
/// 256-bit vectors as with 512-bit ones, and schedule them better.)
double peak() {
  switch (detail::active_isa()) {
#if MRCNN_DETAIL_HAS_X86_TARGETS
    case detail::Isa::avx512: return std::max(rate(burst_avx512, 2.0 * 16 * 24), rate(burst_avx2, 2.0 * 8 * 12));
    case detail::Isa::avx2: return rate(burst_avx2, 2.0 * 8 * 12);
#endif
#if MRCNN_DETAIL_HAS_VECTORS
    case detail::Isa::portable: return rate([](index_t n, float* values) { burst<4, 12>(n, values); }, 2.0 * 4 * 12);
#endif
    default: return rate([](index_t n, float* values) { burst<1, 12>(n, values); }, 2.0 * 12);
  }
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// A layer with random weights, ready to run.
class Case {
 public:
  Case(const Layer& layer, int threads)
      : layer_(layer),
        threads_(threads),
        backend_(threads),
        convolution_(make_convolution(layer.input, layer.kernel, options(layer))),
        packed_(pack_conv2d(backend_, HostView<const float, 4>(convolution_.weights.data(), layer.kernel),
                            HostView<const float, 1>(convolution_.bias.data(), {{layer.kernel[0]}}), Math::fp32,
                            layer.algorithm)),
        output_(make_tensor<float>(backend_, convolution_.output())) {
    run();
  }

  void measure() {
    const Clock start = now();
    run();
    const Clock end = now();
    wall_.push_back(end.wall - start.wall);
    cpu_.push_back(end.cpu - start.cpu);
  }

  void print(double peak) const {
    const double flops = 2e-9 * static_cast<double>(convolution_.output().size()) *
                         static_cast<double>(layer_.kernel.size() / layer_.kernel[0]);
    const double wall = median(wall_);
    const double per_core = flops / median(cpu_);
    std::printf("%-28s %d thread%s  %8.2f ms (best %8.2f)  %6.1f GFLOP/s  %6.1f per core  %4.0f %% of peak\n",
                layer_.name, threads_, threads_ == 1 ? " " : "s", wall * 1e3,
                *std::min_element(wall_.begin(), wall_.end()) * 1e3, flops / wall, per_core, 100 * per_core / peak);
  }

 private:
  static Conv2dOptions options(const Layer& layer) {
    return {.stride_y = layer.stride,
            .stride_x = layer.stride,
            .padding = same_padding(layer.input[1], layer.input[2], layer.kernel[1], layer.kernel[2], layer.stride,
                                    layer.stride),
            .activation = Activation::relu};
  }
  void run() {
    conv2d(backend_, HostView<const float, 4>(convolution_.values.data(), layer_.input), packed_, convolution_.options,
           output_);
  }

  const Layer& layer_;
  int threads_;
  HostBackend backend_;
  Convolution convolution_;
  PackedConv2d<HostBackend> packed_;
  Tensor<float, 4, HostBackend> output_;
  std::vector<double> wall_, cpu_;
};

void compare_portable_with_eigen(int rounds) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  std::printf(
      "\nPortable kernel and Eigen's matrix product (built for %d-byte vectors), one thread, GFLOP/s per core\n",
      EIGEN_MAX_STATIC_ALIGN_BYTES);
  const HostBackend backend(1);
  for (const Extents<3>& shape :
       {Extents<3>{{1024, 2304, 256}}, {{1024, 1024, 256}}, {{16384, 64, 256}}, {{1000, 12544, 64}}}) {
    const index_t rows = shape[0], products = shape[1], columns = shape[2];
    const auto values = noise(rows * products, 1);
    const auto weights = noise(columns * products, 2);
    const auto zeros = std::vector<float>(static_cast<std::size_t>(columns));
    const detail::ConvKernelShape kernel{columns, 1, 1, products};
    const PackedConv2d<HostBackend> packed(
        ConvEngine<HostBackend>::prepare(backend, kernel, weights.data(), zeros.data(), Math::fp32,
                                         ConvAlgorithm::direct, detail::conv_kernel(detail::Isa::portable)));
    auto output = make_tensor<float>(backend, {1, 1, rows, columns});
    const Eigen::Map<const Matrix> a(values.data(), rows, products);
    const Eigen::Map<const Matrix> b(weights.data(), columns, products);
    Matrix product(rows, columns);
    std::vector<double> ours, eigen;
    for (int round = 0; round < rounds; ++round) {
      const Clock start = now();
      conv2d(backend, HostView<const float, 4>(values.data(), {{1, 1, rows, products}}), packed, {}, output);
      const Clock middle = now();
      product.noalias() = a * b.transpose();
      ours.push_back(middle.cpu - start.cpu);
      eigen.push_back(now().cpu - middle.cpu);
    }
    const double flops = 2e-9 * static_cast<double>(rows * products * columns);
    std::printf("%6lld x %5lld x %4lld   portable %6.1f   Eigen %6.1f   ratio %.2f\n", static_cast<long long>(rows),
                static_cast<long long>(products), static_cast<long long>(columns), flops / median(ours),
                flops / median(eigen), median(eigen) / median(ours));
  }
}

int run(int argc, char** argv) {
  const int rounds = std::max(1, argc > 1 ? std::atoi(argv[1]) : 5);
  const std::string part = argc > 2 ? argv[2] : "";
  std::vector<double> peaks{peak()};
  std::printf("Instruction set: %s\n", detail::name(detail::active_isa()));
  for (const Layer& layer : layers) {
    if (std::string(layer.name).find(part) == std::string::npos) continue;
    Case one(layer, 1);
    Case two(layer, 2);
    for (int round = 0; round < rounds; ++round) {
      peaks.push_back(peak());
      one.measure();
      two.measure();
    }
    one.print(median(peaks));
    two.print(median(peaks));
  }
  std::printf("Peak of multiply-adds in registers: %.1f GFLOP/s per core (median of %zu)\n", median(peaks),
              peaks.size());
  if (part.empty() || part == "Eigen") compare_portable_with_eigen(rounds);
  return 0;
}

}  // namespace
}  // namespace mrcnn::test

int main(int argc, char** argv) { return mrcnn::test::run(argc, argv); }
