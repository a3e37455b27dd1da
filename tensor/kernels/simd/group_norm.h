#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// A block of positions [rows,channels] of a sample, and what its norm makes of them: f((x - mean) gain + offset),
/// channel by channel, f the silu or nothing.
struct NormBlock {
  const real* x;
  Index rows, channels;
  const real *mean, *gain, *offset;
  bool silu;
};

/// Group norm's loops over a block, for the processor at hand; the formulas stand in group_norm.cpp.
struct GroupNormLoops {
  /// Of every channel of a block the mean, and the sum of squared deviations from it.
  void (*moments)(const real* x, Index rows, Index channels, real* mean, real* squares);
  /// y = f((x - mean) gain + offset)
  void (*forward)(const NormBlock& block, real* y);
  /// dy becomes du = f' dy;  S = sum du,  D = sum du (x - mean)  over the block's positions.
  void (*backward_sums)(const NormBlock& block, real* dy, real* S, real* D);
  /// dx (+)= gain du - less - (x - mean) tilt
  void (*backward_data)(const NormBlock& block, const real* du, const real* less, const real* tilt, bool accumulate,
                        real* dx);
};
const GroupNormLoops& group_norm_loops();

}  // namespace reverie::inline REVERIE_PRECISION::kernels
