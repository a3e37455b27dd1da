#pragma once
#include "tensor/kernels/simd/operands.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The transforms of Winograd's F(4x4, 3x3), each for `channel_block` channels of one tile. A tile comes as the
/// addresses of its pixels, row by row; its transform has 36 places, `stride` apart, with the channels together. A tile
/// with no more than two rows or columns of outputs has a transform of its own, indexed [few rows][few columns]: it
/// leaves out the places of two points.
struct WinogradMicro {
  template <class Unit>
  struct Transforms {
    void (*of[2][2])(const real* const* pixels, Index channel, Unit* out, Index stride);
  };
  using Output = void (*)(const real* m, Index stride, const real* bias, bool accumulate, real* const* pixels,
                          Index channel);
  /// V = B^T d B: a tile of 6x6 inputs.
  Transforms<real> input;
  Transforms<Bfloat16Pair> rounded_input{};  ///< the same in bfloat16, for real = float
  template <class Unit>
  const Transforms<Unit>& inputs() const {
    if constexpr (is_bfloat16<Unit>) {
      return rounded_input;
    } else {
      return input;
    }
  }
  /// y (+)= A^T M A + bias (or null): a tile of 4x4 outputs.
  Output output[2][2];
  /// D = A dy A^T: a tile of 4x4 gradients; the transpose of `output`.
  Transforms<real> gradient;
  /// U = G w G^T: the nine taps of each channel lie together, row by row or `turned` round, `step` reals from the next
  /// channel's.
  void (*weight)(const real* taps, Index step, bool turned, real* u, Index stride);
  /// dw = G^T S G of as many channels, tap by tap: the transpose of `weight`.
  void (*weight_gradient)(const real* s, Index stride, real* taps);
};
const WinogradMicro& winograd_micro();

}  // namespace reverie::inline REVERIE_PRECISION::kernels
