#pragma once
#include <string>
#include <vector>

#include "diffusion/formulations/denoiser.h"

namespace reverie::inline REVERIE_PRECISION {

/// Data whose best denoiser is known in closed form: a mixture of normal distributions, each with one standard
/// deviation in all directions. What samplers, losses and likelihoods are held to.
struct GaussianMixture {
  struct Component {
    double weight;
    std::vector<double> mean;  ///< an entry for each element of a sample, or a single one for all
    double s;                  ///< standard deviation, may be 0
  };
  std::vector<Component> components;

  /// What is known of x_0 behind one noisy sample x = x_0 + sigma n: again a mixture, with a mean for each element.
  GaussianMixture posterior(std::span<const real> x, double sigma) const;
  /// ln p(x; sigma) of each noisy sample [N], in nats. x: [N,...]; sigma > 0, or 0 where no component is a point.
  std::vector<double> log_density(const Tensor& x, double sigma) const;
  /// E[x_0 | x], for every sample of x [N,...].
  Tensor denoise(const Tensor& x, double sigma) const;
  /// d ln p(x; sigma) / dx = (E[x_0 | x] - x) / sigma^2. [Karras22] eq. 3
  Tensor score(const Tensor& x, double sigma) const;
  Denoiser denoiser() const;

 private:
  std::vector<double> joint_log_densities(std::span<const real> x, double sigma) const;
};

/// N(mu, s^2) in every coordinate independently.
GaussianMixture gaussian_data(double mu, double s);

/// The variational bound of N(mu, s^2) data under the exact denoiser: expectations over x_0 and x_t, nats a coordinate.
/// The decoder's term (t = 0) is that of the density, not of 8-bit values.
struct GaussianBound {
  std::vector<double> x0_mse;  ///< V_t, what x_t leaves open about x_0
  std::vector<double> eps_mse, vb;
  double prior, total;  ///< total = prior + the sum of vb
};
/// `variances`: of p(x_{t-1} | x_t) at each step.
GaussianBound gaussian_bound(const NoiseSchedule& schedule, double mu, double s, const std::vector<double>& variances);

/// V_t = Var[x_0 | x_t] for N(mu, s^2) data.
double gaussian_posterior_variance(double s, double alpha_bar);

/// A line of the table of variances that the bound may have.
struct GaussianVariance {
  const char* name;
  /// At each step, for data of standard deviation s.
  std::vector<double> (*variances)(const NoiseSchedule& schedule, double s);
};
/// fixed_small and fixed_large (both with the posterior variance of step 1 at t = 0), and `optimal`: what the true
/// reverse step has, the smallest bound that there is.
std::span<const GaussianVariance> gaussian_variances();

}  // namespace reverie::inline REVERIE_PRECISION
