#pragma once
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// y = (x - mean) rstd weight + bias, where mean and rstd = 1 / sqrt(variance + eps) are those of a group of C / groups
/// channels over all positions of a sample. x, y: [N,...,C]; weight, bias: [C]; mean, rstd: [N,C], written channel by
/// channel, equal within a group.
void group_norm_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, Index groups, double eps,
                        Tensor& mean, Tensor& rstd, Tensor& y);
/// Adds to dx, dweight and dbias; each may be null.
void group_norm_backward(const Tensor& x, const Tensor& weight, Index groups, const Tensor& mean, const Tensor& rstd,
                         const Tensor& dy, Tensor* dx, Tensor* dweight, Tensor* dbias);

/// Whether a row's mean is taken out (layer norm) or stays, so that rstd is 1 / sqrt(mean square + eps) (RMS norm).
enum class Centre : bool { no, yes };

/// The same over the last axis alone. x, y: [rows...,C]; weight, bias: [C]; mean, rstd: [rows], written (mean: 0 if
/// uncentred).
void row_norm_forward(Centre centre, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                      Tensor& mean, Tensor& rstd, Tensor& y);
/// Adds to dx, dweight and dbias; each may be null.
void row_norm_backward(Centre centre, const Tensor& x, const Tensor& weight, const Tensor& mean, const Tensor& rstd,
                       const Tensor& dy, Tensor* dx, Tensor* dweight, Tensor* dbias);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
