#ifndef MRCNN_IO_KERAS_HDF5_HPP
#define MRCNN_IO_KERAS_HDF5_HPP

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/io/data_type.hpp"
#include "mrcnn/io/detail/file.hpp"
#include "mrcnn/io/detail/hdf5.hpp"
#include "mrcnn/io/detail/hdf5_superblock.hpp"
#include "mrcnn/io/weights.hpp"

namespace mrcnn::io {

/// A layer of a Keras file; most have no weights.
struct KerasLayer {
  std::string name;
  std::vector<std::string> weights;  ///< as the file names them: "conv1/kernel:0"
};

/// A weights file of Keras 1 or 2 (`save_weights`, or the weights of a whole saved model), read through libhdf5. Link
/// mrcnn::hdf5.
///
/// Arrays are named "<layer>/<weight>": "conv1/kernel", "bn_conv1/moving_variance"; inside a nested model such as
/// rpn_model the nested layer counts: "rpn_class_raw/bias". Understood are names of fixed and variable length, split
/// and empty name lists, and arrays stored contiguous, chunked or compressed. Half and double precision are converted
/// to float. Contiguous arrays of float32 are read past libhdf5, several at a time; others one by one.
///
/// Sizes are checked before memory is taken for them, and links into other files are not followed. libhdf5 itself can
/// be crashed by a file made for that: convert a file from a stranger to the native format in a process of its own.
class KerasWeightsFile final : public WeightsSource {
 public:
  /// Opens the file and checks every array's type, shape and place.
  /// Throws: FormatError when the file is missing, not HDF5, truncated (with the size found and expected), not written
  /// by Keras, lacks an array that it lists, or holds one that is not floating-point or has no elements.
  static std::shared_ptr<const KerasWeightsFile> open(const std::string& path) {
    return std::shared_ptr<const KerasWeightsFile>(new KerasWeightsFile(path));
  }
  /// Whether the file is HDF5. Throws: FormatError when it can not be opened.
  static bool recognise(const std::string& path) {
    return detail::find_hdf5_signature(detail::InputFile(path)).has_value();
  }

  ~KerasWeightsFile() override {
    const detail::Hdf5Session session;
    root_ = {};
    hdf5_ = {};
  }

  /// All layers, in the order of the model.
  const std::vector<KerasLayer>& layers() const { return layers_; }

  const std::string& path() const override { return file_.path(); }
  WeightsLayout layout() const override { return WeightsLayout::keras; }
  const std::vector<WeightsArray>& arrays() const override { return arrays_; }
  const std::map<std::string, std::string>& metadata() const override { return no_metadata_; }

  void read(std::size_t index, float* destination) const override {
    const Place& place = places_[index];
    const index_t count = arrays_[index].size();
    if (place.offset) return file_.read(*place.offset, destination, static_cast<std::uint64_t>(count) * sizeof(float));
    const detail::Hdf5Session session;
    read_object(place.path, H5T_NATIVE_FLOAT, destination);
  }
  void read_wide(std::size_t index, double* destination) const override {
    const detail::Hdf5Session session;
    read_object(places_[index].path, H5T_NATIVE_DOUBLE, destination);
  }

 private:
  /// Where an array is: its path below the root, and its first byte when it can be read directly.
  struct Place {
    std::string path;
    std::optional<std::uint64_t> offset;
  };

  static constexpr const char* incomplete = ": the file is damaged or incomplete; fetch or save it again";

  explicit KerasWeightsFile(const std::string& path) : file_(path) {
    const auto superblock = detail::check_hdf5_superblock(file_);
    const detail::Hdf5Session session;
    try {
      open_root();
      for (std::string& name : layer_names()) read_layer(std::move(name), superblock);
    } catch (...) {
      root_ = {};  // identifiers are closed inside the session
      hdf5_ = {};
      throw;
    }
  }

  [[noreturn]] void fail(const std::string& text) const { throw FormatError(file_.path() + ": " + text); }

  void read_object(const std::string& place, hid_t type, void* destination) const {
    const detail::Hdf5Id data = detail::open_hdf5_object(root_.get(), place);
    if (!data || H5Dread(data.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, destination) < 0)
      fail("array '" + place + "' can not be read" + detail::Hdf5Session::reason() + incomplete);
  }

