#ifndef MRCNN_IO_WEIGHTS_HPP
#define MRCNN_IO_WEIGHTS_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/detail/thread_pool.hpp"
#include "mrcnn/io/data_type.hpp"
#include "mrcnn/io/detail/weights_layout.hpp"
#include "mrcnn/io/safetensors.hpp"
#include "mrcnn/io/weights_report.hpp"
#include "mrcnn/nn/parameter.hpp"

namespace mrcnn::io {

/// How the arrays of a file are laid out.
enum class WeightsLayout : std::uint8_t {
  keras,   ///< convolution [kh, kw, in, out], dense [in, out], transposed [kh, kw, out, in]; deltas (dy, dx, dh, dw)
  native,  ///< convolution [out, kh, kw, in], dense [out, in], transposed [out, kh, kw, in]; deltas (dx, dy, dw, dh)
};

/// An array of a weights file, under Keras's name without the ":0": "res2a_branch2a/kernel".
struct WeightsArray {
  std::string name;
  DataType dtype = DataType::f32;
  std::vector<index_t> shape;
  index_t size() const { return detail::shape_size(shape); }
};

/// Where a `WeightsFile` gets its arrays from. Derive from it to load weights from somewhere else.
class WeightsSource {
 public:
  virtual ~WeightsSource() = default;
  /// For messages.
  virtual const std::string& path() const = 0;
  virtual WeightsLayout layout() const = 0;
  /// In the order of the file. Names are unique, types floating-point.
  virtual const std::vector<WeightsArray>& arrays() const = 0;
  virtual const std::map<std::string, std::string>& metadata() const = 0;
  /// The elements of arrays()[index] in C order, converted to float. Called from several threads at once.
  virtual void read(std::size_t index, float* destination) const = 0;
  /// The same in double precision, for messages about values that float can not hold.
  virtual void read_wide(std::size_t index, double* destination) const {
    std::vector<float> elements(static_cast<std::size_t>(arrays()[index].size()));
    read(index, elements.data());
    std::copy(elements.begin(), elements.end(), destination);
  }
};

/// A file of weights, open: its arrays and texts, whatever the format. Copies share the file.
class WeightsFile {
 public:
  explicit WeightsFile(std::shared_ptr<const WeightsSource> source) : source_(std::move(source)) {
    for (std::size_t i = 0; i < arrays().size(); ++i)
      if (!by_name_.emplace(arrays()[i].name, i).second)
        throw FormatError(path() + ": has two arrays named '" + arrays()[i].name + "', expected each name once");
  }

  const std::string& path() const { return source_->path(); }
  WeightsLayout layout() const { return source_->layout(); }
  const std::vector<WeightsArray>& arrays() const { return source_->arrays(); }
  /// Texts stored with the weights; empty for Keras files.
  const std::map<std::string, std::string>& metadata() const { return source_->metadata(); }
  std::optional<std::size_t> find(const std::string& name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? std::nullopt : std::optional(found->second);
  }
  /// The elements of arrays()[index], in the file's layout.
  void read(std::size_t index, float* destination) const { source_->read(index, destination); }
  std::vector<float> read(std::size_t index) const {
    std::vector<float> elements(static_cast<std::size_t>(arrays()[index].size()));
    source_->read(index, elements.data());
    return elements;
  }
  std::vector<double> read_wide(std::size_t index) const {
    std::vector<double> elements(static_cast<std::size_t>(arrays()[index].size()));
    source_->read_wide(index, elements.data());
    return elements;
  }

 private:
  std::shared_ptr<const WeightsSource> source_;
  std::unordered_map<std::string, std::size_t> by_name_;
};

/// The native format's marks in a safetensors file's metadata.
inline constexpr const char* native_format = "mrcnn";
inline constexpr const char* native_format_version = "1";

namespace detail {

class NativeWeights final : public WeightsSource {
 public:
  explicit NativeWeights(const std::string& path) : file_(SafeTensors::open(path)) {
    const auto text = [&](const char* key) {
      const auto found = file_.metadata().find(key);
      return found == file_.metadata().end() ? std::string() : found->second;
    };
    if (text("format") != native_format)
      throw FormatError(path + ": is a safetensors file without format '" + native_format +
                        "' in its metadata, so the layout of its arrays is not known; expected a file made by mrcnn "
                        "(convert the Keras .h5 with mrcnn convert)");
    if (text("format_version") != native_format_version)
      throw FormatError(path + ": has format_version '" + text("format_version") + "', expected '" +
                        native_format_version +
                        "': it was made by another version of mrcnn; convert the Keras .h5 again");
    for (const auto& tensor : file_.tensors()) {
      if (!is_floating_point(tensor.dtype))
        throw FormatError(path + ": tensor '" + tensor.name + "' has dtype " + name_of(tensor.dtype) +
                          ", expected floating-point weights");
      if (tensor.size() == 0)
        throw FormatError(path + ": tensor '" + tensor.name + "' has shape " + shape_text(tensor.shape) +
                          ", expected weights without an extent of 0");
      arrays_.push_back({tensor.name, tensor.dtype, tensor.shape});
    }
  }
  const std::string& path() const override { return file_.path(); }
  WeightsLayout layout() const override { return WeightsLayout::native; }
  const std::vector<WeightsArray>& arrays() const override { return arrays_; }
  const std::map<std::string, std::string>& metadata() const override { return file_.metadata(); }
  void read(std::size_t index, float* destination) const override {
    file_.read_into(file_.tensors()[index], destination);
  }
  void read_wide(std::size_t index, double* destination) const override {
    file_.read_into(file_.tensors()[index], destination);
  }

