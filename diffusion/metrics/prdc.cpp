#include "diffusion/metrics/prdc.h"

#include <algorithm>

#include "diffusion/metrics/distances.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The squared radius of each row's ball: the distance to its k-th nearest other row.
std::vector<double> radii(const Tensor& features, Index k) {
  const auto rows = static_cast<std::size_t>(features.extent(0));
  std::vector<double> distances = squared_distances(features, features), result;
  for (std::size_t i = 0; i < rows; ++i) {
    const auto begin = distances.begin() + static_cast<std::ptrdiff_t>(i * rows);
    std::swap(begin[0], begin[static_cast<std::ptrdiff_t>(i)]);  // skip the row itself, at distance 0
    std::nth_element(begin + 1, begin + k, begin + static_cast<std::ptrdiff_t>(rows));
    result.push_back(begin[k]);
  }
  return result;
}

}  // namespace

Prdc prdc(const Tensor& real_features, const Tensor& generated_features, Index k) {
  const Index smaller = std::min(real_features.extent(0), generated_features.extent(0));
  if (k < 1 || smaller <= k) {
    throw UsageError("precision and recall: k = ", k, " neighbours need sets of more than k rows, not ", smaller);
  }
  const std::vector<double> between = squared_distances(real_features, generated_features);
  const std::vector<double> real_radii = radii(real_features, k), generated_radii = radii(generated_features, k);
  const std::size_t N = real_radii.size(), M = generated_radii.size();
  Prdc result{std::vector<double>(M), std::vector<double>(N), std::vector<double>(M), std::vector<double>(N)};
  for (std::size_t i = 0; i < N; ++i) {
    for (std::size_t j = 0; j < M; ++j) {
      const double distance = between[i * M + j];
      if (distance <= real_radii[i]) {
        result.precision[j] = result.coverage[i] = 1;
        ++result.density[j];
      }
      if (distance <= generated_radii[j]) result.recall[i] = 1;
    }
  }
  for (double& balls : result.density) balls /= static_cast<double>(k);
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
