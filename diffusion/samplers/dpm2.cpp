#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// Second order: takes the whole sampling step along the slope at its midpoint (in log sigma), which an Euler step
// reaches. 2n - 1 evaluations for n sampling steps.
// [Lu22a] Alg. 1, [Karras22] sec. 3
Var sample_dpm2(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions& options,
                const NoiseSource& noise, const Observer& observe) {
  for (Index i = 0; i + 1 < std::ssize(sigmas); ++i) {
    const double sigma = churn(x, sigmas[i], i, sigmas, options, noise), next = sigmas[i + 1];
    const Var denoised = denoise(x, sigma);
    if (next > 0) {
      const double middle = std::sqrt(sigma * next);
      const Var halfway = step(x, denoised, sigma, middle);
      x = x + (next - sigma) * slope(halfway, denoise(halfway, middle), middle);
    } else {
      x = denoised;
    }
    if (observe) observe(i, x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
