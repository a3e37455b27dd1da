#include "diffusion/formulations/denoiser.h"

#include <algorithm>
#include <cmath>

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Linear interpolation through the points (xs, ys), xs ascending; constant beyond the ends.
double interpolate(const std::vector<double>& xs, const std::vector<double>& ys, double x) {
  const Index above = std::lower_bound(xs.begin(), xs.end(), x) - xs.begin();
  if (above == std::ssize(xs)) return ys.back();
  if (above == 0 || xs[above] == x) return ys[above];
  const double share = (x - xs[above - 1]) / (xs[above] - xs[above - 1]);
  return ys[above - 1] + share * (ys[above] - ys[above - 1]);
}

}  // namespace

std::vector<double> chain_sigmas(const NoiseSchedule& schedule) {
  std::vector<double> sigmas = schedule.sqrt_recipm1_alphas_cumprod;
  if (schedule.alphas_cumprod.back() == 0) sigmas.back() = 1e5;
  return sigmas;
}

SigmaScale::SigmaScale(const NoiseSchedule& schedule)
    : steps_(schedule.original_steps.begin(), schedule.original_steps.end()), log_sigmas_(chain_sigmas(schedule)) {
  for (double& sigma : log_sigmas_) sigma = std::log(sigma);
}
double SigmaScale::step(double sigma) const { return interpolate(log_sigmas_, steps_, std::log(sigma)); }
double SigmaScale::sigma(double step) const { return std::exp(interpolate(steps_, log_sigmas_, step)); }

// With alpha_bar = 1 / (1 + sigma^2), x_t = sqrt(alpha_bar) x has the chain's distribution at this sigma's time step.
Var chain_denoise(const Process& process, const SigmaScale& scale, const NetworkFunction& network, const Var& x,
                  double sigma) {
  const double alpha_bar = 1 / (1 + sigma * sigma);
  const Var x_t = std::sqrt(alpha_bar) * x;
  const std::vector<double> t(x.extent(0), scale.step(sigma));
  const Var prediction = split_output(network(x_t, t), x.shape(), process.variance_type).prediction;
  const Factors from = kind(process.mean_type).x0(alpha_bar);
  return from.first * x_t + from.second * prediction;
}

Denoiser chain_denoiser(const Process& process, NetworkFunction network) {
  return [process, scale = SigmaScale(process.schedule), network = std::move(network)](const Var& x, double sigma) {
    return chain_denoise(process, scale, network, x, sigma);
  };
}

NetworkFunction chain_network(const Process& process, Denoiser denoise) {
  if (kind(process.variance_type).learned) {
    throw UsageError("a denoiser D(x; sigma) has no variance; the chain's variance is ", name(process.variance_type),
                     ", but must be fixed_small or fixed_large");
  }
  return [scale = SigmaScale(process.schedule), mean_type = process.mean_type, denoise = std::move(denoise)](
             const Var& x_t, std::span<const double> t) {
    if (std::any_of(t.begin(), t.end(), [&](double other) { return other != t[0]; })) {
      throw Error("a denoiser D(x; sigma) is evaluated at one noise level for the whole batch, not at several");
    }
    const double sigma = scale.sigma(t[0]), alpha_bar = 1 / (1 + sigma * sigma);
    const Var x = std::sqrt(1 + sigma * sigma) * x_t;
    const Var x0 = denoise(x, sigma);
    const Factors target = kind(mean_type).target(alpha_bar);
    return target.first * x0 + target.second * ((x - x0) / sigma);
  };
}

void require_fixed_variance(const char* formulation, const Process& process) {
  if (!kind(process.variance_type).learned) return;
  throw UsageError("config: `diffusion.variance` is ", name(process.variance_type), ", which is learned on a chain; ",
                   "formulation ", formulation, " expects fixed_small or fixed_large");
}

}  // namespace reverie::inline REVERIE_PRECISION
