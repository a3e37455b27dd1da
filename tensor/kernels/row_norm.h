#pragma once
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// Whether the mean of a row is subtracted (layer norm) or not, with rstd = 1 / sqrt(mean square + eps) (RMS norm).
enum class Centre : bool { no, yes };

/// y = (x - mean) rstd weight + bias over the last axis. x, y: [rows...,C]; weight, bias: [C]; mean, rstd: [rows],
/// written (mean: 0 if uncentred).
void row_norm_forward(Centre centre, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                      Tensor& mean, Tensor& rstd, Tensor& y);
/// Adds to dx, dweight and dbias; each may be null.
void row_norm_backward(Centre centre, const Tensor& x, const Tensor& weight, const Tensor& mean, const Tensor& rstd,
                       const Tensor& dy, Tensor* dx, Tensor* dweight, Tensor* dbias);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
