#include "mrcnn/data/balloon.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/files.hpp"

namespace mrcnn::data {
namespace {

using test::Draw;
using test::message_of;

/// What a picture of 8 x 6 pixels (width x height) begins with.
const std::string gif = std::string("GIF89a\x08\x00\x06\x00", 10);

/// A folder with the pictures a.gif, b.gif and c.gif and the annotations via_region_data.json.
struct Folder {
  explicit Folder(const std::string& annotations) {
    for (const char* name : {"a.gif", "b.gif", "c.gif"}) test::write_file(folder / name, gif);
    test::write_file(path(), annotations);
  }
  std::string path() const { return folder / "via_region_data.json"; }
  Dataset read(const ViaDatasetOptions& options = {}) const { return via_dataset(path(), options); }
  /// The message, without the folder's name.
  std::string message() const {
    std::string text = message_of([&] {
      const Dataset dataset = read();
      for (index_t i = 0; i < dataset.size(); ++i) dataset.instances(i);
    });
    const std::string prefix = folder.path().string() + "/";
    for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix))
      text.erase(at, prefix.size());
    return text;
  }

  test::TemporaryFolder folder;
};

const std::string square = R"({"name": "polygon", "all_points_x": [1, 3, 3, 1], "all_points_y": [2, 2, 3, 3]})";

std::string region(const std::string& shape) {
  return R"({"shape_attributes": )" + shape + R"(, "region_attributes": {}})";
}
std::string entry(const std::string& name, const std::string& regions) {
  return '"' + name + R"(123": {"fileref": "", "size": 123, "filename": ")" + name + R"(", "regions": )" + regions +
         "}";
}

const std::string via1 = "{" + entry("b.gif", R"({"0": )" + region(square) + R"(, "1": )" + region(square) + "}") +
                         ", " + entry("c.gif", "{}") + ", " + entry("a.gif", R"({"0": )" + region(square) + "}") + "}";
const std::string via2 = "{" + entry("b.gif", "[" + region(square) + ", " + region(square) + "]") + ", " +
                         entry("c.gif", "[]") + ", " + entry("a.gif", "[" + region(square) + "]") + "}";

/// The one mask of a file with this shape on a.gif.
coco::Rle mask_of(const std::string& shape) {
  const auto found = Folder("{" + entry("a.gif", "[" + region(shape) + "]") + "}").read().instances(0);
  REQUIRE(found.size() == 1);
  return found[0].mask;
}

std::string message_of_shape(const std::string& shape) {
  return Folder("{" + entry("a.gif", "[" + region(shape) + "]") + "}").message();
}

void check_three_pictures(const Dataset& dataset) {
  CHECK(dataset.class_names() == std::vector<std::string>{"BG", "object"});
  REQUIRE(dataset.size() == 2);
  const ImageInfo& info = dataset.image(0);
  CHECK(info.source == "via");
  CHECK(to_string(info.id) == "b.gif");
  CHECK(info.height == 6);
  CHECK(info.width == 8);
  CHECK(dataset.image_index("via", "a.gif") == 1);
  CHECK(dataset.instances(0).size() == 2);
  const auto found = dataset.instances(1);
  REQUIRE(found.size() == 1);
  CHECK(found[0].class_id == 1);
  CHECK(!found[0].is_crowd);
  CHECK(coco::bounding_box(found[0].mask) == coco::RleBounds{1, 2, 3, 2});
  CHECK(coco::area(found[0].mask) == 6);
}

TEST_CASE("via_dataset: VIA 1, whose regions are an object, without the pictures nobody drew on") {
  check_three_pictures(Folder(via1).read());
}

TEST_CASE("via_dataset: VIA 2, whose regions are an array") { check_three_pictures(Folder(via2).read()); }

TEST_CASE("via_dataset: a project file, whose entries are in _via_img_metadata") {
  check_three_pictures(Folder(R"({"_via_settings": {"ui": {}}, "_via_img_metadata": )" + via2 + "}").read());
}

TEST_CASE("via_dataset: pictures without regions when asked for, other folders and names") {
  const Folder folder(via2);
  CHECK(folder.read({.unannotated_images = true}).size() == 3);
  CHECK(folder.read({.unannotated_images = true}).instances(1).empty());
  const Dataset named = folder.read({.source = "cells", .class_name = "nucleus, round"});
  CHECK(named.class_names()[1] == "nucleus");
  CHECK(named.class_id("cells.1") == 1);
  const std::string elsewhere = folder.folder / "else";
  CHECK(message_of([&] { folder.read({.image_folder = elsewhere}); }) ==
        elsewhere + "/b.gif: can not be opened: no such file; check the path");
  CHECK(Folder(R"({"x": {"filename": "a.gif"}, "y": {"filename": "b.gif", "regions": null}})").read().size() == 0);
  CHECK(Folder("{}").read().size() == 0);
}

