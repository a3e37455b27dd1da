#pragma once
#include <vector>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// A = V diag(values) V^T; column j of `vectors` (row-major, n x n) belongs to values[j], in no particular order.
struct SymmetricEigen {
  std::vector<double> values, vectors;
};

/// Computes the eigenvalues and eigenvectors of a symmetric row-major n x n matrix by Jacobi rotations, always in
/// double; needs a few times 10 n^3 operations. Throws ShapeError unless there are n^2 numbers.
/// [Golub13] sec. 8.5
SymmetricEigen symmetric_eigen(std::vector<double> matrix, Index n);

}  // namespace reverie::inline REVERIE_PRECISION
