#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// DPM-Solver++(2M) for the SDE. For constant D the mean is e^-a x + (1 - e^-a) D with a = (1 + eta) h; the change of D
// since the previous sampling step is added with the weight q, then the noise. q comes from the exact integral for
// linear D (heun), or from the value of D at the midpoint (midpoint).
// [Lu22] Alg. 2, app. A
Var sample_dpmpp_2m_sde(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions& options,
                        const NoiseSource& noise, const Observer& observe) {
  Var before;
  for (Index i = 0; i + 1 < std::ssize(sigmas); ++i) {
    const double sigma = sigmas[i], next = sigmas[i + 1];
    const Var denoised = denoise(x, sigma);
    if (next == 0) {
      x = denoised;
    } else {
      const double h = std::log(sigma / next), a = (1 + options.eta) * h, gone = -std::expm1(-a);  // 1 - e^-a
      Var mean = std::exp(-a) * x + gone * denoised;
      if (i > 0) {
        const double q = options.solver_type == "heun" ? 1 - gone / a : gone / 2;
        mean = mean + q * h / std::log(sigmas[i - 1] / sigma) * (denoised - before);
      }
      const double up = next * std::sqrt(-std::expm1(-2 * options.eta * h));
      x = add_noise(mean, options.s_noise * up, noise, i);
    }
    before = denoised;
    if (observe) observe(i, x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
