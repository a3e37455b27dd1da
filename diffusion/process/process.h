#pragma once
#include <functional>
#include <span>
#include <vector>

#include "diffusion/process/per_sample.h"
#include "diffusion/process/prediction.h"
#include "diffusion/process/schedule.h"

namespace reverie::inline REVERIE_PRECISION {

/// A normal distribution per element. All three have the shape of x.
struct Gaussian {
  Var mean, variance, log_variance;
};

/// p(x_{t-1} | x_t) and the x_0 behind its mean.
struct PMeanVariance {
  Var mean, variance, log_variance, pred_x0;
};

/// A network at noisy samples: returns its output for x [N,...] at N times t. The times are real numbers because
/// samplers in the sigma form evaluate the network between the chain's time steps. Recorded if x is on a tape.
using NetworkFunction = std::function<Var(const Var& x, std::span<const double> t)>;

/// Networks embed time in sinusoids designed for chains of about a thousand time steps; continuous times u in [0, 1]
/// are multiplied by this factor to match.
inline constexpr double network_time_scale = 1000;

/// The forward process q and the reverse process p on a chain: a schedule, the quantity the network predicts, and the
/// choice of variance. x: images [N,H,W,C] or points [N,C]. t: N time steps of this chain (ShapeError for another
/// number of them, Error for a time step outside the chain). Recorded if the inputs are on a tape. To sample in fewer
/// steps, respace the schedule.
struct Process {
  /// Throws UsageError if the chain ends in pure noise (alphas_cumprod = 0) and the network predicts eps.
  Process(NoiseSchedule schedule, MeanType mean_type, VarianceType variance_type);

  NoiseSchedule schedule;
  MeanType mean_type;
  VarianceType variance_type;

  /// x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise: one draw replaces t noising steps. Each noising step scales
  /// x and adds independent Gaussian noise; a sum of independent Gaussians is Gaussian and its variance is the sum of
  /// theirs, so all the noise up to t is a single Gaussian.
  Var q_sample(const Var& x0, Timesteps t, const Var& noise) const;
  /// q(x_t | x_0)
  Gaussian q_mean_variance(const Var& x0, Timesteps t) const;
  /// q(x_{t-1} | x_t, x_0); variance 0 at t = 0, its log clipped there (see NoiseSchedule)
  Gaussian posterior(const Var& x0, const Var& x_t, Timesteps t) const;

  /// p(x_{t-1} | x_t) from the network's output at x_t. `clip` clamps pred_x0 to [-1, 1] before the mean is computed
  /// from it.
  PMeanVariance p_mean_variance(const Var& x_t, Timesteps t, const NetworkOutput& output, bool clip) const;
  PMeanVariance p_mean_variance(const Var& x_t, Timesteps t, const Var& model_output, bool clip) const;

  /// The target of the network's prediction: the noise, x_0 or v.
  Var target(const Var& x0, Timesteps t, const Var& noise) const;
  /// x_0 from the network's prediction, not clipped.
  Var pred_x0(const Var& x_t, Timesteps t, const Var& prediction) const;
  /// The noise that leads from x_0 (predicted, perhaps clipped) to x_t. Undefined at alphas_cumprod = 1.
  Var eps_from_x0(const Var& x_t, Timesteps t, const Var& x0) const;

  /// KL(q(x_{T-1} | x_0) || N(0, 1)): the information about x_0 left at the end of the chain. [N], bits per dimension.
  Var prior_kl(const Var& x0) const;

  /// The original time steps, as the network expects them, of the time steps `t` of this (perhaps respaced) chain.
  std::vector<double> original_steps(Timesteps t) const;

 private:
  void check(const char* function, const Var& x, Timesteps t) const;
  Var x0_to_posterior_mean(const Var& x0, const Var& x_t, Timesteps t) const;
};

}  // namespace reverie::inline REVERIE_PRECISION
