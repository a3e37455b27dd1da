#pragma once
#include <string>
#include <vector>

#include "diffusion/formulations/denoiser.h"

namespace reverie::inline REVERIE_PRECISION {

/// Data whose optimal denoiser is known in closed form: a mixture of isotropic normal distributions. Samplers, losses
/// and likelihoods are tested against it.
struct GaussianMixture {
  struct Component {
    double weight;
    std::vector<double> mean;  ///< one entry per element of a sample, or a single one for all
    double s;                  ///< standard deviation, may be 0
  };
  std::vector<Component> components;

  /// p(x_0 | x) for one noisy sample x = x_0 + sigma n: again a mixture, with one mean entry per element.
  GaussianMixture posterior(std::span<const real> x, double sigma) const;
  /// ln p(x; sigma) of each noisy sample of x [N,...], in nats; sigma > 0, or 0 if all components have s > 0.
  std::vector<double> log_density(const Tensor& x, double sigma) const;
  /// E[x_0 | x], for every sample of x [N,...].
  Tensor denoise(const Tensor& x, double sigma) const;
  /// d ln p(x; sigma) / dx = (E[x_0 | x] - x) / sigma^2
  /// [Karras22] eq. 3
  Tensor score(const Tensor& x, double sigma) const;
  Denoiser denoiser() const;

 private:
  std::vector<double> joint_log_densities(std::span<const real> x, double sigma) const;
};

/// N(mu, s^2) in every coordinate independently.
GaussianMixture gaussian_data(double mu, double s);

/// N(mean, covariance) data, whose elements depend on one another. If some are known, the others are again Gaussian:
/// inpainting is tested against that.
struct CorrelatedGaussian {
  std::vector<double> mean, covariance;  ///< d, and d x d row-major

  /// D(x; sigma) = mean + C (C + sigma^2 I)^-1 (x - mean), for samples of d elements.
  Denoiser denoiser() const;
  /// The distribution of the other elements, in their order, if those at the indices `known` (ascending) have `values`.
  /// Throws Error if the known ones have no density.
  CorrelatedGaussian given(std::span<const Index> known, std::span<const double> values) const;
};

/// The variational bound of N(mu, s^2) data with the optimal denoiser, in expectation over x_0 and x_t, in nats per
/// coordinate. The decoder term (t = 0) is that of the density, not of 8-bit values.
struct GaussianBound {
  std::vector<double> x0_mse;  ///< V_t = Var[x_0 | x_t]
  std::vector<double> eps_mse, vb;
  double prior, total;  ///< total = prior + the sum of vb
};
/// `variances`: of p(x_{t-1} | x_t) at each time step.
GaussianBound gaussian_bound(const NoiseSchedule& schedule, double mu, double s, const std::vector<double>& variances);

/// V_t = Var[x_0 | x_t] for N(mu, s^2) data.
double gaussian_posterior_variance(double s, double alpha_bar);

/// A row of the table of variances for the bound.
struct GaussianVariance {
  const char* name;
  /// At each time step, for data of standard deviation s.
  std::vector<double> (*variances)(const NoiseSchedule& schedule, double s);
};
/// fixed_small and fixed_large (both with the posterior variance of time step 1 at t = 0), and `optimal`: the variance
/// of the true reverse process, which minimises the bound.
std::span<const GaussianVariance> gaussian_variances();

}  // namespace reverie::inline REVERIE_PRECISION
