#include "diffusion/formulations/denoiser.h"

#include <algorithm>
#include <cmath>

#include "diffusion/formulations/edm.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// y at x on the line through the points (xs, ys), xs ascending; constant beyond the ends.
double interpolate(const std::vector<double>& xs, const std::vector<double>& ys, double x) {
  const auto above = static_cast<std::size_t>(std::lower_bound(xs.begin(), xs.end(), x) - xs.begin());
  if (above == xs.size()) return ys.back();
  if (above == 0 || xs[above] == x) return ys[above];
  const double share = (x - xs[above - 1]) / (xs[above] - xs[above - 1]);
  return ys[above - 1] + share * (ys[above] - ys[above - 1]);
}

// The chain's steps, as the network knows them, and the logarithms of their sigmas.
struct SigmaScale {
  explicit SigmaScale(const NoiseSchedule& schedule)
      : steps(schedule.original_steps.begin(), schedule.original_steps.end()), log_sigmas(chain_sigmas(schedule)) {
    for (double& sigma : log_sigmas) sigma = std::log(sigma);
  }
  double step(double sigma) const { return interpolate(log_sigmas, steps, std::log(sigma)); }
  double sigma(double step) const { return std::exp(interpolate(steps, log_sigmas, step)); }

  std::vector<double> steps, log_sigmas;
};

Var clipped(const Var& x0, bool clip) { return clip ? clamp(x0, -1, 1) : x0; }

}  // namespace

Denoiser off_tape(DenoiserFunction denoise) {
  return [denoise = std::move(denoise)](const Tensor& x, double sigma) { return denoise(x, sigma).value(); };
}

NetworkFunction off_tape(Model model) {
  return [model = std::move(model)](const Var& x, std::span<const double> t) { return Var(model(x.value(), t)); };
}

std::vector<double> chain_sigmas(const NoiseSchedule& schedule) {
  std::vector<double> sigmas = schedule.sqrt_recipm1_alphas_cumprod;
  if (schedule.alphas_cumprod.back() == 0) sigmas.back() = 1e5;
  return sigmas;
}

double step_of_sigma(const NoiseSchedule& schedule, double sigma) { return SigmaScale(schedule).step(sigma); }
double sigma_of_step(const NoiseSchedule& schedule, double original_step) {
  return SigmaScale(schedule).sigma(original_step);
}

// With alpha_bar = 1 / (1 + sigma^2), x_t = sqrt(alpha_bar) x has the chain's distribution at the step of this sigma.
DenoiserFunction chain_denoiser(const Process& process, NetworkFunction network, bool clip) {
  return [scale = SigmaScale(process.schedule), mean_type = process.mean_type, variance_type = process.variance_type,
          network = std::move(network), clip](const Var& x, double sigma) {
    const double alpha_bar = 1 / (1 + sigma * sigma);
    const Var x_t = std::sqrt(alpha_bar) * x;
    const std::vector<double> t(static_cast<std::size_t>(x.extent(0)), scale.step(sigma));
    const Var prediction = split_output(network(x_t, t), x.shape(), variance_type).prediction;
    const Factors from = kind(mean_type).x0(alpha_bar);
    return clipped(from.first * x_t + from.second * prediction, clip);
  };
}

// Beyond edm_sigma_max nothing of x_0 is left to see: the network, never trained there, is asked at that end instead.
DenoiserFunction edm_denoiser(double sigma_data, NetworkFunction network, bool clip) {
  return [=](const Var& x, double sigma) {
    const double asked = std::min(sigma, edm_sigma_max);
    const std::vector<double> sigmas(static_cast<std::size_t>(x.extent(0)), asked);
    return clipped(edm_denoise(network, x * (asked / sigma), sigmas, sigma_data), clip);
  };
}

// With u = sigma / (1 + sigma), x_u = x / (1 + sigma) lies on the straight line from x_0 to n.
DenoiserFunction flow_denoiser(NetworkFunction network, bool clip) {
  return [=](const Var& x, double sigma) {
    const std::vector<double> u(static_cast<std::size_t>(x.extent(0)), sigma / (1 + sigma));
    const Var x_u = x / (1 + sigma);
    return clipped(flow_x0(x_u, flow_velocity(network, x_u, u), u), clip);
  };
}

Velocity denoiser_velocity(Denoiser denoise) {
  return [denoise = std::move(denoise)](const Tensor& x_u, double u) {
    if (u == 0) return (-1 * Var(x_u)).value();  // no noise is left: E[n - x_0 | x_0 = x] = -x
    const Var x0 = denoise((Var(x_u) / (1 - u)).value(), u / (1 - u));
    return ((x_u - x0) / u).value();
  };
}

Model chain_model(const Process& process, Denoiser denoise) {
  if (kind(process.variance_type).learned) {
    throw UsageError("a denoiser D(x; sigma) says nothing of the variance ", name(process.variance_type),
                     "; the chain wants a fixed one");
  }
  return [scale = SigmaScale(process.schedule), mean_type = process.mean_type, denoise = std::move(denoise)](
             const Tensor& x_t, std::span<const double> t) {
    if (std::any_of(t.begin(), t.end(), [&](double other) { return other != t[0]; })) {
      throw Error("a denoiser D(x; sigma) answers a batch at one step, not at several");
    }
    const double sigma = scale.sigma(t[0]), alpha_bar = 1 / (1 + sigma * sigma);
    const Var x = std::sqrt(1 + sigma * sigma) * Var(x_t);
    const Var x0 = denoise(x.value(), sigma);
    const Factors target = kind(mean_type).target(alpha_bar);
    return (target.first * x0 + target.second * ((x - x0) / sigma)).value();
  };
}

}  // namespace reverie::inline REVERIE_PRECISION
