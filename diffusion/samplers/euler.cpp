#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// First order: follows the slope at the start of each sampling step. One evaluation per sampling step.
// [Karras22] sec. 3, 4
Var sample_euler(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions& options,
                 const NoiseSource& noise, const Observer& observe) {
  for (Index i = 0; i + 1 < std::ssize(sigmas); ++i) {
    const double sigma = churn(x, sigmas[i], i, sigmas, options, noise);
    const Var denoised = denoise(x, sigma);
    x = step(x, denoised, sigma, sigmas[i + 1]);
    if (observe) observe(i, x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
