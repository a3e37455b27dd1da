#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The transfer multiplies an error of eps by about sqrt(ab_to / ab). Above this ratio (at the end of a cosine chain, or
// where nothing of the data is left) the sampler takes a DDIM step instead, whose x_0 can be clamped.
constexpr double largest_growth = 400;

// The transfer from alpha_bar ab to ab_to with the noise eps in x; exact if eps is.
// [Liu22] eq. 11
Var transfer(const Var& x, const Var& eps, double ab, double ab_to) {
  const Var x0 = (x - std::sqrt(1 - ab) * eps) / std::sqrt(ab);
  return std::sqrt(ab_to) * x0 + std::sqrt(1 - ab_to) * eps;
}

}  // namespace

// PLMS, pseudo linear multistep: a DDIM step with eps extrapolated from the last four by Adams-Bashforth weights (fewer
// at the start, after an improved Euler step). One evaluation per sampling step, two in the first.
// [Liu22] eq. 12, Alg. 2
Var sample_pndm(const Sampling& sampling, Var x) {
  const NoiseSchedule& schedule = sampling.process.schedule;
  std::vector<Var> eps;  // newest first
  for (Index step = sampling.first; step < end_of(sampling); ++step) {
    const Index t = schedule.steps() - 1 - step;
    const double ab = schedule.alphas_cumprod[t];
    const double ab_prev = schedule.alphas_cumprod_prev[t];
    const X0AndEps here = predict_x0_and_eps(sampling, x, t);
    if (t == 0) {  // the last sampling step, to the data, has another length
      x = here.x0;
    } else if (ab_prev > largest_growth * ab) {
      x = std::sqrt(ab_prev) * here.x0 + std::sqrt(1 - ab_prev) * here.eps;
    } else {
      eps.insert(eps.begin(), here.eps);
      if (eps.size() > 4) eps.pop_back();
      Var mean;
      if (eps.size() == 1) {
        mean = (eps[0] + predict_x0_and_eps(sampling, transfer(x, eps[0], ab, ab_prev), t - 1).eps) / 2;
      } else if (eps.size() == 2) {
        mean = (3 * eps[0] - eps[1]) / 2;
      } else if (eps.size() == 3) {
        mean = (23 * eps[0] - 16 * eps[1] + 5 * eps[2]) / 12;
      } else {
        mean = (55 * eps[0] - 59 * eps[1] + 37 * eps[2] - 9 * eps[3]) / 24;
      }
      x = transfer(x, mean, ab, ab_prev);
    }
    if (sampling.observe) sampling.observe(step, x, here.x0);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
