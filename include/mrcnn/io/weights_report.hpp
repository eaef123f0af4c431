#ifndef MRCNN_IO_WEIGHTS_REPORT_HPP
#define MRCNN_IO_WEIGHTS_REPORT_HPP

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/io/data_type.hpp"

namespace mrcnn::io {

/// What became of an array when weights were loaded.
enum class ArrayStatus : std::uint8_t {
  used,         ///< copied into the model
  unused,       ///< in the file, not wanted by the model
  missing,      ///< wanted by the model, not in the file
  wrong_shape,  ///< in the file and wanted, but not with this shape; not copied
};

inline const char* name_of(ArrayStatus status) {
  switch (status) {
    case ArrayStatus::used: return "used";
    case ArrayStatus::unused: return "unused";
    case ArrayStatus::missing: return "missing";
    case ArrayStatus::wrong_shape: return "wrong shape";
  }
  return "";
}

struct ArrayReport {
  std::string name;
  ArrayStatus status = ArrayStatus::used;
  DataType dtype = DataType::f32;  ///< in the file
  std::vector<index_t> shape;      ///< in the file; empty when missing
  std::vector<index_t> expected;   ///< in the file's layout; empty when unused
  /// Whether the values were converted from another type than float32.
  bool converted() const { return status == ArrayStatus::used && dtype != DataType::f32; }
};

/// Every array of a file and of a model, and how they met.
struct WeightsReport {
  std::string file;
  std::vector<ArrayReport> arrays;  ///< in the order of the model, then what is left of the file

  index_t count(ArrayStatus status) const {
    return std::count_if(arrays.begin(), arrays.end(),
                         [&](const ArrayReport& array) { return array.status == status; });
  }
  index_t converted() const {
    return std::count_if(arrays.begin(), arrays.end(), [](const ArrayReport& array) { return array.converted(); });
  }
  bool complete() const { return count(ArrayStatus::missing) == 0 && count(ArrayStatus::wrong_shape) == 0; }

  /// "266 used, 0 unused, 0 missing, 0 of wrong shape"
  std::string summary() const {
    std::string text = std::to_string(count(ArrayStatus::used)) + " used";
    if (converted() > 0) text += " (" + std::to_string(converted()) + " converted to float32)";
    return text + ", " + std::to_string(count(ArrayStatus::unused)) + " unused, " +
           std::to_string(count(ArrayStatus::missing)) + " missing, " +
           std::to_string(count(ArrayStatus::wrong_shape)) + " of wrong shape";
  }

  /// A table for people: one line for each array, then the summary.
  std::string table() const {
    std::size_t name_width = 5;
    std::size_t shape_width = 5;
    for (const auto& array : arrays) {
      name_width = std::max(name_width, array.name.size());
      shape_width = std::max(shape_width, shape_text(shown_shape(array)).size());
    }
    const auto padded = [](std::string text, std::size_t width) {
      text.resize(std::max(text.size(), width), ' ');
      return text + "  ";
    };
    std::string text = padded("array", name_width) + padded("shape", shape_width) + "type  status\n";
    for (const auto& array : arrays) {
      text += padded(array.name, name_width) + padded(shape_text(shown_shape(array)), shape_width);
      text += padded(array.status == ArrayStatus::missing ? "-" : name_of(array.dtype), 4) + name_of(array.status);
      if (array.status == ArrayStatus::wrong_shape) text += ", expected " + shape_text(array.expected);
      if (array.converted()) text += ", converted to F32";
      text += '\n';
    }
    return text + summary() + '\n';
  }

  /// Throws FormatError when an array is missing or has the wrong shape; names the first of each.
  void throw_if_incomplete() const {
    if (complete()) return;
    std::string text = file + ": does not fit this model:";
    const char* separator = " ";
    for (const ArrayStatus status : {ArrayStatus::missing, ArrayStatus::wrong_shape}) {
      if (count(status) == 0) continue;
      const auto first =
          std::find_if(arrays.begin(), arrays.end(), [&](const auto& array) { return array.status == status; });
      text += separator + std::to_string(count(status)) + (count(status) == 1 ? " array " : " arrays ") +
              (status == ArrayStatus::missing ? "missing" : "of wrong shape") + " ('" + first->name + "'";
      if (status == ArrayStatus::wrong_shape) text += " has shape " + shape_text(first->shape) + ",";
      text += (status == ArrayStatus::missing ? " with shape " : " expected ") + shape_text(first->expected);
      text += count(status) > 1 ? ", ...)" : ")";
      separator = "; ";
    }
    throw FormatError(text + "; compare the class count and backbone of the configuration with the file's");
  }

 private:
  static const std::vector<index_t>& shown_shape(const ArrayReport& array) {
    return array.status == ArrayStatus::missing ? array.expected : array.shape;
  }
};

}  // namespace mrcnn::io

#endif
