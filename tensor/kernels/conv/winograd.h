#pragma once
#include "tensor/kernels/conv/conv.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The three products of conv.h by Winograd's F(4x4, 3x3) [Lavin16]: a quarter of the multiplications. For 3x3 kernels
/// with stride 1 and padding 1; whoever calls asks first whether it applies. Errors are some
/// two times those of the direct kernels.
bool winograd_applies(const ConvShape& shape);

void winograd_conv2d_forward(const ConvShape& shape, const Tensor& x, const Tensor& weight, const Tensor* bias,
                             Tensor& y);
void winograd_conv2d_backward_data(const ConvShape& shape, const Tensor& weight, const Tensor& dy, bool accumulate,
                                   Tensor& dx);
void winograd_conv2d_backward_weight(const ConvShape& shape, const Tensor& x, const Tensor& dy, bool accumulate,
                                     Tensor& dweight);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
