#ifndef MRCNN_EXAMPLES_CLI_CATEGORY_MAP_HPP
#define MRCNN_EXAMPLES_CLI_CATEGORY_MAP_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mrcnn/coco/records.hpp"

namespace mrcnn::cli {

/// Which category of an annotation file each class of a network is.
struct CategoryMap {
  std::vector<std::optional<std::int64_t>> category_ids;  ///< of class 1, 2, ...; absent for a class without one
  std::string text;                                       ///< how they were matched, for people
  std::vector<std::string> warnings;
};

/// Matches by name when at least one name is the same, else the classes in their order with the categories by ascending
/// id. Of categories with one name the one with the smallest id counts.
/// Throws: FormatError when the file has no categories.
CategoryMap match_categories(const std::vector<std::string>& class_names, const coco::Annotations& annotations);

}  // namespace mrcnn::cli

#endif
