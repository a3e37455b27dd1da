#pragma once
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// Where the clusters of a set of labelled points lie: of each class the mean [D] and the standard deviation of a
/// coordinate (one for all).
struct Clusters {
  std::vector<std::vector<double>> centres;
  std::vector<double> deviations;
};
/// points: [N,D], a label a row. Throws UsageError if a class has fewer than two points.
Clusters clusters(const Tensor& points, std::span<const Index> labels, Index classes);

/// The mode that each of some points belongs to: the nearest cluster (in its standard deviations) if that is at most
/// `reach` deviations away, else -1. Of two-dimensional Gaussians' own points all but 0.03% are within 4. [n]
std::vector<Index> nearest_modes(const Tensor& points, const Clusters& clusters, double reach = 4);

/// How samples are spread over modes. A mode counts as found if it holds at least a tenth of its fair share.
struct ModeCount {
  Index found = 0;
  std::vector<Index> samples;  ///< of each mode
  double in_modes = 0;         ///< share of samples that belong to any
};
/// `modes`: of each sample, below `count`, or -1 for none; at least one.
ModeCount count_modes(std::span<const Index> modes, Index count);

}  // namespace reverie::inline REVERIE_PRECISION
