#ifndef MRCNN_TESTS_SUPPORT_KERAS_FILE_HPP
#define MRCNN_TESTS_SUPPORT_KERAS_FILE_HPP

#include <hdf5.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/core/config.hpp"

namespace mrcnn::test {

/// Identifiers of libhdf5 that close themselves.
class H5 {
 public:
  H5(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {
    if (id_ < 0) throw std::runtime_error("libhdf5 failed while a test wrote its file");
  }
  ~H5() { close_(id_); }
  H5(const H5&) = delete;
  H5& operator=(const H5&) = delete;
  operator hid_t() const { return id_; }  // NOLINT(google-explicit-constructor)

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

enum class StoredType { f32, f64, f16, bf16, f32_big_endian, i64, string };
enum class Storage { contiguous, chunked, compressed };

struct KerasArray {
  std::string name;  ///< as in weight_names: "conv1/kernel:0"
  std::vector<index_t> shape;
  std::vector<float> values;
  StoredType type = StoredType::f32;
};

struct KerasFileOptions {
  bool variable_strings = false;  ///< names as newer h5py writes them
  bool model_weights = false;     ///< everything inside a group, as in a whole saved model
  bool newest_format = false;     ///< superblock 3 instead of 0
  Storage storage = Storage::contiguous;
  std::size_t names_per_attribute = 0;  ///< not 0: split attributes name0, name1, ...
  hsize_t user_block = 0;               ///< bytes before the superblock
};

/// Writes a weights file as Keras lays it out, through libhdf5's C interface.
class KerasFile {
 public:
  explicit KerasFile(const std::string& path, const KerasFileOptions& options = {})
      : options_(options), file_(create(path, options), H5Fclose), root_(root(), H5Gclose) {}
  ~KerasFile() { write_names(root_, "layer_names", layers_); }

  /// A layer; its arrays go where Keras puts them, below a group of the layer's name.
  KerasFile& layer(const std::string& name, const std::vector<KerasArray>& arrays = {}) {
    layers_.push_back(name);
    const H5 group(H5Gcreate2(root_, name.c_str(), with_parents(), H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    std::vector<std::string> names;
    for (const auto& array : arrays) {
      names.push_back(array.name);
      write_array(group, array);
    }
    write_names(group, "weight_names", names);
    return *this;
  }
  /// A layer that lists arrays but does not hold them.
  KerasFile& layer_without_arrays(const std::string& name, const std::vector<std::string>& names) {
    layers_.push_back(name);
    const H5 group(H5Gcreate2(root_, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    write_names(group, "weight_names", names);
    return *this;
  }
  /// A layer in the list without a group.
  KerasFile& only_listed(const std::string& name) {
    layers_.push_back(name);
    return *this;
  }
  hid_t group() const { return root_; }

 private:
  static hid_t create(const std::string& path, const KerasFileOptions& options) {
    const H5 access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    const H5 creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
    if (options.newest_format) H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    if (options.user_block > 0) H5Pset_userblock(creation, options.user_block);
    return H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, access);
  }
  hid_t root() {
    return options_.model_weights ? H5Gcreate2(file_, "model_weights", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)
                                  : H5Gopen2(file_, "/", H5P_DEFAULT);
  }
  /// A link creation list that makes groups on the way; lives as long as the program.
  static hid_t with_parents() {
    static const hid_t list = [] {
      const hid_t id = H5Pcreate(H5P_LINK_CREATE);
      H5Pset_create_intermediate_group(id, 1);
      return id;
    }();
    return list;
  }

  static hid_t file_type(StoredType type) {
    const auto small = [](std::size_t sign, std::size_t exponent, std::size_t fraction, std::size_t bias) {
      const hid_t id = H5Tcopy(H5T_IEEE_F32LE);
      H5Tset_fields(id, sign, fraction, exponent, 0, fraction);
      H5Tset_size(id, 2);
      H5Tset_ebias(id, bias);
      return id;
    };
    switch (type) {
      case StoredType::f64: return H5Tcopy(H5T_IEEE_F64LE);
      case StoredType::f16: return small(15, 5, 10, 15);
      case StoredType::bf16: return small(15, 8, 7, 127);
      case StoredType::f32_big_endian: return H5Tcopy(H5T_IEEE_F32BE);
      case StoredType::i64: return H5Tcopy(H5T_STD_I64LE);
      case StoredType::string: {
        const hid_t id = H5Tcopy(H5T_C_S1);
        H5Tset_size(id, 4);
        return id;
      }
      case StoredType::f32: break;
    }
    return H5Tcopy(H5T_IEEE_F32LE);
  }

  void write_array(hid_t group, const KerasArray& array) const {
    const std::vector<hsize_t> extents(array.shape.begin(), array.shape.end());
    const H5 space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose);
    const H5 creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    if (options_.storage != Storage::contiguous && !extents.empty()) {
      std::vector<hsize_t> chunk = extents;
      chunk[0] = std::max<hsize_t>(1, chunk[0] / 2);
      H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
      if (options_.storage == Storage::compressed) {
        H5Pset_shuffle(creation);
        H5Pset_deflate(creation, 4);
      }
    }
    const H5 type(file_type(array.type), H5Tclose);
    const H5 data(H5Dcreate2(group, array.name.c_str(), type, space, with_parents(), creation, H5P_DEFAULT), H5Dclose);
    if (array.type != StoredType::string && !array.values.empty())
      H5Dwrite(data, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.values.data());
  }

  void write_names(hid_t group, const std::string& attribute, const std::vector<std::string>& names) const {
    const std::size_t step = options_.names_per_attribute;
    if (step == 0 || names.size() <= step) return write_attribute(group, attribute, names);
    for (std::size_t i = 0, part = 0; i < names.size(); i += step, ++part)
      write_attribute(group, attribute + std::to_string(part),
                      {names.begin() + static_cast<std::ptrdiff_t>(i),
                       names.begin() + static_cast<std::ptrdiff_t>(std::min(i + step, names.size()))});
  }
  void write_attribute(hid_t group, const std::string& attribute, const std::vector<std::string>& names) const {
    const hsize_t count = names.size();
    const H5 space(H5Screate_simple(1, &count, nullptr), H5Sclose);
    const H5 type(names.empty() ? H5Tcopy(H5T_IEEE_F64LE) : H5Tcopy(H5T_C_S1), H5Tclose);
    std::size_t width = 1;
    for (const auto& name : names) width = std::max(width, name.size());
    if (!names.empty()) H5Tset_size(type, options_.variable_strings ? H5T_VARIABLE : width);
    if (!names.empty() && !options_.variable_strings) H5Tset_strpad(type, H5T_STR_NULLPAD);
    const H5 written(H5Acreate2(group, attribute.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    if (names.empty()) return;
    if (options_.variable_strings) {
      std::vector<const char*> texts;
      for (const auto& name : names) texts.push_back(name.c_str());
      H5Awrite(written, type, texts.data());
    } else {
      std::string bytes(names.size() * width, '\0');
      for (std::size_t i = 0; i < names.size(); ++i) names[i].copy(bytes.data() + i * width, width);
      H5Awrite(written, type, bytes.data());
    }
  }

  KerasFileOptions options_;
  H5 file_;
  H5 root_;
  std::vector<std::string> layers_;
};

}  // namespace mrcnn::test

#endif
