#include "tensor/kernels/conv/conv.h"

#include "autograd/op_case.h"
#include "tensor/kernels/broadcast.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

kernels::ConvShape conv_shape(const Var& x, const Var& weight, const Var& bias, const Conv2dOptions& o) {
  if (x.rank() != 4 || weight.rank() != 4) {
    throw ShapeError("conv2d: expects input [N,H,W,I] and weight [O,I/groups,kH,kW], got ", x.shape(), " and ",
                     weight.shape());
  }
  if (o.stride < 1 || o.padding < 0 || o.groups < 1)
    throw ShapeError("conv2d: expects stride and groups of at least 1 and padding of at least 0");
  const kernels::ConvShape s{x.extent(0),      x.extent(1),      x.extent(2), x.extent(3), weight.extent(0),
                             weight.extent(2), weight.extent(3), o.stride,    o.padding,   o.groups};
  if (s.in_channels != weight.extent(1) * o.groups) {
    throw ShapeError("conv2d: weight ", weight.shape(), o.groups > 1 ? concat(" in ", o.groups, " groups") : "",
                     " expects input [N,H,W,", weight.extent(1) * o.groups, "], got ", x.shape());
  }
  if (s.out_channels % o.groups != 0)
    throw ShapeError("conv2d: ", s.out_channels, " output channels do not divide into ", o.groups, " groups");
  if (s.in_height + 2 * s.padding < s.kernel_height || s.in_width + 2 * s.padding < s.kernel_width) {
    throw ShapeError("conv2d: input ", x.shape(), " with padding ", s.padding, " is smaller than the kernel of ",
                     weight.shape());
  }
  if (bias.value().defined()) require_shape("conv2d", "the bias", bias.shape(), {s.out_channels});
  return s;
}

}  // namespace

// y[n,p,o] = b[o] + sum over taps k and channels i of W[o,i,k] x[n, p stride + k - padding, i]
Var conv2d(const Var& x, const Var& weight, const Var& bias, const Conv2dOptions& options) {
  const kernels::ConvShape s = conv_shape(x, weight, bias, options);
  Tensor y = Tensor::uninitialized(s.y());
  kernels::conv2d_forward(s, x.value(), weight.value(), bias.value().defined() ? &bias.value() : nullptr, y);
  return record("conv2d", std::move(y), {x, weight, bias},
                [s, x = SavedTensor(x), weight = weight.value()](Gradients& g) {
                  g.compute(1, [&](Tensor& dw, bool accumulate) {
                    kernels::conv2d_backward_weight(s, x.value(), g.output(), accumulate, dw);
                  });
                  g.compute(0, [&](Tensor& dx, bool accumulate) {
                    kernels::conv2d_backward_data(s, weight, g.output(), accumulate, dx);
                  });
                  if (Tensor* db = g.gradient(2)) kernels::reduce_add(g.output(), *db);
                });
}

// The transpose of the convolution that maps y to x: its forward is that convolution's data gradient, and vice versa.
Var conv_transpose2d(const Var& x, const Var& weight, const Var& bias, const ConvTranspose2dOptions& o) {
  if (x.rank() != 4 || weight.rank() != 4 || x.extent(3) != weight.extent(0)) {
    throw ShapeError("conv_transpose2d: expects input [N,H,W,I] and weight [I,O,kH,kW], got ", x.shape(), " and ",
                     weight.shape());
  }
  if (o.stride < 1 || o.padding < 0 || o.output_padding < 0 || o.output_padding >= o.stride) {
    throw ShapeError("conv_transpose2d: expects stride >= 1, padding >= 0 and 0 <= output padding < stride, got ",
                     o.stride, ", ", o.padding, " and ", o.output_padding);
  }
  const Index height = (x.extent(1) - 1) * o.stride - 2 * o.padding + weight.extent(2) + o.output_padding;
  const Index width = (x.extent(2) - 1) * o.stride - 2 * o.padding + weight.extent(3) + o.output_padding;
  if (height < 1 || width < 1) throw ShapeError("conv_transpose2d: input ", x.shape(), " is smaller than the padding");
  const kernels::ConvShape s{x.extent(0),      height,           width,    weight.extent(1), weight.extent(0),
                             weight.extent(2), weight.extent(3), o.stride, o.padding,        1};
  const bool biased = bias.value().defined();
  Tensor y = Tensor::uninitialized(s.x());
  if (biased) {
    require_shape("conv_transpose2d", "the bias", bias.shape(), {s.in_channels});
    kernels::broadcast_copy(bias.value(), y);
  }
  kernels::conv2d_backward_data(s, weight.value(), x.value(), biased, y);
  return record(
      "conv_transpose2d", std::move(y), {x, weight, bias}, [s, x = x.value(), weight = weight.value()](Gradients& g) {
        if (g.needs(0)) {
          Tensor dx = Tensor::uninitialized(s.y());
          kernels::conv2d_forward(s, g.output(), weight, nullptr, dx);
          g.add(0, std::move(dx));
        }
        g.compute(
            1, [&](Tensor& dw, bool accumulate) { kernels::conv2d_backward_weight(s, g.output(), x, accumulate, dw); });
        if (Tensor* db = g.gradient(2)) kernels::reduce_add(g.output(), *db);
      });
}

OpCases conv_cases() {
  const auto conv = [](const char* label, Shape x, Shape w, Conv2dOptions options) {
    return OpCase{"conv2d", label, {{x}, {w}, {{w[0]}}}, [options](std::span<const Var> in) {
                    return conv2d(in[0], in[1], in[2], options);
                  }};
  };
  const auto transposed = [](const char* label, Shape x, Shape w, ConvTranspose2dOptions options) {
    return OpCase{"conv_transpose2d", label, {{x}, {w}, {{w[1]}}}, [options](std::span<const Var> in) {
                    return conv_transpose2d(in[0], in[1], in[2], options);
                  }};
  };
  return {conv("3x3", {2, 5, 7, 3}, {4, 3, 3, 3}, {1, 1, 1}),
          conv("3x3 without padding", {1, 4, 5, 2}, {3, 2, 3, 3}, {}),
          conv("1x1", {2, 3, 4, 5}, {3, 5, 1, 1}, {}),
          conv("1x1 image", {1, 1, 1, 3}, {2, 3, 3, 3}, {1, 1, 1}),
          conv("stride 2", {2, 6, 5, 3}, {2, 3, 3, 3}, {2, 1, 1}),
          conv("groups", {1, 4, 4, 6}, {4, 3, 3, 3}, {1, 1, 2}),
          conv("depthwise", {1, 3, 3, 4}, {4, 1, 3, 3}, {1, 1, 4}),
          conv("5x3", {1, 6, 4, 2}, {2, 2, 5, 3}, {1, 2, 1}),
          conv("Winograd", {1, 5, 4, 16}, {17, 16, 3, 3}, {1, 1, 1}),
          conv("wide", {1, 3, 5, 9}, {10, 9, 3, 3}, {1, 1, 1}),  // enough channels for the direct kernels
          conv("wide, stride 2", {2, 4, 3, 8}, {9, 8, 3, 3}, {2, 1, 1}),
          transposed("stride 2", {2, 3, 4, 3}, {3, 2, 4, 4}, {2, 1, 0}),
          transposed("output padding", {1, 3, 2, 2}, {2, 3, 3, 3}, {2, 1, 1}),
          transposed("stride 1", {1, 4, 4, 2}, {2, 2, 3, 3}, {1, 1, 0})};
}

}  // namespace reverie::inline REVERIE_PRECISION
