#ifndef MRCNN_IO_SAFETENSORS_HPP
#define MRCNN_IO_SAFETENSORS_HPP

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/io/data_type.hpp"
#include "mrcnn/io/detail/file.hpp"
#include "mrcnn/io/json.hpp"
#include "mrcnn/io/output_file.hpp"

namespace mrcnn::io {

/// A tensor in a file.
struct SafeTensorInfo {
  std::string name;
  DataType dtype = DataType::f32;
  std::vector<index_t> shape;
  std::uint64_t offset = 0;  ///< of the first byte, from the start of the file
  std::uint64_t bytes = 0;
  index_t size() const { return detail::shape_size(shape); }  ///< number of elements
};

/// A .safetensors file open for reading: 8 bytes of header length, a JSON header, the tensors' bytes.
///
/// `open` reads and checks the header: every size against the file's length before anything is allocated, dtypes,
/// shapes against bytes, and that the tensors cover the data without overlap or gap. Tensors are read on demand;
/// reading is safe from several threads. Format: the safetensors project's description; multi-byte values are
/// little-endian.
class SafeTensors {
 public:
  /// The longest header that is read; the format's own limit.
  static constexpr std::uint64_t max_header_bytes = 100'000'000;

  /// Throws: FormatError, naming the file and the tensor, what was found and what was expected.
  static SafeTensors open(const std::string& path) { return SafeTensors(path); }
  /// Whether the file begins as a .safetensors file does. Throws: FormatError when it can not be opened.
  static bool recognise(const std::string& path) {
    const detail::InputFile file(path);
    std::array<unsigned char, 9> start{};
    if (file.size() < start.size()) return false;
    file.read(0, start.data(), start.size());
    return start[8] == '{';  // a length that can not be is for `open` to report
  }

