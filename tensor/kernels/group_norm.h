#pragma once
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// Group norm with the modulation and the silu that follow it in the blocks of U-Nets, in one pass over memory:
///     y = f(u),  u = (z weight + bias) (1 + scale) + shift,  z = (x - mean) rstd,  rstd = 1 / sqrt(variance + eps),
/// with f silu or the identity, and mean and variance over the C / groups channels of a group and all positions.
/// x, y: [N,...,C]; weight, bias: [C]; modulation: [N,2C], scale then shift, or undefined.
struct GroupNormInput {
  const Tensor &x, &weight, &bias, &modulation;
  Index groups;
  bool silu;
};

/// Mean and rstd of each sample and channel, [N,C], equal within a group. Saved for the backward pass.
struct GroupNormMoments {
  Tensor mean, rstd;
};
GroupNormMoments group_norm_moments(const Tensor& x, Index groups, double eps);

void group_norm_forward(const GroupNormInput& in, const GroupNormMoments& moments, Tensor& y);

/// Adds to dweight, dbias and dmodulation; each may be null. Overwrites `dy`. `dx` may be null, or `dy` itself, which
/// is then replaced; otherwise it is added to.
void group_norm_backward(const GroupNormInput& in, const GroupNormMoments& moments, Tensor& dy, Tensor* dx,
                         Tensor* dweight, Tensor* dbias, Tensor* dmodulation);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
