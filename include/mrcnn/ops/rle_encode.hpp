#ifndef MRCNN_OPS_RLE_ENCODE_HPP
#define MRCNN_OPS_RLE_ENCODE_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "mrcnn/coco/rle.hpp"
#include "mrcnn/core/backend.hpp"
#include "mrcnn/core/tensor.hpp"
#include "mrcnn/detail/float_ops.hpp"

namespace mrcnn {
namespace detail {

/// Masks as bits, column by column: a word holds 32 rows of a column, the first one lowest.
struct MaskBits {
  const std::uint32_t* words;  // [N, W, words_per_column]; bits behind the last row do not matter
  index_t height;
  index_t width;

  MRCNN_HOST_DEVICE index_t words_per_column() const { return ceil_div(height, index_t{32}); }
  /// Where the value changes from one pixel to the next in word `word` of `column`, counted through all masks. A mask
  /// follows on zeros, a column on the one before.
  MRCNN_HOST_DEVICE std::uint32_t changes(index_t column, index_t word) const {
    const index_t per_column = words_per_column();
    const std::uint32_t* bits = words + column * per_column + word;
    std::uint32_t before = 0;
    if (word > 0)
      before = bits[-1] >> 31;
    else if (column % width > 0)
      before = bits[-1] >> ((height - 1) % 32) & 1U;
    const index_t rows = min(height - 32 * word, index_t{32});
    const std::uint32_t valid = rows == 32 ? 0xFFFFFFFFU : (std::uint32_t{1} << rows) - 1U;
    return (*bits ^ (*bits << 1 | before)) & valid;
  }
};

/// One word (mask, word of a column, column): neighbouring indices read neighbouring pixels.
struct PackMaskFunctor {
  const std::uint8_t* planes;
  MaskBits bits;
  std::uint32_t* words;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    const index_t per_column = bits.words_per_column();
    const index_t x = i % bits.width;
    const index_t word = i / bits.width % per_column;
    const index_t n = i / (bits.width * per_column);
    const index_t rows = min(bits.height - 32 * word, index_t{32});
    const std::uint8_t* pixel = planes + (n * bits.height + 32 * word) * bits.width + x;
    std::uint32_t packed = 0;
    for (index_t y = 0; y < rows; ++y) packed |= static_cast<std::uint32_t>(pixel[y * bits.width] != 0 ? 1U : 0U) << y;
    words[(n * bits.width + x) * per_column + word] = packed;
  }
};

/// How many changes a column has; one column more has none, so that a scan ends in the sum.
struct CountChangesFunctor {
  MaskBits bits;
  index_t columns;
  index_t* counts;

  MRCNN_HOST_DEVICE void operator()(index_t column) const {
    index_t count = 0;
    if (column < columns)
      for (index_t word = 0; word < bits.words_per_column(); ++word) count += count_ones(bits.changes(column, word));
    counts[column] = count;
  }
};

/// The positions of a column's changes, each in the slot of the run that it ends. Every mask has one run more.
struct WriteChangesFunctor {
  MaskBits bits;
  const index_t* first;  // changes before each column
  index_t capacity;
  std::uint32_t* positions;

  MRCNN_HOST_DEVICE void operator()(index_t column) const {
    index_t slot = first[column] + column / bits.width;
    for (index_t word = 0; word < bits.words_per_column(); ++word)
      for (std::uint32_t left = bits.changes(column, word); left != 0 && slot < capacity; left &= left - 1, ++slot)
        positions[slot] = static_cast<std::uint32_t>(column % bits.width * bits.height + 32 * word + lowest_one(left));
  }
};

/// Where the runs of mask `n` begin, and the end of its last one. One index more closes the offsets.
struct WriteOffsetsFunctor {
  const index_t* first;
  index_t masks;
  index_t width;
  index_t capacity;
  std::uint32_t pixels;
  index_t* offsets;
  std::uint32_t* positions;

