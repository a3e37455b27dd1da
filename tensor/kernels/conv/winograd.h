#pragma once
#include "tensor/kernels/conv/conv.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The functions of conv.h by Winograd's F(4x4, 3x3): a quarter of the multiplications, and about twice the error of
/// the direct kernels. For 3x3 kernels with stride 1 and padding 1; call them only if winograd_applies. [Lavin16]
bool winograd_applies(const ConvShape& shape);

void winograd_conv2d_forward(const ConvShape& shape, const Tensor& x, const Tensor& weight, const Tensor* bias,
                             Tensor& y);
void winograd_conv2d_backward_data(const ConvShape& shape, const Tensor& weight, const Tensor& dy, bool accumulate,
                                   Tensor& dx);
void winograd_conv2d_backward_weight(const ConvShape& shape, const Tensor& x, const Tensor& dy, bool accumulate,
                                     Tensor& dweight);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
