#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// Like dpmpp_2m_sde, with the exact integrals of the parabola through the last three denoiser outputs. u and w are the
// divided differences of D over the last two sampling steps; slope and curvature have the weights f2 and -f3.
// [Lu22] app. A, B
Var sample_dpmpp_3m_sde(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions& options,
                        const NoiseSource& noise, const Observer& observe) {
  Var before, before_that;
  for (Index i = 0; i + 1 < std::ssize(sigmas); ++i) {
    const double sigma = sigmas[i], next = sigmas[i + 1];
    const Var denoised = denoise(x, sigma);
    if (next == 0) {
      x = denoised;
    } else {
      const double h = std::log(sigma / next), a = (1 + options.eta) * h, gone = -std::expm1(-a);  // 1 - e^-a
      const double f2 = 1 - gone / a, f3 = f2 / a - 0.5;
      Var mean = std::exp(-a) * x + gone * denoised;
      if (i > 0) {
        const double r0 = std::log(sigmas[i - 1] / sigma) / h;
        const Var u = (denoised - before) / r0;
        mean = mean + f2 * u;
        if (i > 1) {
          const double r1 = std::log(sigmas[i - 2] / sigmas[i - 1]) / h;
          const Var w = (before - before_that) / r1;
          mean = mean + (f2 * r0 - f3) / (r0 + r1) * (u - w);
        }
      }
      const double up = next * std::sqrt(-std::expm1(-2 * options.eta * h));
      x = add_noise(mean, options.s_noise * up, noise, i);
    }
    before_that = before;
    before = denoised;
    if (observe) observe(i, x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
