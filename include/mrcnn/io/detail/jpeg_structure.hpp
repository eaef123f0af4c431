#ifndef MRCNN_IO_DETAIL_JPEG_STRUCTURE_HPP
#define MRCNN_IO_DETAIL_JPEG_STRUCTURE_HPP

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/io/detail/orientation.hpp"

namespace mrcnn::io::detail {

/// What a JPEG file is made of, found by walking its markers without decoding a pixel. Tells a file that was cut short
/// from a whole one, which a decoder that fills gaps with gray does not.
struct JpegStructure {
  index_t height = 0;
  index_t width = 0;
  std::size_t end = 0;        ///< behind the picture's data: where the end marker stands, or the size of the file
  std::size_t last_scan = 0;  ///< where the entropy-coded data of the last scan begin; 0 when there is no scan
  bool end_marker = false;
  int orientation = 1;
  std::string missing;  ///< what the file is too short for; empty when nothing is known to be missing
  std::string damaged;  ///< what makes it a file that can not be decoded; empty when nothing does
};

class JpegWalk {
 public:
  explicit JpegWalk(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  JpegStructure run() {
    std::size_t at = 2;  // behind the signature
    found_.end = bytes_.size();
    while (found_.damaged.empty() && found_.missing.empty()) {
      while (at < bytes_.size() && bytes_[at] != 0xFF) ++at;  // padding
      while (at < bytes_.size() && bytes_[at] == 0xFF) ++at;
      if (at >= bytes_.size()) break;
      const int marker = bytes_[at++];
      if (marker == 0xD9) {
        found_.end_marker = true;
        found_.end = at - 2;
        break;
      }
      if (marker == 0 || marker == 1 || (marker >= 0xD0 && marker <= 0xD8)) continue;  // these stand alone
      at = segment(marker, at);
    }
    const bool half_a_marker = !found_.end_marker && bytes_.back() == 0xFF;
    if (half_a_marker) found_.end = std::max(found_.last_scan, bytes_.size() - 1);
    if (found_.damaged.empty() && found_.missing.empty()) judge();
    return found_;
  }

 private:
  struct Component {
    int id = 0;
    index_t across = 0;  // blocks of 8 x 8 in a unit of all components
    index_t down = 0;
    bool begun = false;             // a scan carried its first bits
    std::array<int, 64> missing{};  // of each coefficient, the lower bits that no scan carried yet; 16: all
  };

  unsigned number(std::size_t at) const { return static_cast<unsigned>(bytes_[at] << 8 | bytes_[at + 1]); }

  /// Takes note of a segment whose length field is at `at`; returns the position behind it.
  std::size_t segment(int marker, std::size_t at) {
    const std::size_t left = bytes_.size() - at;
    if (left < 2 || number(at) > left) {
      found_.missing = "the rest of its header";
      return at;
    }
    const std::size_t length = number(at);
    if (length < 2) {
      found_.damaged = "a segment is " + std::to_string(length) + " bytes long";
      return at;
    }
    const auto body = bytes_.subspan(at + 2, length - 2);
    const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (marker == 0xE1 && !oriented_ && body.size() > 6 && std::memcmp(body.data(), "Exif\0\0", 6) == 0) {
      oriented_ = true;
      found_.orientation = exif_orientation(body.subspan(6));
    } else if (marker == 0xDD && body.size() >= 2) {
      restart_interval_ = number(at + 2);
    } else if (marker == 0xDB) {
      check_quantisation(body);
    } else if (marker == 0xC4) {
      check_huffman(body);
    } else if (frame) {
      read_frame(marker, body);
    } else if (marker == 0xDA) {
      return scan(body, at + length);
    }
    return at + length;
  }

  /// Tables that do not fill their segment exactly, or have more entries than a table can, would carry a decoder that
  /// trusts them out of its memory.
  void check_quantisation(std::span<const std::uint8_t> body) {
    while (!body.empty()) {
      const std::size_t length = body[0] >> 4 == 0 ? 65 : 129;
      if (body[0] >> 4 > 1 || (body[0] & 15) > 3 || body.size() < length) {
        found_.damaged = "a quantisation table is malformed";
        return;
      }
      body = body.subspan(length);
    }
  }

  void check_huffman(std::span<const std::uint8_t> body) {
    constexpr std::size_t counts = 16;
    while (!body.empty()) {
      std::size_t codes = 0;
      for (std::size_t i = 1; i <= counts && i < body.size(); ++i) codes += body[i];
      if (body[0] >> 4 > 1 || (body[0] & 15) > 3 || codes > 256 || body.size() < 1 + counts + codes) {
        found_.damaged = "a Huffman table is malformed";
        return;
      }
      body = body.subspan(1 + counts + codes);
    }
  }

  void read_frame(int marker, std::span<const std::uint8_t> body) {
    if (!components_.empty()) {
      found_.damaged = "it has two frames";
    } else if (marker > 0xC2) {
      found_.damaged = marker == 0xC3 ? "it is a lossless JPEG, expected a baseline or progressive one"
                                      : "its coding (marker " + std::to_string(marker) +
                                            ") is not supported, expected baseline or progressive Huffman coding";
    } else if (body.size() < 6 || body[5] == 0 || body[5] > 4 || body.size() != 6U + 3U * body[5]) {
      found_.damaged = "its frame header is malformed";
    } else if (body[0] != 8) {
      found_.damaged = "its samples have " + std::to_string(body[0]) + " bits, expected 8";
    } else {
      found_.height = body[1] << 8 | body[2];
      found_.width = body[3] << 8 | body[4];
      for (std::size_t i = 6; i < body.size(); i += 3) {
        Component component;
        component.id = body[i];
        component.across = body[i + 1] >> 4;
        component.down = body[i + 1] & 15;
        if (component.across < 1 || component.across > 4 || component.down < 1 || component.down > 4)
          found_.damaged = "its frame header is malformed";
        component.missing.fill(16);
        components_.push_back(component);
        most_across_ = std::max(most_across_, component.across);
        most_down_ = std::max(most_down_, component.down);
      }
      if (found_.height == 0 || found_.width == 0) found_.damaged = "its header gives it no pixels";
      progressive_ = marker == 0xC2;
    }
  }

  /// A scan: its header, then entropy-coded data from `at` to the next marker, which is returned.
  std::size_t scan(std::span<const std::uint8_t> header, std::size_t at) {
    if (header.empty() || header[0] < 1 || header[0] > 4 || header.size() != 4U + 2U * header[0] ||
        components_.empty()) {
      found_.damaged = "a scan header is malformed";
      return at;
    }
    const unsigned count = header[0];
    const Component* only = nullptr;
    for (unsigned i = 0; i < count; ++i)
      for (Component& component : components_)
        if (component.id == header[1 + 2 * i]) {
          note_scan(component, header.last(3));
          only = &component;
        }
    if (only == nullptr) {
      found_.damaged = "a scan names no component of the frame";
      return at;
    }
    found_.last_scan = at;

    index_t restarts = 0;
    for (; at < bytes_.size(); ++at) {
      const void* next = std::memchr(bytes_.data() + at, 0xFF, bytes_.size() - at);
      at = next == nullptr ? bytes_.size()
                           : static_cast<std::size_t>(static_cast<const std::uint8_t*>(next) - bytes_.data());
      if (at + 1 >= bytes_.size()) break;
      const int marker = bytes_[at + 1];
      if (marker >= 0xD0 && marker <= 0xD7)
        ++restarts;
      else if (marker != 0 && marker != 0xFF)
        break;
    }
    at = std::min(at, bytes_.size());
    const index_t expected = restart_interval_ > 0 ? (units(count, *only) - 1) / restart_interval_ : 0;
    if (restarts < expected)
      found_.missing = "its data from restart interval " + std::to_string(restarts + 1) + " of " +
                       std::to_string(expected + 1) + " on";
    return at;
  }

  void note_scan(Component& component, std::span<const std::uint8_t> band) {
    const int first = progressive_ ? std::min<int>(band[0], 63) : 0;
    const int last = progressive_ ? std::min<int>(band[1], 63) : 63;
    if (first == 0 && (!progressive_ || band[2] >> 4 == 0)) component.begun = true;
    for (int k = first; k <= last; ++k)
      component.missing[static_cast<std::size_t>(k)] = progressive_ ? band[2] & 15 : 0;
  }

  /// How many units a scan of `count` components codes: blocks of the only one, or groups of blocks of all.
  index_t units(unsigned count, const Component& only) const {
    const auto blocks = [](index_t pixels, index_t part, index_t whole) {
      return mrcnn::detail::ceil_div(mrcnn::detail::ceil_div(pixels * part, whole), index_t{8});
    };
    if (count == 1)
      return blocks(found_.width, only.across, most_across_) * blocks(found_.height, only.down, most_down_);
    return mrcnn::detail::ceil_div(found_.width, 8 * most_across_) *
           mrcnn::detail::ceil_div(found_.height, 8 * most_down_);
  }

  /// What the scans leave open. That a progressive picture lacks its last refinements only counts where the end marker
  /// is missing too: an encoder may leave them out.
  void judge() {
    if (components_.empty() || found_.last_scan == 0) {
      if (found_.end_marker)
        found_.damaged = "it holds no picture";
      else
        found_.missing = "all of its pixels";
      return;
    }
    for (const Component& component : components_) {
      const bool refined =
          std::all_of(component.missing.begin(), component.missing.end(), [](int n) { return n == 0; });
      if (!component.begun || (!found_.end_marker && !refined)) found_.missing = "the last of its scans";
    }
  }

  std::span<const std::uint8_t> bytes_;
  JpegStructure found_;
  std::vector<Component> components_;
  index_t most_across_ = 1;
  index_t most_down_ = 1;
  index_t restart_interval_ = 0;
  bool progressive_ = false;
  bool oriented_ = false;
};

}  // namespace mrcnn::io::detail

#endif
