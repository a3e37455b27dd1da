#pragma once
#include "tensor/kernels/conv.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The same three products as in conv.h without im2col, for dense convolutions with enough channels; whoever calls asks
/// first whether they apply. The results agree with the plain kernels up to rounding, and do not depend on the number
/// of threads.
bool direct_forward_applies(const ConvShape& shape);        ///< any stride
bool direct_backward_data_applies(const ConvShape& shape);  ///< stride 1
bool direct_backward_weight_applies(const ConvShape& shape);

void direct_conv2d_forward(const ConvShape& shape, const Tensor& x, const Tensor& weight, const Tensor* bias,
                           Tensor& y);
void direct_conv2d_backward_data(const ConvShape& shape, const Tensor& weight, const Tensor& dy, Tensor& dx);
void direct_conv2d_backward_weight(const ConvShape& shape, const Tensor& x, const Tensor& dy, Tensor& dweight);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
