// COCO's categories. The ids that were never used are those of the data set's documentation.

#include "mrcnn/coco/categories.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace mrcnn;

TEST_CASE("80 categories by ascending id, with the gaps of the data set") {
  std::set<std::int32_t> ids;
  std::set<std::string_view> names;
  for (const auto& category : coco::official_categories) {
    CHECK((ids.empty() || category.id > *ids.rbegin()));
    ids.insert(category.id);
    names.insert(category.name);
  }
  CHECK(names.size() == 80);
  CHECK(*ids.begin() == 1);
  CHECK(*ids.rbegin() == 90);
  for (const std::int32_t unused : {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}) CHECK(ids.count(unused) == 0);
}

TEST_CASE("a class index of the network is a place in the list") {
  CHECK(coco::official_categories[1 - 1].name == "person");
  CHECK(coco::official_categories[12 - 1].name == "stop sign");
  CHECK(coco::official_categories[12 - 1].id == 13);
  CHECK(coco::official_categories[61 - 1].name == "dining table");
  CHECK(coco::official_categories[61 - 1].id == 67);
  CHECK(coco::official_categories[80 - 1].name == "toothbrush");
}

TEST_CASE("the list is recognised, and no other") {
  auto names = coco::category_names();
  CHECK(coco::are_category_names(names));
  names[5] = "coach";
  CHECK(!coco::are_category_names(names));
  names = coco::category_names();
  names.pop_back();
  CHECK(!coco::are_category_names(names));
  CHECK(!coco::are_category_names({}));
}
