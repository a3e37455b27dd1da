// Prints a table of docs/samplers.md: the mean and the spread of every sampler's samples of a Gaussian.
#include "benchmarks/sampler_moments.h"

#include <cstdio>

using namespace reverie;

int main() {
  const double mu = 0.2, s = 0.4;
  constexpr Index step_counts[] = {10, 50, 250};
  std::printf("| sampler |");
  for (const Index steps : step_counts) std::printf(" mean, %d steps |", static_cast<int>(steps));
  for (const Index steps : step_counts) std::printf(" spread, %d |", static_cast<int>(steps));
  std::printf("\n|---|---|---|---|---|---|---|\n");
  for (const NoisySampler& sampler : noisy_samplers()) {
    std::string means, spreads;
    for (const Index steps : step_counts) {
      const SampleMoments moments = sample_moments(sampler, mu, s, steps);
      char cell[32];
      std::snprintf(cell, sizeof cell, " %.3f |", moments.mean / mu);
      means += cell;
      std::snprintf(cell, sizeof cell, " %.3f |", moments.deviation / s);
      spreads += cell;
    }
    std::printf("| %s |%s%s\n", sampler_label(sampler).c_str(), means.c_str(), spreads.c_str());
  }
}
