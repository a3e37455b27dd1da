#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// Second order: the whole step along the slope at its middle (in log sigma), which an Euler step reaches. 2n - 1
// evaluations for n steps.                                                          [Lu22a] Alg. 1, [Karras22] sec. 3
Tensor sample_dpm2(const Denoiser& denoise, Tensor x, std::span<const double> sigmas, const SamplerOptions& options,
                   const NoiseSource& noise, const Observer& observe) {
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = churn(x, sigmas[i], static_cast<Index>(i), sigmas, options, noise), next = sigmas[i + 1];
    const Tensor denoised = denoise(x, sigma);
    if (next > 0) {
      const double middle = std::sqrt(sigma * next);
      const Tensor halfway = step(x, denoised, sigma, middle);
      x = (x + (next - sigma) * slope(halfway, denoise(halfway, middle), middle)).value();
    } else {
      x = denoised;
    }
    if (observe) observe(static_cast<Index>(i), x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
