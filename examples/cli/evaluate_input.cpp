#include "evaluate_input.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "counted.hpp"
#include "mrcnn/core/error.hpp"
#include "mrcnn/io/detail/file.hpp"

namespace mrcnn::cli {

namespace {

using Images = std::unordered_map<std::int64_t, const coco::ImageRecord*>;

Images images_by_id(const coco::Annotations& annotations) {
  Images images;
  for (const coco::ImageRecord& image : annotations.images) images[image.id] = &image;
  return images;
}

std::unordered_set<std::int64_t> category_ids(const coco::Annotations& annotations) {
  std::unordered_set<std::int64_t> ids;
  for (const coco::CategoryRecord& category : annotations.categories) ids.insert(category.id);
  return ids;
}

/// Further than a pixel, since many files hold sides that were rounded.
bool reaches_outside(const coco::BoxXywh& box, const coco::ImageRecord& image) {
  return box.x < -1 || box.y < -1 || box.x + box.width > static_cast<double>(image.width) + 1 ||
         box.y + box.height > static_cast<double>(image.height) + 1;
}

/// The ids that --image-ids names.
std::vector<std::int64_t> asked_ids(const std::string& option) {
  std::error_code ignored;
  if (!std::filesystem::exists(option, ignored)) return *parse_ids(option);
  const io::detail::InputFile file(option);
  constexpr std::uint64_t most_bytes = std::uint64_t{1} << 28;
  if (file.size() > most_bytes)
    throw FormatError(option + ": has " + std::to_string(file.size()) + " bytes, expected a text file of image ids");
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, text.data(), file.size());
  const auto ids = parse_ids(text);
  if (!ids)
    throw FormatError(option + ": is not a list of image ids, expected whole numbers between commas, blanks or lines");
  return *ids;
}

/// "FILE: 3 of 120 annotations WHAT (first: 17)".
void report(std::vector<std::string>& warnings, const std::string& name, const Sightings& seen, std::size_t total,
            const std::string& records, const std::string& what) {
  if (seen.count == 0) return;
  warnings.push_back(name + ": " + std::to_string(seen.count) + " of " + std::to_string(total) + " " + records + " " +
                     what + " (first: " + seen.first + ")");
}

/// Tells detections apart, except by chance.
std::size_t hash_of(const coco::Result& result) {
  std::size_t hash = 0;
  const auto mix = [&](std::size_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 29;
  };
  mix(std::hash<std::int64_t>()(result.image_id));
  mix(std::hash<std::int64_t>()(result.category_id));
  mix(std::hash<double>()(result.score));
  if (result.bbox)
    for (const double side : {result.bbox->x, result.bbox->y, result.bbox->width, result.bbox->height})
      mix(std::hash<double>()(side));
  if (const auto* rle = std::get_if<coco::CompressedRle>(&result.segmentation))
    mix(std::hash<std::string>()(rle->counts));
  if (const auto* rle = std::get_if<coco::Rle>(&result.segmentation))
    for (const auto count : rle->counts) mix(count);
  if (const auto* polygons = std::get_if<coco::Polygons>(&result.segmentation))
    for (const double coordinate : polygons->coordinates) mix(std::hash<double>()(coordinate));
  return hash;
}

}  // namespace

bool holds_mask(const coco::Segmentation& segmentation) {
  const auto* polygons = std::get_if<coco::Polygons>(&segmentation);
  if (polygons != nullptr) return !polygons->ring_ends.empty();
  return !std::holds_alternative<std::monostate>(segmentation);
}

std::vector<const coco::ImageRecord*> choose_images(const coco::Annotations& annotations,
                                                    const EvaluateCommand& command) {
  std::map<std::int64_t, const coco::ImageRecord*> images;
  for (const coco::ImageRecord& image : annotations.images) images[image.id] = &image;
  if (command.image_ids) {
    std::map<std::int64_t, const coco::ImageRecord*> asked;
    for (const std::int64_t id : asked_ids(*command.image_ids)) {
      const auto found = images.find(id);
      if (found == images.end())
        throw FormatError(std::string("--image-ids: ") + std::to_string(id) + " is no picture of " + annotations.name +
                          ", expected ids of its pictures");
      asked.insert(*found);
    }
    images = std::move(asked);
  }
  std::vector<const coco::ImageRecord*> chosen;
  for (const auto& [id, image] : images) {
    if (command.limit && static_cast<int>(chosen.size()) == *command.limit) break;
    chosen.push_back(image);
  }
  return chosen;
}

