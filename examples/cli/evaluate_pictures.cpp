#include "evaluate_pictures.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>

#include "counted.hpp"
#include "evaluate_input.hpp"
#include "mrcnn/coco/curves.hpp"
#include "mrcnn/coco/report.hpp"
#include "mrcnn/coco/segmentation.hpp"
#include "mrcnn/io/image.hpp"
#include "mrcnn/vis/curves.hpp"
#include "mrcnn/vis/draw.hpp"
#include "progress.hpp"

namespace mrcnn::cli {

namespace {

namespace fs = std::filesystem;

constexpr vis::Color missed_color{230, 40, 40};
constexpr vis::Color wrong_color{40, 90, 230};

void write_picture(const std::string& path, const Image& image, Outputs& outputs) {
  io::OutputFile& file = outputs.open(path);
  const auto bytes = io::encode_png(image);
  file.write(bytes.data(), bytes.size());
  file.close();
}

/// The mask as far as it lies in a picture of this size; empty when it can not be made or is of another one.
InstanceMask mask_of(const coco::Segmentation& segmentation, const Image& picture) {
  InstanceMask mask;
  if (!holds_mask(segmentation)) return mask;
  try {
    const coco::Rle rle = coco::to_rle(segmentation, picture.height, picture.width);
    if (rle.height != picture.height || rle.width != picture.width) return mask;
    mask.width = picture.width;
    mask.height = picture.height;
    mask.pixels = coco::decode(rle);
  } catch (const Error&) {
    return {};
  }
  return mask;
}

Box corners(const coco::BoxXywh& box) {
  return {static_cast<float>(box.x), static_cast<float>(box.y), static_cast<float>(box.x + box.width),
          static_cast<float>(box.y + box.height)};
}

/// The smallest box around a mask; empty without one.
Box box_around(const coco::Segmentation& segmentation, const Image& picture) {
  if (!holds_mask(segmentation)) return {};
  try {
    const auto bounds = coco::bounding_box(coco::to_rle(segmentation, picture.height, picture.width));
    return {static_cast<float>(bounds.x), static_cast<float>(bounds.y), static_cast<float>(bounds.x + bounds.width),
            static_cast<float>(bounds.y + bounds.height)};
  } catch (const Error&) {
    return {};
  }
}

/// Shapes to draw in one colour, with a caption each.
struct Shapes {
  Detections shapes;
  std::vector<std::string> captions;

  template <class Record>
  void add(const Record& record, const Image& picture, const std::string& caption, bool with_mask) {
    Detection shape;
    shape.box = record.bbox ? corners(*record.bbox) : box_around(record.segmentation, picture);
    if (with_mask) shape.mask = mask_of(record.segmentation, picture);
    captions.push_back(caption);
    shape.class_id = static_cast<std::int32_t>(captions.size());
    shapes.push_back(std::move(shape));
  }
  void draw(Image& picture, vis::Color color, const std::shared_ptr<const vis::Typeface>& typeface) const {
    vis::DrawOptions options;
    options.mask_alpha = 0.35;
    options.color = color;
    options.typeface = typeface;
    vis::draw_detections(picture, shapes, captions, options);
  }
};

/// The categories with the most objects, by ascending id, with their names.
std::map<std::int64_t, std::string> common_categories(const coco::Annotations& annotations) {
  std::map<std::int64_t, std::int64_t> counts;
  for (const coco::Annotation& object : annotations.annotations) ++counts[object.category_id];
  std::map<std::int64_t, std::string> names;
  for (const coco::CategoryRecord& category : annotations.categories) names[category.id] = category.name;
  std::vector<std::int64_t> ids;
  for (const auto& [id, name] : names) ids.push_back(id);
  std::stable_sort(ids.begin(), ids.end(), [&](std::int64_t a, std::int64_t b) { return counts[a] > counts[b]; });
  constexpr std::size_t most_curves = 20;
  for (std::size_t i = most_curves; i < ids.size(); ++i) names.erase(ids[i]);
  return names;
}

/// Draws misses, picture by picture.
class MissPainter {
 public:
  MissPainter(const coco::Annotations& annotations, std::span<const coco::Result> results, coco::IouType type)
      : annotations_(annotations), results_(results), masks_(type != coco::IouType::bbox) {
    for (const coco::CategoryRecord& category : annotations.categories) names_[category.id] = category.name;
  }

