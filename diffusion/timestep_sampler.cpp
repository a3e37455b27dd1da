#include "diffusion/timestep_sampler.h"

namespace reverie::inline REVERIE_PRECISION {

std::vector<Index> uniform_timesteps(std::uint64_t seed, Index step, Index count, Index T) {
  const RandomKey key{.seed = seed, .stream = Stream::timestep, .step = static_cast<std::uint64_t>(step)};
  std::vector<Index> t;
  for (Index i = 0; i < count; ++i) t.push_back(uniform_index(key.with_sample(i), T));
  return t;
}

}  // namespace reverie::inline REVERIE_PRECISION
