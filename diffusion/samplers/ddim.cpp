#include <algorithm>
#include <cmath>

#include "diffusion/samplers/sampler.h"

namespace reverie::inline REVERIE_PRECISION {

// x_{t-1} = sqrt(ab_prev) x_0 + sqrt(1 - ab_prev - sigma^2) eps + sigma noise                        [Song21] eqs. 12,
// 16 with x_0 as predicted (and clipped), and the eps that belongs to it; a learned variance is not used.
Tensor sample_ddim(const Sampling& sampling, Tensor x) {
  const NoiseSchedule& schedule = sampling.process.schedule;
  Index step = 0;
  for (Index t = schedule.steps() - 1; t >= 0; --t, ++step) {
    const double ab = schedule.alphas_cumprod[static_cast<std::size_t>(t)];
    const double ab_prev = schedule.alphas_cumprod_prev[static_cast<std::size_t>(t)];
    const double sigma = sampling.options.eta * std::sqrt((1 - ab_prev) / (1 - ab)) * std::sqrt(1 - ab / ab_prev);
    const Var x0 = predict(sampling, x, t).pred_x0;
    const std::vector<Index> all(static_cast<std::size_t>(x.extent(0)), t);
    const Var eps = sampling.process.eps_from_x0(x, all, x0);
    const double eps_variance = 1 - ab_prev - sigma * sigma;
    if (eps_variance < -1e-9) {
      throw UsageError("ddim: eta = ", sampling.options.eta, " wants more noise than step ", t,
                       " has room for; 0 to 1 is safe");
    }
    Var next = std::sqrt(ab_prev) * x0 + std::sqrt(std::max(eps_variance, 0.0)) * eps;
    if (sigma > 0) next = next + sigma * Var(sampling.noise(step));  // sigma = 0 at t = 0
    x = next.value();
    if (sampling.observe) sampling.observe(step, x, x0.value());
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
