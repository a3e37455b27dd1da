#pragma once
#include <vector>

#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

/// The steps at which a batch is trained: sample i of a step gets a t uniform in [0, T), a function of (seed, step, i).
std::vector<Index> uniform_timesteps(std::uint64_t seed, Index step, Index count, Index T);

}  // namespace reverie::inline REVERIE_PRECISION
