#pragma once
#include <functional>

#include "diffusion/process/process.h"

namespace reverie::inline REVERIE_PRECISION {

/// Flow matching along straight lines (rectified flow): x_u = (1 - u) x_0 + u n, from data at u = 0 to noise at u = 1.
/// The network learns the velocity dx_u/du = n - x_0. [Lipman23], [Liu23]
struct FlowPoint {
  Var x_u, target;
};
/// x0, noise: [N,...,C]; a u in [0, 1] a sample.
FlowPoint flow_interpolate(const Var& x0, const Var& noise, std::span<const double> u);

/// x_0 = x_u - u v, what a velocity at x_u says of the data.
Var flow_x0(const Var& x_u, const Var& velocity, std::span<const double> u);

/// The velocity that the raw network tells at x_u.
Var flow_velocity(const NetworkFunction& network, const Var& x_u, std::span<const double> u);

/// A line of the table of times: how u is drawn in training, as the quantile of a distribution on (0, 1) at a share in
/// (0, 1). `mean` and `std` are of the logit ln(u / (1 - u)), where it is normal.
struct FlowTimes {
  const char* name;
  const char* summary;
  double (*quantile)(double share, double mean, double std);
};
std::span<const FlowTimes> flow_times();

/// The density of logit_normal at u in (0, 1). [Esser24] eq. 19
double logit_normal_density(double u, double mean, double std);

/// dx/du at a batch [N,...,C], all at the same u.
using Velocity = std::function<Tensor(const Tensor& x, double u)>;

/// From x at u[0] along the velocity to u.back(); `u` descends. Euler: an evaluation a step, first order. Heun: the
/// mean of the slopes at both ends of each step, second order.
Tensor flow_euler(const Velocity& velocity, Tensor x, std::span<const double> u);
Tensor flow_heun(const Velocity& velocity, Tensor x, std::span<const double> u);

}  // namespace reverie::inline REVERIE_PRECISION
