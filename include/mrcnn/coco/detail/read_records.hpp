#ifndef MRCNN_COCO_DETAIL_READ_RECORDS_HPP
#define MRCNN_COCO_DETAIL_READ_RECORDS_HPP

#include <simdjson.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "mrcnn/coco/detail/record_fields.hpp"
#include "mrcnn/coco/records.hpp"

// From parsed JSON to the records of coco/records.hpp. Of several members with one name the last counts, as in Python.

namespace mrcnn::coco::detail {

inline const char* const segmentation_forms =
    "a list of polygons [[x, y, ...], ...] or {\"size\": [height, width], \"counts\": a list or a string}";

inline Polygons read_polygons(const RecordField& field, const simdjson::dom::array& rings) {
  Polygons polygons;
  std::size_t coordinates = 0;
  for (const auto ring : rings) {
    simdjson::dom::array numbers;
    if (ring.get_array().get(numbers) != simdjson::SUCCESS)
      field.fail("found " + found_text(ring) + " in a list, expected " + segmentation_forms);
    coordinates += array_size(numbers);
  }
  if (coordinates > std::numeric_limits<std::uint32_t>::max())
    field.fail("has " + std::to_string(coordinates) + " coordinates, expected fewer than 2^32");
  polygons.coordinates.resize(coordinates);
  polygons.ring_ends.reserve(array_size(rings));
  double* to = polygons.coordinates.data();
  for (const auto ring : rings) {
    for (const auto coordinate : simdjson::dom::array(ring)) *to++ = field.with(coordinate).number();
    polygons.ring_ends.push_back(static_cast<std::uint32_t>(to - polygons.coordinates.data()));
  }
  return polygons;
}

inline Segmentation read_run_lengths(const RecordField& field, const simdjson::dom::object& object) {
  std::optional<simdjson::dom::element> size;
  std::optional<simdjson::dom::element> counts;
  for (const auto member : object) {
    if (member.key == "size") size = member.value;
    if (member.key == "counts") counts = member.value;
  }
  if (!size || !counts)
    field.fail(std::string("has no member '") + (size ? "counts" : "size") + "', expected " + segmentation_forms);
  simdjson::dom::array extents;
  if (size->get_array().get(extents) != simdjson::SUCCESS || array_size(extents) != 2)
    field.fail("size is " + found_text(*size) + ", expected [height, width]");
  const index_t height = field.with(extents.at(0)).extent();
  const index_t width = field.with(extents.at(1)).extent();

  std::string_view text;
  if (counts->get_string().get(text) == simdjson::SUCCESS) return CompressedRle{height, width, std::string(text)};
  simdjson::dom::array numbers;
  if (counts->get_array().get(numbers) != simdjson::SUCCESS)
    field.fail("counts is " + found_text(*counts) + ", expected a list of run lengths or a string");
  Rle rle{height, width, {}};
  rle.counts.reserve(array_size(numbers));
  for (const auto count : numbers)
    rle.counts.push_back(
        static_cast<std::uint32_t>(field.with(count).integer(0, std::numeric_limits<std::uint32_t>::max())));
  return rle;
}

inline Segmentation read_segmentation(const RecordField& field) {
  simdjson::dom::array rings;
  if (field.value.get_array().get(rings) == simdjson::SUCCESS) return read_polygons(field, rings);
  simdjson::dom::object object;
  if (field.value.get_object().get(object) == simdjson::SUCCESS) return read_run_lengths(field, object);
  if (!field.value.is_null()) field.fail_kind(segmentation_forms);
  return {};
}

/// null and [] are no box.
inline std::optional<BoxXywh> read_box(const RecordField& field) {
  if (field.value.is_null()) return std::nullopt;
  simdjson::dom::array numbers;
  if (field.value.get_array().get(numbers) != simdjson::SUCCESS) field.fail_kind("[x, y, width, height]");
  double box[4] = {};
  std::size_t count = 0;
  for (const auto number : numbers) {
    if (count < 4) box[count] = field.with(number).number();
    ++count;
  }
  if (count == 0) return std::nullopt;
  if (count != 4) field.fail("found " + std::to_string(count) + " numbers, expected [x, y, width, height]");
  return BoxXywh{box[0], box[1], box[2], box[3]};
}

inline simdjson::dom::object object_of(const RecordPlace& place) {
  simdjson::dom::object object;
  if (place.element.get_object().get(object) != simdjson::SUCCESS)
    place.fail("found " + found_text(place.element) + ", expected an object");
  return object;
}

inline void read_record(const RecordPlace& place, bool, ImageRecord& image) {
  bool has_id = false;
  for (const auto member : object_of(place)) {
    const RecordField field{place, member.key, member.value};
    if (field.name == "id") {
      image.id = field.integer();
      has_id = true;
    } else if (field.name == "height") {
      image.height = field.extent();
    } else if (field.name == "width") {
      image.width = field.extent();
    } else if (field.name == "file_name") {
      image.file_name = field.string();
    } else {
      append_member(image.extra, field.name, field.value);
    }
  }
  if (!has_id) place.fail_missing("id", "an integer");
}

inline void read_record(const RecordPlace& place, bool, CategoryRecord& category) {
  bool has_id = false;
  for (const auto member : object_of(place)) {
    const RecordField field{place, member.key, member.value};
    if (field.name == "id") {
      category.id = field.integer();
      has_id = true;
    } else if (field.name == "name") {
      category.name = field.string();
    } else if (field.name == "supercategory") {
      category.supercategory = field.string();
    } else {
      append_member(category.extra, field.name, field.value);
    }
  }
  if (!has_id) place.fail_missing("id", "an integer");
}

inline void read_record(const RecordPlace& place, bool segmentations, Annotation& annotation) {
  unsigned found = 0;
  for (const auto member : object_of(place)) {
    const RecordField field{place, member.key, member.value};
    if (field.name == "segmentation") {
      if (segmentations) annotation.segmentation = read_segmentation(field);
    } else if (field.name == "id") {
      annotation.id = field.integer();
      found |= 1U;
    } else if (field.name == "image_id") {
      annotation.image_id = field.integer();
      found |= 2U;
    } else if (field.name == "category_id") {
      annotation.category_id = field.integer();
      found |= 4U;
    } else if (field.name == "area") {
      annotation.area = field.value.is_null() ? std::nullopt : std::optional(field.number());
    } else if (field.name == "bbox") {
      annotation.bbox = read_box(field);
    } else if (field.name == "iscrowd") {
      annotation.is_crowd = field.flag();
    } else {
      append_member(annotation.extra, field.name, field.value);
    }
  }
  constexpr const char* required[] = {"id", "image_id", "category_id"};
  for (unsigned i = 0; i < 3; ++i)
    if ((found >> i & 1U) == 0) place.fail_missing(required[i], "an integer");
}

inline void read_record(const RecordPlace& place, bool segmentations, Result& result) {
  unsigned found = 0;
  bool has_segmentation = false;
  for (const auto member : object_of(place)) {
    const RecordField field{place, member.key, member.value};
    if (field.name == "segmentation") {
      has_segmentation = !field.value.is_null();
      if (segmentations) result.segmentation = read_segmentation(field);
    } else if (field.name == "image_id") {
      result.image_id = field.integer();
      found |= 1U;
    } else if (field.name == "category_id") {
      result.category_id = field.integer();
      found |= 2U;
    } else if (field.name == "score") {
      result.score = field.number();
      found |= 4U;
    } else if (field.name == "bbox") {
      result.bbox = read_box(field);
    }
  }
  constexpr std::pair<const char*, const char*> required[] = {
      {"image_id", "an integer"}, {"category_id", "an integer"}, {"score", "a number"}};
  for (unsigned i = 0; i < 3; ++i)
    if ((found >> i & 1U) == 0) place.fail_missing(required[i].first, required[i].second);
  if (!result.bbox && !has_segmentation) place.fail("has neither a 'bbox' nor a 'segmentation', expected at least one");
}

}  // namespace mrcnn::coco::detail

#endif
