#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// DPM-Solver++(2M), second order with one evaluation per sampling step: extrapolates the denoiser's output at the
// midpoint (in h = ln(sigma/next)) from the last two.
// [Lu22] Alg. 2
Var sample_dpmpp_2m(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions&,
                    const NoiseSource&, const Observer& observe) {
  Var before;
  for (Index i = 0; i + 1 < std::ssize(sigmas); ++i) {
    const double sigma = sigmas[i], next = sigmas[i + 1];
    const Var denoised = denoise(x, sigma);
    Var middle = denoised;
    if (i > 0 && next > 0) {
      const double r = std::log(sigmas[i - 1] / sigma) / std::log(sigma / next);
      middle = (1 + 1 / (2 * r)) * denoised - 1 / (2 * r) * before;
    }
    x = step(x, middle, sigma, next);
    before = denoised;
    if (observe) observe(i, x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
