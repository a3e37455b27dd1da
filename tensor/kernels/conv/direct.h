#pragma once
#include "tensor/kernels/conv/conv.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The functions of conv.h without im2col, for convolutions without groups and with at least eight channels on both
/// sides, any kernel and stride. They agree with the plain kernels up to rounding. Call them only if direct_applies.
bool direct_applies(const ConvShape& shape);

void direct_conv2d_forward(const ConvShape& shape, const Tensor& x, const Tensor& weight, const Tensor* bias,
                           Tensor& y);
void direct_conv2d_backward_data(const ConvShape& shape, const Tensor& weight, const Tensor& dy, bool accumulate,
                                 Tensor& dx);
void direct_conv2d_backward_weight(const ConvShape& shape, const Tensor& x, const Tensor& dy, bool accumulate,
                                   Tensor& dweight);
/// direct_conv2d_backward_weight with operands in bfloat16; for real = float.
void direct_bf16_conv2d_backward_weight(const ConvShape& shape, const Tensor& x, const Tensor& dy, bool accumulate,
                                        Tensor& dweight);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
