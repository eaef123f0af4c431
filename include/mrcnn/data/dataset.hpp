#ifndef MRCNN_DATA_DATASET_HPP
#define MRCNN_DATA_DATASET_HPP

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "mrcnn/coco/rle.hpp"
#include "mrcnn/core/config.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/core/image.hpp"
#include "mrcnn/io/image.hpp"

// A registry of pictures and of the objects in them, from one source of data or from several. data/coco.hpp and
// data/balloon.hpp fill it from files; anything else can be added by hand.

namespace mrcnn::data {

/// What a source calls a picture: COCO a number, others a name.
using ImageId = std::variant<std::int64_t, std::string>;

inline std::string to_string(const ImageId& id) {
  const auto* number = std::get_if<std::int64_t>(&id);
  return number != nullptr ? std::to_string(*number) : std::get<std::string>(id);
}

/// A class of objects, as its source calls it.
struct ClassInfo {
  std::string source;   ///< such as "coco"; empty for the background alone
  std::int64_t id = 0;  ///< within the source
  std::string name;
};

/// A picture, as its source calls it.
struct ImageInfo {
  std::string source = {};
  ImageId id = {};
  std::string path = {};
  index_t height = 0;  ///< as the source has it; 0 where it does not say
  index_t width = 0;
  /// Whether the masks were drawn on the picture turned as the camera's Orientation tag says. COCO's were not.
  bool apply_exif_orientation = false;
  std::string extra = {};  ///< members that this library does not know, as JSON: `"a":1,"b":[2]`
};

/// An object in a picture, or a crowd of them.
struct Instance {
  std::int32_t class_id = 0;  ///< of the data set, from 1
  bool is_crowd = false;
  coco::Rle mask = {};             ///< of the picture's size
  std::int64_t annotation_id = 0;  ///< of the source
};

/// matterport's class ids: those of crowds are negative.
inline std::int32_t signed_class_id(const Instance& instance) {
  return instance.is_crowd ? -instance.class_id : instance.class_id;
}

/// How a picture comes by what it shows, when somebody asks for it. Both may be called by several threads at once.
struct ImageContent {
  /// The objects. Without it there are none.
  std::function<std::vector<Instance>()> instances = {};
  /// The pixels. Without it they are read from the path.
  std::function<Image()> pixels = {};
};

/// The classes and pictures of one or several sources.
///
/// Classes are numbered in the order in which they are added, from 1; 0 is the background, "BG" of source "". Pictures
/// are numbered from 0. Nothing has to be prepared: the numbers hold from the moment a class or picture is added.
///
/// A value: copies share what they read masks from, not the lists. Const members are safe to call from several threads.
/// Lookups take logarithmic time. Source of the registry's rules: matterport's `utils.Dataset`.
class Dataset {
 public:
  Dataset() { classes_.push_back({"", 0, "BG"}); }

  /// Adds a class, unless the source has one of this id, and returns its number.
  /// Throws: Error when the source's name is empty or has a dot, which would make "source.id" ambiguous.
  std::int32_t add_class(const std::string& source, std::int64_t id, const std::string& name) {
    check_source(source);
    const auto next = static_cast<std::int32_t>(classes_.size());
    const auto [at, added] = class_numbers_.try_emplace({source, id}, next);
    if (added) classes_.push_back({source, id, name});
    return at->second;
  }

  /// Adds a picture and returns its number. Throws: Error for a source's name as above, for extents below 0 and for a
  /// picture that is there already.
  index_t add_image(ImageInfo info, ImageContent content = {}) {
    check_source(info.source);
    if (info.height < 0 || info.width < 0)
      throw Error("Dataset: image " + name_of(info.source, info.id) + " of " + std::to_string(info.height) + " x " +
                  std::to_string(info.width) + " pixels, expected extents of at least 0");
    const auto next = static_cast<index_t>(images_.size());
    if (!image_numbers_.try_emplace({info.source, info.id}, next).second)
      throw Error("Dataset: image " + name_of(info.source, info.id) + " is there already; expected each one once");
    images_.push_back(std::move(info));
    contents_.push_back(std::move(content));
    return next;
  }

  /// Adds all classes and pictures of another data set. Throws: Error when a picture is there already; then nothing is
  /// added.
  void append(Dataset other);

