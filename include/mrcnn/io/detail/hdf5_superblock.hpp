#ifndef MRCNN_IO_DETAIL_HDF5_SUPERBLOCK_HPP
#define MRCNN_IO_DETAIL_HDF5_SUPERBLOCK_HPP

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include "mrcnn/core/error.hpp"
#include "mrcnn/io/detail/file.hpp"

namespace mrcnn::io::detail {

/// The first bytes of an HDF5 file, read by ourselves: libhdf5 says no more than that it can not open a truncated file.
struct Hdf5Superblock {
  std::uint64_t offset = 0;       ///< of the superblock: 0, or 512, 1024, 2048, ... behind a user block
  int version = 0;                ///< 0 to 3
  std::uint64_t end_of_file = 0;  ///< bytes the file must have
};

inline constexpr std::array<unsigned char, 8> hdf5_signature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};

/// Where the signature stands; nothing when the file is not HDF5.
inline std::optional<std::uint64_t> find_hdf5_signature(const InputFile& file) {
  std::array<unsigned char, 8> found{};
  for (std::uint64_t offset = 0; offset + found.size() <= file.size(); offset = offset == 0 ? 512 : offset * 2) {
    file.read(offset, found.data(), found.size());
    if (found == hdf5_signature) return offset;
  }
  return std::nullopt;
}

/// Reads the superblock and compares the file's length with what it says.
/// Throws: FormatError when the file is not HDF5, truncated, or of an unknown version.
inline Hdf5Superblock check_hdf5_superblock(const InputFile& file) {
  const auto fail = [&](const std::string& text) { throw FormatError(file.path() + ": " + text); };
  Hdf5Superblock superblock;
  const auto start = find_hdf5_signature(file);
  if (file.size() == 0) fail("is empty, expected an HDF5 file; fetch or save it again");
  if (!start && file.size() < hdf5_signature.size())
    fail("is truncated: " + std::to_string(file.size()) + (file.size() == 1 ? " byte" : " bytes") +
         ", expected an HDF5 file of 48 or more; fetch or save it again");
  if (!start)
    fail("is not an HDF5 file: its signature was not found in " + std::to_string(file.size()) +
         " bytes, expected a Keras .h5");
  superblock.offset = *start;
  std::array<unsigned char, 96> bytes{};
  const std::uint64_t available = std::min<std::uint64_t>(bytes.size(), file.size() - *start);
  file.read(*start, bytes.data(), available);
  if (available < 48)
    fail("is truncated: the HDF5 superblock needs 48 bytes or more, the file has " + std::to_string(available) +
         " there; fetch or save it again");
  superblock.version = bytes[8];
  if (superblock.version > 3)
    fail("has HDF5 superblock version " + std::to_string(superblock.version) + ", expected 0 to 3");
  // Versions 0 and 1: two versions of sub-structures and their sizes come first; version 1 has four bytes more before
  // the addresses. The addresses are: base, free space (0, 1) or extension (2, 3), end of file.
  const bool old = superblock.version < 2;
  const std::size_t width = bytes[old ? 13 : 9];
  if (width != 2 && width != 4 && width != 8)
    fail("has HDF5 addresses of " + std::to_string(width) + " bytes, expected 2, 4 or 8");
  const std::size_t first_address = !old ? 12 : superblock.version == 0 ? 24 : 28;
  const std::size_t place = first_address + 2 * width;
  for (std::size_t i = width; i-- > 0;) superblock.end_of_file = superblock.end_of_file << 8 | bytes[place + i];
  if (superblock.end_of_file > file.size())
    fail("is truncated: it has " + std::to_string(file.size()) + " bytes, expected " +
         std::to_string(superblock.end_of_file) + " as its header says; download or copy it again");
  return superblock;
}

}  // namespace mrcnn::io::detail

#endif