  void paint(Image& picture, const coco::ErrorAnalysis& analysis, const coco::PictureMisses& misses) const {
    constexpr std::size_t most_shapes = 200;  // more can not be told apart
    Shapes missed;
    Shapes wrong;
    for (std::size_t i = 0; i < std::min(misses.records.size(), most_shapes); ++i) {
      const coco::ErrorRecord& record = analysis.records[misses.records[i]];
      const std::string kind = coco::name_of(record.kind);
      if (record.result) {
        const coco::Result& result = results_[*record.result];
        char score[64];
        std::snprintf(score, sizeof score, " %.3f", result.score);
        wrong.add(result, picture, kind + ": " + category(result.category_id) + score, masks_);
      } else if (record.annotation) {
        const coco::Annotation& object = annotations_.annotations[*record.annotation];
        missed.add(object, picture, kind + ": " + category(object.category_id), masks_);
      }
    }
    wrong.draw(picture, wrong_color, typeface_);
    missed.draw(picture, missed_color, typeface_);
  }

 private:
  std::string category(std::int64_t id) const {
    const auto found = names_.find(id);
    return found == names_.end() || found->second.empty() ? "category " + std::to_string(id) : found->second;
  }

  const coco::Annotations& annotations_;
  std::span<const coco::Result> results_;
  bool masks_;
  std::map<std::int64_t, std::string> names_;
  std::shared_ptr<const vis::Typeface> typeface_ = vis::default_typeface();
};

}  // namespace

void draw_curves(const std::string& folder, const coco::Annotations& annotations,
                 std::span<const coco::Evaluation> evaluations, Outputs& outputs) {
  const auto categories = common_categories(annotations);
  for (const coco::Evaluation& evaluation : evaluations) {
    const std::string type = coco::iou_type_name(evaluation.iou_type);
    const std::string stem = (fs::path(folder) / ("precision-recall-" + type)).string();
    vis::CurveOptions options;
    options.title = type + ": mean over the categories";
    write_picture(stem + ".png", vis::draw_curves(coco::precision_recall_curves(evaluation), options), outputs);

    std::vector<vis::Curve> curves;
    for (const auto& [id, name] : categories) {
      curves.push_back(coco::precision_recall_curve(evaluation, {.category_id = id}, name));
      if (curves.back().x.empty()) curves.pop_back();  // no object of it takes part
    }
    options.title = type + ": IoU 0.50, the commonest categories";
    options.value_label = "AP50";
    write_picture(stem + "-categories.png", vis::draw_curves(curves, options), outputs);
  }
}

bool draw_misses(const EvaluateCommand& command, const coco::Annotations& annotations,
                 std::span<const coco::Result> results, const coco::ErrorAnalysis& analysis, Outputs& outputs) {
  const auto worst = coco::worst_pictures(analysis, static_cast<std::size_t>(command.misses));
  std::map<std::int64_t, const coco::ImageRecord*> images;
  for (const coco::ImageRecord& image : annotations.images) images[image.id] = &image;

  const MissPainter painter(annotations, results, analysis.iou_type);
  Progress progress(static_cast<std::int64_t>(worst.size()), "pictures of misses", {.memory = true});
  bool complete = true;
  for (std::size_t i = 0; i < worst.size(); ++i) {
    const coco::ImageRecord& record = *images.at(worst[i].image_id);
    try {
      Image picture =
          io::read_image((fs::path(*command.images) / record.file_name).string(), {.apply_exif_orientation = false});
      painter.paint(picture, analysis, worst[i]);
      char rank[64];
      std::snprintf(rank, sizeof rank, "miss-%s-%03zu-", coco::iou_type_name(analysis.iou_type), i + 1);
      const std::string name = rank + fs::path(record.file_name).stem().string() + ".png";
      write_picture((fs::path(*command.output) / name).string(), picture, outputs);
    } catch (const FormatError& error) {
      complete = false;
      progress.clear();
      std::fprintf(stderr, "mrcnn: not drawn: %s\n", printable(error.what()).c_str());
    }
    progress.update(static_cast<std::int64_t>(i) + 1);
  }
  return complete;
}

}  // namespace mrcnn::cli
