#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// DPM-Solver++(2S) for the SDE: an ancestral step to the midpoint (in log sigma), then the whole ancestral step with
// the denoiser's output there. Noise draws of sampling step i: 2i at the midpoint, 2i + 1 at the end.
// [Lu22] Alg. 1, app. A
Var sample_dpmpp_sde(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions& options,
                     const NoiseSource& noise, const Observer& observe) {
  for (Index i = 0; i + 1 < std::ssize(sigmas); ++i) {
    const double sigma = sigmas[i], next = sigmas[i + 1], middle = std::sqrt(sigma * next);
    const auto request = 2 * i;
    const auto ancestral = [&](const Var& denoised, double to, Index number) {
      const auto [down, up] = ancestral_split(sigma, to, options.eta);
      return add_noise(step(x, denoised, sigma, down), options.s_noise * up, noise, number);
    };
    const Var denoised = denoise(x, sigma);
    x = next == 0 ? denoised : ancestral(denoise(ancestral(denoised, middle, request), middle), next, request + 1);
    if (observe) observe(i, x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
