#pragma once
#include <array>
#include <span>

#include "tensor/kernels/simd/operands.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// Channels of a block of reals. Vectors, transposes and Winograd's transforms run along them.
inline constexpr Index channel_block = block_operands;

/// A square is 16x16 operands: what an AMX tile holds.
inline constexpr Index square_side = channel_block;

/// A Product may read this many pixels, even past the last one; the extra values are ignored.
inline constexpr Index min_pixels_read = 16;

/// One register tile: some pixels by a block of output channels, for pixels p and channels c
///     y[y_offsets[p] + c] (+)= bias[c] +
///         sum over offsets s and operands i of x[x_offsets[s] + p block_operands + i] weight[s,i,c].
/// An offset stands for one block of input channels at one tap of a convolution's kernel.
template <class Operand>
struct Product {
  const Operand* x;
  std::span<const Index> x_offsets;
  const Operand* weight;  ///< packed: [offsets][block_operands][output block]
  Index pixels;           ///< at most ProductKernels::max_pixels
  real* y;
  const Index* y_offsets;
  Index channels;              ///< output channels that exist, at most the output block
  const real* bias = nullptr;  ///< added, or null
  bool accumulate = false;     ///< y += instead of y =; without a bias
};

/// The sum over pixels of the outer products of a block of x's channels and a block of dy's, for one tap:
///     sum[i sum_row + c] (+)= sum over rows r and columns p of x[r x_row + p x_column + i]
///         dy[(r columns + p) dy_column + c].
/// In bfloat16, a column is a pair of pixels, columns are a block wide, and there is one row. For AMX, x is transposed
/// square by square, [squares][channel_block][square_side]: x[p / square_side, i, p % square_side]. AMX reads the
/// columns up to the end of the last square too; there x must be zeros, and dy any finite numbers.
template <class Operand>
struct OuterSum {
  const Operand* x;
  Index x_row;
  const Operand* dy;
  Index rows, columns;
  real* sum;  ///< [channel_block] rows of an output block
  Index sum_row;
  bool accumulate;                 ///< sum += instead of sum =
  Index x_column = channel_block;  ///< from a column to the next
  Index dy_column = 0;             ///< 0: an output block
};

/// A few outputs, each a dot product over all channels of some taps: for pixels p and outputs o,
///     y[p outputs + o] (+)= bias[o] + sum over rows, columns and channels of
///         x[row x_row + column channels + p x_pixel + channel] weight[row weight_row + (column outputs + o) channels +
///         channel].
struct Dots {
  const real* x;
  Index x_row, x_pixel;
  Index rows, columns, channels;
  const real* weight;
  Index weight_row;
  Index pixels;  ///< 1 or 4
  real* y;
  Index outputs;  ///< at most 8
  const real* bias;
  bool accumulate;
};

template <class Operand>
struct ProductKernels {
  Index max_pixels;  ///< of a Product: what the registers hold
  void (*product)(const Product<Operand>&);
  void (*outer_sum)(const OuterSum<Operand>&);
};

/// The kernels for operands in bfloat16, and those that round and pack numbers for them.
struct Bfloat16Kernels {
  ProductKernels<Bfloat16Pair> products;
  bool transposed;  ///< an OuterSum expects x transposed, square by square
  /// Rounds rows of `count` numbers (whole vectors), `stride` apart. A pair is two neighbours of a row.
  void (*round)(const real* from, Index rows, Index count, Index stride, Bfloat16Pair* to, Index to_stride);
  /// The same, but a pair is a number of `first` and one of `second`.
  void (*round_two)(const real* first, const real* second, Index rows, Index count, Index stride, Bfloat16Pair* to,
                    Index to_stride);
  /// Transposes squares of pairs in place.
  void (*transpose_squares)(Bfloat16Pair* squares, Index count);
  /// to[k,c] = the pair of tap k of first's and second's channel c, for nine taps and a channel block; channels are
  /// `stride` apart.
  void (*round_taps)(const real* first, const real* second, Index stride, Bfloat16Pair* to);
};

/// The inner loops of linear layers and convolutions.
struct Microkernel {
  Index output_block;  ///< output channels of a register tile: some vectors, one or more channel blocks
  ProductKernels<real> of_real;
  /// For real = float, by Bfloat16Level; those above the best can't run on this processor.
  std::array<Bfloat16Kernels, 3> bfloat16_levels{};
  Bfloat16Level best_bfloat16 = Bfloat16Level::emulated;
  /// to[i to_stride + j] = from[j stride + i], for a square of channel_block.
  void (*transpose_square)(const real* from, Index stride, real* to, Index to_stride);
  /// dweight[o stride + 9 i + k] (+)= taps[i input + k tap + o], for a channel block of outputs o, one of inputs i, and
  /// nine taps k.
  void (*store_taps)(const real* taps, Index input, Index tap, Index stride, bool accumulate, real* dweight);
  void (*dots)(const Dots&);

  const Bfloat16Kernels& bfloat16() const { return bfloat16_levels[static_cast<std::size_t>(bfloat16_level())]; }
  template <class Operand>
  const ProductKernels<Operand>& of() const {
    if constexpr (is_bfloat16<Operand>) {
      return bfloat16().products;
    } else {
      return of_real;
    }
  }
};
/// The microkernel for this processor, chosen at the first call.
const Microkernel& microkernel();

}  // namespace reverie::inline REVERIE_PRECISION::kernels