  MRCNN_HOST_DEVICE void operator()(index_t n) const {
    const index_t offset = first[n * width] + n;
    offsets[n] = offset;
    if (n > 0 && offset <= capacity) positions[offset - 1] = pixels;
  }
};

/// Positions become lengths: each less the one before, which is the end of a mask before the first run of the next.
struct RunLengthFunctor {
  const std::uint32_t* positions;
  const index_t* offsets;
  index_t masks;
  std::uint32_t pixels;
  std::uint32_t* counts;

  MRCNN_HOST_DEVICE void operator()(index_t i) const {
    if (i >= offsets[masks]) {
      counts[i] = 0;
      return;
    }
    const std::uint32_t before = i > 0 ? positions[i - 1] : pixels;
    counts[i] = before == pixels ? positions[i] : positions[i] - before;
  }
};

/// The run lengths of `masks` masks, see `encode_masks`.
template <class Backend, class Counts, class Offsets>
void encode_bits(const Backend& backend, const MaskBits& bits, index_t masks, const Counts& counts,
                 const Offsets& offsets) {
  const index_t columns = masks * bits.width;
  const index_t capacity = counts.extent(0);
  const auto pixels = static_cast<std::uint32_t>(bits.height * bits.width);
  auto changes = make_tensor<index_t>(backend, {columns + 1});
  auto first = make_tensor<index_t>(backend, {columns + 1});
  auto positions = make_tensor<std::uint32_t>(backend, {capacity});
  backend.parallel_for(columns + 1, CountChangesFunctor{bits, columns, changes.data()}, 64);
  backend.exclusive_scan(changes.data(), first.data(), columns + 1);
  backend.parallel_for(columns, WriteChangesFunctor{bits, first.data(), capacity, positions.data()}, 64);
  backend.parallel_for(masks + 1, WriteOffsetsFunctor{first.data(), masks, bits.width, capacity, pixels, offsets.data(),
                                                      positions.data()});
  backend.parallel_for(capacity, RunLengthFunctor{positions.data(), offsets.data(), masks, pixels, counts.data()});
}

}  // namespace detail

/// Turns planes into COCO's run lengths where they lie: nothing leaves the backend.
///
/// @param planes   [N, H, W] uint8, 0 or not
/// @param counts   [C] uint32; the run lengths of mask n are counts[offsets[n]] to counts[offsets[n + 1] - 1]: column by
///                 column, beginning with the pixels that are 0, as in `coco::Rle`; 0 behind the last
/// @param offsets  [N + 1] int64; offsets[N] is how many run lengths there are
///
/// When there are more than C, the first C are written, and offsets[N] tells how many are needed; C = N (H W + 1) is
/// always enough, 4 W for each mask usually. `encoded_masks_to_host` makes `coco::Rle`s of the result.
/// Synchronisation: enqueued on the backend; does not wait. Determinism: identical on every backend.
/// Throws: ShapeError; FormatError for planes of 2^32 pixels or more. Complexity: O(N H W). Scratch: an eighth of the
/// planes, 16 bytes a column, 4 C bytes.
template <class Backend, class Planes, class Counts, class Offsets>
void encode_masks(const Backend& backend, const Planes& planes, Counts&& counts, Offsets&& offsets) {
  const auto p = input<std::uint8_t, 3>(backend, planes, "encode_masks", "planes", {any, any, any});
  const auto c = output<std::uint32_t, 1>(backend, counts, "encode_masks", "counts", {any});
  const auto o = output<index_t, 1>(backend, offsets, "encode_masks", "offsets", {p.extent(0) + 1});
  coco::detail::check_rle_size(p.extent(1), p.extent(2));
  const index_t n = p.extent(0);
  const bool empty = p.extent(1) == 0 || p.extent(2) == 0;
  const index_t height = empty ? 0 : p.extent(1);
  const index_t width = empty ? 0 : p.extent(2);
  auto packed = make_tensor<std::uint32_t>(backend, {n, width, detail::ceil_div(height, index_t{32})});
  const detail::MaskBits bits{packed.data(), height, width};
  backend.parallel_for(packed.size(), detail::PackMaskFunctor{p.data(), bits, packed.data()}, 256);
  detail::encode_bits(backend, bits, n, c, o);
}

