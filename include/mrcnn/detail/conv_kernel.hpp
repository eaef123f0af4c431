#ifndef MRCNN_DETAIL_CONV_KERNEL_HPP
#define MRCNN_DETAIL_CONV_KERNEL_HPP

#include "mrcnn/core/config.hpp"
#include "mrcnn/detail/cpu_features.hpp"
#include "mrcnn/detail/float_ops.hpp"
#include "mrcnn/detail/simd.hpp"

// The inner loops of the host's convolution: a matrix product whose left rows are read through pointers into the
// feature map (so that no patch matrix is ever built) and whose right side was packed into panels. A register tile of 6
// output pixels by one panel stays in registers over a step of the sum; bias, residual and activation are applied
// before it is stored. Every output is one chain of multiply-adds in the order (ky, kx, c): tiles and steps leave no
// trace in it.

namespace mrcnn::detail {

/// Output pixels of a register tile.
inline constexpr int conv_tile_rows = 6;

/// A part of a convolution that one thread computes: some output pixels (rows) times some panels of output channels.
struct ConvChunk {
  index_t rows = 0;
  const float* const* sources = nullptr;     // [tile][tap][conv_tile_rows]: where each row's values of a tap begin
  const index_t* outputs = nullptr;          // [tile][conv_tile_rows]: offset of the row's first output channel
  const index_t* residuals = nullptr;        // likewise
  index_t taps = 0;                          // pieces of a sum, each
  index_t run = 0;                           // this many consecutive floats of the input
  index_t step = 0;                          // products between two visits to memory: part of a tap, or whole taps
  const float* weights = nullptr;            // [panel][tap][run][column]; the last panel may be narrower
  const float* bias = nullptr;               // [columns, padded]
  index_t first_column = 0, end_column = 0;  // output channels to compute; both ends of panels, or the last channel
  index_t panels_at_once = 1;                // so many panels share a step before the next step begins
  float* output = nullptr;
  const float* residual = nullptr;  // or null
  bool relu = false;
  float* sums = nullptr;  // scratch: [panels_at_once][tile][conv_tile_rows][panel]
};

/// The products [begin, begin + count) of the taps [first_tap, last_tap).
struct ConvStep {
  index_t first_tap, last_tap, begin, count;
  bool first, last;
};

/// Adds bias and residual to a tile in memory and writes it: panels whose last vector is not full.
template <int Width>
MRCNN_DETAIL_INLINE void finish_narrow_tile(const ConvChunk& chunk, index_t tile, index_t column, index_t columns,
                                            const float* sums) {
  for (index_t r = 0; r < conv_tile_rows && tile * conv_tile_rows + r < chunk.rows; ++r) {
    const index_t row = tile * conv_tile_rows + r;
    for (index_t j = 0; j < columns; ++j) {
      float value = sums[r * Width + j] + chunk.bias[column + j];
      if (chunk.residual != nullptr) value += chunk.residual[chunk.residuals[row] + column + j];
      chunk.output[chunk.outputs[row] + column + j] = chunk.relu && value < 0.0F ? 0.0F : value;
    }
  }
}

/// The sums of a register tile: conv_tile_rows output pixels by `Vectors` vectors of output channels.
template <int Lanes, int Vectors>
struct ConvTile {
  static constexpr int rows = conv_tile_rows;
  using V = Floats<Lanes>;

  V sum[rows][Vectors];

  MRCNN_DETAIL_INLINE void clear() {
    each<rows>([&](auto r) MRCNN_DETAIL_INLINE_LAMBDA {
      each<Vectors>([&](auto j) MRCNN_DETAIL_INLINE_LAMBDA { sum[r][j] = V{}; });
    });
  }
  template <int Width>
  MRCNN_DETAIL_INLINE void load_from(const float* sums) {
    each<rows>([&](auto r) MRCNN_DETAIL_INLINE_LAMBDA {
      each<Vectors>([&](auto j) MRCNN_DETAIL_INLINE_LAMBDA { load<Lanes>(sum[r][j], sums + r * Width + j * Lanes); });
    });
  }
  template <int Width>
  MRCNN_DETAIL_INLINE void store_to(float* sums) const {
    each<rows>([&](auto r) MRCNN_DETAIL_INLINE_LAMBDA {
      each<Vectors>([&](auto j) MRCNN_DETAIL_INLINE_LAMBDA { store<Lanes>(sums + r * Width + j * Lanes, sum[r][j]); });
    });
  }

