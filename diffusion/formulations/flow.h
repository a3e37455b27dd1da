#pragma once
#include "diffusion/formulations/formulation.h"

namespace reverie::inline REVERIE_PRECISION {

/// Flow matching along straight lines (rectified flow): x_u = (1 - u) x_0 + u n, from data at u = 0 to noise at u = 1.
/// The network learns the velocity dx_u/du = n - x_0.
/// [Lipman23], [Liu23]
struct FlowPoint {
  Var x_u, target;
};
/// x0, noise: [N,...,C]; one u in [0, 1] per sample.
FlowPoint flow_interpolate(const Var& x0, const Var& noise, std::span<const double> u);

/// x_0 = x_u - u v, from the velocity at x_u.
Var flow_x0(const Var& x_u, const Var& velocity, std::span<const double> u);

/// The velocity at x_u: the output of the raw network.
Var flow_velocity(const NetworkFunction& network, const Var& x_u, std::span<const double> u);

/// A row of the table of time distributions of training. `quantile` is the inverse CDF of a distribution on (0, 1).
/// `mean` and `std` are those of the logit ln(u / (1 - u)), if that is normal.
struct FlowTimes {
  const char* name;
  const char* summary;
  double (*quantile)(double share, double mean, double std);
};
std::span<const FlowTimes> flow_times();

/// The density of logit_normal at u in (0, 1).
/// [Esser24] eq. 19
double logit_normal_density(double u, double mean, double std);

struct FlowOptions {
  FlowTimes times = {"uniform", "", [](double share, double, double) { return share; }};
  double logit_mean = 0, logit_std = 1;  ///< of logit_normal times
  double huber = 0;                      ///< see `prediction_error`
};

/// Flow matching: the network learns the velocity along straight lines between data and noise.
/// [Lipman23], [Liu23]
class FlowFormulation : public Formulation {
 public:
  /// Throws UsageError for a process that expects a learned variance, and unless logit_std > 0.
  explicit FlowFormulation(Process process, const FlowOptions& options = {});

  Var losses(const NetworkFunction& network, const Var& x0, const Var& noise, std::span<const double> u) const override;
  Var denoise(const NetworkFunction& network, const Var& x, double sigma) const override;
  SigmaRange sigma_range() const override { return {0.002, 1000}; }  // u from 0.002 to 0.999

 private:
  FlowOptions options_;
};

}  // namespace reverie::inline REVERIE_PRECISION
