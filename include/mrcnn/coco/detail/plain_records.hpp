#ifndef MRCNN_COCO_DETAIL_PLAIN_RECORDS_HPP
#define MRCNN_COCO_DETAIL_PLAIN_RECORDS_HPP

#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mrcnn/coco/records.hpp"
#include "mrcnn/io/detail/plain_json.hpp"

// Records as COCO's own files and most programs write them, in about half the time that a parser takes. What is not
// exactly like that is left to coco/detail/read_records.hpp, which also knows what to say about it.

namespace mrcnn::coco::detail {

/// Reads plain records, one after the other; each function is false where a record is not plain.
class PlainRecords {
 public:
  PlainRecords(std::string_view text, bool segmentations) : json_(text), segmentations_(segmentations) {}

  bool at_end() { return json_.at_end(); }
  bool comma() { return json_.take(','); }

  bool read(Annotation& annotation) {
    unsigned found = 0;
    const auto member = [&](std::string_view name) {
      if (name == "segmentation") return read_segmentation(annotation.segmentation);
      if (name == "area") return json_.number(annotation.area.emplace());
      if (name == "iscrowd") return read_flag(annotation.is_crowd);
      if (name == "image_id") return (found |= 2U, json_.integer(annotation.image_id));
      if (name == "bbox") return read_box(annotation.bbox);
      if (name == "category_id") return (found |= 4U, json_.integer(annotation.category_id));
      if (name == "id") return (found |= 1U, json_.integer(annotation.id));
      return read_other(name, &annotation.extra);
    };
    return read_members(member) && found == 7;
  }
  bool read(Result& result) {
    unsigned found = 0;
    const auto member = [&](std::string_view name) {
      if (name == "image_id") return (found |= 1U, json_.integer(result.image_id));
      if (name == "category_id") return (found |= 2U, json_.integer(result.category_id));
      if (name == "bbox") return (found |= 8U, read_box(result.bbox));
      if (name == "segmentation") return (found |= 8U, read_segmentation(result.segmentation));
      if (name == "score") return (found |= 4U, json_.number(result.score));
      return read_other(name, nullptr);
    };
    return read_members(member) && found == 15;
  }
  bool read(ImageRecord& image) {
    bool has_id = false;
    const auto member = [&](std::string_view name) {
      if (name == "id") return (has_id = true, json_.integer(image.id));
      if (name == "height") return json_.integer(image.height) && image.height >= 0;
      if (name == "width") return json_.integer(image.width) && image.width >= 0;
      if (name == "file_name") return json_.string(image.file_name);
      return read_other(name, &image.extra);
    };
    return read_members(member) && has_id;
  }

 private:
  template <class Member>
  bool read_members(const Member& member) {
    if (!json_.take('{')) return false;
    do {
      std::string_view name;
      if (!json_.key(name) || !member(name)) return false;
    } while (json_.take(','));
    return json_.take('}');
  }

  bool read_flag(bool& flag) {
    std::int64_t value = 0;
    if (!json_.integer(value) || value < 0 || value > 1) return false;
    flag = value == 1;
    return true;
  }
  bool read_box(std::optional<BoxXywh>& box) {
    coordinates_.clear();
    if (!json_.numbers(coordinates_) || coordinates_.size() != 4) return false;
    box = {coordinates_[0], coordinates_[1], coordinates_[2], coordinates_[3]};
    return true;
  }
  /// A string or an integer; into `members` when they are kept.
  bool read_other(std::string_view name, std::string* members) {
    const char first = json_.peek();
    char digits[24];
    std::string_view value;
    if (first == '"') {
      bool has_escapes = false;
      if (!json_.string(text_, &has_escapes) || has_escapes) return false;  // what has, would have to get them again
      value = text_;
    } else {
      std::int64_t integer = 0;
      if (!json_.integer(integer)) return false;
      value = {digits, static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, integer).ptr - digits)};
    }
    if (members == nullptr) return true;
    const std::string_view quote = first == '"' ? "\"" : "";
    if (!members->empty()) *members += ',';
    ((*members += '"') += name) += "\":";
    ((*members += quote) += value) += quote;
    return true;
  }

  bool read_segmentation(Segmentation& segmentation) {
    return json_.peek() == '{' ? read_run_lengths(segmentation) : read_polygons(segmentation);
  }
  bool read_polygons(Segmentation& segmentation) {
    coordinates_.clear();
    ring_ends_.clear();
    if (!json_.take('[')) return false;
    do {
      if (!json_.numbers(coordinates_)) return false;
      ring_ends_.push_back(static_cast<std::uint32_t>(coordinates_.size()));
    } while (json_.take(','));
    if (!json_.take(']')) return false;
    if (segmentations_) segmentation.emplace<Polygons>(Polygons{coordinates_, ring_ends_});
    return true;
  }
  bool read_run_lengths(Segmentation& segmentation) {
    if (!json_.take('{')) return false;
    std::int64_t height = -1;
    std::int64_t width = -1;
    bool has_text = false;
    bool has_counts = false;
    do {
      std::string_view name;
      if (!json_.key(name)) return false;
      if (name == "size") {
        if (!json_.take('[') || !json_.integer(height) || !json_.take(',') || !json_.integer(width) || !json_.take(']'))
          return false;
      } else if (name != "counts" || has_text || has_counts) {
        return false;
      } else if (json_.peek() == '"') {
        has_text = json_.string(text_);
        if (!has_text) return false;
      } else {
        has_counts = read_counts();
        if (!has_counts) return false;
      }
    } while (json_.take(','));
    if (!json_.take('}') || height < 0 || width < 0 || has_text == has_counts) return false;
    if (!segmentations_) return true;
    if (has_text)
      segmentation.emplace<CompressedRle>(CompressedRle{height, width, text_});
    else
      segmentation.emplace<Rle>(Rle{height, width, counts_});
    return true;
  }
  bool read_counts() {
    counts_.clear();
    if (!json_.take('[')) return false;
    do {
      std::int64_t count = 0;
      if (!json_.integer(count) || count < 0 || count > std::numeric_limits<std::uint32_t>::max()) return false;
      counts_.push_back(static_cast<std::uint32_t>(count));
    } while (json_.take(','));
    return json_.take(']');
  }

  io::detail::PlainJson json_;
  bool segmentations_;
  std::vector<double> coordinates_;
  std::vector<std::uint32_t> ring_ends_;
  std::vector<std::uint32_t> counts_;
  std::string text_;
};

}  // namespace mrcnn::coco::detail

#endif
