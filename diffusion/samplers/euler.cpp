#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// First order: along the slope at the start of each step. One evaluation a step.                [Karras22] sec. 3, 4
Tensor sample_euler(const Denoiser& denoise, Tensor x, std::span<const double> sigmas, const SamplerOptions& options,
                    const NoiseSource& noise, const Observer& observe) {
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = churn(x, sigmas[i], static_cast<Index>(i), sigmas, options, noise);
    const Tensor denoised = denoise(x, sigma);
    x = step(x, denoised, sigma, sigmas[i + 1]);
    if (observe) observe(static_cast<Index>(i), x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
