#pragma once
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// Measures whether samples are copies of training images: compares their distances to the nearest training image with
/// those of held-out images, which can't be copies. After [Meehan20].
struct Memorisation {
  double sample_median, held_out_median;  ///< median distance; distances are root mean square differences per element
  /// The 1% quantile of the held-out distances; and per sample 1 if its distance is below that, else 0. About 1% of
  /// samples are below it if none are copies.
  double threshold;
  std::vector<double> below;
  Index nearest_sample;  ///< the sample closest to a training image
  double nearest;        ///< its distance
};

/// All sets are [n, sample shape] with at least one row each.
Memorisation memorisation(const Tensor& samples, const Tensor& held_out, const Tensor& training);

}  // namespace reverie::inline REVERIE_PRECISION
