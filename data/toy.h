#pragma once
#include "data/point_set.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

/// A sample of a toy distribution.
struct ToyPoint {
  double x, y;
  Index label = 0;
};
/// A distribution in the plane. It is shifted and scaled by constants derived from its definition, so that both means
/// are 0 and the mean of the two variances is 1.
struct ToyDistribution {
  const char* name;
  const char* what;                          ///< one line for users
  std::vector<std::string> class_names;      ///< empty if the points have no labels
  ToyPoint (*draw)(const RandomKey& point);  ///< computes a point from its key
};

/// two_moons, swiss_roll, eight_gaussians, checkerboard.
const std::vector<ToyDistribution>& toy_distributions();

/// Draws `count` points; point i is a function of (seed, i). Throws UsageError for a count below 1 and for an unknown
/// name, listing the valid names.
PointSet toy(const std::string& name, Index count, std::uint64_t seed);

}  // namespace reverie::inline REVERIE_PRECISION
