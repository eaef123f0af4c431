#ifndef MRCNN_TESTS_SUPPORT_DETECTION_RECORDS_HPP
#define MRCNN_TESTS_SUPPORT_DETECTION_RECORDS_HPP

#include <cstdint>
#include <utility>

#include "mrcnn/coco/records.hpp"

namespace mrcnn::test {

/// Pictures 1, 2 ... of 100 x 100 pixels and the categories 1, 2 ... without objects.
inline coco::Annotations empty_data_set(std::size_t pictures, std::size_t categories) {
  coco::Annotations truth;
  truth.images.resize(pictures);
  for (std::size_t i = 0; i < pictures; ++i) {
    coco::ImageRecord& image = truth.images[i];
    image.id = static_cast<std::int64_t>(i) + 1;
    image.height = image.width = 100;
  }
  truth.categories.resize(categories);
  for (std::size_t i = 0; i < categories; ++i) truth.categories[i].id = static_cast<std::int64_t>(i) + 1;
  return truth;
}

/// Its id is its place, counted from 1.
inline void add_object(coco::Annotations& truth, std::int64_t image, std::int64_t category, const coco::BoxXywh& box,
                       bool crowd = false) {
  coco::Annotation object;
  object.id = static_cast<std::int64_t>(truth.annotations.size()) + 1;
  object.image_id = image;
  object.category_id = category;
  object.is_crowd = crowd;
  object.area = box.width * box.height;
  object.bbox = box;
  truth.annotations.push_back(std::move(object));
}

inline coco::Result detection(std::int64_t image, std::int64_t category, double score, const coco::BoxXywh& box) {
  coco::Result result;
  result.image_id = image;
  result.category_id = category;
  result.score = score;
  result.bbox = box;
  return result;
}

}  // namespace mrcnn::test

#endif
