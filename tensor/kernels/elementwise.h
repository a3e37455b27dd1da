#pragma once
#include "tensor/parallel.h"
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// Elements per task: tens of microseconds of work, and few enough for the first-level cache.
inline constexpr Index elementwise_grain = 1 << 14;

/// out[i] = f(in[i]...) for tensors of the same size.
template <class F, class... In>
void map(Tensor& out, F f, const In&... in) {
  real* y = out.data();
  [&](const auto*... x) {
    parallel_for(out.size(), elementwise_grain, [=](Index begin, Index end) {
#pragma omp simd
      for (Index i = begin; i < end; ++i) y[i] = f(x[i]...);
    });
  }(in.data()...);
}

/// out[i] += f(in[i]...). Backward passes add, because a tensor used twice receives two gradients.
template <class F, class... In>
void accumulate(Tensor& out, F f, const In&... in) {
  real* y = out.data();
  [&](const auto*... x) {
    parallel_for(out.size(), elementwise_grain, [=](Index begin, Index end) {
#pragma omp simd
      for (Index i = begin; i < end; ++i) y[i] += f(x[i]...);
    });
  }(in.data()...);
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
