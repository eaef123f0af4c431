#ifndef MRCNN_IO_JSON_HPP
#define MRCNN_IO_JSON_HPP

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/io/detail/file.hpp"
#include "mrcnn/io/detail/json_syntax.hpp"
#include "mrcnn/io/json_writer.hpp"

namespace mrcnn::io {

namespace detail {

/// What a parsed document keeps alive.
struct JsonSource {
  std::string name;  // of the file, for messages
  simdjson::dom::parser parser;
  simdjson::dom::element root;
};

inline const char* json_kind_name(simdjson::dom::element_type type) {
  using Type = simdjson::dom::element_type;
  switch (type) {
    case Type::ARRAY: return "an array";
    case Type::OBJECT: return "an object";
    case Type::STRING: return "a string";
    case Type::BOOL: return "true or false";
    case Type::NULL_VALUE: return "null";
    default: return "a number";
  }
}

/// Whether two elements are the same place of the same document.
inline bool same_element(const simdjson::dom::element& a, const simdjson::dom::element& b) {
  static_assert(std::is_trivially_copyable_v<simdjson::dom::element>);
  return std::memcmp(&a, &b, sizeof a) == 0;
}

/// Writes the way from `from` to `wanted`, such as `annotations[3].bbox`. Only needed for messages, so values carry no
/// path.
inline bool find_json_path(const simdjson::dom::element& from, const simdjson::dom::element& wanted,
                           std::string& path) {
  if (same_element(from, wanted)) return true;
  const std::size_t length = path.size();
  if (from.is_object()) {
    for (const auto member : simdjson::dom::object(from)) {
      path += length == 0 ? "" : ".";
      path += member.key;
      if (find_json_path(member.value, wanted, path)) return true;
      path.resize(length);
    }
  } else if (from.is_array()) {
    index_t index = 0;
    for (const auto element : simdjson::dom::array(from)) {
      path += "[" + std::to_string(index++) + "]";
      if (find_json_path(element, wanted, path)) return true;
      path.resize(length);
    }
  }
  return false;
}

}  // namespace detail

/// One value of a JSON document: a light handle that is valid as long as its `JsonDocument` lives.
///
/// The typed getters throw FormatError when the value is of another kind; the message names the file, the path of the
/// value and both kinds: `config.json: rpn_anchor_scales[2]: found a string, expected a number`.
class JsonValue {
 public:
  JsonValue(const detail::JsonSource& source, simdjson::dom::element element) : source_(&source), element_(element) {}

  bool is_object() const { return element_.is_object(); }
  bool is_array() const { return element_.is_array(); }
  bool is_string() const { return element_.is_string(); }
  bool is_number() const { return element_.is_number(); }
  bool is_bool() const { return element_.is_bool(); }
  bool is_null() const { return element_.is_null(); }

  std::string_view string() const { return get<std::string_view>("a string"); }
  bool boolean() const { return get<bool>("true or false"); }
  double number() const { return get<double>("a number"); }

  /// A number without a fraction (3 and 3.0) inside [low, high].
  std::int64_t integer(std::int64_t low = std::numeric_limits<std::int64_t>::min(),
                       std::int64_t high = std::numeric_limits<std::int64_t>::max()) const {
    std::int64_t result = 0;
    if (element_.get_int64().get(result) != simdjson::SUCCESS) {
      const double value = get<double>("an integer");
      if (!(std::fabs(value) < 9007199254740992.0) || value != std::trunc(value))
        fail("found " + minified() + ", expected an integer");
      result = static_cast<std::int64_t>(value);
    }
    if (result < low || result > high)
      fail("found " + std::to_string(result) + ", expected an integer from " + std::to_string(low) + " to " +
           std::to_string(high));
    return result;
  }

  /// Number of elements of an array or members of an object.
  index_t size() const {
    if (is_object()) {
      index_t n = 0;
      for ([[maybe_unused]] const auto member : simdjson::dom::object(element_)) ++n;
      return n;
    }
    index_t n = 0;  // simdjson's own size() saturates at 2^24 - 1
    for ([[maybe_unused]] const auto element : get<simdjson::dom::array>("an array")) ++n;
    return n;
  }

  /// Calls f(std::string_view key, JsonValue value) for the members of an object, in the order of the file.
  template <class F>
  void for_each_member(F&& f) const {
    for (const auto member : get<simdjson::dom::object>("an object")) f(member.key, JsonValue(*source_, member.value));
  }
  /// Calls f(JsonValue element) for the elements of an array.
  template <class F>
  void for_each_element(F&& f) const {
    for (const auto element : get<simdjson::dom::array>("an array")) f(JsonValue(*source_, element));
  }

