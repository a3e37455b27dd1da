#pragma once
#include "autograd/tape.h"
#include "tensor/kernels/elementwise.h"

namespace reverie::inline REVERIE_PRECISION {

/// dL/dx[i] (+)= f(in[i]...) for one input x of an operation; all tensors have x's size.
template <class F, class... In>
void pointwise_gradient(Gradients& g, int input, F f, const In&... in) {
  g.compute(input, [&](Tensor& dx, bool accumulate) {
    accumulate ? kernels::accumulate(dx, f, in...) : kernels::map(dx, f, in...);
  });
}

}  // namespace reverie::inline REVERIE_PRECISION