  const std::string& path() const { return file_.path(); }
  /// The texts under `__metadata__`.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// All tensors, in the order of their bytes.
  const std::vector<SafeTensorInfo>& tensors() const { return tensors_; }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& tensor : tensors_) names.push_back(tensor.name);
    return names;
  }
  bool contains(const std::string& name) const { return by_name_.count(name) > 0; }
  /// Throws: FormatError when there is no such tensor.
  const SafeTensorInfo& info(const std::string& name) const {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) throw FormatError(path() + ": has no tensor '" + name + "'");
    return tensors_[found->second];
  }

  /// The elements of a tensor in C order. float and double take F16, BF16, F32 and F64 and convert; every other T must
  /// be the tensor's own type (std::int8_t ... std::uint64_t). Throws: FormatError.
  template <class T>
  std::vector<T> read(const std::string& name) const {
    const SafeTensorInfo& tensor = info(name);
    std::vector<T> elements(static_cast<std::size_t>(tensor.size()));
    read_into(tensor, elements.data());
    return elements;
  }
  /// The same into `tensor.size()` elements at `destination`.
  template <class T>
  void read_into(const SafeTensorInfo& tensor, T* destination) const {
    if (data_type_of<T>() == tensor.dtype) return read_bytes(tensor, destination);
    if constexpr (std::is_floating_point_v<T>) {
      if (is_floating_point(tensor.dtype)) {
        std::vector<unsigned char> bytes(static_cast<std::size_t>(tensor.bytes));
        read_bytes(tensor, bytes.data());
        return detail::convert_floats(tensor.dtype, bytes.data(), tensor.size(), destination);
      }
    }
    throw FormatError(path() + ": tensor '" + tensor.name + "' has dtype " + name_of(tensor.dtype) + ", expected " +
                      name_of(data_type_of<T>()));
  }
  /// The bytes of a tensor as they stand in the file, `tensor.bytes` of them.
  void read_bytes(const SafeTensorInfo& tensor, void* destination) const {
    file_.read(tensor.offset, destination, tensor.bytes);
  }

 private:
  explicit SafeTensors(const std::string& path) : file_(path) {
    std::array<unsigned char, 9> start{};
    if (file_.size() == 0) fail(std::string("is empty, expected a safetensors file") + again);
    if (file_.size() < 8)
      fail("is truncated: " + std::to_string(file_.size()) + (file_.size() == 1 ? " byte" : " bytes") +
           ", expected a safetensors file of 10 or more" + again);
    file_.read(0, start.data(), std::min<std::uint64_t>(file_.size(), start.size()));
    const std::uint64_t length = header_length(start);
    if (length > max_header_bytes)
      fail("its header claims " + std::to_string(length) + " bytes, expected at most " +
           std::to_string(max_header_bytes) + ", and the file has " + std::to_string(file_.size()) +
           ": not a safetensors file, or damaged" + again);
    if (length > file_.size() - 8)
      fail("is truncated: its header claims " + std::to_string(length) + " bytes, the file has " +
           std::to_string(file_.size()) + ", expected " + std::to_string(length + 8) + " or more" + again);
    if (start[8] != '{') fail("is not a safetensors file: its header does not begin with '{', expected a JSON object");
    std::string header(static_cast<std::size_t>(length), '\0');
    file_.read(8, header.data(), length);
    parse(header, length + 8);
  }

  static std::uint64_t header_length(const std::array<unsigned char, 9>& start) {
    std::uint64_t length = 0;
    for (std::size_t i = 8; i-- > 0;) length = length << 8 | start[i];
    return length;
  }

  static constexpr const char* again = "; fetch or save it again";

  [[noreturn]] void fail(const std::string& text) const { throw FormatError(file_.path() + ": " + text); }

  void parse(const std::string& header, std::uint64_t data_begin) {
    const auto document = JsonDocument::parse(header, file_.path() + ": header");
    bool has_metadata = false;
    document.root().for_each_member([&](std::string_view name, const JsonValue& value) {
      if (name == "__metadata__") {
        if (std::exchange(has_metadata, true)) fail("its header has two members '__metadata__', expected one");
        parse_metadata(value);
      } else {
        parse_tensor(name, value, data_begin);
      }
    });
    check_coverage(data_begin);
  }

  void parse_metadata(const JsonValue& value) {
    value.for_each_member([&](std::string_view key, const JsonValue& text) {
      if (!metadata_.emplace(std::string(key), std::string(text.string())).second)
        fail("its metadata has two entries '" + std::string(key) + "', expected each key once");
    });
  }

  void parse_tensor(std::string_view name, const JsonValue& value, std::uint64_t data_begin) {
    SafeTensorInfo tensor;
    tensor.name = name;
    const std::string intro = "tensor '" + tensor.name + "' ";
    std::optional<DataType> dtype;
    std::vector<std::int64_t> offsets;
    bool has_shape = false;
    value.for_each_member([&](std::string_view key, const JsonValue& content) {
      if (key == "dtype") {
        dtype = data_type_named(content.string());
        if (!dtype)
          fail(intro + "has the unknown dtype '" + std::string(content.string()) + "', expected one of " +
               data_type_names());
      } else if (key == "shape") {
        tensor.shape = content.integers();
        has_shape = true;
      } else if (key == "data_offsets") {
        offsets = content.integers();
      } else {
        fail(intro + "has the unknown member '" + std::string(key) + "', expected dtype, shape, data_offsets");
      }
    });
    if (!dtype || !has_shape || offsets.size() != 2)
      fail(intro + "is described incompletely, expected dtype, shape and two data_offsets");
    tensor.dtype = *dtype;
    const std::uint64_t data_bytes = file_.size() - data_begin;
    if (offsets[0] < 0 || offsets[1] < offsets[0])
      fail(intro + "has the data_offsets [" + std::to_string(offsets[0]) + ", " + std::to_string(offsets[1]) +
           "], expected 0 <= begin <= end");
    if (static_cast<std::uint64_t>(offsets[1]) > data_bytes)
      fail("is truncated: " + intro + "ends at byte " +
           std::to_string(data_begin + static_cast<std::uint64_t>(offsets[1])) + ", the file has " +
           std::to_string(file_.size()) + " bytes" + again);
    tensor.offset = data_begin + static_cast<std::uint64_t>(offsets[0]);
    tensor.bytes = static_cast<std::uint64_t>(offsets[1] - offsets[0]);
    check_bytes(tensor, intro);
    if (!by_name_.emplace(tensor.name, 0).second)
      fail("has two tensors named '" + tensor.name + "', expected each name once");
    tensors_.push_back(std::move(tensor));
  }

  void check_bytes(const SafeTensorInfo& tensor, const std::string& intro) const {
    const auto expected = detail::shape_bytes(tensor.shape, tensor.dtype);
    if (!expected)
      fail(intro + "has the shape " + shape_text(tensor.shape) +
           ", which is negative or too large, expected one that the file can hold");
    if (*expected != tensor.bytes)
      fail(intro + "takes " + std::to_string(tensor.bytes) + " bytes, expected " + std::to_string(*expected) + " for " +
           name_of(tensor.dtype) + " " + shape_text(tensor.shape));
  }

  /// Sorts the tensors by place and makes sure that they fill the data exactly.
  void check_coverage(std::uint64_t data_begin) {
    std::stable_sort(tensors_.begin(), tensors_.end(), [](const SafeTensorInfo& a, const SafeTensorInfo& b) {
      return a.offset != b.offset ? a.offset < b.offset : a.bytes < b.bytes;
    });
    std::uint64_t end = data_begin;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const SafeTensorInfo& tensor = tensors_[i];
      by_name_[tensor.name] = i;
      if (tensor.offset != end)
        fail("tensor '" + tensor.name + "' begins at byte " + std::to_string(tensor.offset) + ", expected " +
             std::to_string(end) + (tensor.offset < end ? ": it overlaps " : ": there is a gap after ") +
             (i == 0 ? "the header" : "'" + tensors_[i - 1].name + "'") + "; the file is damaged" + again);
      end += tensor.bytes;
    }
    if (end != file_.size())
      fail("has " + std::to_string(file_.size()) + " bytes, expected " + std::to_string(end) +
           ": there is data after the last tensor; the file is damaged" + again);
  }

  detail::InputFile file_;
  std::map<std::string, std::string> metadata_;
  std::vector<SafeTensorInfo> tensors_;
  std::unordered_map<std::string, std::size_t> by_name_;
};