TEST_CASE("balloon_dataset: the class is called balloon, the pictures are beside the annotations") {
  const test::TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "val");
  test::write_file(folder / "val/a.gif", gif);
  test::write_file(folder / "val/via_region_data.json", "{" + entry("a.gif", "[" + region(square) + "]") + "}");
  const Dataset dataset = balloon_dataset(folder.path().string(), "val");
  CHECK(dataset.class_id("balloon.1") == 1);
  CHECK(dataset.class_names()[1] == "balloon");
  CHECK(dataset.image(0).path == folder / "val/a.gif");
  CHECK_THROWS_AS(balloon_dataset(folder.path().string(), "train"), FormatError);
}

TEST_CASE("via_dataset: rectangles, circles and ellipses") {
  CHECK(coco::bounding_box(mask_of(R"({"name": "rect", "x": 1, "y": 2, "width": 4, "height": 3})")) ==
        coco::RleBounds{1, 2, 5, 4});
  CHECK(coco::area(mask_of(R"({"name": "rect", "x": 1, "y": 2, "width": 4, "height": 3})")) == 20);
  CHECK(coco::area(mask_of(R"({"name": "circle", "cx": 3, "cy": 3, "r": 2})")) == 9);
  CHECK(coco::bounding_box(mask_of(R"({"name": "ellipse", "cx": 3, "cy": 3, "rx": 2.5, "ry": 1.5})")) ==
        coco::RleBounds{1, 2, 5, 3});
  CHECK(coco::bounding_box(
            mask_of(R"({"name": "ellipse", "cx": 3, "cy": 3, "rx": 2.5, "ry": 1.5, "theta": 1.5707963})")) ==
        coco::RleBounds{2, 1, 3, 5});
}

TEST_CASE("via_dataset: regions without a pixel in the picture are left out, the others keep their positions") {
  const std::string outside = R"({"name": "rect", "x": 20, "y": 2, "width": 4, "height": 3})";
  const std::string empty = R"({"name": "polygon", "all_points_x": [], "all_points_y": []})";
  const auto found =
      Folder("{" + entry("a.gif", "[" + region(outside) + "," + region(empty) + "," + region(square) + "]") + "}")
          .read()
          .instances(0);
  REQUIRE(found.size() == 1);
  CHECK(found[0].annotation_id == 2);
}

TEST_CASE("via_dataset: errors name the file, the entry and the field") {
  const std::string at = "via_region_data.json: a.gif123.regions[0].shape_attributes";
  CHECK(message_of_shape(R"({"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]})") ==
        at + ": all_points_x has 3 numbers and all_points_y 2, expected as many of both");
  CHECK(message_of_shape(R"({"name": "polygon", "all_points_x": [1, 2, "3"], "all_points_y": [1, 2, 3]})") ==
        at + ".all_points_x[2]: found a string, expected a number");
  CHECK(message_of_shape(R"({"name": "polygon", "all_points_x": [1, 2, 1e300], "all_points_y": [1, 2, 3]})") ==
        at + ".all_points_x[2]: is out of range, expected a number from -1e9 to 1e9");
  CHECK(message_of_shape(R"({"name": "polygon", "all_points_x": [1, 2]})") == at + ": has no member 'all_points_y'");
  CHECK(message_of_shape(R"({"name": "point", "cx": 1, "cy": 2})") ==
        at + ".name: found 'point', expected polygon, rect, circle or ellipse; a point has no area");
  CHECK(message_of_shape(R"({"name": "star"})") ==
        at + ".name: found 'star', expected polygon, rect, circle or ellipse");
  CHECK(message_of_shape(R"({"name": "circle", "cx": 1, "cy": 2, "r": -2})") ==
        at + ".r: found -2, expected at least 0");
  CHECK(message_of_shape("{}") == at + ": has no member 'name'");
  CHECK(message_of_shape("[]").find("shape_attributes: found an array, expected an object") != std::string::npos);
  CHECK(Folder(R"({"a": {"regions": []}})").message() == "via_region_data.json: a: has no member 'filename'");
  CHECK(Folder(R"({"a": {"filename": 3}})").message() ==
        "via_region_data.json: a.filename: found a number, expected a string");
  CHECK(Folder(R"({"a": {"filename": "a.gif", "regions": 3}})").message() ==
        "via_region_data.json: a.regions: found neither an object nor an array, expected VIA's regions");
  CHECK(Folder(R"({"a": 3})").message() == "via_region_data.json: a: found a number, expected an object");
  CHECK(Folder("[1]").message() == "via_region_data.json: found an array, expected an object");
  CHECK(Folder(R"({"images": [], "annotations": []})").message() ==
        "via_region_data.json: has the members of COCO's format, expected VIA's; read it with coco_dataset");
}

