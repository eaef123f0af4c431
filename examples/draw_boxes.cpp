// Draws boxes, masks and captions on a picture without any network: what a detector of your own needs to show its
// results. Usage: draw_boxes IN.jpg OUT.png [FONT.ttf]
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "mrcnn/io/image.hpp"
#include "mrcnn/vis/draw.hpp"

namespace {

/// A made-up detection: the ellipse inside the part of the picture between two corners, given as fractions of its size.
mrcnn::Detection ellipse(const mrcnn::Image& image, double left, double top, double right, double bottom, int class_id,
                         float score) {
  mrcnn::Detection detection;
  auto& mask = detection.mask;
  mask.x = static_cast<mrcnn::index_t>(left * static_cast<double>(image.width));
  mask.y = static_cast<mrcnn::index_t>(top * static_cast<double>(image.height));
  mask.width = static_cast<mrcnn::index_t>(right * static_cast<double>(image.width)) - mask.x;
  mask.height = static_cast<mrcnn::index_t>(bottom * static_cast<double>(image.height)) - mask.y;
  for (mrcnn::index_t y = 0; y < mask.height; ++y) {
    for (mrcnn::index_t x = 0; x < mask.width; ++x) {
      const double u = (2.0 * static_cast<double>(x) + 1.0) / static_cast<double>(mask.width) - 1.0;
      const double v = (2.0 * static_cast<double>(y) + 1.0) / static_cast<double>(mask.height) - 1.0;
      mask.pixels.push_back(u * u + v * v < 1.0 ? 1 : 0);
    }
  }
  detection.box = {static_cast<float>(mask.x), static_cast<float>(mask.y), static_cast<float>(mask.x + mask.width),
                   static_cast<float>(mask.y + mask.height)};
  detection.class_id = class_id;
  detection.score = score;
  return detection;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: draw_boxes IN.jpg OUT.png [FONT.ttf]\n");
    return 2;
  }
  try {
    mrcnn::Image image = mrcnn::io::read_image(argv[1]);
    const std::vector<mrcnn::Detection> detections{ellipse(image, 0.08, 0.15, 0.45, 0.90, 1, 0.987F),
                                                   ellipse(image, 0.38, 0.30, 0.70, 0.70, 2, 0.953F),
                                                   ellipse(image, 0.65, 0.05, 0.98, 0.55, 2, 0.741F)};
    mrcnn::vis::DrawOptions options;
    if (argc == 4) options.font_path = argv[3];
    mrcnn::vis::draw_detections(image, detections, {"teddy bear", "kite"}, options);
    mrcnn::io::write_image(argv[2], image);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "draw_boxes: %s\n", error.what());
    return 1;
  }
  return 0;
}
