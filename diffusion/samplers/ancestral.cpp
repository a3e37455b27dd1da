#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// x_{t-1} ~ p(x_{t-1} | x_t) for all t; the last sampling step returns the mean. A classifier shifts the mean by the
// variance times its gradient there.
// [Ho20] Alg. 2, [Dhariwal21] Alg. 1
Var sample_ancestral(const Sampling& sampling, Var x) {
  for (Index step = sampling.first; step < end_of(sampling); ++step) {
    const Index t = sampling.process.schedule.steps() - 1 - step;
    const PMeanVariance p = predict(sampling, x, t);
    Var next = p.mean;
    if (sampling.classifier) {
      const std::vector<Index> all(x.extent(0), t);
      next = next + p.variance * sampling.classifier(p.mean, sampling.process.original_steps(all));
    }
    if (t > 0) next = next + exp(p.log_variance / 2) * Var(sampling.noise(step));
    x = next;
    if (sampling.observe) sampling.observe(step, x, p.pred_x0);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
