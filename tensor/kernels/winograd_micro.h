#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The transforms of Winograd's F(4x4, 3x3), each for `channel_block` channels of one tile at once. Elements of a tile
/// or of its transform lie in the order row, column; an element's channels are contiguous.
struct WinogradMicro {
  /// V = B^T d B: input tile [6][6][channel_block] to 36 places `stride` apart.
  void (*input)(const real* tile, real* v, Index stride);
  /// y = A^T M A: 36 places `stride` apart to an output tile [4][4][channel_block].
  void (*output)(const real* m, Index stride, real* tile);
  /// D = A dy A^T: gradient tile [4][4][channel_block] to 36 places: the transpose of `output`.
  void (*gradient)(const real* tile, real* d, Index stride);
  /// U = G w G^T: nine taps [3][3][channel_block] to 36 places.
  void (*weight)(const real* taps, real* u, Index stride);
  /// dw = G^T S G: 36 places to nine taps: the transpose of `weight`.
  void (*weight_gradient)(const real* s, Index stride, real* taps);
};
const WinogradMicro& winograd_micro();

}  // namespace reverie::inline REVERIE_PRECISION::kernels
