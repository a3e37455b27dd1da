#pragma once
#include <functional>
#include <span>
#include <vector>

#include "diffusion/process/prediction.h"
#include "diffusion/process/schedule.h"
#include "diffusion/process/per_sample.h"

namespace reverie::inline REVERIE_PRECISION {

/// A normal distribution per element. All three have the shape of x.
struct Gaussian {
  Var mean, variance, log_variance;
};

/// p(x_{t-1} | x_t) and the x_0 behind its mean.
struct PMeanVariance {
  Var mean, variance, log_variance, pred_x0;
};

/// A network as samplers and the bound see it: its output at x_t [N,...], asked at the N samples' *original* steps
/// (real numbers, because samplers in the sigma form ask between steps).
using Model = std::function<Tensor(const Tensor& x_t, std::span<const double> t)>;

/// The same where it is trained: on a Var, perhaps on a tape.
using NetworkFunction = std::function<Var(const Var& x, std::span<const double> t)>;

/// Networks embed time in sinusoids that suit steps of a chain of about a thousand. Continuous times are stretched to
/// that range before a network is asked.
inline constexpr double network_time_scale = 1000;

/// The forward chain q and the reverse chain p: a schedule, what the network predicts of the mean, and how the variance
/// comes about. x is [N,...,C]: images [N,H,W,C] or points [N,C]; `t` has N steps of this chain (ShapeError if it has
/// not, Error for a step outside the chain). Everything is written on Var: on a tape for training, without one (pass
/// tensors, take `.value()`) for sampling. To run on fewer steps, respace the schedule.
struct Process {
  /// Throws UsageError where the chain ends in pure noise (alphas_cumprod = 0) and the network predicts eps.
  Process(NoiseSchedule schedule, MeanType mean_type, VarianceType variance_type);

  NoiseSchedule schedule;
  MeanType mean_type;
  VarianceType variance_type;

  /// x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise
  Var q_sample(const Var& x0, Timesteps t, const Var& noise) const;
  /// q(x_t | x_0)
  Gaussian q_mean_variance(const Var& x0, Timesteps t) const;
  /// q(x_{t-1} | x_t, x_0); variance 0 at t = 0, its log clipped there (see NoiseSchedule)
  Gaussian posterior(const Var& x0, const Var& x_t, Timesteps t) const;

  /// p(x_{t-1} | x_t) from the network's output at x_t; `clip`: pred_x0, and with it the mean, from x_0 in [-1, 1].
  PMeanVariance p_mean_variance(const Var& x_t, Timesteps t, const NetworkOutput& output, bool clip) const;
  PMeanVariance p_mean_variance(const Var& x_t, Timesteps t, const Var& model_output, bool clip) const;

  /// What the network should have said: noise, x_0 or v.
  Var target(const Var& x0, Timesteps t, const Var& noise) const;
  /// x_0 from what it said (not clipped).
  Var pred_x0(const Var& x_t, Timesteps t, const Var& prediction) const;
  /// The noise that leads from an x_0 (predicted, perhaps clipped) to x_t. Not defined at alphas_cumprod = 1.
  Var eps_from_x0(const Var& x_t, Timesteps t, const Var& x0) const;

  /// KL(q(x_{T-1} | x_0) || N(0, 1)), what the chain's end still tells of x_0. [N], bits per dimension.
  Var prior_kl(const Var& x0) const;

  /// The steps that the network sees at steps `t` of this chain.
  std::vector<double> original_steps(Timesteps t) const;

 private:
  void check(const char* function, const Var& x, Timesteps t) const;
  Var x0_to_posterior_mean(const Var& x0, const Var& x_t, Timesteps t) const;
};

}  // namespace reverie::inline REVERIE_PRECISION
