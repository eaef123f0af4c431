#ifndef MRCNN_DETAIL_CONV_PLAN_HPP
#define MRCNN_DETAIL_CONV_PLAN_HPP

#include <cstddef>
#include <cstring>

#include "mrcnn/core/config.hpp"
#include "mrcnn/detail/conv_kernel.hpp"
#include "mrcnn/ops/conv_engine.hpp"

// How the host cuts a convolution into tasks, and the tables of pointers that its kernel reads. Only the shape and the
// number of threads decide; no sum is ever cut, so the results do not depend on it.

namespace mrcnn::detail {

// Measured: a chunk's part of the input and the panels of a step stay in the second level of cache.
inline constexpr index_t conv_chunk_rows = 192;
inline constexpr index_t conv_step = 256;
inline constexpr index_t conv_panels_at_once = 4;

/// The division of one convolution into tasks of `chunk_rows` output pixels times `columns` output channels.
struct ConvPlan {
  index_t rows = 0;  // output pixels; input pixels of a transposed convolution
  index_t chunk_rows = 0;
  index_t chunks = 0;
  index_t groups = 1;  // taps of a transposed convolution: matrix products of their own
  index_t splits = 1;  // of the output channels
  index_t columns = 0;
  index_t taps = 1;      // pieces of a sum ...
  index_t run = 0;       // ... of this many consecutive floats
  bool merged = false;   // a tap is a row of the kernel, else one of its pixels
  bool patched = false;  // a merged tap may reach over the left or right edge, and is then copied
  index_t panels_at_once = 1;

  index_t tasks() const { return chunks * groups * splits; }
  /// Room for the rows of a chunk. Grows with `rows`, which `chunk_rows` does not: a run over fewer rows fits into the
  /// memory that was planned for more.
  index_t table_rows() const { return round_up<index_t>(min(rows, conv_chunk_rows), conv_tile_rows); }

  // Scratch of a worker, in bytes, one part after the other.
  std::size_t sums_bytes(const ConvKernel& kernel) const {
    return bytes(table_rows() * kernel.panel * panels_at_once * index_t{sizeof(float)});
  }
  std::size_t zeros_bytes() const { return bytes(run * index_t{sizeof(float)}); }
  std::size_t patches_bytes() const { return patched ? bytes(table_rows() * taps * run * index_t{sizeof(float)}) : 0; }
  std::size_t sources_bytes() const { return bytes(table_rows() * taps * index_t{sizeof(float*)}); }
  std::size_t offsets_bytes() const { return bytes(table_rows() * index_t{sizeof(index_t)}); }
  std::size_t worker_bytes(const ConvKernel& kernel) const {
    return sums_bytes(kernel) + zeros_bytes() + patches_bytes() + sources_bytes() + 2 * offsets_bytes();
  }

 private:
  static std::size_t bytes(index_t n) { return round_up(static_cast<std::size_t>(n), std::size_t{256}); }
};

/// Chooses the pieces of the sums: rows of the kernel instead of pixels where they are consecutive in memory anyway, or
/// where there are so few channels that copying those at the edges costs less than many short pieces.
inline void choose_taps(ConvPlan& plan, const ConvKernelShape& shape, const ConvProblem& problem) {
  const index_t right = (problem.out_width - 1) * problem.stride_x + shape.width - problem.left;
  const bool inside = problem.left == 0 && right <= problem.width;
  constexpr index_t few_floats = 64;
  plan.merged = shape.width > 1 && (inside || shape.width * shape.in_channels <= few_floats);
  plan.patched = plan.merged && !inside;
  plan.taps = plan.merged ? shape.height : shape.height * shape.width;
  plan.run = plan.merged ? shape.width * shape.in_channels : shape.in_channels;
}

inline ConvPlan plan_conv(const ConvKernelShape& shape, const ConvProblem& problem, const ConvKernel& kernel,
                          int threads) {
  ConvPlan plan;
  if (shape.transposed) {
    plan.rows = problem.batch * problem.height * problem.width;
    plan.groups = shape.height * shape.width;
    plan.run = shape.in_channels;
  } else {
    plan.rows = problem.batch * problem.out_height * problem.out_width;
    choose_taps(plan, shape, problem);
  }
  plan.chunks = ceil_div(plan.rows, conv_chunk_rows);
  plan.chunk_rows = round_up<index_t>(ceil_div(plan.rows, plan.chunks), conv_tile_rows);
  plan.chunks = ceil_div(plan.rows, plan.chunk_rows);
  // Small maps are cut by output channels as well, so that every thread has something to do until the end.
  const index_t panels = ceil_div<index_t>(shape.out_channels, kernel.panel);
  const index_t enough = threads == 1 ? 1 : index_t{8} * threads;
  const index_t splits = min(panels, max<index_t>(1, ceil_div(enough, plan.chunks * plan.groups)));
  plan.columns = ceil_div(panels, splits) * kernel.panel;
  plan.splits = ceil_div(shape.out_channels, plan.columns);
  plan.panels_at_once = min(conv_panels_at_once, plan.columns / kernel.panel);
  return plan;
}

/// The tables of one chunk, in the scratch of a worker.
class ConvTables {
 public:
  ConvTables(const ConvPlan& plan, const ConvKernelShape& shape, const ConvProblem& problem, const ConvKernel& kernel,
             std::byte* scratch)
      : plan_(plan), shape_(shape), problem_(problem) {
    sums_ = reinterpret_cast<float*>(scratch);
    scratch += plan.sums_bytes(kernel);
    zeros_ = reinterpret_cast<float*>(scratch);
    scratch += plan.zeros_bytes();
    patches_ = reinterpret_cast<float*>(scratch);
    scratch += plan.patches_bytes();
    sources_ = reinterpret_cast<const float**>(scratch);
    scratch += plan.sources_bytes();
    outputs_ = reinterpret_cast<index_t*>(scratch);
    scratch += plan.offsets_bytes();
    residuals_ = reinterpret_cast<index_t*>(scratch);
  }

