#pragma once
#include "tensor/kernels/conv/conv.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The functions of conv.h for few input or output channels, too few to fill a vector: the first and the last
/// convolution of every network. Call them only if they apply.
bool thin_forward_applies(const ConvShape& shape);
bool thin_backward_applies(const ConvShape& shape);

void thin_conv2d_forward(const ConvShape& shape, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y);
void thin_conv2d_backward_data(const ConvShape& shape, const Tensor& weight, const Tensor& dy, bool accumulate,
                               Tensor& dx);
void thin_conv2d_backward_weight(const ConvShape& shape, const Tensor& x, const Tensor& dy, bool accumulate,
                                 Tensor& dweight);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
