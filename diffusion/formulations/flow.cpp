#include "diffusion/formulations/flow.h"

#include <cmath>
#include <numbers>

#include "diffusion/formulations/losses.h"
#include "diffusion/process/gaussian.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

double uniform_times(double share, double, double) { return share; }

// ln(u / (1 - u)) ~ N(mean, std^2): trains most in the middle, where the velocity is hardest to predict.
// [Esser24]
double logit_normal(double share, double mean, double std) {
  return 1 / (1 + std::exp(-(mean + std * normal_quantile(share))));
}

constexpr FlowTimes table[] = {
    {"uniform", "all u alike [Liu23]", uniform_times},
    {"logit_normal", "ln(u / (1 - u)) is normal: mostly the middle [Esser24]", logit_normal},
};

}  // namespace

FlowPoint flow_interpolate(const Var& x0, const Var& noise, std::span<const double> u) {
  require_shape("flow_interpolate", "the noise", noise.shape(), x0.shape());
  const Var share = per_sample(u, x0.rank(), [](double value) { return value; });
  return {(1 - share) * x0 + share * noise, noise - x0};
}

Var flow_x0(const Var& x_u, const Var& velocity, std::span<const double> u) {
  return x_u - per_sample(u, x_u.rank(), [](double value) { return value; }) * velocity;
}

Var flow_velocity(const NetworkFunction& network, const Var& x_u, std::span<const double> u) {
  std::vector<double> times;
  for (const double value : u) times.push_back(network_time_scale * value);
  return network(x_u, times);
}

std::span<const FlowTimes> flow_times() { return table; }

double logit_normal_density(double u, double mean, double std) {
  const double z = (std::log(u / (1 - u)) - mean) / std;
  return std::exp(-z * z / 2) / (std * std::sqrt(2 * std::numbers::pi) * u * (1 - u));
}

FlowFormulation::FlowFormulation(Process process, const FlowOptions& options)
    : Formulation(std::move(process)), options_(options) {
  require_fixed_variance("flow", this->process());
  if (!(options.logit_std > 0)) {
    throw UsageError("config: formulation flow: logit_std is ", options.logit_std, "; it must be positive");
  }
}

// E |v(x_u, u) - (n - x_0)|^2
// [Liu23] eq. 1
Var FlowFormulation::losses(const NetworkFunction& network, const Var& x0, const Var& noise,
                            std::span<const double> shares) const {
  std::vector<double> u;
  for (const double share : shares) {
    u.push_back(options_.times.quantile(share, options_.logit_mean, options_.logit_std));
  }
  const FlowPoint point = flow_interpolate(x0, noise, u);
  return prediction_error(point.target, flow_velocity(network, point.x_u, u), options_.huber);
}

// With u = sigma / (1 + sigma), x_u = x / (1 + sigma) lies on the straight line from x_0 to n.
Var FlowFormulation::denoise(const NetworkFunction& network, const Var& x, double sigma) const {
  const std::vector<double> u(x.extent(0), sigma / (1 + sigma));
  const Var x_u = x / (1 + sigma);
  return flow_x0(x_u, flow_velocity(network, x_u, u), u);
}

}  // namespace reverie::inline REVERIE_PRECISION
