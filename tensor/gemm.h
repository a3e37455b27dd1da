#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

enum class Trans : bool { no, yes };

/// C = alpha op(A) op(B) + beta C, with op(A): m x k, op(B): k x n, C: m x n, all row-major; ld* is the distance
/// between two rows as stored, so a matrix may be a window in a wider one (a head in [N, T, C]). One thread; call it in
/// a tile.
void gemm(Trans trans_a, Trans trans_b, Index m, Index n, Index k, real alpha, const real* a, Index lda, const real* b,
          Index ldb, real beta, real* c, Index ldc);

/// The same, with the rows of C cut into tiles that run in parallel. The cut depends on the sizes alone.
void parallel_gemm(Trans trans_a, Trans trans_b, Index m, Index n, Index k, real alpha, const real* a, Index lda,
                   const real* b, Index ldb, real beta, real* c, Index ldc);

}  // namespace reverie::inline REVERIE_PRECISION
