#include "diffusion/formulations/flow.h"

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Along the straight line x_u = x / (1 + sigma), u = sigma / (1 + sigma), with the denoiser as a velocity. The step to
// u = 0, where that velocity is 0/0, is Euler's and ends at the denoiser's answer.                 [Lipman23], [Liu23]
Tensor sample_flow(Tensor (*solve)(const Velocity&, Tensor, std::span<const double>), const Denoiser& denoise, Tensor x,
                   std::span<const double> sigmas, const Observer& observe) {
  std::vector<double> u;
  for (const double sigma : sigmas) u.push_back(sigma / (1 + sigma));
  Tensor denoised;
  const Velocity velocity =
      denoiser_velocity([&](const Tensor& at, double sigma) { return denoised = denoise(at, sigma); });
  x = (Var(x) / (1 + sigmas[0])).value();
  for (std::size_t i = 0; i + 1 < u.size(); ++i) {
    const auto ends = std::span(u).subspan(i, 2);
    x = ends[1] > 0 ? solve(velocity, x, ends) : flow_euler(velocity, x, ends);
    if (observe) observe(static_cast<Index>(i), x, denoised);
  }
  return ((1 + sigmas.back()) * Var(x)).value();
}

}  // namespace

// First order. Nothing but Euler's steps in sigma, or DDIM's, between the same noise levels.
Tensor sample_flow_euler(const Denoiser& denoise, Tensor x, std::span<const double> sigmas, const SamplerOptions&,
                         const NoiseSource&, const Observer& observe) {
  return sample_flow(flow_euler, denoise, std::move(x), sigmas, observe);
}

// Second order, two evaluations a step.
Tensor sample_flow_heun(const Denoiser& denoise, Tensor x, std::span<const double> sigmas, const SamplerOptions&,
                        const NoiseSource&, const Observer& observe) {
  return sample_flow(flow_heun, denoise, std::move(x), sigmas, observe);
}

}  // namespace reverie::inline REVERIE_PRECISION
