#include "autograd/op_case.h"
#include "tensor/gemm.h"
#include "tensor/kernels/broadcast.h"
#include "tensor/kernels/conv/linear.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {

using enum Trans;

// Y_b = A_b B_b.   dA_b = dY_b B_b^T,  dB_b = A_b^T dY_b
Var batched_matmul(const Var& a, const Var& b) {
  if (a.rank() != 3 || b.rank() != 3 || a.extent(0) != b.extent(0) || a.extent(2) != b.extent(1)) {
    throw ShapeError("batched_matmul: expects [B,m,k] and [B,k,n], got ", a.shape(), " and ", b.shape());
  }
  const Index batch = a.extent(0), m = a.extent(1), k = a.extent(2), n = b.extent(2);
  Tensor y = Tensor::uninitialized({batch, m, n});
  parallel_tasks(batch, [&, pa = a.value().data(), pb = b.value().data(), py = y.data()](Index i) {
    gemm(no, no, m, n, k, 1, pa + i * m * k, k, pb + i * k * n, n, 0, py + i * m * n, n);
  });
  return record("batched_matmul", std::move(y), {a, b}, [a = a.value(), b = b.value(), batch, m, k, n](Gradients& g) {
    const real* dy = g.output().data();
    if (Tensor* da = g.gradient(0)) {
      parallel_tasks(batch, [&, da = da->data()](Index i) {
        gemm(no, yes, m, k, n, 1, dy + i * m * n, n, b.data() + i * k * n, n, 1, da + i * m * k, k);
      });
    }
    if (Tensor* db = g.gradient(1)) {
      parallel_tasks(batch, [&, db = db->data()](Index i) {
        gemm(yes, no, k, n, m, 1, a.data() + i * m * k, k, dy + i * m * n, n, 1, db + i * k * n, n);
      });
    }
  });
}

// Y = A B.   dA = dY B^T,  dB = A^T dY
Var matmul(const Var& a, const Var& b) {
  if (a.rank() != 2 || b.rank() != 2 || a.extent(1) != b.extent(0)) {
    throw ShapeError("matmul: expects [m,k] and [k,n], got ", a.shape(), " and ", b.shape());
  }
  const Index m = a.extent(0), k = a.extent(1), n = b.extent(1);
  Tensor y = Tensor::uninitialized({m, n});
  parallel_gemm(no, no, m, n, k, 1, a.value().data(), k, b.value().data(), n, 0, y.data(), n);
  return record("matmul", std::move(y), {a, b}, [a = a.value(), b = b.value(), m, k, n](Gradients& g) {
    const real* dy = g.output().data();
    if (Tensor* da = g.gradient(0)) parallel_gemm(no, yes, m, k, n, 1, dy, n, b.data(), n, 1, da->data(), k);
    if (Tensor* db = g.gradient(1)) parallel_gemm(yes, no, k, n, m, 1, a.data(), k, dy, n, 1, db->data(), n);
  });
}

// Y = X W^T + b; the rows of X are all its leading axes.   dX = dY W,  dW = dY^T X,  db = sum of the rows of dY
Var linear(const Var& x, const Var& weight, const Var& bias) {
  if (weight.rank() != 2 || x.rank() < 1 || x.extent(-1) != weight.extent(1)) {
    throw ShapeError("linear: expects input [...,in] and weight [out,in], got ", x.shape(), " and ", weight.shape());
  }
  const Index out = weight.extent(0), in = weight.extent(1), rows = x.shape().product(0, x.rank() - 1);
  if (bias.value().defined()) require_shape("linear", "the bias", bias.shape(), {out});
  const kernels::LinearShape s{rows, in, out};
  Tensor y = Tensor::uninitialized(x.shape().with(-1, out));
  kernels::linear_forward(s, x.value().data(), weight.value(), bias.value().defined() ? &bias.value() : nullptr,
                          y.data());
  return record("linear", std::move(y), {x, weight, bias},
                [x = SavedTensor(x), weight = weight.value(), s](Gradients& g) {
                  const real* dy = g.output().data();
                  g.compute(0, [&](Tensor& dx, bool accumulate) {
                    kernels::linear_backward_data(s, weight, dy, accumulate, dx.data());
                  });
                  g.compute(1, [&](Tensor& dw, bool accumulate) {
                    kernels::linear_backward_weight(s, x.value().data(), dy, accumulate, dw);
                  });
                  if (Tensor* db = g.gradient(2)) kernels::reduce_add(g.output(), *db);
                });
}

OpCases matmul_cases() {
  using In = std::span<const Var>;
  const auto with_bias = [](In in) { return linear(in[0], in[1], in[2]); };
  return {{"matmul", "", {{{3, 4}}, {{4, 5}}}, [](In in) { return matmul(in[0], in[1]); }},
          {"matmul", "row by column", {{{1, 7}}, {{7, 1}}}, [](In in) { return matmul(in[0], in[1]); }},
          {"batched_matmul", "", {{{2, 3, 4}}, {{2, 4, 5}}}, [](In in) { return batched_matmul(in[0], in[1]); }},
          {"linear", "", {{{4, 3}}, {{5, 3}}, {{5}}}, with_bias},
          {"linear", "tokens", {{{2, 3, 4}}, {{5, 4}}, {{5}}}, with_bias},
          {"linear", "no bias", {{{4, 3}}, {{5, 3}}}, [](In in) { return linear(in[0], in[1]); }}};
}

}  // namespace reverie::inline REVERIE_PRECISION
