#include "diffusion/metrics/memorisation.h"

#include <algorithm>
#include <cmath>

#include "diffusion/metrics/distances.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The value that `place` others are not above.
double ordered(std::span<const double> values, Index place) {
  std::vector<double> copy(values.begin(), values.end());
  std::nth_element(copy.begin(), copy.begin() + place, copy.end());
  return copy[place];
}

// The 1% quantile.
double threshold_of(std::span<const double> held_out) { return ordered(held_out, std::ssize(held_out) / 100); }

}  // namespace

double share_nearly_copied(std::span<const double> samples, std::span<const double> held_out) {
  const double threshold = threshold_of(held_out);
  const auto below = std::count_if(samples.begin(), samples.end(), [&](double d) { return d < threshold; });
  return static_cast<double>(below) / static_cast<double>(samples.size());
}

// Root mean squares, unlike sums, don't depend on the number of pixels.
std::vector<double> nearest_in_training(const Tensor& queries, const Tensor& training) {
  std::vector<double> distances = nearest_distances(queries, training);
  const double scale = 1 / std::sqrt(static_cast<double>(queries.size() / queries.extent(0)));
  for (double& distance : distances) distance *= scale;
  return distances;
}

Memorisation memorisation(const Tensor& samples, const Tensor& held_out, const Tensor& training) {
  return memorisation(nearest_in_training(samples, training), nearest_in_training(held_out, training));
}

Memorisation memorisation(std::vector<double> samples, std::vector<double> held_out) {
  Memorisation result{.samples = std::move(samples), .held_out = std::move(held_out)};
  result.sample_copies = std::count(result.samples.begin(), result.samples.end(), 0.0);
  result.held_out_copies = static_cast<Index>(std::erase(result.held_out, 0.0));
  result.sample_median = ordered(result.samples, std::ssize(result.samples) / 2);
  const auto closest = std::min_element(result.samples.begin(), result.samples.end());
  result.nearest_sample = closest - result.samples.begin();
  result.nearest = *closest;
  if (result.held_out.empty()) return result;
  const Index n = std::ssize(result.held_out);
  result.held_out_median = ordered(result.held_out, n / 2);
  result.threshold = threshold_of(result.held_out);
  result.nearly_copied = share_nearly_copied(result.samples, result.held_out);
  result.expected = static_cast<double>(1 + n / 100) / static_cast<double>(n + 1);
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
