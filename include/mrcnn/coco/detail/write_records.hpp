#ifndef MRCNN_COCO_DETAIL_WRITE_RECORDS_HPP
#define MRCNN_COCO_DETAIL_WRITE_RECORDS_HPP

#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "mrcnn/coco/records.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/io/json_writer.hpp"

namespace mrcnn::coco::detail {

inline void append_polygons(io::JsonWriter& writer, const Polygons& polygons) {
  writer.begin_array();
  std::size_t begin = 0;
  for (const std::uint32_t end : polygons.ring_ends) {
    if (end < begin || end > polygons.coordinates.size())
      throw Error("a ring ends at " + std::to_string(end) + " of " + std::to_string(polygons.coordinates.size()) +
                  " coordinates and begins at " + std::to_string(begin));
    writer.begin_array();
    for (; begin < end; ++begin) writer.value(polygons.coordinates[begin]);
    writer.end_array();
  }
  if (begin != polygons.coordinates.size())
    throw Error("the last ring ends at " + std::to_string(begin) + " of " +
                std::to_string(polygons.coordinates.size()) + " coordinates, expected all of them to belong to a ring");
  writer.end_array();
}

inline io::JsonWriter& begin_run_lengths(io::JsonWriter& writer, index_t height, index_t width) {
  return writer.begin_object().key("size").begin_array().value(height).value(width).end_array().key("counts");
}

/// The member `segmentation`; nothing for none.
inline void append_segmentation(io::JsonWriter& writer, const Segmentation& segmentation) {
  if (std::holds_alternative<std::monostate>(segmentation)) return;
  writer.key("segmentation");
  if (const auto* polygons = std::get_if<Polygons>(&segmentation)) append_polygons(writer, *polygons);
  if (const auto* text = std::get_if<CompressedRle>(&segmentation))
    begin_run_lengths(writer, text->height, text->width).value(text->counts).end_object();
  if (const auto* rle = std::get_if<Rle>(&segmentation)) {
    begin_run_lengths(writer, rle->height, rle->width).begin_array();
    for (const std::uint32_t count : rle->counts) writer.value(count);
    writer.end_array().end_object();
  }
}

inline void append_box(io::JsonWriter& writer, const std::optional<BoxXywh>& box) {
  if (!box) return;
  writer.key("bbox").begin_array();
  writer.value(box->x).value(box->y).value(box->width).value(box->height).end_array();
}

inline void append_record(io::JsonWriter& writer, const ImageRecord& image) {
  writer.begin_object().member("id", image.id).member("width", image.width).member("height", image.height);
  writer.member("file_name", image.file_name).raw_members(image.extra).end_object();
}
inline void append_record(io::JsonWriter& writer, const CategoryRecord& category) {
  writer.begin_object().member("id", category.id).member("name", category.name);
  writer.member("supercategory", category.supercategory).raw_members(category.extra).end_object();
}
inline void append_record(io::JsonWriter& writer, const Annotation& annotation) {
  writer.begin_object().member("id", annotation.id).member("image_id", annotation.image_id);
  writer.member("category_id", annotation.category_id).member("iscrowd", annotation.is_crowd ? 1 : 0);
  if (annotation.area) writer.member("area", *annotation.area);
  append_box(writer, annotation.bbox);
  append_segmentation(writer, annotation.segmentation);
  writer.raw_members(annotation.extra).end_object();
}
inline void append_record(io::JsonWriter& writer, const Result& result) {
  writer.begin_object().member("image_id", result.image_id).member("category_id", result.category_id);
  append_box(writer, result.bbox);
  append_segmentation(writer, result.segmentation);
  writer.member("score", result.score).end_object();
}

inline std::string record_name(const ImageRecord& image, std::size_t) { return "image " + std::to_string(image.id); }
inline std::string record_name(const CategoryRecord& category, std::size_t) {
  return "category " + std::to_string(category.id);
}
inline std::string record_name(const Annotation& annotation, std::size_t) {
  return "annotation " + std::to_string(annotation.id);
}
inline std::string record_name(const Result&, std::size_t index) { return "result " + std::to_string(index); }

/// Calls write(text) for an array, piece by piece.
template <class Record, class Write>
void write_array(std::span<const Record> records, const Write& write) {
  constexpr std::size_t piece_bytes = std::size_t{1} << 20U;
  std::string piece = "[";
  for (std::size_t i = 0; i < records.size(); ++i) {
    io::JsonWriter writer;
    try {
      append_record(writer, records[i]);
    } catch (const Error& error) {
      throw Error(record_name(records[i], i) + " can not be written: " + error.what());
    }
    if (i > 0) piece += ',';
    piece += writer.text();
    if (piece.size() < piece_bytes) continue;
    write(std::string_view(piece));
    piece.clear();
  }
  piece += ']';
  write(std::string_view(piece));
}

template <class Write>
void write_instances(const Annotations& all, const Write& write) {
  write(std::string_view("{"));
  if (!all.extra.empty()) write(std::string_view(all.extra + ","));
  write(std::string_view("\"images\":"));
  write_array(std::span<const ImageRecord>(all.images), write);
  write(std::string_view(",\"annotations\":"));
  write_array(std::span<const Annotation>(all.annotations), write);
  write(std::string_view(",\"categories\":"));
  write_array(std::span<const CategoryRecord>(all.categories), write);
  write(std::string_view("}"));
}

}  // namespace mrcnn::coco::detail

#endif
