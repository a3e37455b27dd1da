#pragma once
#include <span>
#include <vector>

#include "autograd/ops.h"

namespace reverie::inline REVERIE_PRECISION {

/// One time step per sample: positions 0 .. T-1 in the current (perhaps respaced) chain, 0 the least noisy.
using Timesteps = std::span<const Index>;

/// f(level_i) for every sample i, as a constant of shape [N,1,..,1] with `rank` axes that broadcasts over a batch. A
/// level is a time step or a real number (sigma, u). Computed in double, then cast to `real`.
template <class Level, class F>
Var per_level(std::span<const Level> levels, int rank, F f) {
  std::vector<Index> extents(static_cast<std::size_t>(rank), 1);
  extents[0] = static_cast<Index>(levels.size());
  Tensor values = Tensor::uninitialized(Shape(extents));
  for (std::size_t i = 0; i < levels.size(); ++i) values[static_cast<Index>(i)] = static_cast<real>(f(levels[i]));
  return values;
}
template <class F>
Var per_sample(Timesteps t, int rank, F f) {
  return per_level(t, rank, [&](Index step) { return f(static_cast<std::size_t>(step)); });
}
template <class F>
Var per_sample(std::span<const double> levels, int rank, F f) {
  return per_level(levels, rank, f);
}

/// The table's entries at the samples' time steps, e.g. `extract(schedule.betas, t, x.rank())`.
inline Var extract(const std::vector<double>& table, Timesteps t, int rank) {
  return per_sample(t, rank, [&](std::size_t k) { return table[k]; });
}

}  // namespace reverie::inline REVERIE_PRECISION
