#pragma once
#include <vector>

#include "diffusion/formulations/denoiser.h"

namespace reverie::inline REVERIE_PRECISION {

struct OdeOptions {
  double sigma_min = 0.002, sigma_max = 80;  ///< where data ends and where N(0, 1 + sigma^2) noise begins
  double tolerance = 1e-4;  ///< local error of each value of x_t (of size 1) and of the nats per dimension
  Index probes = 1;  ///< random vectors that the divergence is estimated with; 0: exactly, one for each coordinate
  std::uint64_t seed = 0;
  Index first_sample = 0;  ///< the samples' own numbers, of which their probes are functions
};

struct OdeLikelihood {
  std::vector<double> log_density;  ///< of each sample, in nats: the density of the whole sample
  Index evaluations = 0;            ///< of the denoiser, for the batch
};

/// ln p(x; sigma_min) under the probability-flow ODE dx/dsigma = (x - D(x; sigma)) / sigma: x is carried to sigma_max,
/// where the density is known, and the divergence of the velocity is added up along the way, estimated as
/// probe^T J probe with random signs. Adaptive Runge-Kutta steps of order 5(4). x: [N,...].
/// [Chen18] eq. 8, [Grathwohl19] eq. 8, [SongScore21] sec. 4.3, [Karras22] eq. 1
/// `progress` is told the share of the way in ln sigma after each step; where it returns false the work stops with an
/// Error. Throws UsageError unless 0 < sigma_min < sigma_max and tolerance > 0, and Error where the steps become too
/// small to go on.
OdeLikelihood ode_log_likelihood(const Denoiser& denoise, const Tensor& x, const OdeOptions& options,
                                 const std::function<bool(double)>& progress = nullptr);

}  // namespace reverie::inline REVERIE_PRECISION
