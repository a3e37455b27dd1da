#pragma once
#include <vector>

#include "diffusion/formulations/denoiser.h"

namespace reverie::inline REVERIE_PRECISION {

struct OdeOptions {
  double sigma_min = 0.002, sigma_max = 80;  ///< integration range; x ~ N(0, 1 + sigma^2) at sigma_max
  double tolerance = 1e-2;  ///< largest numerical error of each sample's log density, in nats per dimension
  Index probes = 1;         ///< random vectors for estimating the divergence; 0: exact, one unit vector per coordinate
  std::uint64_t seed = 0;
  Index first_sample = 0;  ///< number of the first sample; its probes depend on the number
};

struct OdeLikelihood {
  std::vector<double> log_density;  ///< per sample, in nats: the density of the whole sample
  /// Per sample, in nats: by how much half as many integration steps change the log density, or the divergence anywhere
  /// on the way. An estimate, mostly too large: the error of the finer solution is smaller.
  std::vector<double> numerical_error;
  Index evaluations = 0;  ///< of the denoiser, for the batch
};

/// Computes ln p(x; sigma_min) under the probability-flow ODE dx/dsigma = (x - D(x; sigma)) / sigma. It integrates x to
/// sigma_max, where the density is known, and adds up the divergence of the velocity, estimated as probe^T J probe with
/// random signs. It solves the ODE with 16 Runge-Kutta steps, then with 32, 64, ..., and takes for each sample the
/// first solution that agrees with the one before within the tolerance, so a sample's value doesn't depend on the
/// others. x: [N,...]. `progress` is called after each integration step with the fraction done of the first two
/// solutions, at most 1; if it returns false, the integration stops with an Error. Throws UsageError unless 0 <
/// sigma_min < sigma_max and tolerance > 0, and Error if 4096 steps aren't enough and for a NaN or an infinity.
/// [Chen18] eq. 8, [Grathwohl19] eq. 8, [SongScore21] sec. 4.3, [Karras22] eq. 1
OdeLikelihood ode_log_likelihood(const Denoiser& denoise, const Tensor& x, const OdeOptions& options,
                                 const std::function<bool(double)>& progress = nullptr);

}  // namespace reverie::inline REVERIE_PRECISION