  void open_root() {
    const detail::Hdf5Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(access.get(), false, true);  // locks fail on some network file systems, and a reader needs none
#endif
    hdf5_ = detail::Hdf5Id(H5Fopen(file_.path().c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
    if (!hdf5_) fail("can not be opened as HDF5" + detail::Hdf5Session::reason());
    root_ = detail::Hdf5Id(H5Gopen2(hdf5_.get(), "/", H5P_DEFAULT), H5Gclose);
    if (!root_) fail("has no HDF5 root group" + detail::Hdf5Session::reason());
  }

  /// The names of all layers; goes down into "model_weights" when that is where they are.
  std::vector<std::string> layer_names() {
    auto names = detail::read_hdf5_split_strings(root_.get(), "layer_names", file_.size(), path());
    if (!names) {
      auto weights = detail::open_hdf5_object(root_.get(), "model_weights");
      if (weights && H5Iget_type(weights.get()) == H5I_GROUP) {
        root_ = std::move(weights);
        names = detail::read_hdf5_split_strings(root_.get(), "layer_names", file_.size(), path() + ": model_weights");
      }
    }
    if (!names)
      fail(
          "has no attribute 'layer_names' at its root or in a group 'model_weights', expected a weights file as Keras "
          "1 and 2 "
          "save it (model.save_weights to .h5)");
    return std::move(*names);
  }

  void read_layer(std::string name, const detail::Hdf5Superblock& superblock) {
    const detail::Hdf5Id group = detail::open_hdf5_object(root_.get(), name);
    if (!group || H5Iget_type(group.get()) != H5I_GROUP)
      fail("lists the layer '" + name + "' but has no group of that name" + incomplete);
    auto weights =
        detail::read_hdf5_split_strings(group.get(), "weight_names", file_.size(), path() + ": layer '" + name + "'");
    if (!weights)
      fail("layer '" + name + "' has no attribute 'weight_names', expected a list of its arrays" + incomplete);
    const bool nested = is_nested(*weights);
    for (const std::string& weight : *weights) add_array(group.get(), name, weight, nested, superblock);
    layers_.push_back({std::move(name), std::move(*weights)});
  }

  /// "conv1" of "conv1/kernel:0".
  static std::string owner(const std::string& weight) {
    const std::size_t last = weight.rfind('/');
    if (last == std::string::npos) return {};
    const std::size_t before = last == 0 ? std::string::npos : weight.rfind('/', last - 1);
    return weight.substr(before == std::string::npos ? 0 : before + 1,
                         last - (before == std::string::npos ? 0 : before + 1));
  }
  /// Whether the weights belong to several layers. Those of one layer may carry another name than the layer itself
  /// ("conv1_1/kernel:0" in conv1, when a model was built twice), so the layer's own name counts there.
  static bool is_nested(const std::vector<std::string>& weights) {
    return std::any_of(weights.begin(), weights.end(),
                       [&](const auto& weight) { return owner(weight) != owner(weights[0]); });
  }

  void add_array(hid_t group, const std::string& layer, const std::string& weight, bool nested,
                 const detail::Hdf5Superblock& superblock) {
    const std::size_t last = weight.rfind('/');
    std::string leaf = weight.substr(last == std::string::npos ? 0 : last + 1);
    leaf.resize(std::min(leaf.rfind(':'), leaf.size()));
    const std::string place = layer + "/" + weight;
    const detail::Hdf5Id data = detail::open_hdf5_object(group, weight);
    if (!data || H5Iget_type(data.get()) != H5I_DATASET)
      fail("lists the array '" + place + "' but does not hold it" + incomplete);
    const detail::Hdf5Id type(H5Dget_type(data.get()), H5Tclose);
    const detail::Hdf5Id space(H5Dget_space(data.get()), H5Sclose);
    if (!type || !space) fail("array '" + place + "' can not be read" + detail::Hdf5Session::reason());
    WeightsArray array{(nested ? owner(weight) : layer) + "/" + leaf, float_type(type.get(), place),
                       shape_of(space.get(), place)};
    if (std::count(array.shape.begin(), array.shape.end(), index_t{0}) > 0)
      fail("array '" + place + "' has shape " + shape_text(array.shape) + ", expected weights without an extent of 0");
    const auto offset = check_storage(data.get(), type.get(), array, place, superblock);
    arrays_.push_back(std::move(array));
    places_.push_back({place, offset});
  }

  DataType float_type(hid_t type, const std::string& place) const {
    const H5T_class_t kind = H5Tget_class(type);
    const std::size_t size = H5Tget_size(type);
    if (kind != H5T_FLOAT) {
      const std::string found = kind == H5T_INTEGER  ? std::to_string(8 * size) + "-bit integers"
                                : kind == H5T_STRING ? std::string("strings")
                                                     : std::string("values that are not numbers");
      fail("array '" + place + "' holds " + found + ", expected floating-point numbers");
    }
    std::size_t sign = 0;
    std::size_t exponent_at = 0;
    std::size_t exponent_bits = 0;
    std::size_t fraction_at = 0;
    std::size_t fraction_bits = 0;
    H5Tget_fields(type, &sign, &exponent_at, &exponent_bits, &fraction_at, &fraction_bits);
    const auto is = [&](std::size_t bytes, std::size_t exponent, std::size_t fraction) {
      return size == bytes && exponent_bits == exponent && fraction_bits == fraction;
    };
    if (is(4, 8, 23)) return DataType::f32;
    if (is(8, 11, 52)) return DataType::f64;
    if (is(2, 5, 10)) return DataType::f16;
    if (is(2, 8, 7)) return DataType::bf16;
    fail("array '" + place + "' holds floating-point numbers of " + std::to_string(size) +
         " bytes in an unknown format, expected half, bfloat16, float or double");
  }

  std::vector<index_t> shape_of(hid_t space, const std::string& place) const {
    const int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 0 || rank > H5S_MAX_RANK || H5Sget_simple_extent_type(space) == H5S_NULL)
      fail("array '" + place + "' has no shape, expected weights" + incomplete);
    std::vector<hsize_t> extents(static_cast<std::size_t>(rank) + 1);
    if (H5Sget_simple_extent_dims(space, extents.data(), nullptr) < 0)
      fail("array '" + place + "' has no shape, expected weights" + incomplete);
    std::vector<index_t> shape;
    for (int i = 0; i < rank; ++i)
      shape.push_back(static_cast<index_t>(
          std::min<hsize_t>(extents[static_cast<std::size_t>(i)], std::numeric_limits<index_t>::max())));
    return shape;
  }

  /// Makes sure that the file can hold the array, before anything of its size is allocated. The place of its first byte
  /// when it can be read without libhdf5.
  std::optional<std::uint64_t> check_storage(hid_t data, hid_t type, const WeightsArray& array,
                                             const std::string& place, const detail::Hdf5Superblock& superblock) const {
    const auto bytes = detail::shape_bytes(array.shape, array.dtype);
    const detail::Hdf5Id creation(H5Dget_create_plist(data), H5Pclose);
    if (!creation) fail("array '" + place + "' can not be read" + detail::Hdf5Session::reason());
    const H5D_layout_t storage = H5Pget_layout(creation.get());
    const bool known = storage == H5D_CONTIGUOUS || storage == H5D_CHUNKED || storage == H5D_COMPACT;
    if (!known || H5Pget_external_count(creation.get()) != 0)
      fail("array '" + place +
           "' is stored outside of the file or in an unknown way, expected contiguous or chunked storage");
    const std::uint64_t stored = H5Dget_storage_size(data);
    // Deflate, the strongest filter in use, packs at most 1032 bytes into one.
    constexpr std::uint64_t strongest = 1100;
    const std::uint64_t limit = storage == H5D_CHUNKED ? stored * strongest : stored;
    if (!bytes || stored > file_.size() || *bytes > limit)
      fail("array '" + place + "' has shape " + shape_text(array.shape) + " but only " + std::to_string(stored) +
           " bytes are stored for it" + incomplete);
    if (storage == H5D_CHUNKED) {
      std::vector<hsize_t> chunk(array.shape.size() + 1, 1);
      const int rank = H5Pget_chunk(creation.get(), static_cast<int>(array.shape.size()), chunk.data());
      std::vector<index_t> chunk_shape;
      for (int i = 0; i < rank; ++i) chunk_shape.push_back(static_cast<index_t>(chunk[static_cast<std::size_t>(i)]));
      const auto chunk_bytes = detail::shape_bytes(chunk_shape, array.dtype);
      if (*bytes > 0 && (!chunk_bytes || *chunk_bytes > std::max(limit, std::uint64_t{1} << 20)))
        fail("array '" + place + "' is stored in chunks of " + shape_text(chunk_shape) +
             ", more than the file can hold");
    }
    if (storage != H5D_CONTIGUOUS || superblock.offset != 0 || H5Tequal(type, H5T_IEEE_F32LE) <= 0 || *bytes == 0)
      return std::nullopt;
    const haddr_t offset = H5Dget_offset(data);
    if (offset == HADDR_UNDEF || offset > file_.size() || *bytes > file_.size() - offset)
      fail("array '" + place + "' does not lie inside the file" + incomplete);
    return offset;
  }

  detail::InputFile file_;
  detail::Hdf5Id hdf5_;
  detail::Hdf5Id root_;
  std::vector<KerasLayer> layers_;
  std::vector<WeightsArray> arrays_;
  std::vector<Place> places_;
  std::map<std::string, std::string> no_metadata_;
};

/// Opens a Keras weights file as an open weights file. Throws: FormatError; see KerasWeightsFile::open.
inline WeightsFile open_keras_weights(const std::string& path) { return WeightsFile(KerasWeightsFile::open(path)); }

}  // namespace mrcnn::io

#endif
