#pragma once
#include <array>

#include "tensor/kernels/simd/operands.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// What attention computes for a block of B = `queries` queries, all keys' rows being read where they lie
/// (`stride` apart). Vectors run along the queries, so that softmax's maximum and sum need nothing across lanes. What
/// is multiplied comes in units of two neighbours along the sum, or in reals; counts along a sum, here with a small u,
/// are of units. In tiles 16 rows or units are computed or read where fewer are asked for: along a sum, of one factor
/// they hold zeros and of the other numbers.
template <class Operand>
struct AttentionMicrokernel {
  Index queries;  ///< of a block: one or two vectors; in tiles always two
  Index whole;    ///< rows of q, k, v and dy are padded to a multiple of it, some vectors
  /// s[key,B] = sum over d of k[key,du] q[du,B]: scores, and in the backward pass dP.
  void (*scores)(const Operand* k, Index stride, Index keys, Index widthu, const Operand* q, real* s);
  /// y[d,B] += sum over keys of v[keyu,d] p[keyu,B]: outputs, and dQ. Pairs come as v[d,keyu], `stride` apart.
  void (*weighted_sum)(const Operand* v, Index stride, Index keysu, Index width, const Operand* p, real* y);
  /// dk[key,:] += sum over queries of p[key,queryu] q[queryu,:], the first `width` of `padded` numbers: dK and dV.
  void (*key_gradient)(const Operand* p, Index keys, Index width, Index padded, const Operand* q, real* dk);
  /// to[columns,rows] = from[rows,columns] transposed, both numbers being whole vectors
  void (*transpose_rows)(const real* from, Index rows, Index columns, real* to);
  /// largest[B] = max(largest, s[key,B])
  void (*update_largest)(const real* s, Index keys, real* largest);
  /// p[keyu,B] = e^(s - shift[B]), total[B] += p. Reals may replace s.
  void (*exponentials)(const real* s, Index keys, const real* shift, real* total, Operand* p);
  /// p[key,queryu] = e^(s - log_sum[B]), ds = p (dp - dot[B]), and the same as ds_by_key[keyu,B]. Reals may replace s
  /// and dp, and for them ds_by_key is ds.
  void (*score_gradient)(const real* s, const real* dp, Index keys, const real* log_sum, const real* dot, Operand* p,
                         Operand* ds, Operand* ds_by_key);
};
template <class Operand>
struct AttentionByBlock {
  AttentionMicrokernel<Operand> one_vector, two_vectors;
  /// The one whose block fits so many queries, or as many of them as go at once.
  const AttentionMicrokernel<Operand>& of(Index queries) const {
    return queries <= one_vector.queries ? one_vector : two_vectors;
  }
};
struct AttentionMicrokernels {
  AttentionByBlock<real> of_real;
  std::array<AttentionByBlock<Bfloat16Pair>, 3> levels{};  ///< for real = float, by Bfloat16Level
};
const AttentionMicrokernels& attention_microkernels();

template <class Operand>
const AttentionMicrokernel<Operand>& attention_microkernel(Index queries) {
  if constexpr (is_bfloat16<Operand>) {
    return attention_microkernels().levels[static_cast<std::size_t>(bfloat16_level())].of(queries);
  } else {
    return attention_microkernels().of_real.of(queries);
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
