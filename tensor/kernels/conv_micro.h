#pragma once
#include <span>

#include "tensor/kernels/products.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// Channels that lie together in a packed input, in which the micro-kernels read: its pixels lie so many reals apart, a
/// number that the compiler knows, and every address in the inner loops is a register plus a constant.
inline constexpr Index channel_block = 16;

/// As many units of neighbouring channels.
template <class Unit>
inline constexpr Index block_units = channel_block / unit_numbers<Unit>;

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
  bool accumulate = false;     ///< y += instead of y =
};

/// The sum over pixels of the outer products of a block of x's channels and one of dy's, for a convolution's tap:
///     sum[i sum_row + c] (+)= sum over rows r and columns p of x[r x_row + p channel_block + i]
///     dy[(r columns + p) output_block + c].
/// A column is a unit of pixels.
template <class Unit>
struct OuterSum {
  const Unit* x;
  Index x_row;
  const Unit* dy;
  Index rows, columns;
  real* sum;  ///< [channel_block] rows of an output block
  Index sum_row;
  bool accumulate;  ///< sum += instead of sum =
};

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
  void (*product)(const Product<Unit>&);
  void (*outer_sum)(const OuterSum<Unit>&);
};

/// Products of numbers in bfloat16, and how numbers get there.
struct Bfloat16Micro {
  Products<Bfloat16Pair> products;
  /// Rounds `count` numbers, some vectors of them, and stores them side by side.
  void (*round_row)(const real* from, Index count, Bfloat16Pair* to);
  /// Rounds rows `step` apart, of `count` numbers, to pairs of first's and second's numbers.
  void (*round_rows)(const real* first, const real* second, Index rows, Index count, Index step, Bfloat16Pair* to,
                     Index to_step);
};

/// The micro-kernels for the processor at hand, chosen when first asked for.
struct ConvMicro {
  Index output_block;  ///< output channels of a tile: some vectors, one or more whole channel blocks
  Index max_pixels;    ///< pixels of a tile: what the registers hold
  Products<real> in_real;
  /// For real = float: as fast as the processor has it, and without instructions for it.
  Bfloat16Micro bfloat16{}, emulated_bfloat16{};
  bool has_bfloat16 = false;  ///< whether the processor has such instructions
  /// dweight[o step + 9 i + k] (+)= taps[i input + k tap + o]: a channel block of outputs o by one of inputs i, nine
  /// taps k.
  void (*put_taps)(const real* taps, Index input, Index tap, Index step, bool accumulate, real* dweight);
  void (*dots)(const Dots&);

  template <class Unit>
  void product(const Product<Unit>& p) const {
    in<Unit>().product(p);
  }
  template <class Unit>
  void outer_sum(const OuterSum<Unit>& s) const {
    in<Unit>().outer_sum(s);
  }

 private:
  template <class Unit>
  const Products<Unit>& in() const {
    if constexpr (is_bfloat16<Unit>) {
      return bfloat16.products;
    } else {
      return in_real;
    }
  }
};
const ConvMicro& conv_micro();

}  // namespace reverie::inline REVERIE_PRECISION::kernels
