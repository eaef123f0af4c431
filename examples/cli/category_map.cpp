#include "category_map.hpp"

#include <algorithm>
#include <map>

#include "counted.hpp"
#include "mrcnn/core/error.hpp"

namespace mrcnn::cli {

CategoryMap match_categories(const std::vector<std::string>& class_names, const coco::Annotations& annotations) {
  if (annotations.categories.empty())
    throw FormatError(annotations.name + ": has no categories, expected those of the network's classes");
  std::map<std::int64_t, std::string> categories;
  for (const coco::CategoryRecord& category : annotations.categories) categories.emplace(category.id, category.name);
  std::map<std::string, std::int64_t> ids;
  for (const auto& [id, name] : categories) ids.emplace(name, id);

  CategoryMap map;
  std::vector<std::string> nameless;
  for (const std::string& name : class_names) {
    const auto found = ids.find(name);
    map.category_ids.push_back(found == ids.end() ? std::nullopt : std::optional(found->second));
    if (found == ids.end()) nameless.push_back(name);
  }
  const std::size_t count = class_names.size();
  if (nameless.size() < count) {
    map.text = "by name";
    if (!nameless.empty())
      map.warnings.push_back(annotations.name + ": has no category for " + some_of(nameless, "classes of the network") +
                             "; what is found of them is left out");
    std::vector<std::string> classless;
    for (const auto& [id, name] : categories)
      if (std::find(class_names.begin(), class_names.end(), name) == class_names.end()) classless.push_back(name);
    if (!classless.empty())
      map.warnings.push_back("the network has no class for " + some_of(classless, "categories of " + annotations.name) +
                             ": it finds none of them");
    return map;
  }
  map.text = "by ascending id";
  auto category = categories.begin();
  for (auto& id : map.category_ids) {
    if (category == categories.end()) break;
    id = category++->first;
  }
  map.warnings.push_back("no class of the network has the name of a category of " + annotations.name + " (" +
                         class_names[0] + ", " + categories.begin()->second +
                         "): matched by ascending id; --classes gives names");
  if (count != categories.size())
    map.warnings.push_back("the network has " + std::to_string(count) + " classes, " + annotations.name + " " +
                           std::to_string(categories.size()) + " categories, expected as many: those beyond " +
                           std::to_string(std::min(count, categories.size())) + " match nothing");
  return map;
}

}  // namespace mrcnn::cli
