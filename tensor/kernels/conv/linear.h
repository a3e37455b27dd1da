#pragma once
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The extents of a linear layer: x [rows, in], weight [out, in], y [rows, out]. A 1x1 convolution is a linear layer on
/// pixels.
struct LinearShape {
  Index rows, in, out;
};

/// y = x W^T (+ b, if not null).
void linear_forward(const LinearShape& shape, const real* x, const Tensor& weight, const Tensor* bias, real* y);
/// dx (+)= dy W.
void linear_backward_data(const LinearShape& shape, const Tensor& weight, const real* dy, bool accumulate, real* dx);
/// dW (+)= dy^T x.
void linear_backward_weight(const LinearShape& shape, const real* x, const real* dy, bool accumulate, Tensor& dweight);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
