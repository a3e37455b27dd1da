// dpmpp_sde drew the two noises of a sampling step independently, and its samples had too small a variance: of an exact
// Gaussian 0.69, 0.91 and 0.98 of the standard deviation with 10, 50 and 250 steps. Orders are measured without noise,
// so no test saw it.
#include "benchmarks/sampler_moments.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

constexpr double mu = 0.2, s = 0.4;

// How far the relative spread may be off with 10, 50 and 250 steps: by the sampler's order.
struct Bounds {
  double spread[3];
};
constexpr Bounds first_order{{0.41, 0.14, 0.05}}, second_order{{1.5, 0.035, 0.006}};

const Bounds& bounds_of(const NoisySampler& sampler) {
  for (const std::string name : {"ddpm", "ddim", "euler", "flow_euler", "euler_ancestral"}) {
    if (name == sampler.sampler) return first_order;
  }
  return second_order;
}

}  // namespace

TEST_CASE("every sampler, with its noise on: samples of a Gaussian have its mean and its spread") {
  if (sizeof(real) == 4) return;  // the moments are exact in double
  for (const NoisySampler& sampler : noisy_samplers()) {
    CAPTURE(sampler_label(sampler));
    double before = INFINITY;
    for (int i = 0; i < 3; ++i) {
      constexpr Index step_counts[] = {10, 50, 250};
      const Index steps = step_counts[i];
      CAPTURE(steps);
      const SampleMoments moments = sample_moments(sampler, mu, s, steps);
      CHECK(std::abs(moments.mean - mu) < 0.02 * s);
      const double error = std::abs(moments.deviation / s - 1);
      CHECK(error < bounds_of(sampler).spread[i]);
      CHECK(error < std::max(before, 0.004));
      before = error;
    }
  }
}
