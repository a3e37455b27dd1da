#pragma once
#include <algorithm>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// Input channels that the micro-kernels take at a time. Pixels of the padded copy lie so many reals apart, a number
/// that the compiler knows: every address in the inner loops is then a register plus a constant.
inline constexpr Index channel_block = 16;

/// Copies the `count` channels that a block has, with zeros for the rest; all zeros for a pixel outside of the image
/// (null).
inline void copy_block(const real* from, Index count, real* to) {
  if (from != nullptr && count == channel_block) {
    std::copy_n(from, channel_block, to);  // a number that the compiler knows: two vectors, not a call
    return;
  }
  std::fill_n(to, channel_block, real(0));
  if (from != nullptr) std::copy_n(from, count, to);
}

/// A row of output pixels by a block of output channels. The padded input is [blocks][rows][columns][channel_block]; x
/// points at the first tap of the first pixel.
struct ForwardTile {
  const real* x;
  Index block_stride, row_stride;  ///< of the padded input
  Index blocks, kernel_height, kernel_width, stride;
  const real* weight;  ///< [blocks][kernel_height][kernel_width][channel_block][output block]
  Index pixels;        ///< at most ConvMicro::max_pixels
  real* y;
  Index y_stride;    ///< from pixel to pixel
  Index channels;    ///< output channels that exist, at most the output block
  const real* bias;  ///< added, or null
  bool accumulate;   ///< y += instead of y =
};

/// For one tap: dweight[channel_block][output block] += sum over pixels of x (padded copy) times dy.
struct WeightTile {
  const real* x;
  Index x_row_stride, x_pixel_stride;
  const real* dy;  ///< [rows][columns], padded to whole output blocks
  Index dy_row_stride, dy_pixel_stride;
  Index rows, columns;
  real* dweight;
};

/// The micro-kernels for the processor at hand, chosen when first asked for.
struct ConvMicro {
  Index output_block;  ///< output channels of a tile: two vectors
  Index max_pixels;    ///< output pixels of a tile: what the registers hold
  void (*forward)(const ForwardTile&);
  void (*weight)(const WeightTile&);
};
const ConvMicro& conv_micro();

}  // namespace reverie::inline REVERIE_PRECISION::kernels
