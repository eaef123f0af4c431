#ifndef MRCNN_IO_DATA_TYPE_HPP
#define MRCNN_IO_DATA_TYPE_HPP

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "mrcnn/core/config.hpp"

namespace mrcnn::io {

static_assert(std::endian::native == std::endian::little,
              "mrcnn: files of weights are read on little-endian machines only");

/// The element types of arrays in files.
enum class DataType : std::uint8_t {
  boolean,
  u8,
  i8,
  u16,
  i16,
  f16,
  bf16,
  u32,
  i32,
  f32,
  u64,
  i64,
  f64,
  f8_e4m3,
  f8_e5m2
};

namespace detail {

struct DataTypeRow {
  DataType type;
  const char* name;  // in a safetensors header
  int bytes;
};
inline constexpr DataTypeRow data_type_table[] = {
    {DataType::f32, "F32", 4}, {DataType::f16, "F16", 2},         {DataType::bf16, "BF16", 2},
    {DataType::f64, "F64", 8}, {DataType::boolean, "BOOL", 1},    {DataType::u8, "U8", 1},
    {DataType::i8, "I8", 1},   {DataType::u16, "U16", 2},         {DataType::i16, "I16", 2},
    {DataType::u32, "U32", 4}, {DataType::i32, "I32", 4},         {DataType::u64, "U64", 8},
    {DataType::i64, "I64", 8}, {DataType::f8_e4m3, "F8_E4M3", 1}, {DataType::f8_e5m2, "F8_E5M2", 1},
};

constexpr const DataTypeRow& data_type_row(DataType type) {
  for (const auto& row : data_type_table)
    if (row.type == type) return row;
  return data_type_table[0];
}

}  // namespace detail

/// "F32", "BF16", ...
constexpr const char* name_of(DataType type) { return detail::data_type_row(type).name; }
/// Bytes of an element.
constexpr int size_of(DataType type) { return detail::data_type_row(type).bytes; }

inline std::optional<DataType> data_type_named(std::string_view name) {
  for (const auto& row : detail::data_type_table)
    if (name == row.name) return row.type;
  return std::nullopt;
}
/// All names, for messages.
inline std::string data_type_names() {
  std::string names;
  for (const auto& row : detail::data_type_table) names += std::string(names.empty() ? "" : ", ") + row.name;
  return names;
}

/// F16, BF16, F32 and F64: what can be read as float.
constexpr bool is_floating_point(DataType type) {
  return type == DataType::f16 || type == DataType::bf16 || type == DataType::f32 || type == DataType::f64;
}

/// The type of a C++ element.
template <class T>
constexpr DataType data_type_of() {
  if constexpr (std::is_same_v<T, float>)
    return DataType::f32;
  else if constexpr (std::is_same_v<T, double>)
    return DataType::f64;
  else {
    static_assert(std::is_integral_v<T> && !std::is_same_v<T, bool>,
                  "mrcnn: arrays of this element type are not stored in files");
    constexpr bool sign = std::is_signed_v<T>;
    if constexpr (sizeof(T) == 1) return sign ? DataType::i8 : DataType::u8;
    if constexpr (sizeof(T) == 2) return sign ? DataType::i16 : DataType::u16;
    if constexpr (sizeof(T) == 4) return sign ? DataType::i32 : DataType::u32;
    return sign ? DataType::i64 : DataType::u64;
  }
}

/// "[7, 7, 3, 64]"
inline std::string shape_text(const std::vector<index_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

namespace detail {

/// Bytes of an array; nothing when an extent is negative or the product does not fit index_t.
inline std::optional<std::uint64_t> shape_bytes(const std::vector<index_t>& shape, DataType type) {
  const auto limit = static_cast<std::uint64_t>(std::numeric_limits<index_t>::max());
  auto bytes = static_cast<std::uint64_t>(size_of(type));
  bool empty = false;
  for (const index_t extent : shape) {
    if (extent < 0) return std::nullopt;
    empty = empty || extent == 0;
  }
  if (empty) return 0;
  for (const index_t extent : shape) {
    if (bytes > limit / static_cast<std::uint64_t>(extent)) return std::nullopt;
    bytes *= static_cast<std::uint64_t>(extent);
  }
  return bytes;
}

/// Number of elements of a shape that was checked before.
inline index_t shape_size(const std::vector<index_t>& shape) {
  index_t size = 1;
  for (const index_t extent : shape)
    if (extent == 0) return 0;  // the others may then be anything
  for (const index_t extent : shape) size *= extent;
  return size;
}

/// IEEE half precision to float; exact.
inline float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 31U;
  std::uint32_t fraction = half & 0x3FFU;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000U | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  if (fraction == 0) return std::bit_cast<float>(sign);
  std::uint32_t shifted = 113;  // a denormal half is a normal float
  while ((fraction & 0x400U) == 0) {
    fraction <<= 1;
    --shifted;
  }
  return std::bit_cast<float>(sign | shifted << 23 | (fraction & 0x3FFU) << 13);
}

inline float bfloat16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// Little-endian floating-point elements of any kind to T. `bytes` need not be aligned.
template <class T>
void convert_floats(DataType type, const unsigned char* bytes, index_t count, T* destination) {
  const auto element = [bytes]<class Stored>(Stored value, index_t i) {
    std::memcpy(&value, bytes + i * static_cast<index_t>(sizeof value), sizeof value);
    return value;
  };
  for (index_t i = 0; i < count; ++i) {
    switch (type) {
      case DataType::f16: destination[i] = static_cast<T>(half_to_float(element(std::uint16_t{}, i))); break;
      case DataType::bf16: destination[i] = static_cast<T>(bfloat16_to_float(element(std::uint16_t{}, i))); break;
      case DataType::f64: destination[i] = static_cast<T>(element(double{}, i)); break;
      default: destination[i] = static_cast<T>(element(float{}, i)); break;
    }
  }
}

}  // namespace detail
}  // namespace mrcnn::io

#endif
