#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// DPM-Solver++(2S), second order with one step: the denoiser's answer at the middle in log sigma stands for the whole
// step.                                              [Lu22] Alg. 1, r = 1/2. Noise as in the ancestral Euler sampler.
Tensor sample_dpmpp_2s_ancestral(const Denoiser& denoise, Tensor x, std::span<const double> sigmas,
                                 const SamplerOptions& options, const NoiseSource& noise, const Observer& observe) {
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i];
    const Tensor denoised = denoise(x, sigma);
    const auto [down, up] = ancestral_split(sigma, sigmas[i + 1], options.eta);
    if (down > 0) {
      const double middle = std::sqrt(sigma * down);
      x = step(x, denoise(step(x, denoised, sigma, middle), middle), sigma, down);
    } else {
      x = denoised;
    }
    x = add_noise(x, options.s_noise * up, noise, static_cast<Index>(i));
    if (observe) observe(static_cast<Index>(i), x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
