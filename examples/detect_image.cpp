// The objects in a photograph. Usage: detect_image WEIGHTS.h5 PHOTO.jpg, with the published COCO weights.
#include <cstdio>
#include <exception>

#include "mrcnn/coco/categories.hpp"
#include "mrcnn/core/host_backend.hpp"
#include "mrcnn/io/image.hpp"
#include "mrcnn/io/open_weights.hpp"
#include "mrcnn/models/mask_rcnn.hpp"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::puts("usage: detect_image WEIGHTS.h5 PHOTO.jpg");
    return argc == 1 ? 0 : 2;
  }
  try {
    const auto names = mrcnn::coco::category_names();
    const mrcnn::HostBackend cpu;
    mrcnn::MaskRCNN<mrcnn::HostBackend> net(cpu, mrcnn::MaskRCNNConfig::coco());
    mrcnn::load_weights(net, argv[1]);
    const mrcnn::Image photo = mrcnn::io::read_image(argv[2]);
    for (const mrcnn::Detection& d : net.detect(photo)) {
      const auto name = names[static_cast<std::size_t>(d.class_id) - 1];
      std::printf("%-14s %.2f  [%g %g %g %g]\n", name.c_str(), static_cast<double>(d.score),
                  static_cast<double>(d.box.x1), static_cast<double>(d.box.y1), static_cast<double>(d.box.x2),
                  static_cast<double>(d.box.y2));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "detect_image: %s\n", error.what());
    return 1;
  }
  return 0;
}
