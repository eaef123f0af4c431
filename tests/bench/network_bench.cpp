// Times the network of Mask R-CNN on fixed inputs (backbone, pyramid, region proposal network, box head on 1000 regions,
// mask head on 100, 81 classes, random weights), the work that network_onnxruntime.py gives to onnxruntime; and measures
// the memory of a whole detection.
//
//   network_bench [--threads N] [--size 512] [--depth 50] [--rounds 5]
//   network_bench ... --steps     a run for each line of standard input; prints the milliseconds of each
//   network_bench --memory [--size 1024] [--depth 101]     a whole detection; prints the peak resident size

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "mrcnn/models/mask_rcnn.hpp"
#include "tests/support/small_model.hpp"

namespace {

using namespace mrcnn;

struct Options {
  int threads = 0;
  int size = 0;
  int depth = 0;
  int rounds = 5;
  bool steps = false;
  bool memory = false;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const auto number = [&](const char* name, int& value) {
      if (std::strcmp(argv[i], name) != 0 || i + 1 == argc) return false;
      value = std::atoi(argv[++i]);
      return true;
    };
    if (number("--threads", options.threads) || number("--size", options.size) || number("--depth", options.depth) ||
        number("--rounds", options.rounds))
      continue;
    if (std::strcmp(argv[i], "--steps") == 0)
      options.steps = true;
    else if (std::strcmp(argv[i], "--memory") == 0)
      options.memory = true;
    else
      throw Error(std::string("network_bench: unknown option ") + argv[i]);
  }
  if (options.size == 0) options.size = options.memory ? 1024 : 512;
  if (options.depth == 0) options.depth = options.memory ? 101 : 50;
  return options;
}

MaskRCNNConfig config_of(const Options& options) {
  MaskRCNNConfig config = MaskRCNNConfig::coco();
  config.backbone = options.depth == 50 ? ResNetConfig::resnet50() : ResNetConfig::resnet101();
  config.image_min_dim = config.image_max_dim = options.size;
  return config;
}

/// The layers alone, without proposals and crops.
class FixedInputs {
 public:
  FixedInputs(const HostBackend& backend, const Options& options)
      : backend_(backend),
        config_(config_of(options)),
        backbone_(config_.backbone),
        fpn_(config_.backbone, config_.top_down_pyramid_size),
        rpn_(config_),
        box_head_(config_),
        mask_head_(config_),
        image_(backend, {{1, options.size, options.size, 3}}),
        box_regions_(backend, {{1000, 7, 7, 256}}),
        mask_regions_(backend, {{100, 14, 14, 256}}) {
    test::fill_with_random_weights(*this);
    for (auto* tensor : {&image_, &box_regions_, &mask_regions_}) {
      Philox random(7);
      for (index_t i = 0; i < tensor->size(); ++i) tensor->data()[i] = 2 * random.uniform() - 1;
    }
  }

  template <class F>
  void for_each_parameter(F&& f) {
    for_each_part([&](auto& part) { part.for_each_parameter(f); });
  }
  void prepare() {
    for_each_part([&](auto& part) { part.prepare(backend_); });
  }

  double run() {
    const auto start = std::chrono::steady_clock::now();
    workspace_.run(backend_, image_.extents(), [&](const HostBackend& planned) {
      const auto levels = fpn_.forward(planned, backbone_.forward(planned, std::as_const(image_).view()));
      rpn_.forward(planned, levels);
      box_head_.forward(planned, box_regions_);
      auto logits = mask_head_.forward(planned, mask_regions_, mask_regions_.extent(0));
      sigmoid(planned, logits, logits);
    });
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  template <class F>
  void for_each_part(const F& f) {
    backbone_.for_each_layer(f);
    fpn_.for_each_layer(f);
    f(rpn_);
    box_head_.for_each_layer(f);
    mask_head_.for_each_layer(f);
  }

  HostBackend backend_;
  MaskRCNNConfig config_;
  ResNet<HostBackend> backbone_;
  FPN<HostBackend> fpn_;
  RPN<HostBackend> rpn_;
  BoxHead<HostBackend> box_head_;
  MaskHead<HostBackend> mask_head_;
  Tensor<float, 4, HostBackend> image_;
  Tensor<float, 4, HostBackend> box_regions_;
  Tensor<float, 4, HostBackend> mask_regions_;
  Workspace workspace_;
};

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

void measure_memory(const Options& options) {
  const HostBackend backend(options.threads);
  MaskRCNNConfig config = config_of(options);
  config.detection_min_confidence = 0;  // as many detections as there can be
  MaskRCNN<HostBackend> net(backend, config);
  test::fill_with_random_weights(net, 1, -1e6F);
  const double loaded = peak_megabytes();
  const Detections found = net.detect(test::random_picture(options.size * 3 / 4, options.size, 1));
  std::printf(
      "ResNet-%d, one picture at %d x %d, %d threads: peak resident size %.0f MB (%.0f MB after loading); %zu "
      "detections\n",
      options.depth, options.size, options.size, backend.threads(), peak_megabytes(), loaded, found.size());
}

void measure_time(const Options& options) {
  const HostBackend backend(options.threads);
  FixedInputs network(backend, options);
  network.run();
  if (options.steps) {
    for (std::string line; std::getline(std::cin, line);) std::cout << network.run() << std::endl;
    return;
  }
  std::vector<double> times;
  for (int i = 0; i < options.rounds; ++i) times.push_back(network.run());
  std::sort(times.begin(), times.end());
  std::printf(
      "mrcnn: ResNet-%d, %d x %d, %d threads: median %.0f ms, best %.0f ms of %d runs; peak resident size %.0f MB\n",
      options.depth, options.size, options.size, backend.threads(), times[times.size() / 2], times[0], options.rounds,
      peak_megabytes());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse(argc, argv);
    if (options.memory)
      measure_memory(options);
    else
      measure_time(options);
    if (argc == 1) measure_memory({.size = 1024, .depth = 101, .memory = true});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
