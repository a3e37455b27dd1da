#pragma once
#include "tensor/kernels/conv/conv.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The definition of the functions of conv.h, by im2col and matrix products. conv.h uses it where no faster kernel
/// applies; the faster kernels are tested against it.
void plain_conv2d_forward(const ConvShape& shape, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y);
void plain_conv2d_backward_data(const ConvShape& shape, const Tensor& weight, const Tensor& dy, bool accumulate,
                                Tensor& dx);
void plain_conv2d_backward_weight(const ConvShape& shape, const Tensor& x, const Tensor& dy, bool accumulate,
                                  Tensor& dweight);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
