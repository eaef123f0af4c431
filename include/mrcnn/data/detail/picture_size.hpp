#ifndef MRCNN_DATA_DETAIL_PICTURE_SIZE_HPP
#define MRCNN_DATA_DETAIL_PICTURE_SIZE_HPP

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/io/detail/file.hpp"
#include "mrcnn/io/detail/image_format.hpp"
#include "mrcnn/io/detail/jpeg_structure.hpp"
#include "mrcnn/io/detail/png_structure.hpp"

namespace mrcnn::data::detail {

struct PictureSize {
  index_t height = 0;
  index_t width = 0;
  int orientation = 1;
};

/// The size that a picture's first bytes tell. Zeros when they make no sense, or are too few.
inline PictureSize picture_size(std::span<const std::uint8_t> bytes, const std::string& path) {
  namespace format = io::detail;
  const auto number = [&](std::size_t at, std::size_t count, bool big) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count && at + count <= bytes.size(); ++i)
      value = value << 8 | bytes[at + (big ? i : count - 1 - i)];
    return static_cast<index_t>(value);
  };
  switch (format::image_format(bytes, path)) {
    case format::ImageFormat::jpeg: {
      const auto found = format::JpegWalk(bytes).run();
      return {found.height, found.width, found.orientation};
    }
    case format::ImageFormat::png: {
      const auto found = format::walk_png(bytes);
      return {found.height, found.width, found.orientation};
    }
    case format::ImageFormat::pnm: {
      const auto found = format::read_pnm_header(bytes);
      return {found.height, found.width, 1};
    }
    case format::ImageFormat::tga: {
      const auto found = format::read_tga_header(bytes);
      return {found.height, found.width, 1};
    }
    case format::ImageFormat::bmp:  // a negative height stands for rows from the top
      return {std::abs(static_cast<index_t>(static_cast<std::int32_t>(number(22, 4, false)))), number(18, 4, false), 1};
    case format::ImageFormat::gif: return {number(8, 2, false), number(6, 2, false), 1};
    case format::ImageFormat::psd: return {number(14, 4, true), number(18, 4, true), 1};
    default: return {};
  }
}

/// For an error message.
inline std::string what_it_seems(std::span<const std::uint8_t> bytes, const std::string& path) {
  const io::detail::ImageFormat format = io::detail::image_format(bytes, path);
  return format == io::detail::ImageFormat::unknown
             ? io::detail::describe_bytes(bytes)
             : std::string("a damaged ") + io::detail::format_name(format) + " header";
}

/// The size of the picture in a file, without decoding it; as it is to be seen when `oriented`.
///
/// Throws: FormatError when the file can not be read, or its header tells no size. Damage further on is found by
/// whoever reads the pixels.
inline PictureSize read_picture_size(const std::string& path, bool oriented) {
  const io::detail::InputFile file(path);
  constexpr std::uint64_t most_pixels = std::uint64_t{1} << 28;  // as in io::read_image
  // A header is in the first bytes, unless a thumbnail or a colour profile comes before it; a PNG's orientation may
  // follow the pixels.
  PictureSize size;
  std::vector<std::uint8_t> bytes;
  for (std::uint64_t count = 1 << 16;; count *= 16) {
    const std::uint64_t wanted = std::min(count, file.size());
    bytes.resize(wanted);
    file.read(0, bytes.data(), wanted);
    size = picture_size(bytes, path);
    const bool whole = wanted == file.size();
    const bool png = io::detail::starts_with(bytes, "\x89PNG");
    if (whole || (size.height > 0 && size.width > 0 && !(png && oriented))) break;
  }
  const bool sensible = size.height > 0 && size.width > 0 &&
                        static_cast<std::uint64_t>(size.height) <= most_pixels / static_cast<std::uint64_t>(size.width);
  if (!sensible)
    throw FormatError(path + ": its header tells no size of at most 2^28 pixels, expected a picture: " +
                      (bytes.empty() ? std::string("the file is empty") : "found " + what_it_seems(bytes, path)));
  if (oriented && size.orientation >= 5) std::swap(size.height, size.width);
  return size;
}

}  // namespace mrcnn::data::detail

#endif
