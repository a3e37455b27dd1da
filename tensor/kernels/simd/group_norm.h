#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// A block of positions [rows,channels] of one sample, normalised per channel as f((x - mean) gain + offset), with f
/// silu or the identity.
struct NormBlock {
  const real* x;
  Index rows, channels;
  const real *mean, *gain, *offset;
  bool silu;
};

/// Group norm's loops over a block. The formulas are in autograd/ops/norm.cpp.
struct GroupNormLoops {
  /// The mean of each channel over the block, and the sum of squared deviations from it.
  void (*moments)(const real* x, Index rows, Index channels, real* mean, real* squares);
  /// y = f((x - mean) gain + offset)
  void (*forward)(const NormBlock& block, real* y);
  /// Replaces dy by du = f'(u) dy; S = sum du, D = sum du (x - mean) over the block's positions.
  void (*backward_sums)(const NormBlock& block, real* dy, real* S, real* D);
  /// dx (+)= gain du - a - (x - mean) b
  void (*backward_data)(const NormBlock& block, const real* du, const real* a, const real* b, bool accumulate,
                        real* dx);
};
/// The loops for this processor, chosen at the first call.
const GroupNormLoops& group_norm_loops();

}  // namespace reverie::inline REVERIE_PRECISION::kernels