TEST_CASE("via_dataset: a picture listed twice is an error") {
  const std::string drawn = "[" + region(square) + "]";
  CHECK(Folder(R"({"x": {"filename": "a.gif", "regions": )" + drawn + R"(}, "y": {"filename": "a.gif", "regions": )" +
               drawn + "}}")
            .message() == "via_region_data.json: y: is the second one of 'a.gif', expected one");
}

TEST_CASE("via_dataset: pictures that are none are named") {
  const Folder folder(via2);
  test::write_file(folder.folder / "b.gif", "");
  CHECK(folder.message() ==
        "b.gif: its header tells no size of at most 2^28 pixels, expected a picture: the file is empty");
  test::write_file(folder.folder / "b.gif", "GIF89a");
  CHECK(folder.message() ==
        "b.gif: its header tells no size of at most 2^28 pixels, expected a picture: found a damaged GIF header");
  test::write_file(folder.folder / "b.gif", "%PDF-1.4");
  CHECK(folder.message() ==
        "b.gif: its header tells no size of at most 2^28 pixels, expected a picture: found a PDF document");
  test::write_file(folder.folder / "b.gif", std::string("BM") + std::string(16, '\0') + std::string(8, '\x7F'));
  CHECK(folder.message().find("found a damaged BMP header") != std::string::npos);
}

TEST_CASE("read_picture_size: every format's header") {
  const test::TemporaryFolder folder;
  const auto size_of = [&](const std::string& name, const std::string& bytes, bool oriented = false) {
    test::write_file(folder / name, bytes);
    const detail::PictureSize size = detail::read_picture_size(folder / name, oriented);
    return std::pair(size.height, size.width);
  };
  const auto expected = std::pair(index_t{6}, index_t{8});
  CHECK(size_of("a.gif", gif) == expected);
  CHECK(size_of("a.ppm", "P6 8 6 255\n" + std::string(144, 'x')) == expected);
  CHECK(size_of("a.bmp", "BM" + std::string(16, '\0') + std::string("\x08\0\0\0\x06\0\0\0", 8)) == expected);
  CHECK(size_of("a.bmp", "BM" + std::string(16, '\0') + std::string("\x08\0\0\0\xFA\xFF\xFF\xFF", 8)) == expected);
  CHECK(size_of("a.psd", "8BPS" + std::string(10, '\0') + std::string("\0\0\0\x06\0\0\0\x08", 8)) == expected);
  CHECK(size_of("a.tga", std::string(12, '\0') + std::string("\x08\0\x06\0\x18\0", 6)) == expected);
  // A header of 13 bytes with its checksum, then pixels that are not looked at.
  const std::string png("\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x08\0\0\0\x06\x08\x02\0\0\0\x71\x67\x48\xAC", 33);
  CHECK(size_of("a.png", png) == expected);
}

TEST_CASE("read_picture_size: a JPEG behind a long profile, and turned by its Orientation tag") {
  const test::TemporaryFolder folder;
  const std::string frame("\xFF\xC0\x00\x0B\x08\x00\x06\x00\x08\x01\x01\x11\x00", 13);
  const std::string exif(
      "\xFF\xE1\x00\x22"
      "Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0",
      36);
  std::string profiles;
  for (int i = 0; i < 3; ++i) profiles += std::string("\xFF\xE2\xFF\xFF", 4) + std::string(65533, '\0');
  test::write_file(folder / "a.jpg", "\xFF\xD8" + exif + profiles + frame + std::string(1000, 'x'));
  const auto stored = detail::read_picture_size(folder / "a.jpg", false);
  CHECK(stored.height == 6);
  CHECK(stored.width == 8);
  const auto seen = detail::read_picture_size(folder / "a.jpg", true);
  CHECK(seen.height == 8);
  CHECK(seen.width == 6);
}

TEST_CASE("via_dataset: files that were cut or damaged are errors or data sets, never worse") {
  Draw draw(4);
  const Folder folder("{}");
  int whole = 0;
  const auto use = [&](const std::string& text) {
    try {
      const Dataset dataset =
          via_dataset(io::JsonDocument::parse(text, "v.json"), {.image_folder = folder.folder.path().string()});
      for (index_t i = 0; i < dataset.size(); ++i) dataset.instances(i);
      ++whole;
    } catch (const Error&) {
      // which is as it should be
    }
  };
  for (std::size_t length = 0; length < via1.size(); ++length) use(via1.substr(0, length));
  CHECK(whole == 0);
  for (int round = 0; round < 600; ++round) {
    std::string text = round % 2 == 0 ? via1 : via2;
    for (int k = 0; k < 3; ++k) text[draw.below(text.size())] = "0123456789-.,[]{}\":eE "[draw.below(22)];
    use(text);
  }
  use(via1);
  CHECK(whole > 0);
}

}  // namespace
}  // namespace mrcnn::data
