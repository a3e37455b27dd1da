#include "tensor/gemm.h"

#include <cblas.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/pool.h"

#ifdef REVERIE_OPENBLAS
extern "C" {  // OpenBLAS's own allocator, which no header declares
[[gnu::weak]] void* blas_memory_alloc(int);
[[gnu::weak]] void blas_memory_free(void*);
}
#endif

namespace reverie::inline REVERIE_PRECISION {
namespace {

#ifdef REVERIE_DOUBLE
constexpr auto cblas_gemm = cblas_dgemm;
#else
constexpr auto cblas_gemm = cblas_sgemm;
#endif

#ifdef REVERIE_OPENBLAS
// A thread inside a product holds a buffer, at most this large on any processor. Where there is no memory for a new
// one, OpenBLAS keeps trying for ever. So all threads' buffers are allocated first, once there is known to be room for
// them.
constexpr std::size_t buffer_bytes = (std::size_t{1} << 27) + (1 << 20);
constexpr int most_buffers = 64;  // it fails with many more than it was built for, in Debian 64 threads

void allocate_buffers(int before, int count) {
  const std::size_t bytes = static_cast<std::size_t>(count - before) * buffer_bytes;
  if (!has_room(bytes)) {
    throw Error("OpenBLAS needs ", megabytes(static_cast<double>(bytes)), " of address space for ", count,
                count == 1 ? " thread" : " threads", ", more than there is (ulimit -v)",
                count == 1 ? "" : "; try fewer threads");
  }
  if (!blas_memory_alloc || !blas_memory_free) return;
  std::vector<void*> buffers(count);
  for (void*& buffer : buffers) buffer = blas_memory_alloc(0);
  for (void* buffer : buffers) blas_memory_free(buffer);  // OpenBLAS keeps them for later products
}
#endif

}  // namespace

void prepare_blas() {
#ifdef REVERIE_OPENBLAS
  static std::mutex mutex;
  static std::atomic<int> prepared = 0;  // number of threads
  const int count = std::min(threads(), most_buffers);
  if (prepared >= count) return;
  const std::lock_guard lock(mutex);
  if (prepared >= count) return;
  openblas_set_num_threads(1);  // its threads, beside oneTBB's on the same cores, slow both down two- to fourfold
  allocate_buffers(prepared, count);
  prepared = count;
#endif
}

void gemm(Trans trans_a, Trans trans_b, Index m, Index n, Index k, real alpha, const real* a, Index lda, const real* b,
          Index ldb, real beta, real* c, Index ldc) {
  prepare_blas();
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
