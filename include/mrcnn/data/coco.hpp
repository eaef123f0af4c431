#ifndef MRCNN_DATA_COCO_HPP
#define MRCNN_DATA_COCO_HPP

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "mrcnn/coco/annotations.hpp"
#include "mrcnn/coco/records.hpp"
#include "mrcnn/coco/segmentation.hpp"
#include "mrcnn/data/dataset.hpp"

// COCO's data sets, and others in its format:
//
//   const auto dataset = data::coco_dataset(data::coco_files("coco", "val", 2017));

namespace mrcnn::data {

/// Where a data set in COCO's format lies.
struct CocoFiles {
  std::string annotations;  ///< an instances file
  std::string images;       ///< the folder that its file names start from
};

/// Where COCO itself keeps a subset under `root`: `annotations/instances_<subset><year>.json` and the folder of
/// pictures `<subset><year>`, or `images/<subset><year>` when only that is there.
///
/// @param subset  train or val; of 2014 also minival and valminusminival (called val35k too), the two parts of val that
///                Detectron's and matterport's numbers are about; their pictures are those of val
/// @param year    2014 or 2017
///
/// Throws: Error for another subset or year.
inline CocoFiles coco_files(const std::string& root, std::string_view subset, int year = 2017) {
  const bool part_of_val = subset == "minival" || subset == "valminusminival" || subset == "val35k";
  const bool known = subset == "train" || subset == "val" || (part_of_val && year == 2014);
  if (!known || (year != 2014 && year != 2017))
    throw Error("coco_files: there is no subset '" + std::string(subset) + "' of " + std::to_string(year) +
                ", expected train or val of 2014 or 2017, or minival or valminusminival of 2014");
  const std::string folder = (part_of_val ? std::string("val") : std::string(subset)) + std::to_string(year);
  const std::filesystem::path base(root);
  std::error_code ignored;
  const bool nested = !std::filesystem::is_directory(base / folder, ignored) &&
                      std::filesystem::is_directory(base / "images" / folder, ignored);
  const std::string file = std::string("instances_") + std::string(subset) + std::to_string(year) + ".json";
  return {(base / "annotations" / file).string(), (nested ? base / "images" / folder : base / folder).string()};
}

struct CocoDatasetOptions {
  std::string source = "coco";
  /// The categories wanted; absent: all. Others are no classes of the data set, and their objects are not in it.
  std::optional<std::vector<std::int64_t>> category_ids = {};
  /// Also pictures without an object of a wanted category, as an evaluation on all of a file needs them. False:
  /// matterport, for training and evaluation (4,952 of the 5,000 pictures of minival and val2017).
  bool images_without_objects = false;
  /// Keep crowds. False: matterport's V1.0.
  bool crowds = true;
  /// The bbox stands for a mask where an object has none. False: such an object is an error.
  bool boxes_as_masks = false;
};

namespace detail {

/// What the pictures of a COCO data set share: it makes their masks.
class CocoMasks {
 public:
  CocoMasks(coco::Annotations annotations, bool boxes_as_masks,
            std::unordered_map<std::int64_t, std::int32_t> class_ids)
      : annotations_(std::move(annotations)), boxes_as_masks_(boxes_as_masks), class_ids_(std::move(class_ids)) {}

  /// The objects of a picture of height x width, of those with these positions in the file.
  std::vector<Instance> instances(const std::vector<std::uint32_t>& positions, index_t height, index_t width) const {
    std::vector<Instance> found;
    for (const std::uint32_t position : positions) {
      const coco::Annotation& annotation = annotations_.annotations[position];
      coco::Rle mask = make_mask(annotation, height, width);
      if (coco::area(mask) == 0) continue;
      if (mask.height != height || mask.width != width) {
        if (!annotation.is_crowd)
          fail(annotation, "the mask has " + std::to_string(mask.height) + " x " + std::to_string(mask.width) +
                               " pixels (height x width), expected " + std::to_string(height) + " x " +
                               std::to_string(width) + " as image " + std::to_string(annotation.image_id));
        mask = {height, width, {0, static_cast<std::uint32_t>(height * width)}};
      }
      found.push_back({class_ids_.at(annotation.category_id), annotation.is_crowd, std::move(mask), annotation.id});
    }
    return found;
  }

 private:
  coco::Rle make_mask(const coco::Annotation& annotation, index_t height, index_t width) const {
    try {
      if (!std::holds_alternative<std::monostate>(annotation.segmentation))
        return coco::to_rle(annotation.segmentation, height, width);
      if (boxes_as_masks_ && annotation.bbox) {
        const coco::BoxXywh& box = *annotation.bbox;
        return coco::to_rle(coco::Polygons{{box.x, box.y, box.width, box.height}, {4}}, height, width);
      }
    } catch (const FormatError& error) {
      fail(annotation, error.what());
    }
    fail(annotation, boxes_as_masks_ ? "it has neither a segmentation nor a bbox, expected one of them"
                                     : "it has no segmentation; set boxes_as_masks to take its bbox for one");
  }
  [[noreturn]] void fail(const coco::Annotation& annotation, const std::string& what) const {
    throw FormatError(annotations_.name + ": annotation " + std::to_string(annotation.id) + ": " + what);
  }

