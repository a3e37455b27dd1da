#pragma once
#include <cmath>

#include "autograd/ops.h"
#include "diffusion/evaluation/gaussian_oracle.h"

namespace reverie::inline REVERIE_PRECISION {

/// The exact denoiser of a mixture on a tape: each component's posterior mean, weighted with the share that it has in
/// the density at x. x: [N,D].
inline Denoiser exact_denoiser(const GaussianMixture& data) {
  return [=](const Var& x, double sigma) {
    std::vector<Var> logs, means;
    for (const GaussianMixture::Component& c : data.components) {
      const double s2 = c.s * c.s, variance = s2 + sigma * sigma;
      const Tensor mean = Tensor::from({std::ssize(c.mean)}, c.mean);
      const int last[] = {1};
      logs.push_back(sum_axes(square(x - mean), last, true) / (-2 * variance) + std::log(c.weight) -
                     static_cast<double>(x.extent(1)) * std::log(variance) / 2);
      means.push_back((s2 * x + sigma * sigma * Var(mean)) / variance);
    }
    const Var shares = softmax(concat(std::span<const Var>(logs), 1), 1);
    Var x0;
    for (std::size_t k = 0; k < means.size(); ++k) {
      const Var part = slice(shares, 1, static_cast<Index>(k), static_cast<Index>(k) + 1) * means[k];
      x0 = k == 0 ? part : x0 + part;
    }
    return x0;
  };
}

}  // namespace reverie::inline REVERIE_PRECISION
