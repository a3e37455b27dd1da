#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// x_{t-1} ~ p(x_{t-1} | x_t) all the way down; the last step is its mean.                             [Ho20] Alg. 2
// A classifier moves the mean by the variance times its gradient there.                         [Dhariwal21] Alg. 1
Tensor sample_ancestral(const Sampling& sampling, Tensor x) {
  Index step = 0;
  for (Index t = sampling.process.schedule.steps() - 1; t >= 0; --t, ++step) {
    const PMeanVariance p = predict(sampling, x, t);
    Var next = p.mean;
    if (sampling.classifier) {
      const std::vector<Index> all(static_cast<std::size_t>(x.extent(0)), t);
      next = next + p.variance * sampling.classifier(p.mean.value(), sampling.process.original_steps(all));
    }
    if (t > 0) next = next + exp(p.log_variance / 2) * sampling.noise(step);
    x = next.value();
    if (sampling.observe) sampling.observe(step, x, p.pred_x0.value());
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
