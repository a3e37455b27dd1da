#include "tensor/kernels/conv/conv.h"

#include "tensor/kernels/choice.h"
#include "tensor/kernels/conv/direct.h"
#include "tensor/kernels/conv/linear.h"
#include "tensor/kernels/conv/plain.h"
#include "tensor/kernels/conv/thin.h"
#include "tensor/kernels/conv/winograd.h"
#include "tensor/kernels/simd/operands.h"

// The choice of a kernel. plain.h is the definition; the others are faster where they apply, and tested against it.
namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

// A pointwise convolution without groups is a linear layer on pixels.
bool is_linear(const ConvShape& s) { return s.pointwise() && s.groups == 1; }

LinearShape linear_shape(const ConvShape& s) {
  return {s.batch * s.in_height * s.in_width, s.in_channels, s.out_channels};
}

bool use_winograd(const ConvShape& s) {
  const ConvKernels choice = kernel_choice().conv;
  if (choice == ConvKernels::direct || !winograd_applies(s)) return false;
  if (choice == ConvKernels::winograd) return true;
  if (bfloat16_operands() && bfloat16_level() == Bfloat16Level::amx) return false;  // products are cheap
  return s.batch * s.in_height * s.in_width >= 128;  // fewer pixels make too few Winograd tiles to fill a register tile
}

}  // namespace

void conv2d_forward(const ConvShape& s, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y) {
  if (is_linear(s)) return linear_forward(linear_shape(s), x.data(), weight, bias, y.data());
  if (use_winograd(s)) return winograd_conv2d_forward(s, x, weight, bias, y);
  if (thin_forward_applies(s)) return thin_conv2d_forward(s, x, weight, bias, y);
  if (direct_applies(s)) return direct_conv2d_forward(s, x, weight, bias, y);
  plain_conv2d_forward(s, x, weight, bias, y);
}

void conv2d_backward_data(const ConvShape& s, const Tensor& weight, const Tensor& dy, bool accumulate, Tensor& dx) {
  if (is_linear(s)) return linear_backward_data(linear_shape(s), weight, dy.data(), accumulate, dx.data());
  if (use_winograd(s)) return winograd_conv2d_backward_data(s, weight, dy, accumulate, dx);
  if (thin_backward_applies(s)) return thin_conv2d_backward_data(s, weight, dy, accumulate, dx);
  if (direct_applies(s)) return direct_conv2d_backward_data(s, weight, dy, accumulate, dx);
  plain_conv2d_backward_data(s, weight, dy, accumulate, dx);
}

void conv2d_backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, bool accumulate, Tensor& dweight) {
  if (dy.size() == 0) return accumulate ? void() : dweight.fill(0);
  if (is_linear(s)) return linear_backward_weight(linear_shape(s), x.data(), dy.data(), accumulate, dweight);
  if (use_winograd(s)) return winograd_conv2d_backward_weight(s, x, dy, accumulate, dweight);
  if (thin_backward_applies(s)) return thin_conv2d_backward_weight(s, x, dy, accumulate, dweight);
  if (direct_applies(s)) return direct_conv2d_backward_weight(s, x, dy, accumulate, dweight);
  plain_conv2d_backward_weight(s, x, dy, accumulate, dweight);
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
