#ifndef MRCNN_COCO_DETAIL_RECORD_FIELDS_HPP
#define MRCNN_COCO_DETAIL_RECORD_FIELDS_HPP

#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "mrcnn/core/error.hpp"
#include "mrcnn/io/json_writer.hpp"

namespace mrcnn::coco::detail {

/// One element of an array of a COCO file, for messages.
struct RecordPlace {
  const std::string& file;
  const char* record;   ///< "annotation"
  const char* records;  ///< the array's name, "annotations"; empty when it is the whole file
  std::uint64_t index;
  simdjson::dom::element element;

  /// Throws "file: annotation 17: text", with the index where there is no id: "file: annotations[4]: text",
  /// "file: result 4: text".
  [[noreturn]] void fail(const std::string& text) const {
    std::int64_t id = 0;
    const bool whole_file = *records == '\0';
    const bool has_id = !whole_file && element.is_object() && element["id"].get_int64().get(id) == simdjson::SUCCESS;
    throw FormatError(file + ": " +
                      (has_id       ? std::string(record) + " " + std::to_string(id)
                       : whole_file ? std::string(record) + " " + std::to_string(index)
                                    : std::string(records) + "[" + std::to_string(index) + "]") +
                      ": " + text);
  }
  [[noreturn]] void fail_missing(std::string_view member, const char* expected) const {
    fail("has no member '" + std::string(member) + "', expected " + expected);
  }
};

inline std::string found_text(simdjson::dom::element value) {
  using Type = simdjson::dom::element_type;
  switch (value.type()) {
    case Type::ARRAY: return "an array";
    case Type::OBJECT: return "an object";
    case Type::STRING: return "a string";
    case Type::NULL_VALUE: return "null";
    default: return simdjson::minify(value);
  }
}

/// A value inside a record, with typed getters that throw FormatError naming the record, the member and both kinds.
struct RecordField {
  const RecordPlace& place;
  std::string_view name;
  simdjson::dom::element value;

  RecordField with(simdjson::dom::element inner) const { return {place, name, inner}; }

  [[noreturn]] void fail(const std::string& text) const { place.fail(std::string(name) + ": " + text); }
  [[noreturn]] void fail_kind(const char* expected) const {
    fail("found " + found_text(value) + ", expected " + expected);
  }

  /// 3 and 3.0 alike.
  std::int64_t integer() const {
    std::int64_t result = 0;
    if (value.get_int64().get(result) == simdjson::SUCCESS) return result;
    double number = 0;
    if (value.get_double().get(number) != simdjson::SUCCESS || !(std::fabs(number) < 9007199254740992.0) ||
        number != std::trunc(number))
      fail_kind("an integer of 64 bits");
    return static_cast<std::int64_t>(number);
  }
  std::int64_t integer(std::int64_t low, std::int64_t high) const {
    const std::int64_t result = integer();
    if (result < low || result > high)
      fail("found " + std::to_string(result) + ", expected an integer from " + std::to_string(low) + " to " +
           std::to_string(high));
    return result;
  }
  std::int64_t extent() const { return integer(0, std::numeric_limits<std::int64_t>::max()); }

  double number() const {
    double result = 0;
    if (value.get_double().get(result) != simdjson::SUCCESS) fail_kind("a number");
    return result;
  }
  /// true, false, 1 or 0.
  bool flag() const {
    bool result = false;
    if (value.get_bool().get(result) == simdjson::SUCCESS) return result;
    if (!value.is_number()) fail_kind("0 or 1");
    return integer(0, 1) != 0;
  }
  std::string_view string() const {
    std::string_view result;
    if (value.get_string().get(result) != simdjson::SUCCESS) fail_kind("a string");
    return result;
  }
};

/// How many elements an array has; simdjson's own count stops at 2^24 - 1.
inline std::size_t array_size(const simdjson::dom::array& array) {
  std::size_t count = array.size();
  if (count < 0xFFFFFF) return count;
  count = 0;
  for ([[maybe_unused]] const auto element : array) ++count;
  return count;
}

/// Appends `"key":value` to members that are kept as JSON.
inline void append_member(std::string& members, std::string_view key, simdjson::dom::element value) {
  if (!members.empty()) members += ',';
  io::append_json_string(members, key);
  members += ':';
  std::string_view text;
  std::int64_t integer = 0;
  if (value.get_string().get(text) == simdjson::SUCCESS) {
    io::append_json_string(members, text);
  } else if (value.get_int64().get(integer) == simdjson::SUCCESS) {
    char digits[24];
    members.append(digits, std::to_chars(digits, digits + sizeof digits, integer).ptr);
  } else {
    members += static_cast<std::string>(simdjson::minify(value));
  }
}

}  // namespace mrcnn::coco::detail

#endif
