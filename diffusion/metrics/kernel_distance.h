#pragma once
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// The kernel distance of two sets of features (KID): the squared maximum mean discrepancy under the kernel
/// k(x, y) = (x y / D + 1)^3. The estimate is unbiased, so for sets from one distribution it scatters around 0 and may
/// be negative. [Binkowski18] sec. 4, [Gretton12] eq. 3
class KernelDistance {
 public:
  /// a: [N,D], b: [M,D]; holds (N + M)^2 numbers. Throws ShapeError for other widths or fewer than two rows.
  KernelDistance(const Tensor& a, const Tensor& b);

  double estimate() const;
  /// The estimate where row i of a counts a_weights[i] times, and b likewise, as in a bootstrap: a pair of copies of
  /// one row is left out, because two draws would not have shown the same image.
  double estimate(std::span<const double> a_weights, std::span<const double> b_weights) const;

 private:
  Index a_rows_, b_rows_;
  std::vector<double> aa_, bb_, ab_;
};

}  // namespace reverie::inline REVERIE_PRECISION
