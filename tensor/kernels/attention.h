#pragma once
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The heads of [N,rows,...], in place: the matrix of sample n and head h begins at `at(n, h)`, and its rows are
/// `row_stride` apart. No head is ever copied or permuted.
template <class T>
struct HeadView {
  T* data;
  Index rows, row_stride, head_stride;

  T* at(Index sample, Index head) const { return data + sample * rows * row_stride + head * head_stride; }
};

/// y = softmax(q k^T / sqrt(width)) v for each sample and head, whose matrices q, y: T x width and k, v: S x width.
/// log_sum: [N,heads,T], written: of each query the logarithm of its softmax's denominator, kept for the backward pass.
/// The T x S matrix is never in memory, only a block of it at a time. [Dao22]
void attention_forward(Index width, HeadView<const real> q, HeadView<const real> k, HeadView<const real> v,
                       Tensor& log_sum, HeadView<real> y);
/// Adds to dq, dk and dv, or writes them; the data of each may be null. If they are added to they may share memory
/// where q, k and v do.
void attention_backward(Index width, HeadView<const real> q, HeadView<const real> k, HeadView<const real> v,
                        HeadView<const real> y, const Tensor& log_sum, HeadView<const real> dy, bool accumulate,
                        HeadView<real> dq, HeadView<real> dk, HeadView<real> dv);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
