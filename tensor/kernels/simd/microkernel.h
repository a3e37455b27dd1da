#pragma once
#include <array>
#include <span>

#include "tensor/kernels/simd/operands.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// Channels of a block that vectors, squares and transforms run along; of reals, those of a packed input.
inline constexpr Index channel_block = block_units;

/// So many pixels of a Product's step may be read where there are fewer, whatever they hold.
inline constexpr Index pixels_read = 16;

/// A row of pixels by a block of output channels: for pixels p and channels c,
///     y[y_at[p] + c] (+)= bias[c] + sum over steps s and units i of x[steps[s] + p block_units + i] weight[s,i,c].
/// A step is what one block of input channels gives through one tap of a convolution's kernel.
template <class Unit>
struct Product {
  const Unit* x;
  std::span<const Index> steps;
  const Unit* weight;  ///< [steps][block_units][output block]
  Index pixels;        ///< at most ConvMicro::max_pixels
  real* y;
  const Index* y_at;
  Index channels;              ///< output channels that exist, at most the output block
  const real* bias = nullptr;  ///< added, or null
  bool accumulate = false;     ///< y += instead of y =, without a bias
};

/// The sum over pixels of the outer products of a block of x's channels and one of dy's, for a convolution's tap:
///     sum[i sum_row + c] (+)= sum over rows r and columns p of x[r x_row + p x_column + i]
///     dy[(r columns + p) dy_column + c].
/// Columns of pairs of pixels are always a block wide, in one row. For tiles x lies in squares turned round,
/// [squares][channel_block][square_units]: x[p / square_units, i, p % square_units]. There the columns that fill up the
/// last square are read too; x has zeros there, and dy numbers.
template <class Unit>
struct OuterSum {
  const Unit* x;
  Index x_row;
  const Unit* dy;
  Index rows, columns;
  real* sum;  ///< [channel_block] rows of an output block
  Index sum_row;
  bool accumulate;  ///< sum += instead of sum =
  Index x_column = channel_block;  ///< from a column to the next
  Index dy_column = 0;             ///< 0: an output block
};
inline constexpr Index square_units = channel_block;

/// A few outputs, each a dot product of all channels that some taps see: for pixels p and outputs o,
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

template <class Unit>
struct Products {
  Index max_pixels;  ///< of a Product: what the registers hold
  void (*product)(const Product<Unit>&);
  void (*outer_sum)(const OuterSum<Unit>&);
};

/// Products of numbers in bfloat16, and how numbers get there.
struct Bfloat16Micro {
  Products<Bfloat16Pair> products;
  bool turned;  ///< an OuterSum wants its x in squares turned round
  /// Rounds rows `step` apart, of `count` numbers, some vectors of them: pairs are neighbours in a row.
  void (*round)(const real* from, Index rows, Index count, Index step, Bfloat16Pair* to, Index to_step);
  /// The same with pairs of first's and second's numbers.
  void (*round_two)(const real* first, const real* second, Index rows, Index count, Index step, Bfloat16Pair* to,
                    Index to_step);
  /// Rows and columns of squares of pairs change places.
  void (*turn_in_place)(Bfloat16Pair* squares, Index count);
  /// to[k,c] = a pair of first's and second's nine taps k of a channel block c, which lie `step` apart.
  void (*round_taps)(const real* first, const real* second, Index step, Bfloat16Pair* to);
};

/// The micro-kernels for the processor at hand, chosen when first asked for.
struct ConvMicro {
  Index output_block;  ///< output channels of a tile: some vectors, one or more whole channel blocks
  Products<real> in_real;
  /// For real = float, by level; those above the best cannot run here.
  std::array<Bfloat16Micro, 3> levels{};
  Bfloat16Level best = Bfloat16Level::emulated;
  /// to[i to_step + j] = from[j step + i], of a square of channel_block.
  void (*turn)(const real* from, Index step, real* to, Index to_step);
  /// dweight[o step + 9 i + k] (+)= taps[i input + k tap + o]: a channel block of outputs o by one of inputs i, nine
  /// taps k.
  void (*put_taps)(const real* taps, Index input, Index tap, Index step, bool accumulate, real* dweight);
  void (*dots)(const Dots&);

  const Bfloat16Micro& bfloat16() const { return levels[static_cast<std::size_t>(bfloat16_level())]; }
  template <class Unit>
  const Products<Unit>& in() const {
    if constexpr (is_bfloat16<Unit>) {
      return bfloat16().products;
    } else {
      return in_real;
    }
  }
};
const ConvMicro& conv_micro();

}  // namespace reverie::inline REVERIE_PRECISION::kernels
