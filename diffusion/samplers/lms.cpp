#include <algorithm>
#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {

// Linear multistep (Adams-Bashforth on uneven steps): the exact integral over the step of the polynomial through the
// last slopes. One evaluation a step.                                                            [Hairer93] sec. III.5
Tensor sample_lms(const Denoiser& denoise, Tensor x, std::span<const double> sigmas, const SamplerOptions& options,
                  const NoiseSource&, const Observer& observe) {
  std::vector<Var> slopes;    // the latest first
  std::vector<double> nodes;  // their sigmas
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double sigma = sigmas[i], h = sigmas[i + 1] - sigma;
    const Tensor denoised = denoise(x, sigma);
    slopes.insert(slopes.begin(), slope(x, denoised, sigma));
    nodes.insert(nodes.begin(), sigma);
    const std::size_t known = std::min(slopes.size(), static_cast<std::size_t>(options.order));
    slopes.resize(known);
    nodes.resize(known);

    std::vector<double> from_here;  // the integral runs from 0 to h there
    for (const double node : nodes) from_here.push_back(node - sigma);
    Var next = x;
    for (std::size_t j = 0; j < known; ++j) {
      const std::vector<double> basis = lagrange_basis(from_here, j);
      double weight = 0;
      for (std::size_t k = basis.size(); k-- > 0;) weight = h * (weight + basis[k] / static_cast<double>(k + 1));
      next = next + weight * slopes[j];
    }
    x = next.value();
    if (observe) observe(static_cast<Index>(i), x, denoised);
  }
  return x;
}

}  // namespace reverie::inline REVERIE_PRECISION
