#pragma once
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// Mean [D] and covariance [D,D] (divided by rows - 1) of a set of feature vectors.
struct Moments {
  std::vector<double> mean, covariance;
};

/// The moments of features [N,D], or of the given rows, which may repeat. Throws ShapeError for fewer than two rows.
Moments moments(const Tensor& features);
Moments moments(const Tensor& features, std::span<const Index> rows);

/// The squared Frechet (Wasserstein-2) distance of the normal distributions with these moments: |mean_a - mean_b|^2 +
/// tr(A + B - 2 (A B)^(1/2)). Never below 0, where rounding alone would get it. Throws ShapeError if the widths differ.
/// [Dowson82], [Heusel17] eq. 6
double frechet_distance(const Moments& a, const Moments& b);
double frechet_distance(const Tensor& features_a, const Tensor& features_b);

}  // namespace reverie::inline REVERIE_PRECISION
