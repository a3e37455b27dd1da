#pragma once
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// Squared Euclidean distances of all rows of a [N,...] to all rows of b [M,...]: N x M numbers, row-major, summed in
/// double. Throws ShapeError if the row sizes differ.
std::vector<double> squared_distances(const Tensor& a, const Tensor& b);

/// The Euclidean distance from every row of `queries` [N,...] to the nearest row of `set` [M,...].
std::vector<double> nearest_distances(const Tensor& queries, const Tensor& set);

}  // namespace reverie::inline REVERIE_PRECISION
