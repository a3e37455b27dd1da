#pragma once
#include <span>
#include <vector>

#include "autograd/ops.h"

namespace reverie::inline REVERIE_PRECISION {

/// One step of a chain per sample: positions 0 .. T-1 in the chain at hand, 0 the least noisy.
using Steps = std::span<const Index>;

/// f(t_i) for every sample i, as a constant of shape [N,1,..,1] with `rank` axes that broadcasts over a batch. Computed
/// in double; the cast to `real` comes last.
template <class F>
Var per_sample(Steps t, int rank, F f) {
  std::vector<Index> extents(static_cast<std::size_t>(rank), 1);
  extents[0] = static_cast<Index>(t.size());
  Tensor values = Tensor::uninitialized(Shape(extents));
  for (std::size_t i = 0; i < t.size(); ++i)
    values[static_cast<Index>(i)] = static_cast<real>(f(static_cast<std::size_t>(t[i])));
  return values;
}

/// The entries of a table at the samples' steps, e.g. `extract(schedule.betas, t, x.rank())`.
inline Var extract(const std::vector<double>& table, Steps t, int rank) {
  return per_sample(t, rank, [&](std::size_t k) { return table[k]; });
}

}  // namespace reverie::inline REVERIE_PRECISION