/// A tensor to be written: its elements stand in C order at `data`, which must live until the write is over.
struct SafeTensorSource {
  std::string name;
  DataType dtype = DataType::f32;
  std::vector<index_t> shape;
  const void* data = nullptr;
};

/// Writes a .safetensors file; its bytes are the same for the same input. Tensors are stored by falling element size,
/// otherwise in the order given, so all are aligned; the header is padded to 8 bytes. Throws: FormatError when the file
/// can not be written; Error for two tensors of one name or a negative shape.
inline void write_safetensors(OutputFile& file, std::vector<SafeTensorSource> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const SafeTensorSource& a, const SafeTensorSource& b) {
    return size_of(a.dtype) > size_of(b.dtype);
  });
  JsonWriter header;
  header.begin_object();
  if (!metadata.empty()) {
    header.key("__metadata__").begin_object();
    for (const auto& [key, text] : metadata) header.member(key, text);
    header.end_object();
  }
  std::map<std::string_view, int> seen;
  std::uint64_t end = 0;
  for (const auto& tensor : tensors) {
    const auto bytes = detail::shape_bytes(tensor.shape, tensor.dtype);
    if (!bytes)
      throw Error(file.path() + ": tensor '" + tensor.name + "' has the impossible shape " + shape_text(tensor.shape));
    if (tensor.name == "__metadata__" || seen[tensor.name]++ > 0)
      throw Error(file.path() + ": two tensors named '" + tensor.name + "' can not be written");
    header.key(tensor.name).begin_object().member("dtype", name_of(tensor.dtype)).key("shape").begin_array();
    for (const index_t extent : tensor.shape) header.value(extent);
    header.end_array().key("data_offsets").begin_array().value(end).value(end + *bytes).end_array().end_object();
    end += *bytes;
  }
  std::string text = header.end_object().text();
  text.append((8 - text.size() % 8) % 8, ' ');
  std::array<unsigned char, 8> length{};
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(text.size() >> (8 * i));
  file.write(length.data(), length.size());
  file.write(text);
  for (const auto& tensor : tensors)
    file.write(tensor.data, static_cast<std::size_t>(*detail::shape_bytes(tensor.shape, tensor.dtype)));
}

/// The same by path: written to a temporary beside `path`, renamed when it is complete.
inline void write_safetensors(const std::string& path, std::vector<SafeTensorSource> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  OutputFile file(path);
  write_safetensors(file, std::move(tensors), metadata);
  file.commit();
}

}  // namespace mrcnn::io

#endif