std::vector<std::string> annotation_warnings(const coco::Annotations& annotations, bool match_id_zero) {
  const Images images = images_by_id(annotations);
  const auto categories = category_ids(annotations);
  std::unordered_set<std::int64_t> ids;
  Sightings repeated;
  Sightings imageless;
  Sightings categoryless;
  Sightings outside;
  Sightings zero;
  for (const coco::Annotation& annotation : annotations.annotations) {
    const auto id = [&] { return std::string("annotation ") + std::to_string(annotation.id); };
    if (!ids.insert(annotation.id).second) repeated.add(id);
    if (annotation.id == 0) zero.add(id);
    if (categories.count(annotation.category_id) == 0) categoryless.add(id);
    const auto image = images.find(annotation.image_id);
    if (image == images.end())
      imageless.add(id);
    else if (annotation.bbox && reaches_outside(*annotation.bbox, *image->second))
      outside.add(id);
  }
  std::vector<std::string> warnings;
  const auto add = [&](const Sightings& seen, const std::string& what) {
    report(warnings, annotations.name, seen, annotations.annotations.size(), "annotations", what);
  };
  add(repeated, "have the id of another one, of which pycocotools knows the last only");
  add(imageless, "belong to a picture that the file does not have, and are ignored");
  add(categoryless, "belong to a category that the file does not have, and are ignored");
  add(outside, "have a box that reaches out of its picture");
  if (zero.count > 0 && !match_id_zero)
    warnings.push_back(annotations.name +
                       ": an annotation has id 0, and a match with it counts as none, as in "
                       "pycocotools; --match-id-zero counts it");
  if (images.size() < annotations.images.size())
    warnings.push_back(annotations.name + ": " + std::to_string(annotations.images.size() - images.size()) + " of " +
                       std::to_string(annotations.images.size()) + " pictures have the id of another one");
  if (categories.size() < annotations.categories.size())
    warnings.push_back(annotations.name + ": " + std::to_string(annotations.categories.size() - categories.size()) +
                       " of " + std::to_string(annotations.categories.size()) +
                       " categories have the id of another one");
  return warnings;
}

std::vector<std::string> check_results(const coco::Annotations& annotations, std::span<const coco::Result> results,
                                       const std::string& name) {
  const Images images = images_by_id(annotations);
  const auto categories = category_ids(annotations);
  std::set<std::int64_t> unknown;
  Sightings categoryless;
  Sightings outside;
  Sightings repeated;
  std::unordered_set<std::size_t> seen;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const coco::Result& result = results[i];
    const auto position = [&] { return std::string("result ") + std::to_string(i); };
    const auto image = images.find(result.image_id);
    if (image == images.end())
      throw FormatError(name + ": " + position() + ": image_id is " + std::to_string(result.image_id) + ", which " +
                        annotations.name + " does not have, expected results for its pictures");
    if (std::isnan(result.score))
      throw FormatError(name + ": " + position() + ": the score is NaN, expected a number; check the detector");
    if (categories.count(result.category_id) == 0) {
      categoryless.add(position);
      unknown.insert(result.category_id);
    }
    if (result.bbox && reaches_outside(*result.bbox, *image->second)) outside.add(position);
    if (!seen.insert(hash_of(result)).second) repeated.add(position);
  }
  std::vector<std::string> warnings;
  if (categoryless.count > 0) {
    std::vector<std::string> ids;
    for (const std::int64_t id : unknown) ids.push_back(std::to_string(id));
    warnings.push_back(name + ": " + std::to_string(categoryless.count) + " of " + std::to_string(results.size()) +
                       " results are ignored: " + some_of(ids, ids.size() == 1 ? "category" : "categories") + " that " +
                       annotations.name + " does not have");
  }
  report(warnings, name, outside, results.size(), "results", "have a box that reaches out of its picture");
  report(warnings, name, repeated, results.size(), "results", "are the same as an earlier one");
  return warnings;
}

std::vector<std::string> choose_iou_types(const coco::Annotations& annotations, std::span<const coco::Result> results,
                                          const EvaluateCommand& command, std::string& note) {
  if (!command.iou_types.empty()) return command.iou_types;
  const auto has_mask = [](const auto& record) { return holds_mask(record.segmentation); };
  // A network makes masks, also when it finds nothing.
  if (!command.weights && std::none_of(results.begin(), results.end(), has_mask)) return {"bbox"};
  const auto& objects = annotations.annotations;
  const auto maskless = std::find_if_not(objects.begin(), objects.end(), has_mask);
  if (maskless == objects.end() && std::all_of(results.begin(), results.end(), has_mask)) return {"bbox", "segm"};
  note = "masks are not compared, since " +
         (maskless != objects.end() ? std::string("annotation ") + std::to_string(maskless->id)
                                    : std::string("a result")) +
         " has none";
  return {"bbox"};
}

std::string boxes_as_masks(std::span<const coco::Result> results, std::span<const std::string> iou_types,
                           const std::string& name) {
  if (std::all_of(iou_types.begin(), iou_types.end(), [](const std::string& type) { return type == "bbox"; }))
    return {};
  const auto boxes = std::count_if(results.begin(), results.end(), [](const coco::Result& result) {
    return result.bbox && !holds_mask(result.segmentation);
  });
  if (boxes == 0) return {};
  return name + ": " + std::to_string(boxes) + " of " + std::to_string(results.size()) +
         " results have no mask, and their boxes are compared as masks";
}

}  // namespace mrcnn::cli