  /// All classes, and these of the pictures, in this order. Throws: Error for a number out of range or named twice.
  Dataset subset(std::span<const index_t> indices) const {
    Dataset part;
    part.classes_ = classes_;
    part.class_numbers_ = class_numbers_;
    for (const index_t index : indices) {
      const ImageInfo& info = image(index);  // checks the number
      part.add_image(info, contents_[static_cast<std::size_t>(index)]);
    }
    return part;
  }

  /// The classes by number, the background first.
  std::span<const ClassInfo> classes() const { return classes_; }
  std::int32_t class_count() const { return static_cast<std::int32_t>(classes_.size()); }
  /// Their names, each up to its first comma: "cab, taxi" is called "cab".
  std::vector<std::string> class_names() const {
    std::vector<std::string> names;
    for (const ClassInfo& info : classes_) names.push_back(info.name.substr(0, info.name.find(',')));
    return names;
  }

  /// The number of a source's class. Throws: Error when there is none.
  std::int32_t class_id(std::string_view source, std::int64_t id) const {
    const auto at = class_numbers_.find({std::string(source), id});
    if (at != class_numbers_.end()) return at->second;
    if (source.empty() && id == 0) return 0;
    throw Error("Dataset: there is no class " + std::to_string(id) + " of source '" + std::string(source) +
                "'; add it with add_class");
  }
  /// The same for "source.id", as in "coco.17".
  std::int32_t class_id(std::string_view source_and_id) const {
    const std::size_t dot = source_and_id.find('.');
    const std::string_view digits =
        source_and_id.substr(dot == std::string_view::npos ? source_and_id.size() : dot + 1);
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size())
      throw Error("Dataset: '" + std::string(source_and_id) + "' names no class, expected source.id such as coco.17");
    return class_id(source_and_id.substr(0, dot), id);
  }
  /// What `source` calls the class of this number. Throws: Error when the class is another source's, or none.
  std::int64_t source_class_id(std::int32_t class_id, std::string_view source) const {
    if (class_id < 0 || class_id >= class_count())
      throw Error("Dataset: there is no class number " + std::to_string(class_id) + ", expected 0 to " +
                  std::to_string(class_count() - 1));
    const ClassInfo& info = classes_[static_cast<std::size_t>(class_id)];
    if (info.source != source)
      throw Error("Dataset: class " + std::to_string(class_id) + ", " + info.name + ", belongs to source '" +
                  info.source + "', expected a class of '" + std::string(source) + "'");
    return info.id;
  }

  /// The sources of classes and pictures, in the order in which they came.
  std::vector<std::string> sources() const {
    std::vector<std::string> names;
    const auto note = [&](const std::string& source) {
      if (!source.empty() && std::find(names.begin(), names.end(), source) == names.end()) names.push_back(source);
    };
    for (const ClassInfo& info : classes_) note(info.source);
    for (const ImageInfo& info : images_) note(info.source);
    return names;
  }
  /// The numbers of a source's classes, ascending; the background, 0, is always among them.
  std::vector<std::int32_t> source_class_ids(std::string_view source) const {
    std::vector<std::int32_t> ids = {0};
    for (std::size_t i = 1; i < classes_.size(); ++i)
      if (classes_[i].source == source) ids.push_back(static_cast<std::int32_t>(i));
    return ids;
  }
  /// For each class number 1 where the picture's source knows the class, else 0: a network learns nothing from a
  /// picture about classes that nobody looked for in it.
  std::vector<std::int32_t> active_class_ids(index_t index) const {
    std::vector<std::int32_t> active(classes_.size());
    for (const std::int32_t id : source_class_ids(image(index).source)) active[static_cast<std::size_t>(id)] = 1;
    return active;
  }

  /// Number of pictures.
  index_t size() const { return static_cast<index_t>(images_.size()); }
  std::span<const ImageInfo> images() const { return images_; }
  /// Throws: Error for a number out of range.
  const ImageInfo& image(index_t index) const {
    if (index < 0 || index >= size())
      throw Error("Dataset: there is no image number " + std::to_string(index) + " among " + std::to_string(size()));
    return images_[static_cast<std::size_t>(index)];
  }
  /// The number of a source's picture, if it is there.
  std::optional<index_t> find_image(const std::string& source, const ImageId& id) const {
    const auto at = image_numbers_.find({source, id});
    return at == image_numbers_.end() ? std::nullopt : std::optional<index_t>(at->second);
  }
  /// The same. Throws: Error when it is not there.
  index_t image_index(const std::string& source, const ImageId& id) const {
    if (const auto found = find_image(source, id)) return *found;
    throw Error("Dataset: there is no image " + name_of(source, id) + " among " + std::to_string(size()));
  }

