#include "pictures.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>

#include "mrcnn/core/error.hpp"
#include "mrcnn/io/detail/file.hpp"
#include "mrcnn/io/image.hpp"

namespace mrcnn::cli {

namespace fs = std::filesystem;

namespace {

std::string stem_of(const std::string& path) { return fs::path(path).stem().string(); }

/// The number that the text consists of, without sign; absent when it is something else or does not fit.
std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t number = 0;
  const bool digits =
      !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc()) return {};
  return number;
}

std::vector<std::string> pictures_in(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    const std::string path = entry->path().string();
    if (io::is_image_extension(path) && !entry->is_directory(ignored)) paths.push_back(path);
  }
  if (error) throw FormatError(folder + ": the folder can not be read: " + io::detail::system_message(error.value()));
  if (paths.empty())
    throw FormatError(folder + ": the folder holds no pictures, expected files such as .jpg, .png or .bmp in it");
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

std::string Picture::file_name() const { return fs::path(path).filename().string(); }

PictureList list_pictures(const std::vector<std::string>& arguments) {
  PictureList list;
  for (const std::string& argument : arguments) {
    std::error_code error;
    const auto status = fs::status(argument, error);
    if (status.type() == fs::file_type::not_found || error)
      throw FormatError(argument +
                        ": can not be opened: " + io::detail::system_message(error ? error.value() : ENOENT) +
                        "; expected a picture or a folder of pictures");
    if (!fs::is_directory(status)) {
      list.pictures.push_back({argument, 0, true});
      continue;
    }
    list.has_folder = true;
    for (const std::string& path : pictures_in(argument)) list.pictures.push_back({path, 0, false});
  }
  std::int64_t position = 0;
  for (Picture& picture : list.pictures) {
    ++position;
    picture.image_id = whole_number(stem_of(picture.path)).value_or(position);
  }
  return list;
}

std::vector<std::string> distinct_stems(const std::vector<Picture>& pictures) {
  std::vector<std::string> stems;
  std::set<std::string> own;
  for (const Picture& picture : pictures) own.insert(stem_of(picture.path));
  std::set<std::string> taken;
  for (const Picture& picture : pictures) {
    const std::string stem = stem_of(picture.path);
    std::string name = stem;
    for (int i = 2; taken.count(name) > 0 || (name != stem && own.count(name) > 0); ++i)
      name = stem + "-" + std::to_string(i);
    taken.insert(name);
    stems.push_back(name);
  }
  return stems;
}

}  // namespace mrcnn::cli
