#include "diffusion/samplers/flow_solvers.h"

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {
Var flow_euler(const Velocity& velocity, Var x, std::span<const double> u) {
  for (Index i = 0; i + 1 < std::ssize(u); ++i) x = x + (u[i + 1] - u[i]) * velocity(x, u[i]);
  return x;
}

Var flow_heun(const Velocity& velocity, Var x, std::span<const double> u) {
  for (Index i = 0; i + 1 < std::ssize(u); ++i) {
    const double h = u[i + 1] - u[i];
    const Var here = velocity(x, u[i]);
    const Var there = velocity(x + h * here, u[i + 1]);
    x = x + h / 2 * (here + there);
  }
  return x;
}

Velocity denoiser_velocity(Denoiser denoise) {
  return [denoise = std::move(denoise)](const Var& x_u, double u) {
    if (u == 0) return -1 * x_u;  // no noise is left: E[n - x_0 | x_0 = x] = -x
    const Var x0 = denoise(x_u / (1 - u), u / (1 - u));
    return (x_u - x0) / u;
  };
}

namespace {

// Integrates along the straight line x_u = x / (1 + sigma), u = sigma / (1 + sigma), with the denoiser as a velocity.
// The sampling step to u = 0, where that velocity is 0/0, is an Euler step and returns the denoiser's output.
// [Lipman23], [Liu23]
Var sample_flow(Var (*solve)(const Velocity&, Var, std::span<const double>), const Denoiser& denoise, Var x,
                std::span<const double> sigmas, const Observer& observe) {
  std::vector<double> u;
  for (const double sigma : sigmas) u.push_back(sigma / (1 + sigma));
  Var denoised;
  const Velocity velocity =
      denoiser_velocity([&](const Var& at, double sigma) { return denoised = denoise(at, sigma); });
  x = x / (1 + sigmas[0]);
  for (Index i = 0; i + 1 < std::ssize(u); ++i) {
    const auto ends = std::span(u).subspan(i, 2);
    x = ends[1] > 0 ? solve(velocity, x, ends) : flow_euler(velocity, x, ends);
    if (observe) observe(i, (1 + sigmas[i + 1]) * x, denoised);
  }
  return (1 + sigmas.back()) * x;
}

}  // namespace

// First order. Equal to Euler in sigma, and to DDIM, between the same noise levels.
Var sample_flow_euler(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions&,
                      const NoiseSource&, const Observer& observe) {
  return sample_flow(flow_euler, denoise, std::move(x), sigmas, observe);
}

// Second order, two evaluations per sampling step.
Var sample_flow_heun(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions&,
                     const NoiseSource&, const Observer& observe) {
  return sample_flow(flow_heun, denoise, std::move(x), sigmas, observe);
}

}  // namespace reverie::inline REVERIE_PRECISION
