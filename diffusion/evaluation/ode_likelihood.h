#pragma once
#include <vector>

#include "diffusion/formulations/denoiser.h"

namespace reverie::inline REVERIE_PRECISION {

struct OdeOptions {
  double sigma_min = 0.002, sigma_max = 80;  ///< integration range; x ~ N(0, 1 + sigma^2) at sigma_max
  double tolerance = 1e-4;  ///< local error of each value of x_t (of size 1) and of the nats per dimension
  Index probes = 1;         ///< random vectors for estimating the divergence; 0: exact, one unit vector per coordinate
  std::uint64_t seed = 0;
  Index first_sample = 0;  ///< number of the first sample; its probes depend on the number
};

struct OdeLikelihood {
  std::vector<double> log_density;  ///< per sample, in nats: the density of the whole sample
  Index evaluations = 0;            ///< of the denoiser, for the batch
};

/// Computes ln p(x; sigma_min) under the probability-flow ODE dx/dsigma = (x - D(x; sigma)) / sigma. It integrates x to
/// sigma_max, where the density is known, and adds up the divergence of the velocity, estimated as probe^T J probe with
/// random signs. Uses adaptive Runge-Kutta steps of order 5(4). x: [N,...]. `progress` is called after each step with
/// the fraction done in ln sigma; if it returns false, the integration stops with an Error. Throws UsageError unless 0
/// < sigma_min < sigma_max and tolerance > 0, and Error if the steps become too small.
/// [Chen18] eq. 8, [Grathwohl19] eq. 8, [SongScore21] sec. 4.3, [Karras22] eq. 1
OdeLikelihood ode_log_likelihood(const Denoiser& denoise, const Tensor& x, const OdeOptions& options,
                                 const std::function<bool(double)>& progress = nullptr);

}  // namespace reverie::inline REVERIE_PRECISION