  /// Fills the tables for `rows` rows from `first` on and lets `chunk` point to them.
  void build(index_t first, index_t rows, ConvChunk& chunk) {
    std::memset(zeros_, 0, static_cast<std::size_t>(plan_.run) * sizeof(float));
    const index_t height = shape_.transposed ? problem_.height : problem_.out_height;
    const index_t width = shape_.transposed ? problem_.width : problem_.out_width;
    index_t x = first % width;
    index_t y = first / width % height;
    index_t n = first / width / height;
    for (index_t row = 0; row < rows; ++row) {
      place(row, n, y, x);
      find_sources(row, n, y, x);
      if (++x < width) continue;
      x = 0;
      if (++y < height) continue;
      y = 0;
      ++n;
    }
    for (index_t row = rows; row % conv_tile_rows != 0; ++row)  // the last tile repeats its last row
      for (index_t tap = 0; tap < plan_.taps; ++tap) source(row, tap) = source(rows - 1, tap);
    chunk.rows = rows;
    chunk.sources = sources_;
    chunk.outputs = outputs_;
    chunk.residuals = residuals_;
    chunk.taps = plan_.taps;
    chunk.run = plan_.run;
    chunk.sums = sums_;
  }

 private:
  const float*& source(index_t row, index_t tap) {
    return sources_[(row / conv_tile_rows * plan_.taps + tap) * conv_tile_rows + row % conv_tile_rows];
  }

  void place(index_t row, index_t n, index_t y, index_t x) {
    const index_t channels = shape_.out_channels;
    if (shape_.transposed) {
      y *= shape_.height;
      x *= shape_.width;
    }
    outputs_[row] = ((n * problem_.out_height + y) * problem_.out_width + x) * channels;
    residuals_[row] = problem_.residual_kind == Residual::nearest2x
                          ? ((n * (problem_.out_height / 2) + y / 2) * (problem_.out_width / 2) + x / 2) * channels
                          : outputs_[row];
  }

  void find_sources(index_t row, index_t n, index_t y, index_t x) {
    const index_t pixel = shape_.in_channels;
    if (shape_.transposed) {
      source(row, 0) = problem_.input + ((n * problem_.height + y) * problem_.width + x) * pixel;
      return;
    }
    const index_t first_y = y * problem_.stride_y - problem_.top;
    const index_t first_x = x * problem_.stride_x - problem_.left;
    const index_t taps_x = plan_.merged ? 1 : shape_.width;
    const index_t reach = plan_.merged ? shape_.width : 1;
    for (index_t tap = 0; tap < plan_.taps; ++tap) {
      const index_t iy = first_y + tap / taps_x;
      const index_t ix = first_x + tap % taps_x;
      const bool outside = iy < 0 || iy >= problem_.height || ix + reach <= 0 || ix >= problem_.width;
      if (outside)
        source(row, tap) = zeros_;
      else if (ix >= 0 && ix + reach <= problem_.width)
        source(row, tap) = problem_.input + ((n * problem_.height + iy) * problem_.width + ix) * pixel;
      else
        source(row, tap) = patch(row, tap, n, iy, ix);
    }
  }

  /// A copy of a row of the kernel's window that reaches over the edge.
  const float* patch(index_t row, index_t tap, index_t n, index_t iy, index_t ix) {
    float* const copy = patches_ + (row * plan_.taps + tap) * plan_.run;
    const index_t pixel = shape_.in_channels;
    const index_t begin = max<index_t>(ix, 0);
    const index_t end = min(ix + shape_.width, problem_.width);
    std::memset(copy, 0, static_cast<std::size_t>(plan_.run) * sizeof(float));
    std::memcpy(copy + (begin - ix) * pixel,
                problem_.input + ((n * problem_.height + iy) * problem_.width + begin) * pixel,
                static_cast<std::size_t>((end - begin) * pixel) * sizeof(float));
    return copy;
  }

  const ConvPlan& plan_;
  const ConvKernelShape& shape_;
  const ConvProblem& problem_;
  float* sums_;
  float* zeros_;
  float* patches_;
  const float** sources_;
  index_t* outputs_;
  index_t* residuals_;
};

}  // namespace mrcnn::detail

#endif
