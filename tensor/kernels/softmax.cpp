#include "tensor/kernels/softmax.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "tensor/kernels/elementwise.h"
#include "tensor/kernels/functions.h"

namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

using UnitStride = std::integral_constant<Index, 1>;  // of a line along the last axis, as a compile-time constant

// Calls body(offset of a line's first element, stride between its elements) for every line along `axis`.
template <class Body>
void for_lines(const Shape& shape, int axis, Body body) {
  const Index length = shape[axis], inner = shape.product(axis + 1, shape.rank());
  const Index lines = shape.product(0, axis) * inner;
  parallel_for(lines, std::max<Index>(1, elementwise_grain / std::max<Index>(1, length)), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      if (inner == 1) {
        body(i * length, UnitStride{});
      } else {
        body(i / inner * length * inner + i % inner, inner);
      }
    }
  });
}

// Ignores NaNs; they still reach the sum of the exponentials, and so the whole line.
template <class Stride>
real largest(const real* x, Index n, Stride stride) {
  real most = -std::numeric_limits<real>::infinity();
#pragma omp simd reduction(max : most)
  for (Index k = 0; k < n; ++k) most = x[k * stride] > most ? x[k * stride] : most;
  return most;
}

template <class Stride>
void softmax_line(const real* x, Index n, Stride stride, real* y) {
  const real most = largest(x, n, stride);
  real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index k = 0; k < n; ++k) {
    const real e = fast_exp(x[k * stride] - most);
    y[k * stride] = e;
    sum += e;
  }
  const real scale = 1 / sum;
#pragma omp simd
  for (Index k = 0; k < n; ++k) y[k * stride] *= scale;
}

}  // namespace

void softmax_row(const real* x, Index n, real* y) { softmax_line(x, n, UnitStride{}, y); }

void softmax_forward(const Tensor& x, int axis, Tensor& y) {
  const Index n = x.extent(axis);
  for_lines(x.shape(), axis, [&](Index at, auto stride) { softmax_line(x.data() + at, n, stride, y.data() + at); });
}

void softmax_backward(const Tensor& y, const Tensor& dy, int axis, Tensor& dx) {
  const Index n = y.extent(axis);
  for_lines(y.shape(), axis, [&](Index at, auto stride) {
    const real *value = y.data() + at, *slope = dy.data() + at;
    real *to = dx.data() + at, sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Index k = 0; k < n; ++k) sum += value[k * stride] * slope[k * stride];
#pragma omp simd
    for (Index k = 0; k < n; ++k) to[k * stride] += value[k * stride] * (slope[k * stride] - sum);
  });
}

void log_softmax_forward(const Tensor& x, int axis, Tensor& y) {
  const Index n = x.extent(axis);
  for_lines(x.shape(), axis, [&](Index at, auto stride) {
    const real* from = x.data() + at;
    real *to = y.data() + at, sum = 0;
    const real most = largest(from, n, stride);
#pragma omp simd reduction(+ : sum)
    for (Index k = 0; k < n; ++k) sum += fast_exp(from[k * stride] - most);
    const real log_sum = std::log(sum);
#pragma omp simd
    for (Index k = 0; k < n; ++k) to[k * stride] = (from[k * stride] - most) - log_sum;
  });
}

void log_softmax_backward(const Tensor& y, const Tensor& dy, int axis, Tensor& dx) {
  const Index n = y.extent(axis);
  for_lines(y.shape(), axis, [&](Index at, auto stride) {
    const real *value = y.data() + at, *slope = dy.data() + at;
    real *to = dx.data() + at, sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Index k = 0; k < n; ++k) sum += slope[k * stride];
#pragma omp simd
    for (Index k = 0; k < n; ++k) to[k * stride] += slope[k * stride] - fast_exp(value[k * stride]) * sum;
  });
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
