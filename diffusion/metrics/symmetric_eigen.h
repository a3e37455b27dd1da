#pragma once
#include <vector>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// A = V diag(values) V^T; column j of `vectors` (row-major, n x n) belongs to values[j]. In no particular order.
struct SymmetricEigen {
  std::vector<double> values, vectors;
};

/// Of a symmetric n x n matrix, row-major, by Jacobi's rotations: a few n^3 times ten operations, always in double;
/// small eigenvalues come out as exactly as large ones. [Golub13] sec. 8.5 Throws ShapeError unless there are n^2
/// numbers.
SymmetricEigen symmetric_eigen(std::vector<double> matrix, Index n);

}  // namespace reverie::inline REVERIE_PRECISION
