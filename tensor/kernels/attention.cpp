#include "tensor/kernels/attention.h"

#include <cmath>

#include "tensor/gemm.h"
#include "tensor/kernels/softmax.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

void attention_forward(Index width, HeadView<const real> q, HeadView<const real> k, HeadView<const real> v, Tensor& p,
                       HeadView<real> y) {
  const Index heads = p.extent(1), rows = q.rows, keys = k.rows;
  const real scale = 1 / std::sqrt(static_cast<real>(width));
  parallel_tiles(p.extent(0) * heads, [&](Index tile) {
    const Index n = tile / heads, h = tile % heads;
    real* s = p.data() + tile * rows * keys;
    gemm(Trans::no, Trans::yes, rows, keys, width, scale, q.at(n, h), q.row_stride, k.at(n, h), k.row_stride, 0, s,
         keys);
    for (Index t = 0; t < rows; ++t) softmax_row(s + t * keys, keys, s + t * keys);
    gemm(Trans::no, Trans::no, rows, width, keys, 1, s, keys, v.at(n, h), v.row_stride, 0, y.at(n, h), y.row_stride);
  });
}

// dv = p^T dy,  dp = dy v^T,  ds = p (dp - sum_keys p dp) (the softmax's),  dq = ds k / sqrt(width),  dk = ds^T q /
// sqrt(width).
void attention_backward(Index width, HeadView<const real> q, HeadView<const real> k, HeadView<const real> v,
                        const Tensor& p, HeadView<const real> dy, HeadView<real> dq, HeadView<real> dk,
                        HeadView<real> dv) {
  const Index heads = p.extent(1), rows = q.rows, keys = k.rows;
  const real scale = 1 / std::sqrt(static_cast<real>(width));
  parallel_tiles(p.extent(0) * heads, [&](Index tile) {
    const Index n = tile / heads, h = tile % heads;
    const real *weights = p.data() + tile * rows * keys, *slope = dy.at(n, h);
    if (dv.data != nullptr) {
      gemm(Trans::yes, Trans::no, keys, width, rows, 1, weights, keys, slope, dy.row_stride, 1, dv.at(n, h),
           dv.row_stride);
    }
    if (dq.data == nullptr && dk.data == nullptr) return;
    Tensor ds = Tensor::uninitialized({rows, keys});
    gemm(Trans::no, Trans::yes, rows, keys, width, 1, slope, dy.row_stride, v.at(n, h), v.row_stride, 0, ds.data(),
         keys);
    for (Index t = 0; t < rows; ++t) {
      const real* w = weights + t * keys;
      real *d = ds.data() + t * keys, sum = 0;
#pragma omp simd reduction(+ : sum)
      for (Index j = 0; j < keys; ++j) sum += w[j] * d[j];
#pragma omp simd
      for (Index j = 0; j < keys; ++j) d[j] = w[j] * (d[j] - sum);
    }
    if (dq.data != nullptr) {
      gemm(Trans::no, Trans::no, rows, width, keys, scale, ds.data(), keys, k.at(n, h), k.row_stride, 1, dq.at(n, h),
           dq.row_stride);
    }
    if (dk.data != nullptr) {
      gemm(Trans::yes, Trans::no, keys, width, rows, scale, ds.data(), keys, q.at(n, h), q.row_stride, 1, dk.at(n, h),
           dk.row_stride);
    }
  });
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
