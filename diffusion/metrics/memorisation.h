#pragma once
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// Whether samples are copies: their distances to the nearest training image beside those of held-out images, which
/// can't be copies. After [Meehan20].
struct Memorisation {
  double sample_median, held_out_median;  ///< root mean square difference of an element
  /// The distance that only 1% of the held-out images fall below; and for each sample 1 if it does, else 0. Of samples
  /// that are no copies about 1% do.
  double threshold;
  std::vector<double> below;
  Index nearest_sample;  ///< the sample nearest to a training image
  double nearest;        ///< its distance
};

/// All [n, sample shape], at least one row each.
Memorisation memorisation(const Tensor& samples, const Tensor& held_out, const Tensor& training);

}  // namespace reverie::inline REVERIE_PRECISION
