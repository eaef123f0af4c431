#ifndef MRCNN_IO_IMAGE_HPP
#define MRCNN_IO_IMAGE_HPP

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mrcnn/core/image.hpp"

// Reading and writing of image files. These functions are not templates and not header-only: link mrcnn::image_io, a
// static library that CMake builds from one source. It keeps its copy of stb to itself.

namespace mrcnn::io {

struct ReadImageOptions {
  /// Turn and mirror the picture as the camera's Orientation tag says. COCO's annotations ignore the tag: switch it off
  /// to evaluate on COCO.
  bool apply_exif_orientation = true;
};

/// Reads a picture from a file: JPEG, PNG, BMP, GIF (the first frame), TGA, PSD, or binary PGM and PPM. What the file
/// holds decides, not its name; only TGA, which has no signature, goes by the extension.
///
/// Gray is replicated to three channels, an alpha channel is dropped (nothing is blended), of 16 bits the upper 8 are
/// kept. Colour profiles are ignored. Orientation is read from JPEG and PNG; a damaged tag counts as none.
/// Safe to call from several threads.
/// Throws: FormatError, one line with the path, when the file is missing, a directory, empty, no picture, of a kind that
/// is not supported, cut short, damaged, or claims more than 2^28 pixels or more than its bytes can hold. A JPEG is cut
/// short when pixels are missing; one that lacks just its end marker is read.
Image read_image(const std::string& path, const ReadImageOptions& options = {});

/// As `read_image`, for the bytes of a file in memory. `name` is what errors call it.
Image decode_image(std::span<const std::uint8_t> bytes, const std::string& name, const ReadImageOptions& options = {});

/// The bytes of a PNG file. Throws: ShapeError when the image has no pixels or more than 2^28, or when its buffer does
/// not fit its extents.
std::vector<std::uint8_t> encode_png(const Image& image);

/// The bytes of a JPEG file of `quality` 1 to 100; up to 90 colour has half the resolution. Throws: as `encode_png`, and
/// for another quality or a side longer than 65535.
std::vector<std::uint8_t> encode_jpeg(const Image& image, int quality = 92);

/// As one of the two above, whichever the extension of `path` names: .png, .jpg or .jpeg. Nothing is written.
/// Throws: FormatError for another extension.
std::vector<std::uint8_t> encode_image(const std::string& path, const Image& image);

/// Encodes in memory, then writes the file, which appears whole or not at all.
/// Throws: as the encoders; FormatError with the path and the system's reason when it can not be written.
void write_png(const std::string& path, const Image& image);
void write_jpeg(const std::string& path, const Image& image, int quality = 92);
void write_image(const std::string& path, const Image& image);

/// Whether a file of this name is taken for a picture when a folder is searched, upper or lower case: .jpg .jpeg .png
/// .bmp .gif .tga .psd .pgm .ppm .pnm.
bool is_image_extension(const std::string& path);

}  // namespace mrcnn::io

#endif