  coco::Annotations annotations_;
  bool boxes_as_masks_;
  std::unordered_map<std::int64_t, std::int32_t> class_ids_;
};

/// Adds the wanted categories by ascending id; returns their class numbers.
inline std::unordered_map<std::int64_t, std::int32_t> add_coco_classes(Dataset& dataset,
                                                                       const coco::Annotations& annotations,
                                                                       const CocoDatasetOptions& options) {
  std::vector<const coco::CategoryRecord*> categories;
  for (const coco::CategoryRecord& category : annotations.categories) categories.push_back(&category);
  std::stable_sort(categories.begin(), categories.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  const auto wanted = [&](std::int64_t id) {
    return !options.category_ids ||
           std::find(options.category_ids->begin(), options.category_ids->end(), id) != options.category_ids->end();
  };
  std::unordered_map<std::int64_t, std::int32_t> class_ids;
  for (const coco::CategoryRecord* category : categories)
    if (wanted(category->id))
      class_ids.emplace(category->id, dataset.add_class(options.source, category->id, category->name));
  for (const std::int64_t id : options.category_ids.value_or(std::vector<std::int64_t>{}))
    if (class_ids.count(id) == 0)
      throw Error("coco_dataset: " + annotations.name + " has no category " + std::to_string(id) +
                  "; leave it out of category_ids");
  return class_ids;
}

/// For each picture id the positions of its annotations of these classes, in the file's order.
inline std::unordered_map<std::int64_t, std::vector<std::uint32_t>> annotations_by_image(
    const coco::Annotations& annotations, const std::unordered_map<std::int64_t, std::int32_t>& class_ids) {
  std::unordered_map<std::int64_t, std::vector<std::uint32_t>> positions;
  for (std::size_t i = 0; i < annotations.annotations.size(); ++i) {
    const coco::Annotation& annotation = annotations.annotations[i];
    if (class_ids.count(annotation.category_id) != 0)
      positions[annotation.image_id].push_back(static_cast<std::uint32_t>(i));
  }
  return positions;
}

}  // namespace detail

/// A data set in COCO's format.
///
/// @param annotations   an instances file, see `coco::read_annotations`; kept, because masks are made from it on demand
/// @param image_folder  the folder that its file names start from
///
/// Classes are the categories by ascending id (COCO's 90 ids become 1 to 80), pictures come by ascending id. A mask is
/// the union of the polygons, or the run lengths; objects whose mask has no pixel are left out, and the file's own bbox
/// is ignored. A crowd whose run lengths have another size than its picture covers all of it. Annotations of a category
/// or a picture that the file does not list count for nothing, as in pycocotools (coco/check.hpp finds them). Pictures
/// are read as they are stored: COCO's masks ignore a camera's Orientation tag.
///
/// Throws: FormatError when a picture is listed twice or has no pixels; Error for a category that the file does not
/// have. `Dataset::instances` throws a FormatError that names the file and the annotation when a mask can not be made,
/// or does not have its picture's size.
/// O(A + I log I) for A annotations and I pictures; no mask is decoded. Source: matterport's CocoDataset.
inline Dataset coco_dataset(coco::Annotations annotations, const std::string& image_folder,
                            const CocoDatasetOptions& options = {}) {
  Dataset dataset;
  auto class_ids = detail::add_coco_classes(dataset, annotations, options);
  auto positions = detail::annotations_by_image(annotations, class_ids);
  if (!options.crowds)
    for (auto& image : positions)
      std::erase_if(image.second, [&](std::uint32_t i) { return annotations.annotations[i].is_crowd; });
  std::vector<coco::ImageRecord> images = std::exchange(annotations.images, {});
  std::stable_sort(images.begin(), images.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  const std::string name = annotations.name;
  const auto masks =
      std::make_shared<const detail::CocoMasks>(std::move(annotations), options.boxes_as_masks, std::move(class_ids));
  const auto fail = [&](const coco::ImageRecord& image, const std::string& what) {
    throw FormatError(name + ": image " + std::to_string(image.id) + " " + what);
  };
  const std::filesystem::path folder(image_folder);
  for (coco::ImageRecord& image : images) {
    if (dataset.find_image(options.source, image.id)) fail(image, "is listed twice, expected each image once");
    const auto objects = positions.find(image.id);
    if (objects == positions.end() && !options.images_without_objects) continue;
    if (image.height < 1 || image.width < 1)
      fail(image, "has " + std::to_string(image.height) + " x " + std::to_string(image.width) +
                      " pixels (height x width), expected at least 1 x 1");
    ImageContent content;
    if (objects != positions.end())
      content.instances = [masks, mine = std::move(objects->second), height = image.height, width = image.width] {
        return masks->instances(mine, height, width);
      };
    dataset.add_image({.source = options.source,
                       .id = image.id,
                       .path = (folder / image.file_name).string(),
                       .height = image.height,
                       .width = image.width,
                       .extra = std::move(image.extra)},
                      std::move(content));
  }
  return dataset;
}

/// The same, from files. Throws: also what `coco::read_annotations` throws.
inline Dataset coco_dataset(const CocoFiles& files, const CocoDatasetOptions& options = {}) {
  return coco_dataset(coco::read_annotations(files.annotations), files.images, options);
}

}  // namespace mrcnn::data

#endif
