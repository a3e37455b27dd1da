#pragma once
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The extents of a 2-D convolution (a cross-correlation, as everywhere in deep learning): x [batch, in_height,
/// in_width, in_channels], weight [out_channels, in_channels/groups, kernel_height, kernel_width], y [batch,
/// out_height, out_width, out_channels]. The padding is with zeros, on all four sides.
struct ConvShape {
  Index batch, in_height, in_width, in_channels;
  Index out_channels, kernel_height, kernel_width;
  Index stride, padding, groups;

  Index out_height() const { return (in_height + 2 * padding - kernel_height) / stride + 1; }
  Index out_width() const { return (in_width + 2 * padding - kernel_width) / stride + 1; }
  Index group_in() const { return in_channels / groups; }
  Index group_out() const { return out_channels / groups; }
  Index patch() const { return kernel_height * kernel_width * group_in(); }  ///< inputs of one output pixel
  /// Whether it is a matrix product of the pixels as they lie in memory.
  bool pointwise() const { return kernel_height == 1 && kernel_width == 1 && stride == 1 && padding == 0; }
  Shape x() const { return {batch, in_height, in_width, in_channels}; }
  Shape weight() const { return {out_channels, group_in(), kernel_height, kernel_width}; }
  Shape y() const { return {batch, out_height(), out_width(), out_channels}; }
};

/// y = x * weight (+ bias, if not null). Uses the fastest kernel that applies, as kernel_choice() says.
void conv2d_forward(const ConvShape& shape, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y);
/// dx (+)= dy * weight transposed; also the forward pass of a transposed convolution.
void conv2d_backward_data(const ConvShape& shape, const Tensor& weight, const Tensor& dy, bool accumulate, Tensor& dx);
/// dweight (+)= the correlation of x and dy, summed over the batch.
void conv2d_backward_weight(const ConvShape& shape, const Tensor& x, const Tensor& dy, bool accumulate,
                            Tensor& dweight);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