 private:
  SafeTensors file_;
  std::vector<WeightsArray> arrays_;
};

}  // namespace detail

/// Opens a file in the native format: safetensors with our format and version in the metadata, never anything else.
/// Throws: FormatError.
inline WeightsFile open_native_weights(const std::string& path) {
  return WeightsFile(std::make_shared<detail::NativeWeights>(path));
}

/// One parameter of a model: its name in files, and the memory that holds it in the native layout.
struct ParameterSlot {
  std::string name;
  ParameterKind kind = ParameterKind::vector;
  std::vector<index_t> shape;
  float* data = nullptr;
};

/// The shape that a parameter has in files of a layout.
inline std::vector<index_t> stored_shape(const ParameterSlot& slot, WeightsLayout layout) {
  const auto& s = slot.shape;
  const std::size_t rank = slot.kind == ParameterKind::vector ? 1 : slot.kind == ParameterKind::dense ? 2 : 4;
  if (s.size() != rank)
    throw ShapeError("stored_shape: parameter '" + slot.name + "' has shape " + shape_text(s) + ", expected " +
                     std::to_string(rank) + " extents");
  if (layout == WeightsLayout::native) return s;
  switch (slot.kind) {
    case ParameterKind::conv: return {s[1], s[2], s[3], s[0]};
    case ParameterKind::dense: return {s[1], s[0]};
    case ParameterKind::conv_transpose: return {s[1], s[2], s[0], s[3]};
    case ParameterKind::vector: break;
  }
  return s;
}

namespace detail {

/// Throws about an element that is not finite as float.
[[noreturn]] inline void refuse_value(const WeightsFile& file, std::size_t array, index_t element) {
  const std::string name = file.path() + ": array '" + file.arrays()[array].name + "' ";
  const std::string end = ": the file is damaged, or its training diverged";
  if (file.arrays()[array].dtype == DataType::f64) {
    const double value = file.read_wide(array)[static_cast<std::size_t>(element)];
    char text[32];
    std::snprintf(text, sizeof text, "%g", value);
    if (std::isfinite(value))
      throw FormatError(name + "is " + text + " at element " + std::to_string(element) +
                        ", beyond the range of float32, expected weights within +-3.4e38" + end);
  }
  throw FormatError(name + "is NaN or infinite at element " + std::to_string(element) + ", expected finite weights" +
                    end);
}

}  // namespace detail

struct LoadOptions {
  int threads = 0;  ///< 0: as many as the process may run on
};

/// Fills the parameters of a model from a file, by name; what the file has in another layout or type is converted.
///
/// @param file   any open weights file
/// @param slots  the model's parameters; their names are unique, their memory does not overlap
/// @return       every array of the file and of the model: used, unused, missing or of wrong shape. Parameters that are
///               missing or of wrong shape are left as they were: `report.throw_if_incomplete()` makes an error of it.
///
/// The output channels of "rpn_bbox_pred" and "mrcnn_bbox_fc" in Keras files are put in the order (dx, dy, dw, dh).
/// Throws: FormatError when a file can not be read, or when a value that is used is NaN, infinite or beyond the range of
/// float32; ShapeError when a parameter's extents do not fit its kind.
/// Deterministic for any number of threads. One buffer of the largest array's size for each thread.
inline WeightsReport load_parameters(const WeightsFile& file, std::span<const ParameterSlot> slots,
                                     const LoadOptions& options = {}) {
  struct Job {
    std::size_t slot;
    std::size_t array;
    index_t bad = -1;  // the first element that is NaN or infinite
  };
  WeightsReport report{file.path(), {}};
  std::vector<Job> jobs;
  std::vector<bool> wanted(file.arrays().size(), false);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (detail::has_box_deltas(slots[i].name) && !slots[i].shape.empty() && slots[i].shape[0] % 4 != 0)
      throw ShapeError("load_parameters: parameter '" + slots[i].name + "' has shape " + shape_text(slots[i].shape) +
                       ", expected a multiple of 4 output channels");
    ArrayReport row{slots[i].name, ArrayStatus::missing, DataType::f32, {}, stored_shape(slots[i], file.layout())};
    if (const auto found = file.find(slots[i].name)) {
      const WeightsArray& array = file.arrays()[*found];
      wanted[*found] = true;
      row.dtype = array.dtype;
      row.shape = array.shape;
      row.status = row.shape == row.expected ? ArrayStatus::used : ArrayStatus::wrong_shape;
      if (row.status == ArrayStatus::used) jobs.push_back({i, *found});
    }
    report.arrays.push_back(std::move(row));
  }
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (!wanted[i])
      report.arrays.push_back(
          {file.arrays()[i].name, ArrayStatus::unused, file.arrays()[i].dtype, file.arrays()[i].shape, {}});

