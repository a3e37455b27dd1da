#include <algorithm>
#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// Linear multistep (Adams-Bashforth with variable step sizes): integrates the polynomial through the last slopes
// exactly over the sampling step. One evaluation per sampling step.
// [Hairer93] sec. III.5
Var sample_lms(const Denoiser& denoise, Var x, std::span<const double> sigmas, const SamplerOptions& options,
               const NoiseSource&, const Observer& observe) {
  std::vector<Var> slopes;    // newest first
  std::vector<double> nodes;  // their sigmas
  for (Index i = 0; i + 1 < std::ssize(sigmas); ++i) {
    const double sigma = sigmas[i], h = sigmas[i + 1] - sigma;
    const Var denoised = denoise(x, sigma);
    slopes.insert(slopes.begin(), slope(x, denoised, sigma));
    nodes.insert(nodes.begin(), sigma);
    const Index known = std::min(std::ssize(slopes), options.order);
    slopes.resize(known);
    nodes.resize(known);

    std::vector<double> from_here;  // nodes relative to sigma: the integral is from 0 to h
    for (const double node : nodes) from_here.push_back(node - sigma);
    Var next = x;
    for (Index j = 0; j < known; ++j) {
      const std::vector<double> basis = lagrange_basis(from_here, j);
      double weight = 0;
      for (std::size_t k = basis.size(); k-- > 0;) weight = h * (weight + basis[k] / static_cast<double>(k + 1));
      next = next + weight * slopes[j];
    }
    x = next;
    if (observe) observe(i, x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
