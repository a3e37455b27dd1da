#pragma once
#include "tensor/kernels/conv/conv.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The three products of conv.h without im2col, for dense convolutions with enough channels, any kernel and stride;
/// whoever calls asks first whether they apply. The results agree with the plain kernels up to rounding, and do not
/// depend on the number of threads.
bool direct_applies(const ConvShape& shape);

void direct_conv2d_forward(const ConvShape& shape, const Tensor& x, const Tensor& weight, const Tensor* bias,
                           Tensor& y);
void direct_conv2d_backward_data(const ConvShape& shape, const Tensor& weight, const Tensor& dy, bool accumulate,
                                 Tensor& dx);
void direct_conv2d_backward_weight(const ConvShape& shape, const Tensor& x, const Tensor& dy, bool accumulate,
                                   Tensor& dweight);
/// The last one with factors rounded to bfloat16, as the others do it if that is wanted (products.h); real = float.
void pairs_conv2d_backward_weight(const ConvShape& shape, const Tensor& x, const Tensor& dy, bool accumulate,
                                  Tensor& dweight);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
