#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// Second order: averages the slopes at both ends of each sampling step. 2n - 1 evaluations for n sampling steps,
// because the one to 0 has no slope at its end. Without churn it is deterministic, [Karras22] Alg. 1; with churn it is
// EDM's stochastic sampler, Alg. 2.
Var sample_heun(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions& options,
                const NoiseSource& noise, const Observer& observe) {
  for (Index i = 0; i + 1 < std::ssize(sigmas); ++i) {
    const double sigma = churn(x, sigmas[i], i, sigmas, options, noise), next = sigmas[i + 1];
    const Var denoised = denoise(x, sigma), euler = step(x, denoised, sigma, next);
    if (next > 0) {
      const Var at_end = slope(euler, denoise(euler, next), next);
      x = x + (next - sigma) / 2 * (slope(x, denoised, sigma) + at_end);
    } else {
      x = euler;
    }
    if (observe) observe(i, x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
