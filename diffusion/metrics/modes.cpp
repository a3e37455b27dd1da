#include "diffusion/metrics/modes.h"

#include <cmath>
#include <numeric>

#include "tensor/finite.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

double squared_distance(const real* point, const std::vector<double>& centre) {
  double sum = 0;
  for (std::size_t d = 0; d < centre.size(); ++d) sum += std::pow(static_cast<double>(point[d]) - centre[d], 2);
  return sum;
}

}  // namespace

Clusters clusters(const Tensor& points, std::span<const Index> labels, Index classes) {
  if (points.rank() != 2 || points.extent(0) != static_cast<Index>(labels.size())) {
    throw ShapeError("clusters: points of shape ", points.shape(), " with ", labels.size(), " labels");
  }
  require_finite("clusters", points);
  const Index width = points.extent(1);
  const auto K = static_cast<std::size_t>(classes);
  std::vector<Index> counts(K);
  Clusters result{std::vector<std::vector<double>>(K, std::vector<double>(static_cast<std::size_t>(width))),
                  std::vector<double>(K)};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    std::vector<double>& centre = result.centres.at(static_cast<std::size_t>(labels[i]));
    const real* point = points.data() + static_cast<Index>(i) * width;
    for (std::size_t d = 0; d < centre.size(); ++d) centre[d] += static_cast<double>(point[d]);
    ++counts[labels[i]];
  }
  for (std::size_t k = 0; k < K; ++k) {
    if (counts[k] < 2) throw UsageError("clusters: class ", k, " has ", counts[k], " points, expects at least 2");
    for (double& x : result.centres[k]) x /= static_cast<double>(counts[k]);
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto k = static_cast<std::size_t>(labels[i]);
    result.deviations[k] += squared_distance(points.data() + static_cast<Index>(i) * width, result.centres[k]);
  }
  for (std::size_t k = 0; k < K; ++k) {
    result.deviations[k] = std::sqrt(result.deviations[k] / static_cast<double>((counts[k] - 1) * width));
  }
  return result;
}

std::vector<Index> nearest_modes(const Tensor& points, const Clusters& clusters, double reach) {
  require_finite("modes", points);
  std::vector<Index> modes;
  for (Index i = 0; i < points.extent(0); ++i) {
    Index mode = -1;
    double smallest = reach * reach;  // squared, in standard deviations
    for (std::size_t k = 0; k < clusters.centres.size(); ++k) {
      double distance = squared_distance(points.data() + i * points.extent(1), clusters.centres[k]);
      if (distance > 0) distance /= std::pow(clusters.deviations[k], 2);  // a class of equal points has deviation 0
      if (!(distance <= smallest)) continue;
      smallest = distance;
      mode = static_cast<Index>(k);
    }
    modes.push_back(mode);
  }
  return modes;
}

ModeCount count_modes(std::span<const Index> modes, Index count) {
  if (modes.empty() || count < 1) throw UsageError("modes: ", modes.size(), " samples in ", count, " modes");
  ModeCount result;
  result.samples.resize(static_cast<std::size_t>(count));
  for (const Index mode : modes) {
    if (mode >= 0) ++result.samples.at(static_cast<std::size_t>(mode));
  }
  const double all = static_cast<double>(modes.size()), fair = all / static_cast<double>(count);
  for (const Index n : result.samples) result.found += n > 0 && static_cast<double>(n) >= 0.1 * fair;
  result.in_modes = static_cast<double>(std::accumulate(result.samples.begin(), result.samples.end(), Index{0})) / all;
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