  /// The pixels of a picture, made or read now, by `io::read_image` (link mrcnn::image_io).
  ///
  /// Throws: what the source of the pixels throws; FormatError when the picture does not have the size that its source
  /// said, because then the masks do not fit it.
  Image load_image(index_t index) const {
    return load_image(index, [](const ImageInfo& info) {
      return io::read_image(info.path, {.apply_exif_orientation = info.apply_exif_orientation});
    });
  }
  /// The same with a reader of one's own: `read(const ImageInfo&)` returns an `Image`. Pixels that need no reader come
  /// without it.
  template <std::invocable<const ImageInfo&> Read>
  Image load_image(index_t index, Read&& read) const {
    const ImageInfo& info = image(index);
    const ImageContent& content = contents_[static_cast<std::size_t>(index)];
    Image pixels = content.pixels ? content.pixels() : read(info);
    if ((info.height > 0 && pixels.height != info.height) || (info.width > 0 && pixels.width != info.width))
      throw FormatError(info.path + ": has " + std::to_string(pixels.height) + " x " + std::to_string(pixels.width) +
                        " pixels (height x width), expected " + std::to_string(info.height) + " x " +
                        std::to_string(info.width) + " as source '" + info.source + "' says of image " +
                        to_string(info.id));
    return pixels;
  }

  /// The objects in a picture, in their source's order. Masks are made now, and not kept.
  ///
  /// Throws: what the source of the masks throws; Error when it names a class that is none, or masks of several sizes.
  std::vector<Instance> instances(index_t index) const {
    const ImageInfo& info = image(index);
    const ImageContent& content = contents_[static_cast<std::size_t>(index)];
    std::vector<Instance> found;
    if (content.instances) found = content.instances();
    for (const Instance& instance : found) check_instance(info, instance);
    return found;
  }

 private:
  static std::string name_of(const std::string& source, const ImageId& id) {
    return to_string(id) + " of source '" + source + "'";
  }
  static void check_source(const std::string& source) {
    if (source.empty() || source.find('.') != std::string::npos)
      throw Error("Dataset: the source '" + source + "' " + (source.empty() ? "has no name" : "has a dot in its name") +
                  ", expected a name without dots");
  }
  void check_instance(const ImageInfo& info, const Instance& instance) const {
    if (instance.class_id < 1 || instance.class_id >= class_count())
      throw Error("Dataset: an object in image " + name_of(info.source, info.id) + " has the class number " +
                  std::to_string(instance.class_id) + ", expected 1 to " + std::to_string(class_count() - 1));
    const bool fits = (info.height == 0 || instance.mask.height == info.height) &&
                      (info.width == 0 || instance.mask.width == info.width);
    if (!fits)
      throw Error("Dataset: a mask in image " + name_of(info.source, info.id) + " has " +
                  std::to_string(instance.mask.height) + " x " + std::to_string(instance.mask.width) +
                  " pixels (height x width), expected " + std::to_string(info.height) + " x " +
                  std::to_string(info.width));
  }

  std::vector<ClassInfo> classes_;
  std::map<std::pair<std::string, std::int64_t>, std::int32_t> class_numbers_;
  std::vector<ImageInfo> images_;
  std::vector<ImageContent> contents_;
  std::map<std::pair<std::string, ImageId>, index_t> image_numbers_;
};

inline void Dataset::append(Dataset other) {
  for (const ImageInfo& info : other.images_)
    if (find_image(info.source, info.id))
      throw Error("Dataset: image " + name_of(info.source, info.id) + " is there already; expected each one once");
  std::vector<std::int32_t> numbers = {0};
  bool same = true;
  for (std::size_t i = 1; i < other.classes_.size(); ++i) {
    const ClassInfo& info = other.classes_[i];
    numbers.push_back(add_class(info.source, info.id, info.name));
    same = same && numbers.back() == static_cast<std::int32_t>(i);
  }
  for (std::size_t i = 0; i < other.images_.size(); ++i) {
    ImageContent content = std::move(other.contents_[i]);
    if (!same && content.instances)
      content.instances = [read = std::move(content.instances), numbers] {
        std::vector<Instance> found = read();
        for (Instance& instance : found) {
          const auto id = static_cast<std::size_t>(instance.class_id);
          instance.class_id = id < numbers.size() ? numbers[id] : -1;
        }
        return found;
      };
    add_image(std::move(other.images_[i]), std::move(content));
  }
}

}  // namespace mrcnn::data

#endif
