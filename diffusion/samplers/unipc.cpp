#include <algorithm>
#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The contribution to x of the change of D over the sampling step: the integral over u in (0, h) of e^(u - h) (D(u) -
// D(0)), where D is the polynomial through D(0) and D(r_m h), from the slopes (D(r_m h) - D(0)) / r_m. For a single
// slope the paper uses the weight B(h) / 2 with B = h (bh1) or 1 - e^-h (bh2); else B cancels.
// [Zhao23] eqs. 3, 8, 9, app.
Var change(std::span<const double> r, const std::vector<Var>& slopes, double h, bool bh1) {
  if (r.size() == 1) return (bh1 ? h : -std::expm1(-h)) / 2 * slopes[0];
  // integrals[k] of e^(u - h) (u / h)^k; by parts: 1 - (k / h) integrals[k - 1]
  std::vector<double> integrals{-std::expm1(-h)};
  for (std::size_t k = 1; k <= r.size(); ++k) integrals.push_back(1 - static_cast<double>(k) / h * integrals[k - 1]);
  Var sum;
  for (std::size_t m = 0; m < r.size(); ++m) {
    const std::vector<double> basis = lagrange_basis(r, m);
    double weight = 0;
    for (std::size_t k = 0; k < basis.size(); ++k) weight += basis[k] * integrals[k + 1];
    sum = m == 0 ? weight * slopes[m] : sum + weight * slopes[m];
  }
  return sum;
}

}  // namespace

// UniPC: a multistep predictor of order p from the last p outputs, and a corrector of order p + 1 that also uses the
// output at the end of the sampling step, which the next one needs anyway. One evaluation per sampling step.
// [Zhao23] Alg. 1, 2
Var sample_unipc(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions& options,
                 const NoiseSource&, const Observer& observe) {
  const bool bh1 = options.solver_type == "bh1";
  std::vector<Var> outputs{denoise(x, sigmas[0])};  // at sigmas[0], sigmas[1], ...; old ones are freed
  for (Index i = 0; i + 1 < std::ssize(sigmas); ++i) {
    const double sigma = sigmas[i], next = sigmas[i + 1];
    const Var denoised = outputs[i];
    if (next > 0) {
      const double h = std::log(sigma / next);
      std::vector<double> r;  // positions of the other outputs: 0 is sigma, 1 is next
      std::vector<Var> slopes;
      for (Index back = 1; back < options.order && back <= i; ++back) {
        r.push_back(std::log(sigma / sigmas[i - back]) / h);
        slopes.push_back((outputs[i - back] - denoised) / r.back());
      }
      const Var constant = step(x, denoised, sigma, next);
      const Var predicted = r.empty() ? constant : constant + change(r, slopes, h, bh1);
      outputs.push_back(denoise(predicted, next));
      r.push_back(1);
      slopes.push_back(outputs[i + 1] - denoised);
      x = constant + change(r, slopes, h, bh1);
      if (i + 1 >= options.order) outputs[i + 1 - options.order] = {};
    } else {
      x = denoised;
    }
    if (observe) observe(i, x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
