#pragma once
#include <array>

#include "tensor/kernels/simd/operands.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// Attention's inner loops for a block of B = `queries` queries. Keys and values are read in place, rows `stride`
/// apart. Vectors run along the queries, so that the maximum and the sum of the softmax need nothing across lanes.
/// Operands are reals, or pairs of neighbours along the sum; an index with a small o ("keyo") counts operands. AMX
/// computes or reads 16 rows or operands even if there are fewer; along a sum, one of the two factors must then be
/// zeros, and the other finite.
template <class Operand>
struct AttentionMicrokernel {
  Index queries;  ///< of a block: one or two vectors; with AMX always two
  Index whole;    ///< rows of q, k, v and dy are padded to a multiple of this, some vectors
  /// s[key,B] = sum over d of k[key,do] q[do,B]: the scores, and dp in the backward pass.
  void (*scores)(const Operand* k, Index stride, Index keys, Index widtho, const Operand* q, real* s);
  /// y[d,B] += sum over keys of v[keyo,d] p[keyo,B]: the output, and dq. Pairs are stored as v[d,keyo], `stride` apart.
  void (*weighted_sum)(const Operand* v, Index stride, Index keyso, Index width, const Operand* p, real* y);
  /// dk[key,:] += sum over queries of p[key,queryo] q[queryo,:], the first `width` of `padded` numbers: dk and dv.
  void (*key_gradient)(const Operand* p, Index keys, Index width, Index padded, const Operand* q, real* dk);
  /// to[columns,rows] = from[rows,columns] transposed; both are multiples of the vector length.
  void (*transpose_rows)(const real* from, Index rows, Index columns, real* to);
  /// largest[B] = max(largest, s[key,B])
  void (*update_largest)(const real* s, Index keys, real* largest);
  /// p[keyo,B] = e^(s - shift[B]), total[B] += p. For reals, p may be s.
  void (*exponentials)(const real* s, Index keys, const real* shift, real* total, Operand* p);
  /// p[key,queryo] = e^(s - log_sum[B]), ds = p (dp - dot[B]), and the same as ds_by_key[keyo,B]. For reals, p may be
  /// s, ds may be dp, and ds_by_key is ds.
  void (*score_gradient)(const real* s, const real* dp, Index keys, const real* log_sum, const real* dot, Operand* p,
                         Operand* ds, Operand* ds_by_key);
};
template <class Operand>
struct AttentionByBlock {
  AttentionMicrokernel<Operand> one_vector, two_vectors;
  /// Returns the one for the next block of `queries` remaining queries.
  const AttentionMicrokernel<Operand>& of(Index queries) const {
    return queries <= one_vector.queries ? one_vector : two_vectors;
  }
};
struct AttentionMicrokernels {
  AttentionByBlock<real> of_real;
  std::array<AttentionByBlock<Bfloat16Pair>, 3> bfloat16_levels{};  ///< for real = float, by Bfloat16Level
};
/// The microkernels for this processor, chosen at the first call.
const AttentionMicrokernels& attention_microkernels();

template <class Operand>
const AttentionMicrokernel<Operand>& attention_microkernel(Index queries) {
  if constexpr (is_bfloat16<Operand>) {
    return attention_microkernels().bfloat16_levels[static_cast<std::size_t>(bfloat16_level())].of(queries);
  } else {
    return attention_microkernels().of_real.of(queries);
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
