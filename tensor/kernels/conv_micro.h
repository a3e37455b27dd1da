#pragma once
#include <algorithm>
#include <cstring>
#include <span>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// Channels that lie together in a packed input, in which the micro-kernels read: its pixels lie so many reals apart, a
/// number that the compiler knows, and every address in the inner loops is a register plus a constant.
inline constexpr Index channel_block = 16;

inline Index blocks_of(Index count, Index block) { return (count + block - 1) / block; }

/// The longest tile, of equally long ones as far as that goes, if `count` is cut into tiles of at most `most`.
inline Index even_tile(Index count, Index most) { return blocks_of(count, std::max<Index>(1, blocks_of(count, most))); }

/// Copies the `count` channels that a block has, with zeros for the rest; all zeros for a pixel outside of the image
/// (null).
inline void copy_block(const real* from, Index count, real* to) {
  if (from != nullptr && count == channel_block) {
    std::memcpy(to, from, channel_block * sizeof(real));  // a number that the compiler knows: vectors, not a call
    return;
  }
  std::fill_n(to, channel_block, real(0));
  if (from != nullptr) std::copy_n(from, count, to);
}

/// A row of pixels by a block of output channels: for pixels p and channels c,
///     y[y_at[p] + c] (+)= bias[c] + sum over steps s and channels i of x[steps[s] + p channel_block + i]
///     weight[s,i,c].
/// A step is what one block of input channels gives through one tap of a convolution's kernel.
struct Product {
  const real* x;
  std::span<const Index> steps;
  const real* weight;  ///< [steps][channel_block][output block]
  Index pixels;        ///< at most ConvMicro::max_pixels
  real* y;
  const Index* y_at;
  Index channels;              ///< output channels that exist, at most the output block
  const real* bias = nullptr;  ///< added, or null
  bool accumulate = false;     ///< y += instead of y =
};

/// The sum over pixels of the outer products of a block of x's channels and one of dy's, for a convolution's tap:
///     sum[i,c] (+)= sum over rows r and columns p of x[r x_row + p channel_block + i] dy[(r columns + p) output_block
///     + c].
struct OuterSum {
  const real* x;
  Index x_row;
  const real* dy;
  Index rows, columns;
  real* sum;        ///< [channel_block][output block]
  bool accumulate;  ///< sum += instead of sum =
};

/// The micro-kernels for the processor at hand, chosen when first asked for.
struct ConvMicro {
  Index output_block;  ///< output channels of a tile: some vectors, one or more whole channel blocks
  Index max_pixels;    ///< pixels of a tile: what the registers hold
  void (*product)(const Product&);
  void (*outer_sum)(const OuterSum&);
};
const ConvMicro& conv_micro();

}  // namespace reverie::inline REVERIE_PRECISION::kernels
