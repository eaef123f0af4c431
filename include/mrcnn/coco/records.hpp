#ifndef MRCNN_COCO_RECORDS_HPP
#define MRCNN_COCO_RECORDS_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mrcnn/coco/segmentation.hpp"
#include "mrcnn/core/tensor_view.hpp"

// What COCO's files hold. coco/annotations.hpp reads and writes it; it can also be filled by hand.

namespace mrcnn::coco {

/// A box as COCO's files hold it: the upper left corner and the extents, in pixels.
struct BoxXywh {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;

  friend bool operator==(const BoxXywh&, const BoxXywh&) = default;
};

/// A picture of a data set. `extra` holds the members that this library does not know as JSON, `"a":1,"b":[2]`.
struct ImageRecord {
  std::int64_t id = 0;
  index_t height = 0;
  index_t width = 0;
  std::string file_name = {};
  std::string extra = {};
};

/// A class of objects.
struct CategoryRecord {
  std::int64_t id = 0;
  std::string name = {};
  std::string supercategory = {};
  std::string extra = {};
};

/// An object in a picture, or a crowd of them.
struct Annotation {
  std::int64_t id = 0;
  std::int64_t image_id = 0;
  std::int64_t category_id = 0;
  bool is_crowd = false;
  std::optional<double> area = {};
  std::optional<BoxXywh> bbox = {};
  Segmentation segmentation = {};
  std::string extra = {};
};

/// An instances file.
struct Annotations {
  std::string name = {};  ///< of the file, for messages
  std::vector<ImageRecord> images;
  std::vector<CategoryRecord> categories;
  std::vector<Annotation> annotations;
  std::string extra = {};  ///< other members at the top, such as info and licenses, as JSON
};

/// A detection, as results files hold them: with a box, a mask or both.
struct Result {
  std::int64_t image_id = 0;
  std::int64_t category_id = 0;
  double score = 0;
  std::optional<BoxXywh> bbox = {};
  Segmentation segmentation = {};
};

}  // namespace mrcnn::coco

#endif
