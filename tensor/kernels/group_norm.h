#pragma once
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// Group norm and what follows it in the blocks of U-Nets, in one pass over memory:
///     y = f(u),  u = (z weight + bias) (1 + scale) + shift,  z = (x - mean) rstd,  rstd = 1 / sqrt(variance + eps),
/// f being silu or nothing, mean and variance those of C / groups channels over all positions of a sample.
/// x, y: [N,...,C]; weight, bias: [C]; modulation: [N,2C], scale and then shift, or undefined for none.
struct GroupNormInput {
  const Tensor &x, &weight, &bias, &modulation;
  Index groups;
  bool silu;
};

/// Of each sample, channel by channel (equal within a group): [N,C]. One a tensor, to be kept for the backward pass.
struct GroupNormMoments {
  Tensor mean, rstd;
};
GroupNormMoments group_norm_moments(const Tensor& x, Index groups, double eps);

void group_norm_forward(const GroupNormInput& in, const GroupNormMoments& moments, Tensor& y);

/// Adds to dweight, dbias and dmodulation; each may be null. `dy` is used up; `dx` (null: not wanted) may be `dy`
/// itself and is then overwritten, else it is added to.
void group_norm_backward(const GroupNormInput& in, const GroupNormMoments& moments, Tensor& dy, Tensor* dx,
                         Tensor* dweight, Tensor* dbias, Tensor* dmodulation);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
