#include <numeric>

#include "autograd/op_case.h"
#include "tensor/kernels/broadcast.h"
#include "tensor/kernels/elementwise.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// y = scale * sum over the axes.   dx = scale * dy, broadcast to x's shape.
Var scaled_sum(const char* op, const Var& x, std::span<const int> axes, bool keepdims, bool divide) {
  Shape with_ones = x.shape();  // the summed axes have extent 1
  for (const int axis : axes) with_ones = with_ones.with(axis, 1);
  std::vector<Index> remaining;
  for (int axis = 0; axis < x.rank(); ++axis) {
    bool reduced = false;
    for (const int a : axes) reduced = reduced || x.shape().axis(a) == axis;
    if (!reduced) remaining.push_back(x.extent(axis));
  }
  const real scale = divide ? real(with_ones.size()) / real(x.size()) : real(1);
  Tensor y = Tensor::zeros(with_ones);
  kernels::reduce_add(x.value(), y);
  if (divide)
    kernels::map(
        y, [scale](real y) { return scale * y; }, y);
  return record(op, keepdims ? y : y.reshape(Shape(remaining)), {x}, [with_ones, scale](Gradients& g) {
    Tensor* dx = g.gradient(0);
    if (dx == nullptr) return;
    Tensor dy = Tensor::uninitialized(with_ones);
    kernels::map(
        dy, [scale](real dy) { return scale * dy; }, g.output());
    kernels::broadcast_add(dy, *dx);
  });
}

std::vector<int> axes_from(const Var& x, int first) {
  std::vector<int> axes(x.rank() - first);
  std::iota(axes.begin(), axes.end(), first);
  return axes;
}

}  // namespace

Var sum_axes(const Var& x, std::span<const int> axes, bool keepdims) {
  return scaled_sum("sum", x, axes, keepdims, false);
}
Var mean_axes(const Var& x, std::span<const int> axes, bool keepdims) {
  return scaled_sum("mean", x, axes, keepdims, true);
}
Var sum(const Var& x) { return sum_axes(x, axes_from(x, 0)); }
Var mean(const Var& x) { return mean_axes(x, axes_from(x, 0)); }
Var mean_per_sample(const Var& x) { return mean_axes(x, axes_from(x, 1)); }

Var mse(const Var& a, const Var& b) {
  require_shape("mse", "the second operand", b.shape(), a.shape());
  return mean(square(a - b));
}

OpCases reduce_cases() {
  using In = std::span<const Var>;
  const auto over = [](auto f, std::vector<int> axes, bool keep) {
    return [f, axes, keep](In in) { return f(in[0], axes, keep); };
  };
  const CaseInput image{{2, 3, 4, 5}};
  return {{"sum", "all", {image}, [](In in) { return sum(in[0]); }},
          {"sum", "height and width", {image}, over(sum_axes, {1, 2}, false)},
          {"sum", "height and width, keepdims", {image}, over(sum_axes, {1, 2}, true)},
          {"sum", "samples", {image}, over(sum_axes, {0}, false)},
          {"mean", "all", {image}, [](In in) { return mean(in[0]); }},
          {"mean", "channels", {image}, over(mean_axes, {-1}, false)},
          {"mean", "samples and width", {image}, over(mean_axes, {0, 2}, true)},
          {"mean", "per sample", {image}, [](In in) { return mean_per_sample(in[0]); }}};
}

}  // namespace reverie::inline REVERIE_PRECISION
