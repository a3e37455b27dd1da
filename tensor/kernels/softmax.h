#pragma once
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// y = softmax(x) for one row of n numbers; y may be x.
void softmax_row(const real* x, Index n, real* y);

/// y_k = e^x_k / sum_j e^x_j along `axis`; the largest x is subtracted first, so that nothing overflows.
void softmax_forward(const Tensor& x, int axis, Tensor& y);
/// dx += y (dy - sum y dy)
void softmax_backward(const Tensor& y, const Tensor& dy, int axis, Tensor& dx);

/// y_k = x_k - log sum_j e^x_j along `axis`.
void log_softmax_forward(const Tensor& x, int axis, Tensor& y);
/// dx += dy - e^y sum dy
void log_softmax_backward(const Tensor& y, const Tensor& dy, int axis, Tensor& dx);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
