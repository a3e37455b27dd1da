#pragma once
#include "data/point_set.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

/// A distribution in the plane, shifted and scaled by constants worked out from its definition, so that both means are
/// 0 and the two variances have the mean 1.
struct ToyPoint {
  double x, y;
  Index label = 0;
};
struct ToyDistribution {
  const char* name;
  const char* what;                          ///< for a user who chooses
  std::vector<std::string> class_names;      ///< empty: the points have no labels
  ToyPoint (*draw)(const RandomKey& point);  ///< a point as a function of its key
};

/// two_moons, swiss_roll, eight_gaussians, checkerboard.
const std::vector<ToyDistribution>& toy_distributions();

/// `count` points; point i is a function of (seed, i). Throws UsageError for an unknown name, listing those that exist,
/// and for a count below 1.
PointSet toy(const std::string& name, Index count, std::uint64_t seed);

}  // namespace reverie::inline REVERIE_PRECISION
