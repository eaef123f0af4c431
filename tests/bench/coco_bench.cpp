// Loads COCO annotations and results and evaluates them, once, and prints the seconds of each part, the 12 numbers and the
// peak memory as JSON; coco_peers.py runs it in turn with other systems:
//
//   coco_bench --data FOLDER --iou-type bbox|segm|boundary [--threads N]
//
// FOLDER has instances.json and bbox.json or segm.json.

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <string>

#include "mrcnn/coco/annotations.hpp"
#include "mrcnn/coco/evaluate.hpp"

namespace {

using namespace mrcnn;
using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

double peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024;
}

void run(const std::string& folder, const std::string& type, int threads) {
  const Clock::time_point begin = Clock::now();
  const coco::ReadOptions reading{.threads = threads};
  const coco::Annotations annotations = coco::read_annotations(folder + "/instances.json", reading);
  const Clock::time_point annotated = Clock::now();
  const auto results = coco::read_results(folder + (type == "bbox" ? "/bbox.json" : "/segm.json"), reading);
  const Clock::time_point read = Clock::now();
  const coco::IouType compared = type == "bbox"   ? coco::IouType::bbox
                                 : type == "segm" ? coco::IouType::segm
                                                  : coco::IouType::boundary;
  const coco::Evaluation found = coco::evaluate(annotations, results, {.iou_type = compared, .threads = threads});
  const Clock::time_point end = Clock::now();

  std::printf("{\"annotations\": %.6f, \"results\": %.6f, \"evaluate\": %.6f, \"peak\": %.0f, \"stats\": [",
              seconds_between(begin, annotated), seconds_between(annotated, read), seconds_between(read, end),
              peak_bytes());
  const char* separator = "";
  for (const double number : found.stats) {
    std::printf("%s%.17g", separator, number);
    separator = ", ";
  }
  std::printf("]}\n");
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options = {{"--data", ""}, {"--iou-type", "bbox"}, {"--threads", "1"}};
  for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  if (argc % 2 == 0 || options.size() != 3 || options["--data"].empty()) {
    std::fprintf(stderr, "usage: coco_bench --data FOLDER --iou-type bbox|segm|boundary [--threads N]\n");
    return 2;
  }
  try {
    run(options["--data"], options["--iou-type"], std::atoi(options["--threads"].c_str()));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "coco_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
