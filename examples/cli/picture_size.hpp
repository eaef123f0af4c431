#ifndef MRCNN_EXAMPLES_CLI_PICTURE_SIZE_HPP
#define MRCNN_EXAMPLES_CLI_PICTURE_SIZE_HPP

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/io/detail/file.hpp"
#include "mrcnn/io/detail/image_format.hpp"
#include "mrcnn/io/detail/jpeg_structure.hpp"
#include "mrcnn/io/detail/png_structure.hpp"
#include "mrcnn/io/image.hpp"

namespace mrcnn::cli {

/// Height and width of the pixels in a file, whatever a camera's orientation tag says.
///
/// @param decode  whether to decode every pixel; else the structure of JPEG and PNG files is walked, which finds those
///                that are cut short, and only other kinds are decoded
/// Throws: FormatError when the file is missing, no picture, cut short or damaged.
inline std::pair<index_t, index_t> picture_size(const std::string& path, bool decode) {
  std::vector<std::uint8_t> bytes;
  if (!decode) {
    const io::detail::InputFile file(path);
    if (file.size() < (std::uint64_t{1} << 31)) bytes.resize(static_cast<std::size_t>(file.size()));
    file.read(0, bytes.data(), bytes.size());
  }
  const auto size_of = [&](const auto& structure) {
    if (!structure.damaged.empty() || !structure.missing.empty())
      throw FormatError(
          path + ": is " +
          (structure.damaged.empty() ? "cut short: it lacks " + structure.missing : "damaged: " + structure.damaged));
    return std::pair(structure.height, structure.width);
  };
  switch (io::detail::image_format(bytes, path)) {
    case io::detail::ImageFormat::jpeg: return size_of(io::detail::JpegWalk(bytes).run());
    case io::detail::ImageFormat::png: return size_of(io::detail::walk_png(bytes));
    default: break;
  }
  const Image image = io::read_image(path, {.apply_exif_orientation = false});
  return {image.height, image.width};
}

}  // namespace mrcnn::cli

#endif
