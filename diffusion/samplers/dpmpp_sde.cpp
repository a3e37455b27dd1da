#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

double middle_of(double sigma, double next) { return std::sqrt(sigma * next); }  // in log sigma

// The two noises of each sampling step from one Brownian path in sigma: draw 2i is its increment from sigma to the
// midpoint, draw 2i + 1 the one from sigma to next, both scaled to variance 1. The second contains the first, so their
// correlation rho has rho^2 = (sigma - middle) / (sigma - next). With independent noises, the denoiser's output at the
// midpoint would follow noise that isn't in x, and samples would have too small a variance.
NoiseSource along_one_path(const NoiseSource& independent, std::span<const double> sigmas) {
  return [=](Index number) -> Tensor {
    const Index i = number / 2;
    if (number % 2 == 0) return independent(number);
    const double sigma = sigmas[i], next = sigmas[i + 1];
    const double rho2 = (sigma - middle_of(sigma, next)) / (sigma - next);
    return (std::sqrt(rho2) * Var(independent(number - 1)) + std::sqrt(1 - rho2) * Var(independent(number))).value();
  };
}

}  // namespace

// DPM-Solver++(2S) for the SDE: an ancestral step to the midpoint, then the whole ancestral step with the denoiser's
// output there.
// [Lu22] Alg. 1, app. A
Var dpmpp_sde_with_noise(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions& options,
                         const NoiseSource& noise, const Observer& observe) {
  for (Index i = 0; i + 1 < std::ssize(sigmas); ++i) {
    const double sigma = sigmas[i], next = sigmas[i + 1], middle = middle_of(sigma, next);
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

Var sample_dpmpp_sde(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions& options,
                     const NoiseSource& noise, const Observer& observe) {
  return dpmpp_sde_with_noise(denoise, std::move(x), sigmas, options, along_one_path(noise, sigmas), observe);
}

}  // namespace reverie::inline REVERIE_PRECISION
