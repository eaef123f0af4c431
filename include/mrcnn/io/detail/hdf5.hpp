#ifndef MRCNN_IO_DETAIL_HDF5_HPP
#define MRCNN_IO_DETAIL_HDF5_HPP

#include <hdf5.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mrcnn/core/config.hpp"
#include "mrcnn/core/error.hpp"

namespace mrcnn::io::detail {

/// Held around every call of libhdf5, which is not safe for threads in all of its builds.
inline std::mutex& hdf5_mutex() {
  static std::mutex mutex;
  return mutex;
}

/// While it lives, libhdf5 is ours alone and does not print its error stack.
class Hdf5Session {
 public:
  Hdf5Session() : lock_(hdf5_mutex()) {
    H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Hdf5Session() { H5Eset_auto2(H5E_DEFAULT, print_, data_); }
  Hdf5Session(const Hdf5Session&) = delete;
  Hdf5Session& operator=(const Hdf5Session&) = delete;

  /// What libhdf5 says about the call that just failed: ": " and its innermost message, or nothing.
  static std::string reason() {
    std::string text;
    const auto take = [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
      if (error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
      return 0;
    };
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, take, &text);
    return text.empty() ? text : ": " + text;
  }

 private:
  std::lock_guard<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

/// Owns an identifier of libhdf5. Negative is none.
class Hdf5Id {
 public:
  Hdf5Id() = default;
  Hdf5Id(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Hdf5Id(Hdf5Id&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Hdf5Id& operator=(Hdf5Id&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Hdf5Id() {
    if (id_ >= 0) close_(id_);
  }
  explicit operator bool() const { return id_ >= 0; }
  hid_t get() const { return id_; }

 private:
  hid_t id_ = -1;
  herr_t (*close_)(hid_t) = nullptr;
};

/// Whether `parent` holds a hard link of this name. Others could lead into other files, and Keras writes none.
inline bool has_hdf5_link(hid_t parent, const std::string& name) {
  H5L_info_t info;
  return H5Lexists(parent, name.c_str(), H5P_DEFAULT) > 0 &&
         H5Lget_info(parent, name.c_str(), &info, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_HARD;
}

/// Opens the object at a path with slashes below `parent`, following hard links only; no object when there is none.
inline Hdf5Id open_hdf5_object(hid_t parent, const std::string& path) {
  Hdf5Id object;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string part = path.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    const hid_t at = object ? object.get() : parent;
    if (object && H5Iget_type(at) != H5I_GROUP) return {};
    if (!has_hdf5_link(at, part)) return {};
    object = Hdf5Id(H5Oopen(at, part.c_str(), H5P_DEFAULT), H5Oclose);
    if (!object) return {};
  }
  return object;
}

/// The strings of an attribute, of fixed or variable length; none for an empty array of any type. Nothing when the
/// attribute is missing. `limit`: the most bytes it may take. Throws: FormatError, beginning with `where`.
inline std::optional<std::vector<std::string>> read_hdf5_strings(hid_t object, const std::string& name,
                                                                 std::uint64_t limit, const std::string& where) {
  const auto fail = [&](const std::string& text) { throw FormatError(where + ": attribute '" + name + "' " + text); };
  if (H5Aexists(object, name.c_str()) <= 0) return std::nullopt;
  const Hdf5Id attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose);
  if (!attribute) fail("can not be read" + Hdf5Session::reason());
  const Hdf5Id type(H5Aget_type(attribute.get()), H5Tclose);
  const Hdf5Id space(H5Aget_space(attribute.get()), H5Sclose);
  if (!type || !space) fail("can not be read" + Hdf5Session::reason());
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if (count == 0) return std::vector<std::string>();  // Keras stores an empty list as float64
  if (H5Tget_class(type.get()) != H5T_STRING) fail("is not text, expected names");
  const std::size_t size = H5Tget_size(type.get());
  if (count < 0 || size == 0 || static_cast<std::uint64_t>(count) > limit / size)
    fail("claims " + std::to_string(count) + " strings of " + std::to_string(size) + " bytes, more than the file has");
  std::vector<std::string> strings;
  const auto n = static_cast<std::size_t>(count);
  if (H5Tis_variable_str(type.get()) > 0) {
    std::vector<char*> texts(n, nullptr);
    if (H5Aread(attribute.get(), type.get(), texts.data()) < 0) fail("can not be read" + Hdf5Session::reason());
    for (const char* text : texts) strings.emplace_back(text == nullptr ? "" : text);
    H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, texts.data());
    return strings;
  }
  std::vector<char> bytes(n * size);
  if (H5Aread(attribute.get(), type.get(), bytes.data()) < 0) fail("can not be read" + Hdf5Session::reason());
  const bool spaces = H5Tget_strpad(type.get()) == H5T_STR_SPACEPAD;
  for (std::size_t i = 0; i < n; ++i) {
    std::string text(bytes.data() + i * size, size);
    text.resize(std::min(text.find('\0'), text.size()));
    while (spaces && !text.empty() && text.back() == ' ') text.pop_back();
    strings.push_back(std::move(text));
  }
  return strings;
}

/// The same, or what newer versions of Keras split it into because an attribute holds 64 KiB: name0, name1, ...
inline std::optional<std::vector<std::string>> read_hdf5_split_strings(hid_t object, const std::string& name,
                                                                       std::uint64_t limit, const std::string& where) {
  if (auto whole = read_hdf5_strings(object, name, limit, where)) return whole;
  std::optional<std::vector<std::string>> all;
  for (int i = 0;; ++i) {
    auto part = read_hdf5_strings(object, name + std::to_string(i), limit, where);
    if (!part) return all;
    if (!all) all.emplace();
    all->insert(all->end(), std::make_move_iterator(part->begin()), std::make_move_iterator(part->end()));
  }
}

}  // namespace mrcnn::io::detail

#endif
