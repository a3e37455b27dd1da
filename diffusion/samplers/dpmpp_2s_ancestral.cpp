#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// DPM-Solver++(2S), second order, single-step: uses the denoiser's output at the midpoint (in log sigma) for the whole
// sampling step. Noise as in the ancestral Euler sampler.
// [Lu22] Alg. 1, r = 1/2
Var sample_dpmpp_2s_ancestral(const Denoiser& denoise, Var x, std::span<const double> sigmas,
                              const SamplerOptions& options, const NoiseSource& noise, const Observer& observe) {
  for (Index i = 0; i + 1 < std::ssize(sigmas); ++i) {
    const double sigma = sigmas[i];
    const Var denoised = denoise(x, sigma);
    const auto [down, up] = ancestral_split(sigma, sigmas[i + 1], options.eta);
    if (down > 0) {
      const double middle = std::sqrt(sigma * down);
      x = step(x, denoise(step(x, denoised, sigma, middle), middle), sigma, down);
    } else {
      x = denoised;
    }
    x = add_noise(x, options.s_noise * up, noise, i);
    if (observe) observe(i, x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
