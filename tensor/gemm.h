#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

enum class Trans : bool { no, yes };

/// Allocates what the BLAS needs for products on all threads. The first product calls it; a program calls it before
/// long work, so as not to fail in the middle. Throws Error if the memory can't be had.
void prepare_blas();

/// Computes C = alpha op(A) op(B) + beta C, with op(A): m x k, op(B): k x n, C: m x n, all row-major. ld* is the
/// distance between rows in memory, so a matrix may be part of a wider one (a head in [N,T,C]). Runs on the calling
/// thread.
void gemm(Trans trans_a, Trans trans_b, Index m, Index n, Index k, real alpha, const real* a, Index lda, const real* b,
          Index ldb, real beta, real* c, Index ldc);

/// The same, with the rows of C split among parallel tasks. The split depends on the sizes only.
void parallel_gemm(Trans trans_a, Trans trans_b, Index m, Index n, Index k, real alpha, const real* a, Index lda,
                   const real* b, Index ldb, real beta, real* c, Index ldc);

}  // namespace reverie::inline REVERIE_PRECISION
