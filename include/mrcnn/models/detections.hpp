#ifndef MRCNN_MODELS_DETECTIONS_HPP
#define MRCNN_MODELS_DETECTIONS_HPP

#include <cstdint>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/ops/boxes.hpp"
#include "mrcnn/ops/mask_crop.hpp"

namespace mrcnn {

/// The pixels of one instance in its picture.
using InstanceMask = MaskCrop;

/// One object found in a picture.
struct Detection {
  Box box{};                  ///< (x1, y1, x2, y2), whole pixels of the original picture, x2 and y2 exclusive
  std::int32_t class_id = 0;  ///< 1 is the first class; 0, the background, does not occur
  float score = 0;            ///< probability of the class, in [0, 1]
  InstanceMask mask;
};

/// What was found in one picture, best score first.
using Detections = std::vector<Detection>;

}  // namespace mrcnn

#endif
