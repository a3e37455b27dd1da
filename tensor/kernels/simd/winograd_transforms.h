#pragma once
#include "tensor/kernels/simd/operands.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The transforms of Winograd's F(4x4, 3x3), each for `channel_block` channels of one Winograd tile. A tile is given as
/// the addresses of its pixels, row by row. Its transform is 36 elements, `stride` apart, each a channel block. Tiles
/// with at most two rows or columns of outputs have transforms of their own, [few rows][few columns], with fewer
/// elements.
struct WinogradTransforms {
  template <class Operand>
  struct TileTransform {
    void (*of[2][2])(const real* const* pixels, Index channel, Operand* out, Index stride);
  };
  using Output = void (*)(const real* m, Index stride, const real* bias, bool accumulate, real* const* pixels,
                          Index channel);
  /// V = B^T d B: a Winograd tile of 6x6 inputs.
  TileTransform<real> input;
  TileTransform<Bfloat16Pair> rounded_input{};  ///< the same in bfloat16, for real = float
  template <class Operand>
  const TileTransform<Operand>& inputs() const {
    if constexpr (is_bfloat16<Operand>) {
      return rounded_input;
    } else {
      return input;
    }
  }
  /// y (+)= A^T M A + bias (if not null): a Winograd tile of 4x4 outputs.
  Output output[2][2];
  /// D = A dy A^T: a Winograd tile of 4x4 gradients; the transpose of `output`.
  TileTransform<real> gradient;
  /// U = G w G^T: the nine taps of a channel are contiguous, row by row or `rotated` by 180 degrees; channels are
  /// `taps_stride` apart.
  void (*weight)(const real* taps, Index taps_stride, bool rotated, real* u, Index stride);
  /// dw = G^T S G, tap by tap: the transpose of `weight`.
  void (*weight_gradient)(const real* s, Index stride, real* taps);
};
/// The transforms for this processor, chosen at the first call.
const WinogradTransforms& winograd_transforms();

}  // namespace reverie::inline REVERIE_PRECISION::kernels
