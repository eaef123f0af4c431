#ifndef MRCNN_COCO_DETAIL_CHECK_TABLES_HPP
#define MRCNN_COCO_DETAIL_CHECK_TABLES_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "mrcnn/coco/detail/check_shapes.hpp"
#include "mrcnn/coco/detail/finding_collector.hpp"
#include "mrcnn/coco/oddity.hpp"
#include "mrcnn/coco/records.hpp"

namespace mrcnn::coco::detail {

/// Images and categories by id. Of several with one id the last counts, as in pycocotools.
struct RecordIndex {
  std::unordered_map<std::int64_t, std::size_t> images;
  std::unordered_map<std::int64_t, std::size_t> categories;

  explicit RecordIndex(const Annotations& file) {
    for (std::size_t i = 0; i < file.images.size(); ++i) images[file.images[i].id] = i;
    for (std::size_t i = 0; i < file.categories.size(); ++i) categories[file.categories[i].id] = i;
  }
  const ImageRecord* image(const Annotations& file, std::int64_t id) const {
    const auto found = images.find(id);
    return found == images.end() ? nullptr : &file.images[found->second];
  }
};

/// Calls found(later, earlier) for each record whose key an earlier one has, in the order of the file.
template <class Records, class Key, class Found>
void find_duplicates(const Records& records, const Key& key, const Found& found) {
  using Value = std::decay_t<decltype(key(records[0]))>;
  std::vector<std::pair<Value, std::size_t>> keys;
  keys.reserve(records.size());
  for (std::size_t i = 0; i < records.size(); ++i) keys.emplace_back(key(records[i]), i);
  std::sort(keys.begin(), keys.end());
  std::vector<std::pair<std::size_t, std::size_t>> repeats;
  std::size_t first = 0;
  for (std::size_t i = 1; i < keys.size(); ++i) {
    if (keys[i].first == keys[first].first)
      repeats.emplace_back(keys[i].second, keys[first].second);
    else
      first = i;
  }
  std::sort(repeats.begin(), repeats.end());
  for (const auto& repeat : repeats) found(repeat.first, repeat.second);
}

inline void check_images(const Annotations& file, FindingCollector& findings) {
  if (file.images.empty()) findings.add_for_file(Oddity::no_images, "'images' is empty or missing");
  find_duplicates(
      file.images, [](const ImageRecord& image) { return image.id; },
      [&](std::size_t later, std::size_t earlier) {
        const auto id = file.images[later].id;
        findings.add(Oddity::duplicate_image_id, id, [&] {
          return "images[" + std::to_string(later) + "] '" + file.images[later].file_name + "' has the id of images[" +
                 std::to_string(earlier) + "] '" + file.images[earlier].file_name + "'";
        });
      });
  for (const ImageRecord& image : file.images) {
    const auto size_text = [&] { return std::to_string(image.height) + " x " + std::to_string(image.width); };
    if (image.height <= 0 || image.width <= 0)
      findings.add(Oddity::image_without_size, image.id, [&] { return "its size (height x width) is " + size_text(); });
    else if (!is_picture_size(image.height, image.width))
      findings.add(Oddity::image_too_large, image.id, [&] { return "its size (height x width) is " + size_text(); });
    if (image.file_name.empty())
      findings.add(Oddity::image_without_file_name, image.id, [] { return std::string("file_name is empty"); });
  }
  find_duplicates(
      file.images, [](const ImageRecord& image) { return std::string_view(image.file_name); },
      [&](std::size_t later, std::size_t earlier) {
        const ImageRecord& image = file.images[later];
        if (image.file_name.empty() || image.id == file.images[earlier].id) return;
        findings.add(Oddity::duplicate_file_name, image.id, [&] {
          return "'" + image.file_name + "' is also image " + std::to_string(file.images[earlier].id);
        });
      });
}

inline void check_categories(const Annotations& file, FindingCollector& findings) {
  if (file.categories.empty()) findings.add_for_file(Oddity::no_categories, "'categories' is empty or missing");
  find_duplicates(
      file.categories, [](const CategoryRecord& category) { return category.id; },
      [&](std::size_t later, std::size_t earlier) {
        findings.add(Oddity::duplicate_category_id, file.categories[later].id, [&] {
          return "'" + file.categories[later].name + "' has the id of '" + file.categories[earlier].name + "'";
        });
      });
  for (const CategoryRecord& category : file.categories) {
    if (category.name.empty())
      findings.add(Oddity::category_without_name, category.id, [] { return std::string("its name is empty"); });
    if (category.id == 0)
      findings.add(Oddity::category_id_zero, category.id, [&] { return "'" + category.name + "'"; });
  }
  find_duplicates(
      file.categories, [](const CategoryRecord& category) { return std::string_view(category.name); },
      [&](std::size_t later, std::size_t earlier) {
        const CategoryRecord& category = file.categories[later];
        if (category.name.empty() || category.id == file.categories[earlier].id) return;
        findings.add(Oddity::duplicate_category_name, category.id, [&] {
          return "'" + category.name + "' is also category " + std::to_string(file.categories[earlier].id);
        });
      });
}

}  // namespace mrcnn::coco::detail

#endif
