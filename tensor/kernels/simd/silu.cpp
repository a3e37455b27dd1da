// silu and its gradient, element by element. The compiler vectorises the loops.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/simd/silu.cpp"
#include <hwy/foreach_target.h>
// clang-format off
#include <hwy/highway.h>
// clang-format on

#include "tensor/kernels/elementwise.h"
#include "tensor/kernels/functions.h"
#include "tensor/kernels/simd/silu.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {

HWY_ATTR void silu_values(const real* x, Index count, real* y) {
#pragma omp simd
  for (Index i = 0; i < count; ++i) y[i] = silu(x[i]);
}

HWY_ATTR void silu_slopes(const real* x, const real* dy, Index count, bool accumulate, real* dx) {
  if (accumulate) {
#pragma omp simd
    for (Index i = 0; i < count; ++i) dx[i] += dy[i] * silu_slope(x[i]);
  } else {
#pragma omp simd
    for (Index i = 0; i < count; ++i) dx[i] = dy[i] * silu_slope(x[i]);
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace reverie::inline REVERIE_PRECISION::kernels {

HWY_EXPORT(silu_values);
HWY_EXPORT(silu_slopes);

void silu_forward(const Tensor& x, Tensor& y) {
  parallel_for(x.size(), elementwise_grain, [from = x.data(), to = y.data()](Index begin, Index end) {
    HWY_DYNAMIC_DISPATCH(silu_values)(from + begin, end - begin, to + begin);
  });
}

void silu_backward(const Tensor& x, const Tensor& dy, bool accumulate, Tensor& dx) {
  parallel_for(x.size(), elementwise_grain,
               [from = x.data(), slope = dy.data(), accumulate, to = dx.data()](Index begin, Index end) {
                 HWY_DYNAMIC_DISPATCH(silu_slopes)(from + begin, slope + begin, end - begin, accumulate, to + begin);
               });
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
#endif
