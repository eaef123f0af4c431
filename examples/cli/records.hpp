#ifndef MRCNN_EXAMPLES_CLI_RECORDS_HPP
#define MRCNN_EXAMPLES_CLI_RECORDS_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "mrcnn/coco/categories.hpp"
#include "mrcnn/coco/rle.hpp"
#include "mrcnn/io/json_writer.hpp"
#include "mrcnn/models/detections.hpp"
#include "pictures.hpp"

namespace mrcnn::cli {

/// Adds the members of COCO's result records to an object: image_id, category_id, bbox (whole pixels), score and the
/// mask as compressed run lengths. `height` and `width` are those of the picture.
inline void append_detection(io::JsonWriter& record, std::int64_t image_id, std::int64_t category_id,
                             const Detection& detection, index_t height, index_t width) {
  record.member("image_id", image_id).member("category_id", category_id).key("bbox").begin_array();
  // Whole pixels, written without a fraction.
  for (const float side :
       {detection.box.x1, detection.box.y1, detection.box.x2 - detection.box.x1, detection.box.y2 - detection.box.y1})
    record.value(static_cast<std::int64_t>(side));
  record.end_array().member("score", detection.score);
  const InstanceMask& mask = detection.mask;
  const coco::Rle rle = coco::encode_crop(
      coco::MaskView(mask.pixels.data(), {mask.height, mask.width}, {mask.width, 1}), mask.x, mask.y, height, width);
  record.key("segmentation").begin_object().key("size").begin_array().value(height).value(width).end_array();
  record.member("counts", coco::to_string(rle)).end_object();
}

/// What was found, as COCO's result records: a JSON array, one record a line, with the names of file and class added.
class Records {
 public:
  explicit Records(std::vector<std::string> class_names)
      : class_names_(std::move(class_names)), coco_(coco::are_category_names(class_names_)) {}

  /// @param height, width  of the picture, as it was shown to the network
  void add(const Picture& picture, const Detections& detections, index_t height, index_t width) {
    for (const Detection& detection : detections) {
      const auto index = static_cast<std::size_t>(detection.class_id) - 1;
      io::JsonWriter record;
      record.begin_object();
      append_detection(record, picture.image_id, coco_ ? coco::official_categories[index].id : detection.class_id,
                       detection, height, width);
      record.member("file_name", picture.file_name()).member("category_name", class_names_[index]).end_object();
      text_ += (text_.empty() ? "[\n" : ",\n") + record.text();
    }
  }
  /// The whole array; "[]" when nothing was found.
  std::string text() const { return text_.empty() ? "[]\n" : text_ + "\n]\n"; }

 private:
  std::vector<std::string> class_names_;
  bool coco_;
  std::string text_;
};

}  // namespace mrcnn::cli

#endif