  /// Adds `count` products of one tap. `right` advances over the packed weights.
  MRCNN_DETAIL_INLINE void add_products(const float* const* sources, index_t begin, index_t count,
                                        const float*& right) {
    const float* left[rows];
    each<rows>([&](auto r) MRCNN_DETAIL_INLINE_LAMBDA { left[r] = sources[r] + begin; });
    for (index_t k = 0; k < count; ++k, right += Vectors * Lanes) {
      V weights[Vectors];
      each<Vectors>([&](auto j) MRCNN_DETAIL_INLINE_LAMBDA { load<Lanes>(weights[j], right + j * Lanes); });
      each<rows>([&](auto r) MRCNN_DETAIL_INLINE_LAMBDA {
        const float value = left[r][k];
        each<Vectors>([&](auto j) MRCNN_DETAIL_INLINE_LAMBDA { multiply_add<Lanes>(sum[r][j], value, weights[j]); });
      });
    }
  }

  /// Adds bias and residual, applies the activation and writes the tile's rows that exist.
  MRCNN_DETAIL_INLINE void finish(const ConvChunk& chunk, index_t tile, index_t column) {
    each<rows>([&](auto r) MRCNN_DETAIL_INLINE_LAMBDA {
      const index_t row = tile * rows + r;
      if (row >= chunk.rows) return;
      float* const output = chunk.output + chunk.outputs[row] + column;
      V other;
      each<Vectors>([&](auto j) MRCNN_DETAIL_INLINE_LAMBDA {
        load<Lanes>(other, chunk.bias + column + j * Lanes);
        sum[r][j] += other;
      });
      if (chunk.residual != nullptr) {
        const float* const residual = chunk.residual + chunk.residuals[row] + column;
        each<Vectors>([&](auto j) MRCNN_DETAIL_INLINE_LAMBDA {
          load<Lanes>(other, residual + j * Lanes);
          sum[r][j] += other;
        });
      }
      each<Vectors>([&](auto j) MRCNN_DETAIL_INLINE_LAMBDA {
        if (chunk.relu) clear_negative<Lanes>(sum[r][j]);
        store<Lanes>(output + j * Lanes, sum[r][j]);
      });
    });
  }
};

/// One step of one panel, `Vectors` vectors wide, for all tiles of a chunk.
template <int Lanes, int Vectors, int Width>
MRCNN_DETAIL_INLINE void run_conv_panel(const ConvChunk& chunk, const ConvStep& step, index_t column, float* sums) {
  const index_t columns = chunk.end_column - column;
  const bool narrow = columns < Vectors * Lanes;
  const float* const panel =
      chunk.weights + column * chunk.taps * chunk.run + (step.first_tap * chunk.run + step.begin) * (Vectors * Lanes);
  const index_t tiles = ceil_div<index_t>(chunk.rows, conv_tile_rows);
  for (index_t i = 0; i < tiles; ++i, sums += conv_tile_rows * Width) {
    ConvTile<Lanes, Vectors> tile;
    if (step.first)
      tile.clear();
    else
      tile.template load_from<Width>(sums);
    const float* right = panel;
    for (index_t tap = step.first_tap; tap < step.last_tap; ++tap)
      tile.add_products(chunk.sources + (i * chunk.taps + tap) * conv_tile_rows, step.begin, step.count, right);
    if (step.last && !narrow) {
      tile.finish(chunk, i, column);
    } else {
      tile.template store_to<Width>(sums);
      if (step.last) finish_narrow_tile<Width>(chunk, i, column, columns, sums);
    }
  }
}

/// One step of the panels that begin in the columns [first, last).
template <int Lanes, int Vectors>
MRCNN_DETAIL_INLINE void run_conv_step(const ConvChunk& chunk, const ConvStep& step, index_t first, index_t last) {
  constexpr int width = Lanes * Vectors;
  float* sums = chunk.sums;
  const index_t panel_sums = round_up<index_t>(chunk.rows, conv_tile_rows) * width;
  for (index_t column = first; column < last; column += width, sums += panel_sums) {
    const index_t vectors = min<index_t>(Vectors, ceil_div<index_t>(chunk.end_column - column, Lanes));
    if (vectors == Vectors) {
      run_conv_panel<Lanes, Vectors, width>(chunk, step, column, sums);
    } else if constexpr (Vectors > 1) {
      if (vectors == 1) run_conv_panel<Lanes, 1, width>(chunk, step, column, sums);
      if constexpr (Vectors > 2) {
        if (vectors == 2) run_conv_panel<Lanes, 2, width>(chunk, step, column, sums);
        if (vectors == 3) run_conv_panel<Lanes, 3, width>(chunk, step, column, sums);
      }
    }
  }
}

/// All of a chunk, with panels of `Vectors` vectors of `Lanes` floats.
template <int Lanes, int Vectors>
MRCNN_DETAIL_INLINE void run_conv_chunk(const ConvChunk& chunk) {
  constexpr int width = Lanes * Vectors;
  const index_t whole_taps = max<index_t>(1, chunk.step / chunk.run);
  const index_t slices = ceil_div(chunk.run, chunk.step);
  const index_t slice = ceil_div(chunk.run, slices);
  for (index_t first = chunk.first_column; first < chunk.end_column; first += width * chunk.panels_at_once) {
    const index_t last = min(chunk.end_column, first + width * chunk.panels_at_once);
    for (index_t tap = 0; tap < chunk.taps; tap += whole_taps) {
      const index_t last_tap = min(chunk.taps, tap + whole_taps);
      for (index_t begin = 0; begin < chunk.run; begin += slice) {
        const index_t count = min(slice, chunk.run - begin);
        const ConvStep step{
            tap, last_tap, begin, count, tap == 0 && begin == 0, last_tap == chunk.taps && begin + count == chunk.run};
        run_conv_step<Lanes, Vectors>(chunk, step, first, last);
      }
    }
  }
}

MRCNN_DETAIL_UNCHECKED inline void run_conv_chunk_scalar(const ConvChunk& chunk) { run_conv_chunk<1, 2>(chunk); }
#if MRCNN_DETAIL_HAS_VECTORS && defined(__aarch64__)
MRCNN_DETAIL_UNCHECKED inline void run_conv_chunk_portable(const ConvChunk& chunk) { run_conv_chunk<4, 4>(chunk); }
#elif MRCNN_DETAIL_HAS_VECTORS
MRCNN_DETAIL_UNCHECKED inline void run_conv_chunk_portable(const ConvChunk& chunk) { run_conv_chunk<4, 2>(chunk); }
#endif
#if MRCNN_DETAIL_HAS_X86_TARGETS
MRCNN_DETAIL_TARGET_AVX2 inline void run_conv_chunk_avx2(const ConvChunk& chunk) { run_conv_chunk<8, 2>(chunk); }
MRCNN_DETAIL_TARGET_AVX512 inline void run_conv_chunk_avx512(const ConvChunk& chunk) { run_conv_chunk<16, 4>(chunk); }
#endif

/// What the engine needs to know of an instruction set's kernel.
struct ConvKernel {
  Isa isa = Isa::scalar;
  int lanes = 1;  ///< output channels are padded to a multiple of this
  int panel = 2;  ///< output channels of a register tile
  void (*run)(const ConvChunk&) = run_conv_chunk_scalar;
};

/// The kernel for an instruction set that is `supported`.
inline ConvKernel conv_kernel(Isa isa) {
  switch (isa) {
#if MRCNN_DETAIL_HAS_X86_TARGETS
    case Isa::avx512: return {isa, 16, 64, run_conv_chunk_avx512};
    case Isa::avx2: return {isa, 8, 16, run_conv_chunk_avx2};
    case Isa::portable: return {isa, 4, 8, run_conv_chunk_portable};
#elif MRCNN_DETAIL_HAS_VECTORS
    case Isa::portable: return {isa, 4, 16, run_conv_chunk_portable};
#endif
    default: return {};
  }
}

}  // namespace mrcnn::detail

#endif
