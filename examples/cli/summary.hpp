#ifndef MRCNN_EXAMPLES_CLI_SUMMARY_HPP
#define MRCNN_EXAMPLES_CLI_SUMMARY_HPP

#include <string>
#include <vector>

#include "mrcnn/models/detections.hpp"
#include "mrcnn/models/stages.hpp"
#include "pictures.hpp"

namespace mrcnn::cli {

/// What became of one picture.
struct PictureResult {
  Picture picture;
  std::string error;  ///< when it could not be read
  index_t height = 0;
  index_t width = 0;
  Detections detections;  ///< without the pixels of the masks
  std::vector<index_t> mask_pixels;
};

/// A table of what was found: for one picture every object, for several a line each.
std::string results_table(const std::vector<PictureResult>& results, const std::vector<std::string>& class_names);

/// A table of how long each stage took.
std::string times_table(const std::vector<StageTime>& times);

}  // namespace mrcnn::cli

#endif
