#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// What attention computes for a block of B = `queries` queries, all keys' rows being read where they lie
/// (`stride` apart). Vectors run along the queries, so that softmax's maximum and sum need nothing across lanes.
struct AttentionMicro {
  Index queries;  ///< of a block: one or two vectors
  Index lanes;    ///< of a vector: `spread` and `turn` take rows padded to whole vectors
  /// s[key,B] = sum over d of k[key,d] q[d,B]: scores, and in the backward pass dP.
  void (*scores)(const real* k, Index stride, Index keys, Index width, const real* q, real* s);
  /// y[d,B] += sum over keys of v[key,d] p[key,B]: outputs, and dQ.
  void (*mix)(const real* v, Index stride, Index keys, Index width, const real* p, real* y);
  /// dk[key,:] += sum over queries of p[key,query] q[query,:], rows of `padded` numbers: dK and dV.
  void (*spread)(const real* p, Index keys, Index padded, const real* q, real* dk);
  /// to[columns,rows] = from[rows,columns] transposed, both numbers being whole vectors
  void (*turn)(const real* from, Index rows, Index columns, real* to);
  /// largest[B] = max(largest, s[key,B])
  void (*raise)(const real* s, Index keys, real* largest);
  /// s = e^(s - shift[B]), total[B] += s
  void (*exponentials)(real* s, Index keys, const real* shift, real* total);
  /// p = e^(s - log_sum[B]) in s's place, ds = p (dp - dot[B]) in dp's
  void (*slopes)(real* s, real* dp, Index keys, const real* log_sum, const real* dot);
};
struct AttentionMicros {
  AttentionMicro one_vector, two_vectors;
};
/// The one whose block fits so many queries, or as many of them as go at once.
const AttentionMicro& attention_micro(Index queries);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
