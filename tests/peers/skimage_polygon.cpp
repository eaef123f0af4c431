// Polygons beside scikit-image, to the bit; see skimage_polygon.py.

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "mrcnn/data/polygon_fill.hpp"
#include "mrcnn/io/safetensors.hpp"
#include "tests/support/peer.hpp"

namespace mrcnn {
namespace {

TEST_CASE("scikit-image: fill_polygon equals draw.polygon on whole numbers, fractions, near misses and huge outlines") {
  const auto peer = io::SafeTensors::open(test::peer_file());
  const auto extents = peer.read<std::int32_t>("extents");
  const auto counts = peer.read<std::int32_t>("counts");
  const auto vertices = peer.read<double>("vertices");
  const auto pixels = peer.read<std::uint8_t>("pixels");
  std::size_t vertex = 0;
  std::size_t pixel = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    std::vector<double> x;
    std::vector<double> y;
    for (std::int32_t k = 0; k < counts[i]; ++k, ++vertex) {
      x.push_back(vertices.at(2 * vertex));
      y.push_back(vertices.at(2 * vertex + 1));
    }
    const auto mask = coco::decode(data::fill_polygon(x, y, extents[2 * i], extents[2 * i + 1]));
    const auto first = pixels.begin() + static_cast<std::ptrdiff_t>(pixel);
    const std::vector<std::uint8_t> expected(first, first + static_cast<std::ptrdiff_t>(mask.size()));
    pixel += mask.size();
    CHECK_MESSAGE(mask == expected, "case ", i);
  }
  CHECK(counts.size() == 3000);
  CHECK(pixel == pixels.size());
}

}  // namespace
}  // namespace mrcnn
