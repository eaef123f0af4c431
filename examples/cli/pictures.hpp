#ifndef MRCNN_EXAMPLES_CLI_PICTURES_HPP
#define MRCNN_EXAMPLES_CLI_PICTURES_HPP

#include <cstdint>
#include <string>
#include <vector>

namespace mrcnn::cli {

/// A picture that was asked for.
struct Picture {
  std::string path;
  std::int64_t image_id = 0;  ///< the stem when it is a number, else the position from 1
  bool explicitly = false;    ///< named itself, not found in a folder
  std::string file_name() const;
};

struct PictureList {
  std::vector<Picture> pictures;
  bool has_folder = false;
};

/// The pictures that the arguments name: files as they are, folders for the files with a picture's extension in them,
/// sorted by name, without those of deeper folders.
/// Throws: FormatError when something does not exist, or a folder holds no picture.
PictureList list_pictures(const std::vector<std::string>& arguments);

/// One name for each picture, all different: the stem, and where that is taken "stem-2", "stem-3", ...
std::vector<std::string> distinct_stems(const std::vector<Picture>& pictures);

}  // namespace mrcnn::cli

#endif