  mrcnn::detail::ThreadPool pool(options.threads);
  std::vector<std::vector<float>> buffers(static_cast<std::size_t>(pool.threads()));
  const auto load = [&](index_t i, int worker) {
    Job& job = jobs[static_cast<std::size_t>(i)];
    const ParameterSlot& slot = slots[job.slot];
    const index_t size = detail::shape_size(slot.shape);
    const bool swap_deltas = detail::has_box_deltas(slot.name);
    if (size == 0) return;
    if (file.layout() == WeightsLayout::native || (slot.kind == ParameterKind::vector && !swap_deltas)) {
      file.read(job.array, slot.data);
      job.bad = detail::find_not_finite(slot.data, size);
      return;
    }
    auto& buffer = buffers[static_cast<std::size_t>(worker)];
    if (buffer.size() < static_cast<std::size_t>(size)) buffer = std::vector<float>(static_cast<std::size_t>(size));
    file.read(job.array, buffer.data());
    job.bad = detail::find_not_finite(buffer.data(), size);
    switch (slot.kind) {
      case ParameterKind::conv_transpose:
        return detail::swap_outer_axes(buffer.data(), slot.shape[1] * slot.shape[2], slot.shape[0], slot.shape[3],
                                       slot.data);
      case ParameterKind::conv:
      case ParameterKind::dense:
      case ParameterKind::vector:
        return detail::transpose(buffer.data(), size / slot.shape[0], slot.shape[0], swap_deltas, slot.data);
    }
  };
  pool.run(
      static_cast<index_t>(jobs.size()),
      [](void* context, index_t i, int worker) { (*static_cast<const decltype(load)*>(context))(i, worker); },
      const_cast<void*>(static_cast<const void*>(&load)));
  for (const Job& job : jobs)
    if (job.bad >= 0) detail::refuse_value(file, job.array, job.bad);
  return report;
}

/// What is stored with the weights in the native format.
struct NativeMetadata {
  std::string config;                    ///< a JSON object
  std::vector<std::string> class_names;  ///< without the background; may be empty
};

/// The metadata of an open native file; empty members for others. Throws: FormatError when the class names are not a
/// JSON array of strings.
inline NativeMetadata native_metadata(const WeightsFile& file) {
  NativeMetadata metadata;
  const auto text = [&](const char* key) {
    const auto found = file.metadata().find(key);
    return found == file.metadata().end() ? std::string() : found->second;
  };
  metadata.config = text("config");
  const std::string names = text("class_names");
  if (!names.empty()) metadata.class_names = JsonDocument::parse(names, file.path() + ": class_names").root().strings();
  return metadata;
}

/// Writes a model's parameters in the native format: safetensors, Keras's names, native layouts, the metadata with
/// format and version. The same parameters give the same bytes. Throws: FormatError when the file can not be written.
inline void save_parameters(OutputFile& file, std::span<const ParameterSlot> slots, const NativeMetadata& metadata) {
  std::map<std::string, std::string> texts{{"format", native_format}, {"format_version", native_format_version}};
  if (!metadata.config.empty()) texts["config"] = metadata.config;
  if (!metadata.class_names.empty()) {
    JsonWriter names;
    names.begin_array();
    for (const auto& name : metadata.class_names) names.value(name);
    texts["class_names"] = names.end_array().text();
  }
  std::vector<SafeTensorSource> tensors;
  for (const auto& slot : slots) tensors.push_back({slot.name, DataType::f32, slot.shape, slot.data});
  write_safetensors(file, std::move(tensors), texts);
}
/// The same by path, through a temporary beside it.
inline void save_parameters(const std::string& path, std::span<const ParameterSlot> slots,
                            const NativeMetadata& metadata) {
  OutputFile file(path);
  save_parameters(file, slots, metadata);
  file.commit();
}

}  // namespace mrcnn::io

#endif
