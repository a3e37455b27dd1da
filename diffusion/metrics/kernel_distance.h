#pragma once
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// The kernel distance (KID) of two sets of features: the squared maximum mean discrepancy with the kernel k(x, y) = (x
/// y / D + 1)^3. The estimate is unbiased, so for sets from the same distribution it scatters around 0 and may be
/// negative.
/// [Binkowski18] sec. 4, [Gretton12] eq. 3
class KernelDistance {
 public:
  /// a: [N,D], b: [M,D]; stores (N + M)^2 numbers. Throws ShapeError if the widths differ, or for fewer than two rows.
  KernelDistance(const Tensor& a, const Tensor& b);

  double estimate() const;
  /// The estimate with row i of a counted a_weights[i] times, and b likewise, as in a bootstrap. Pairs of copies of the
  /// same row are left out, because two real draws would not be the same image.
  double estimate(std::span<const double> a_weights, std::span<const double> b_weights) const;

 private:
  Index a_rows_, b_rows_;
  std::vector<double> aa_, bb_, ab_;
};

}  // namespace reverie::inline REVERIE_PRECISION
