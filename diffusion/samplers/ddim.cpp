#include <algorithm>
#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// x_{t-1} = sqrt(ab_prev) x_0 + sqrt(1 - ab_prev - sigma^2) eps + sigma noise, where x_0 is predicted (and clipped) and
// eps corresponds to it; a learned variance is not used.
// [Song21] eqs. 12, 16
Var sample_ddim(const Sampling& sampling, Var x) {
  const NoiseSchedule& schedule = sampling.process.schedule;
  for (Index step = sampling.first; step < end_of(sampling); ++step) {
    const Index t = schedule.steps() - 1 - step;
    const double ab = schedule.alphas_cumprod[t];
    const double ab_prev = schedule.alphas_cumprod_prev[t];
    const double sigma = sampling.options.eta * std::sqrt((1 - ab_prev) / (1 - ab)) * std::sqrt(1 - ab / ab_prev);
    const auto [x0, eps] = predict_x0_and_eps(sampling, x, t);
    const double eps_variance = 1 - ab_prev - sigma * sigma;
    if (eps_variance < -1e-9) {
      throw UsageError("ddim: eta = ", sampling.options.eta, " needs more noise than there is at step ", t,
                       "; 0 to 1 is safe");
    }
    const Var mean = std::sqrt(ab_prev) * x0 + std::sqrt(std::max(eps_variance, 0.0)) * eps;
    x = add_noise(mean, sigma, sampling.noise, step);  // sigma = 0 at t = 0
    if (sampling.observe) sampling.observe(step, x, x0);
  }
  return x;
}

// The same sampling step in reverse, x_{k+1} = sqrt(ab[k+1]) x_0 + sqrt(1 - ab[k+1]) eps; DDIM inverts it exactly in
// the limit of small sampling steps. x_0 counts as x at the chain's first time step, so a chain of a single one has no
// sampling step to reverse.
// [Song21] sec. 4.3
Var ddim_reverse(const Sampling& unchecked, Var x) {
  const Sampling sampling = with_finite_checks(unchecked, "ddim, encoding");
  const NoiseSchedule& schedule = sampling.process.schedule;
  if (schedule.steps() < 2) throw UsageError("encoding: a chain of 1 step doesn't lead to noise; expects at least 2");
  for (Index k = 0; k + 1 < schedule.steps(); ++k) {
    const double ab_next = schedule.alphas_cumprod[k + 1];
    const auto [x0, eps] = predict_x0_and_eps(sampling, x, k);
    x = std::sqrt(ab_next) * x0 + std::sqrt(1 - ab_next) * eps;
    if (sampling.observe) sampling.observe(k, x, x0);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
