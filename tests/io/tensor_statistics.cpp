#include "mrcnn/io/tensor_statistics.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/support/weights_in_memory.hpp"

using namespace mrcnn;
using namespace mrcnn::io;
using test::weights_in_memory;

TEST_CASE("tensor statistics: worked by hand") {
  const std::vector<float> values = {2, 4, 4, 4, 5, 5, 7, 9};
  const auto s = tensor_statistics(values);
  CHECK(s.count == 8);
  CHECK(s.min == 2);
  CHECK(s.max == 9);
  CHECK(s.mean == 5);
  CHECK(s.std == 2);  // of the population
  CHECK_FALSE(s.constant());
  CHECK_FALSE(s.overflow());
}

TEST_CASE("tensor statistics: none, one, equal and not finite values") {
  CHECK(tensor_statistics({}).count == 0);
  CHECK(tensor_statistics({}).mean == 0);
  CHECK_FALSE(tensor_statistics({}).constant());
  CHECK_FALSE(tensor_statistics(std::vector<float>{3}).constant());  // one value is always equal to itself
  CHECK(tensor_statistics(std::vector<float>{3, 3}).constant());
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const auto s = tensor_statistics(std::vector<float>{nan, 1, infinity, 3});
  CHECK(s.not_finite == 2);
  CHECK(s.min == 1);
  CHECK(s.max == 3);
  CHECK(s.mean == 2);
  CHECK(s.overflow());
  CHECK(tensor_statistics(std::vector<float>{nan}).mean == 0);
}

TEST_CASE("tensor statistics: overflow begins beyond 1000 on either side") {
  CHECK_FALSE(tensor_statistics(std::vector<float>{1000, -1000}).overflow());
  CHECK(tensor_statistics(std::vector<float>{1000.5F}).overflow());
  CHECK(tensor_statistics(std::vector<float>{-1001}).overflow());
}

TEST_CASE("tensor statistics: a small spread around a large mean is not lost") {
  std::vector<float> values;
  for (int i = 0; i < 100000; ++i) values.push_back(4096.0F + (i % 2 == 0 ? 0.001953125F : -0.001953125F));
  CHECK(tensor_statistics(values).std == 0.001953125);
}

TEST_CASE("weight statistics: dead arrays are flagged, biases of convolutions are exempt") {
  const auto file = weights_in_memory(WeightsLayout::keras, {{"conv1/kernel", {1, 1, 1, 2}, {1, 2}},
                                                             {"conv1/bias", {2}, {0, 0}},
                                                             {"bn_conv1/gamma", {2}, {1, 1}},
                                                             {"logits/kernel", {1, 2}, {0.5F, 2000}},
                                                             {"logits/bias", {2}, {0, 0}}});
  const auto rows = weight_statistics(file, {.threads = 3});
  REQUIRE(rows.size() == 5);
  CHECK_FALSE(rows[0].dead);
  CHECK_FALSE(rows[1].dead);
  CHECK(rows[2].dead);
  CHECK_FALSE(rows[3].dead);
  CHECK(rows[4].dead);
  const std::string table = statistics_table(rows);
  CHECK(table.find("bn_conv1/gamma  [2]           F32            1           1           1           0  dead\n") !=
        std::string::npos);
  CHECK(table.find("logits/kernel   [1, 2]        F32          0.5        2000      1000.2      999.75  overflow\n") !=
        std::string::npos);
}
