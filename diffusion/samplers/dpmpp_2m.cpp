#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// DPM-Solver++(2M), second order with one evaluation a step: the denoiser's answer at the middle of the step (in
// h = ln(sigma/next)) is extrapolated from the last two.                                              [Lu22] Alg. 2
Tensor sample_dpmpp_2m(const Denoiser& denoise, Tensor x, std::span<const double> sigmas, const SamplerOptions&,
                       const NoiseSource&, const Observer& observe) {
  Tensor before;
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], next = sigmas[i + 1];
    const Tensor denoised = denoise(x, sigma);
    Var middle = denoised;
    if (i > 0 && next > 0) {
      const double r = std::log(sigmas[i - 1] / sigma) / std::log(sigma / next);
      middle = (1 + 1 / (2 * r)) * Var(denoised) - 1 / (2 * r) * Var(before);
    }
    x = step(x, middle.value(), sigma, next);
    before = denoised;
    if (observe) observe(static_cast<Index>(i), x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
