#pragma once
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The heads of a tensor [N,rows,...] in place: the matrix of sample n and head h begins at `at(n, h)`, with rows
/// `row_stride` apart. So heads are never copied or permuted.
template <class T>
struct HeadView {
  T* data;
  Index rows, row_stride, head_stride;

  T* at(Index sample, Index head) const { return data + sample * rows * row_stride + head * head_stride; }
};

/// y = softmax(q k^T / sqrt(width)) v for each sample and head, with q, y: T x width and k, v: S x width.
/// Writes log_sum [N,heads,T], the logarithm of each query's softmax denominator, for the backward pass. Only a block
/// of the T x S matrix is in memory at a time. [Dao22]
void attention_forward(Index width, HeadView<const real> q, HeadView<const real> k, HeadView<const real> v,
                       Tensor& log_sum, HeadView<real> y);
/// Writes dq, dk and dv, or adds to them if `accumulate`; the data of each may be null. If added to, they may share
/// memory as q, k and v do.
void attention_backward(Index width, HeadView<const real> q, HeadView<const real> k, HeadView<const real> v,
                        HeadView<const real> y, const Tensor& log_sum, HeadView<const real> dy, bool accumulate,
                        HeadView<real> dq, HeadView<real> dk, HeadView<real> dv);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
