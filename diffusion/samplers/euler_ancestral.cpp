#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// An Euler step to below the next noise level, then fresh noise up to it. With eta = 1 this is ancestral sampling with
// the fixed_small variance in the sigma form; with eta = 0 it is Euler.
// [Song21] eqs. 12, 16
Var sample_euler_ancestral(const Denoiser& denoise, Var x, std::span<const double> sigmas,
                           const SamplerOptions& options, const NoiseSource& noise, const Observer& observe) {
  for (Index i = 0; i + 1 < std::ssize(sigmas); ++i) {
    const Var denoised = denoise(x, sigmas[i]);
    const auto [down, up] = ancestral_split(sigmas[i], sigmas[i + 1], options.eta);
    x = step(x, denoised, sigmas[i], down);
    x = add_noise(x, options.s_noise * up, noise, i);
    if (observe) observe(i, x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
