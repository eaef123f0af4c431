#ifndef MRCNN_DATA_TO_ANNOTATIONS_HPP
#define MRCNN_DATA_TO_ANNOTATIONS_HPP

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "mrcnn/coco/records.hpp"
#include "mrcnn/coco/segmentation.hpp"
#include "mrcnn/data/dataset.hpp"

namespace mrcnn::data {

/// Any data set as COCO's records, to evaluate detections on it with coco/evaluate.hpp or to write it to a file.
///
/// images[i] is picture i and categories[k - 1] class k, under the ids of their source where there is only one source
/// and it gives its pictures numbers; else pictures and classes are numbered from 1. The annotations are numbered from
/// 1, in the pictures' order; area and bbox are those of the mask, the segmentation is its run lengths. Classes keep
/// their whole names. Where the source does not say how large a picture is, the first mask does, and without one the
/// size is 0 x 0.
///
/// Makes every mask: time and memory grow with all of them. Throws: what `Dataset::instances` throws.
inline coco::Annotations to_annotations(const Dataset& dataset, std::string name = "data set") {
  const bool original = dataset.sources().size() == 1 &&
                        std::all_of(dataset.images().begin(), dataset.images().end(), [](const ImageInfo& info) {
                          return std::holds_alternative<std::int64_t>(info.id);
                        });
  coco::Annotations annotations;
  annotations.name = std::move(name);
  for (std::int32_t k = 1; k < dataset.class_count(); ++k) {
    const ClassInfo& info = dataset.classes()[static_cast<std::size_t>(k)];
    annotations.categories.push_back({original ? info.id : k, info.name, {}, {}});
  }
  for (index_t i = 0; i < dataset.size(); ++i) {
    const ImageInfo& info = dataset.image(i);
    coco::ImageRecord image{original ? std::get<std::int64_t>(info.id) : i + 1, info.height, info.width, info.path,
                            info.extra};
    for (Instance& instance : dataset.instances(i)) {
      if (image.height == 0) image.height = instance.mask.height;
      if (image.width == 0) image.width = instance.mask.width;
      const coco::RleBounds box = coco::bounding_box(instance.mask);
      coco::Annotation annotation;
      annotation.id = static_cast<std::int64_t>(annotations.annotations.size()) + 1;
      annotation.image_id = image.id;
      annotation.category_id = annotations.categories[static_cast<std::size_t>(instance.class_id - 1)].id;
      annotation.is_crowd = instance.is_crowd;
      annotation.area = static_cast<double>(coco::area(instance.mask));
      annotation.bbox = coco::BoxXywh{static_cast<double>(box.x), static_cast<double>(box.y),
                                      static_cast<double>(box.width), static_cast<double>(box.height)};
      annotation.segmentation = std::move(instance.mask);
      annotations.annotations.push_back(std::move(annotation));
    }
    annotations.images.push_back(std::move(image));
  }
  return annotations;
}

}  // namespace mrcnn::data

#endif