/// As `encode_masks`, of masks that are bits already, column by column: COCO's order, so that nothing is turned round.
///
/// @param bits    [N, W, ceil(height / 32)] uint32: a word holds 32 rows of a column, the first one in its lowest bit. Bits
///                behind the last row are ignored
/// @param height  of the masks, in pixels
/// @param counts, offsets  [C] and [N + 1], as in `encode_masks`
///
/// Synchronisation: enqueued on the backend; does not wait. Determinism: identical on every backend.
/// Throws: ShapeError; FormatError for masks of 2^32 pixels or more, or a negative height. Complexity: O(N W height / 32).
/// Scratch: 16 bytes a column, 4 C bytes.
template <class Backend, class Bits, class Counts, class Offsets>
void encode_mask_bits(const Backend& backend, const Bits& bits, index_t height, Counts&& counts, Offsets&& offsets) {
  const index_t words = height / 32 + (height % 32 > 0 ? 1 : 0);
  const auto b =
      input<std::uint32_t, 3>(backend, bits, "encode_mask_bits", "bits", {any, any, height < 0 ? any : words});
  const auto c = output<std::uint32_t, 1>(backend, counts, "encode_mask_bits", "counts", {any});
  const auto o = output<index_t, 1>(backend, offsets, "encode_mask_bits", "offsets", {b.extent(0) + 1});
  coco::detail::check_rle_size(height, b.extent(1));
  const bool empty = height == 0 || b.extent(1) == 0;
  const detail::MaskBits masks{b.data(), empty ? 0 : height, empty ? 0 : b.extent(1)};
  detail::encode_bits(backend, masks, b.extent(0), c, o);
}

/// The masks of `encode_masks` or `encode_mask_bits`, on the host.
///
/// @param counts, offsets  as one of them has written them
/// @param height, width    of the masks
///
/// Synchronisation: waits for the backend. Throws: ShapeError when counts was too short for the masks, naming the length
/// that it needs; FormatError when the counts do not add up, that is when they were not written by one of them.
template <class Backend, class Counts, class Offsets>
std::vector<coco::Rle> encoded_masks_to_host(const Backend& backend, const Counts& counts, const Offsets& offsets,
                                             index_t height, index_t width) {
  const auto c = input<std::uint32_t, 1>(backend, counts, "encoded_masks_to_host", "counts", {any});
  const auto o = input<index_t, 1>(backend, offsets, "encoded_masks_to_host", "offsets", {any});
  const std::vector<index_t> begins = to_host(backend, o);
  if (begins.empty() || begins.back() > c.extent(0))
    throw ShapeError("encoded_masks_to_host: counts has shape [" + std::to_string(c.extent(0)) +
                     "], expected at least [" + std::to_string(begins.empty() ? 0 : begins.back()) +
                     "] and offsets of N + 1; encode again with more");
  const std::vector<std::uint32_t> all = to_host(backend, c);
  std::vector<coco::Rle> rles;
  for (std::size_t n = 0; n + 1 < begins.size(); ++n) {
    // Not only against the next: the next may lie behind the last.
    if (begins[n] < 0 || begins[n] > begins[n + 1] || begins[n + 1] > begins.back())
      throw FormatError("encoded_masks_to_host: offsets do not ascend at " + std::to_string(n));
    rles.push_back({height, width, {all.begin() + begins[n], all.begin() + begins[n + 1]}});
    coco::detail::check_rle(rles.back());
  }
  return rles;
}

}  // namespace mrcnn

#endif
