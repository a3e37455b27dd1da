#include "tensor/kernels/softmax.h"

#include <array>
#include <vector>

#include "autograd/op_case.h"
#include "tensor/kernels/elementwise.h"
#include "tensor/kernels/functions.h"

namespace reverie::inline REVERIE_PRECISION {

// y_k = e^x_k / sum_j e^x_j.   dx = y (dy - sum y dy).   Saves y.
Var softmax(const Var& x, int axis) {
  axis = x.shape().axis(axis);
  Tensor y = Tensor::uninitialized(x.shape());
  kernels::softmax_forward(x.value(), axis, y);
  return record("softmax", y, {x}, [y, axis](Gradients& g) {
    if (Tensor* dx = g.gradient(0)) kernels::softmax_backward(y, g.output(), axis, *dx);
  });
}

// y_k = x_k - log sum_j e^x_j.   dx = dy - e^y sum dy.   Saves y.
Var log_softmax(const Var& x, int axis) {
  axis = x.shape().axis(axis);
  Tensor y = Tensor::uninitialized(x.shape());
  kernels::log_softmax_forward(x.value(), axis, y);
  return record("log_softmax", y, {x}, [y, axis](Gradients& g) {
    if (Tensor* dx = g.gradient(0)) kernels::log_softmax_backward(y, g.output(), axis, *dx);
  });
}

// L = -(1/N) sum_n log p_n,target(n),  p = softmax(logits).   dlogits = dL (p - [k = target]) / N.   Saves log p.
Var cross_entropy(const Var& logits, std::span<const Index> targets) {
  if (logits.rank() != 2 || logits.extent(0) == 0 || logits.extent(0) != std::ssize(targets)) {
    throw ShapeError("cross_entropy: expects logits [N,K] and N targets, got ", logits.shape(), " and ", targets.size(),
                     " targets");
  }
  const Index rows = logits.extent(0), classes = logits.extent(1);
  for (const Index target : targets) {
    if (target < 0 || target >= classes) {
      throw Error("cross_entropy: expects targets from 0 to ", classes - 1, ", got ", target);
    }
  }
  Tensor log_p = Tensor::uninitialized(logits.shape());
  kernels::log_softmax_forward(logits.value(), 1, log_p);
  double loss = 0;
  for (Index n = 0; n < rows; ++n) loss -= log_p[n * classes + targets[n]];
  return record("cross_entropy", Tensor::scalar(loss / rows), {logits},
                [log_p, targets = std::vector(targets.begin(), targets.end())](Gradients& g) {
                  Tensor* dx = g.gradient(0);
                  if (dx == nullptr) return;
                  const Index rows = log_p.extent(0), classes = log_p.extent(1);
                  const real scale = g.output().item() / rows;
                  kernels::accumulate(
                      *dx, [scale](real log_p) { return scale * kernels::fast_exp(log_p); }, log_p);
                  for (Index n = 0; n < rows; ++n) (*dx)[n * classes + targets[n]] -= scale;
                });
}

OpCases softmax_cases() {
  const auto along = [](const char* op, const char* label, const Shape& shape, int axis, Var (*f)(const Var&, int)) {
    return OpCase{op, label, {{shape}}, [=](std::span<const Var> in) { return f(in[0], axis); }};
  };
  return {along("softmax", "last axis", {3, 7}, -1, softmax),
          along("softmax", "middle axis", {2, 5, 3}, 1, softmax),
          along("softmax", "first axis", {5, 3}, 0, softmax),
          along("log_softmax", "last axis", {3, 7}, -1, log_softmax),
          along("log_softmax", "middle axis", {2, 5, 3}, 1, log_softmax),
          {"cross_entropy", "", {{{4, 5}}}, [](std::span<const Var> in) {
             return cross_entropy(in[0], std::array<Index, 4>{3, 0, 4, 3});
           }}};
}

}  // namespace reverie::inline REVERIE_PRECISION
