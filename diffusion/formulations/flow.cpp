#include "diffusion/formulations/flow.h"

#include <cmath>
#include <numbers>

#include "diffusion/process/gaussian.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

double uniform_times(double share, double, double) { return share; }

// ln(u / (1 - u)) ~ N(mean, std^2): most training in the middle, where the velocity is hardest to tell.      [Esser24]
double logit_normal(double share, double mean, double std) {
  return 1 / (1 + std::exp(-(mean + std * normal_quantile(share))));
}

constexpr FlowTimes table[] = {
    {"uniform", "every u alike [Liu23]", uniform_times},
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

Tensor flow_euler(const Velocity& velocity, Tensor x, std::span<const double> u) {
  for (std::size_t i = 0; i + 1 < u.size(); ++i) x = (Var(x) + (u[i + 1] - u[i]) * Var(velocity(x, u[i]))).value();
  return x;
}

Tensor flow_heun(const Velocity& velocity, Tensor x, std::span<const double> u) {
  for (std::size_t i = 0; i + 1 < u.size(); ++i) {
    const double h = u[i + 1] - u[i];
    const Var here = velocity(x, u[i]);
    const Var there = velocity((Var(x) + h * here).value(), u[i + 1]);
    x = (Var(x) + h / 2 * (here + there)).value();
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