  /// The member of an object, if it is there; of several with one name the first.
  std::optional<JsonValue> find(std::string_view name) const {
    for (const auto member : get<simdjson::dom::object>("an object"))
      if (member.key == name) return JsonValue(*source_, member.value);
    return std::nullopt;
  }
  /// The member of an object. Throws FormatError when it is missing.
  JsonValue operator[](std::string_view name) const {
    const auto member = find(name);
    if (!member) fail("has no member '" + std::string(name) + "'");
    return *member;
  }
  /// The element of an array. Throws FormatError past the end. O(index).
  JsonValue at(index_t index) const {
    index_t i = 0;
    for (const auto element : get<simdjson::dom::array>("an array"))
      if (i++ == index) return JsonValue(*source_, element);
    fail("has " + std::to_string(i) + " elements, expected more than " + std::to_string(index));
  }

  /// Appends the numbers of an array; the fast way to read long ones.
  template <class T>
    requires std::floating_point<T>
  void append_numbers(std::vector<T>& out) const {
    for (const auto element : get<simdjson::dom::array>("an array")) {
      double number = 0;
      if (element.get_double().get(number) != simdjson::SUCCESS) JsonValue(*source_, element).number();
      out.push_back(static_cast<T>(number));
    }
  }
  std::vector<double> numbers() const {
    std::vector<double> out;
    append_numbers(out);
    return out;
  }
  /// The integers of an array.
  std::vector<std::int64_t> integers() const {
    std::vector<std::int64_t> out;
    for_each_element([&](const JsonValue& element) { out.push_back(element.integer()); });
    return out;
  }
  /// The strings of an array.
  std::vector<std::string> strings() const {
    std::vector<std::string> out;
    for_each_element([&](const JsonValue& element) { out.emplace_back(element.string()); });
    return out;
  }

  /// The value as JSON text without spaces.
  std::string minified() const { return simdjson::minify(element_); }

  /// Where in the document this value stands: `annotations[3].bbox`; empty for the root. Searches: for messages only.
  std::string path() const {
    std::string path;
    detail::find_json_path(source_->root, element_, path);
    return path;
  }
  /// Throws a FormatError about this value: file, path, `text`.
  [[noreturn]] void fail(const std::string& text) const {
    const std::string where = path();
    throw FormatError(source_->name + ": " + (where.empty() ? std::string() : where + ": ") + text);
  }

 private:
  template <class T>
  T get(const char* expected) const {
    T result{};
    if (element_.get(result) != simdjson::SUCCESS)
      fail(std::string("found ") + detail::json_kind_name(element_.type()) + ", expected " + expected);
    return result;
  }

  const detail::JsonSource* source_;
  simdjson::dom::element element_;
};

/// A parsed JSON text. Up to 4 GiB; values nest up to 1024 deep; a byte-order mark is skipped.
class JsonDocument {
 public:
  /// Throws: FormatError when the file is missing, unreadable or not JSON; the message has line and column.
  static JsonDocument open(const std::string& path) {
    const detail::InputFile file(path);
    if (file.size() > simdjson::SIMDJSON_MAXSIZE_BYTES - simdjson::SIMDJSON_PADDING)
      throw FormatError(path + ": has " + std::to_string(file.size()) + " bytes, expected JSON of at most 4 GiB");
    simdjson::padded_string text(static_cast<std::size_t>(file.size()));
    file.read(0, text.data(), file.size());
    return JsonDocument(text, path);
  }
  /// `name` stands for the file in messages.
  static JsonDocument parse(std::string_view text, std::string name) {
    return JsonDocument(simdjson::padded_string(text), std::move(name));
  }

  JsonValue root() const { return JsonValue(*source_, source_->root); }
  const std::string& name() const { return source_->name; }

 private:
  JsonDocument(const simdjson::padded_string& text, std::string name)
      : source_(std::make_unique<detail::JsonSource>()) {
    source_->name = std::move(name);
    const std::string_view all(text.data(), text.size());
    const std::size_t skipped = all.substr(0, 3) == "\xEF\xBB\xBF" ? 3 : 0;
    // The padding behind the text is ours, so the parser need not copy it.
    const auto result = source_->parser.parse(text.data() + skipped, text.size() - skipped, false);
    if (result.error() != simdjson::SUCCESS) fail(all, skipped, result.error());
    source_->root = result.value_unsafe();
  }

  [[noreturn]] void fail(std::string_view all, std::size_t skipped, simdjson::error_code error) const {
    auto problem = detail::JsonSyntax(all.substr(skipped)).find();
    if (error == simdjson::MEMALLOC) throw Error(source_->name + ": out of memory while reading JSON");
    if (error == simdjson::DEPTH_ERROR || problem.text.empty())
      throw FormatError(source_->name + ": can not be read as JSON: " +
                        (error == simdjson::DEPTH_ERROR
                             ? std::string("values nest deeper than 1024, expected at most that")
                             : std::string(simdjson::error_message(error)) + ", expected JSON"));
    const std::string_view before = all.substr(0, std::min(all.size(), problem.offset + skipped));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t start = before.rfind('\n') == std::string_view::npos ? skipped : before.rfind('\n') + 1;
    throw FormatError(source_->name + ":" + std::to_string(line) + ":" + std::to_string(before.size() - start + 1) +
                      ": is not JSON: " + problem.text);
  }

  std::unique_ptr<detail::JsonSource> source_;
};

}  // namespace mrcnn::io

#endif
