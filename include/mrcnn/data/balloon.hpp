#ifndef MRCNN_DATA_BALLOON_HPP
#define MRCNN_DATA_BALLOON_HPP

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "mrcnn/data/dataset.hpp"
#include "mrcnn/data/detail/picture_size.hpp"
#include "mrcnn/data/polygon_fill.hpp"
#include "mrcnn/io/json.hpp"

// Data sets drawn with the VGG Image Annotator (VIA), such as matterport's balloons:
//
//   const auto dataset = data::balloon_dataset("balloon", "train");

namespace mrcnn::data {

/// Vertices of one outline, in pixels; whole numbers are centres of pixels.
struct PixelPolygon {
  std::vector<double> x;
  std::vector<double> y;
};

/// A region as VIA draws it. Rectangles are polygons.
using ViaRegion = std::variant<PixelPolygon, Ellipse>;

/// The mask of a region. Throws: as `fill_polygon` and `fill_ellipse`.
inline coco::Rle fill_region(const ViaRegion& region, index_t height, index_t width) {
  if (const auto* polygon = std::get_if<PixelPolygon>(&region))
    return fill_polygon(polygon->x, polygon->y, height, width);
  return fill_ellipse(std::get<Ellipse>(region), height, width);
}

struct ViaDatasetOptions {
  std::string source = "via";
  std::string class_name = "object";  ///< of all regions; its id within the source is 1
  std::string image_folder = {};      ///< that file names start from; empty: the folder of the annotations
  /// Also pictures in which nothing is drawn. False: matterport, whose samples skip them.
  bool unannotated_images = false;
  /// Whether the regions were drawn on pictures turned as the camera's Orientation tag says: browsers turn them since
  /// about 2020.
  bool apply_exif_orientation = false;
};

namespace detail {

inline double via_number(const io::JsonValue& shape, std::string_view name) {
  const io::JsonValue value = shape[name];
  const double number = value.number();
  if (!(std::abs(number) <= largest_coordinate))
    value.fail("found " + value.minified() + ", expected a number from -1e9 to 1e9");
  return number;
}

inline double via_extent(const io::JsonValue& shape, std::string_view name) {
  const double number = via_number(shape, name);
  if (number < 0) shape[name].fail("found " + shape[name].minified() + ", expected at least 0");
  return number;
}

inline std::vector<double> via_coordinates(const io::JsonValue& shape, std::string_view name) {
  const io::JsonValue list = shape[name];
  std::vector<double> numbers = list.numbers();
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (!(std::abs(numbers[i]) <= largest_coordinate))
      list.at(static_cast<index_t>(i)).fail("is out of range, expected a number from -1e9 to 1e9");
  return numbers;
}

/// The region of a `shape_attributes` object.
inline ViaRegion read_via_region(const io::JsonValue& shape) {
  const std::string_view name = shape["name"].string();
  if (name == "polygon") {
    PixelPolygon polygon{via_coordinates(shape, "all_points_x"), via_coordinates(shape, "all_points_y")};
    if (polygon.x.size() != polygon.y.size())
      shape.fail("all_points_x has " + std::to_string(polygon.x.size()) + " numbers and all_points_y " +
                 std::to_string(polygon.y.size()) + ", expected as many of both");
    return polygon;
  }
  if (name == "rect") {
    const double left = via_number(shape, "x");
    const double top = via_number(shape, "y");
    const double right = left + via_extent(shape, "width");
    const double bottom = top + via_extent(shape, "height");
    return PixelPolygon{{left, right, right, left}, {top, top, bottom, bottom}};
  }
  if (name == "circle") {
    const double radius = via_extent(shape, "r");
    return Ellipse{via_number(shape, "cx"), via_number(shape, "cy"), radius, radius, 0};
  }
  if (name == "ellipse")
    return Ellipse{via_number(shape, "cx"), via_number(shape, "cy"), via_extent(shape, "rx"), via_extent(shape, "ry"),
                   shape.find("theta") ? via_number(shape, "theta") : 0.0};
  shape["name"].fail("found '" + std::string(name) + "', expected polygon, rect, circle or ellipse" +
                     (name == "point" || name == "polyline" ? "; a " + std::string(name) + " has no area" : ""));
}

/// The regions of an entry: an array, or in VIA's first version an object. Absent or null: none.
inline std::vector<ViaRegion> read_via_regions(const io::JsonValue& entry) {
  std::vector<ViaRegion> regions;
  const auto list = entry.find("regions");
  if (!list || list->is_null()) return regions;
  const auto add = [&](const io::JsonValue& region) { regions.push_back(read_via_region(region["shape_attributes"])); };
  if (list->is_object())
    list->for_each_member([&](std::string_view, const io::JsonValue& region) { add(region); });
  else if (list->is_array())
    list->for_each_element(add);
  else
    list->fail("found neither an object nor an array, expected VIA's regions");
  return regions;
}

/// The object that has the entries as members: the document, or that part of a project file.
inline io::JsonValue via_entries(const io::JsonValue& root) {
  const auto project = root.find("_via_img_metadata");
  if (!project && root.find("images") && root.find("annotations"))
    root.fail("has the members of COCO's format, expected VIA's; read it with coco_dataset");
  return project.value_or(root);
}

}  // namespace detail

/// A data set of pictures and the regions that were drawn on them with VIA, of one class.
///
/// @param annotations  what VIA 1 or 2 exports as JSON, or saves as a project
///
/// Pictures come in the file's order; their id is the file name. Polygons are filled by `fill_polygon`, rectangles as
/// polygons, circles and ellipses by `fill_ellipse`; regions without a pixel in the picture are left out.
///
/// Throws: FormatError with the file, the entry and the field when something is missing, of another kind or out of
/// range, for points and lines, and when a picture is listed twice, missing or of an unknown format: sizes are read
/// from the pictures' headers, because VIA's files have none. Source: matterport's BalloonDataset and VIA 2.0's format.
inline Dataset via_dataset(const io::JsonDocument& annotations, const ViaDatasetOptions& options = {}) {
  Dataset dataset;
  const std::int32_t class_id = dataset.add_class(options.source, 1, options.class_name);
  const std::filesystem::path folder = options.image_folder.empty()
                                           ? std::filesystem::path(annotations.name()).parent_path()
                                           : std::filesystem::path(options.image_folder);
  detail::via_entries(annotations.root()).for_each_member([&](std::string_view, const io::JsonValue& entry) {
    const std::string name(entry["filename"].string());
    auto regions = std::make_shared<const std::vector<ViaRegion>>(detail::read_via_regions(entry));
    if (regions->empty() && !options.unannotated_images) return;
    if (dataset.find_image(options.source, name)) entry.fail("is the second one of '" + name + "', expected one");
    const std::string path = (folder / name).string();
    const detail::PictureSize size = detail::read_picture_size(path, options.apply_exif_orientation);
    ImageContent content;
    content.instances = [regions, class_id, size] {
      std::vector<Instance> found;
      for (std::size_t i = 0; i < regions->size(); ++i) {
        coco::Rle mask = fill_region((*regions)[i], size.height, size.width);
        if (coco::area(mask) > 0) found.push_back({class_id, false, std::move(mask), static_cast<std::int64_t>(i)});
      }
      return found;
    };
    dataset.add_image({.source = options.source,
                       .id = name,
                       .path = path,
                       .height = size.height,
                       .width = size.width,
                       .apply_exif_orientation = options.apply_exif_orientation},
                      std::move(content));
  });
  return dataset;
}

/// The same, from a file. Throws: also FormatError when it is missing, unreadable or not JSON.
inline Dataset via_dataset(const std::string& path, const ViaDatasetOptions& options = {}) {
  return via_dataset(io::JsonDocument::open(path), options);
}

/// matterport's balloons: `<root>/<subset>/via_region_data.json` beside its pictures; one class, balloon 1 of source
/// balloon. Throws: as `via_dataset`.
///
/// @param subset  train or val
inline Dataset balloon_dataset(const std::string& root, const std::string& subset) {
  return via_dataset((std::filesystem::path(root) / subset / "via_region_data.json").string(),
                     {.source = "balloon", .class_name = "balloon"});
}

}  // namespace mrcnn::data

#endif
