#include "diffusion/metrics/memorisation.h"

#include <algorithm>
#include <cmath>

#include "diffusion/metrics/distances.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Distances to the nearest row as root mean squares, which don't depend on the number of pixels.
std::vector<double> nearest(const Tensor& queries, const Tensor& training) {
  std::vector<double> distances = nearest_distances(queries, training);
  const double scale = 1 / std::sqrt(static_cast<double>(queries.size() / queries.extent(0)));
  for (double& distance : distances) distance *= scale;
  return distances;
}

// The quantile of the values at `share`.
double at_share(std::vector<double> values, double share) {
  const auto place = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size()));
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return values[place];
}

}  // namespace

Memorisation memorisation(const Tensor& samples, const Tensor& held_out, const Tensor& training) {
  const std::vector<double> of_samples = nearest(samples, training), of_held_out = nearest(held_out, training);
  const auto closest = std::min_element(of_samples.begin(), of_samples.end());
  Memorisation result{.sample_median = at_share(of_samples, 0.5),
                      .held_out_median = at_share(of_held_out, 0.5),
                      .threshold = at_share(of_held_out, 0.01),
                      .below = {},
                      .nearest_sample = closest - of_samples.begin(),
                      .nearest = *closest};
  for (const double distance : of_samples) result.below.push_back(distance < result.threshold ? 1 : 0);
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
