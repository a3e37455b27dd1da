#pragma once
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// y = silu(x) for any shape.
void silu_forward(const Tensor& x, Tensor& y);
/// dx (+)= dy silu'(x)
void silu_backward(const Tensor& x, const Tensor& dy, bool accumulate, Tensor& dx);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
