#include "tensor/gemm.h"

#include <cblas.h>

#include <algorithm>

#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

#ifdef REVERIE_DOUBLE
constexpr auto cblas_gemm = cblas_dgemm;
#else
constexpr auto cblas_gemm = cblas_sgemm;
#endif

// BLAS must not start threads: beside oneTBB's, on the same cores, they slow both down two- to fourfold.
bool single_threaded() {
#ifdef REVERIE_OPENBLAS
  openblas_set_num_threads(1);
#endif
  return true;
}

}  // namespace

void gemm(Trans trans_a, Trans trans_b, Index m, Index n, Index k, real alpha, const real* a, Index lda, const real* b,
          Index ldb, real beta, real* c, Index ldc) {
  [[maybe_unused]] static const bool once = single_threaded();
  if (m == 0 || n == 0) return;
  const auto as_int = [](Index i) { return static_cast<int>(i); };
  const auto as_cblas = [](Trans t) { return t == Trans::yes ? CblasTrans : CblasNoTrans; };
  cblas_gemm(CblasRowMajor, as_cblas(trans_a), as_cblas(trans_b), as_int(m), as_int(n), as_int(k), alpha, a,
             as_int(lda), b, as_int(ldb), beta, c, as_int(ldc));
}

void parallel_gemm(Trans trans_a, Trans trans_b, Index m, Index n, Index k, real alpha, const real* a, Index lda,
                   const real* b, Index ldb, real beta, real* c, Index ldc) {
  // A task has about four million multiplications, tens of microseconds, so that its overhead does not count.
  const Index row_work = std::max<Index>(1, n * k);
  const Index rows = std::max<Index>(16, (Index{1} << 22) / row_work);
  parallel_for(m, rows, [&](Index begin, Index end) {
    gemm(trans_a, trans_b, end - begin, n, k, alpha, trans_a == Trans::yes ? a + begin : a + begin * lda, lda, b, ldb,
         beta, c + begin * ldc, ldc);
  });
}

}  // namespace reverie::inline REVERIE_PRECISION
