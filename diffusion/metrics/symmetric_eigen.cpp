#include "diffusion/metrics/symmetric_eigen.h"

#include <cmath>
#include <limits>

#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// (x, y) <- (c x - s y, s x + c y) for n pairs, `stride` apart.
void rotate(double* x, double* y, Index n, Index stride, double c, double s) {
  for (Index i = 0; i < n * stride; i += stride) {
    const double u = x[i], v = y[i];
    x[i] = c * u - s * v;
    y[i] = s * u + c * v;
  }
}

}  // namespace

SymmetricEigen symmetric_eigen(std::vector<double> a, Index n) {
  if (static_cast<Index>(a.size()) != n * n) {
    throw ShapeError("symmetric_eigen: ", a.size(), " numbers are no ", n, "x", n, " matrix");
  }
  // Eigenvectors are stored as rows while rotating, so that the inner loops access contiguous memory.
  std::vector<double> rows(a.size());
  for (Index i = 0; i < n; ++i) rows[i * n + i] = 1;
  const auto at = [&](Index i, Index j) -> double& { return a[i * n + j]; };
  constexpr int most_sweeps = 60;
  for (int sweep = 0; sweep < most_sweeps; ++sweep) {
    bool rotated = false;
    for (Index p = 0; p < n; ++p) {
      for (Index q = p + 1; q < n; ++q) {
        const double apq = at(p, q);
        const double size = std::sqrt(std::abs(at(p, p) * at(q, q)));
        if (std::abs(apq) <= std::numeric_limits<double>::epsilon() * size ||
            std::abs(apq) < std::numeric_limits<double>::min()) {
          continue;
        }
        rotated = true;
        // The smaller of the two angles that make a[p][q] zero.
        // [Golub13] alg. 8.5.1
        const double tau = (at(q, q) - at(p, p)) / (2 * apq);
        const double t = std::copysign(1.0, tau) / (std::abs(tau) + std::hypot(1.0, tau));
        const double c = 1 / std::hypot(1.0, t), s = t * c;
        rotate(&at(p, 0), &at(q, 0), n, 1, c, s);
        rotate(&at(0, p), &at(0, q), n, n, c, s);
        at(p, q) = at(q, p) = 0;
        rotate(&rows[p * n], &rows[q * n], n, 1, c, s);
      }
    }
    if (!rotated) break;
  }
  SymmetricEigen result;
  result.vectors.resize(a.size());
  for (Index j = 0; j < n; ++j) {
    result.values.push_back(at(j, j));
    for (Index i = 0; i < n; ++i) {
      result.vectors[i * n + j] = rows[j * n + i];
    }
  }
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
