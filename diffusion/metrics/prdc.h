#pragma once
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// How far two sets of features cover one another. A ball around a row reaches to its k-th nearest other row in the
/// same set; all four are means over the rows of one set, and the rows' own values are kept for bootstrap intervals.
/// [Kynkaanniemi19], [Naeem20]
struct Prdc {
  std::vector<double> precision;  ///< for each generated row: 1 if it lies in any ball of a real one, else 0
  std::vector<double> recall;     ///< for each real row: 1 if it lies in any ball of a generated one
  std::vector<double> density;    ///< for each generated row: real balls that it lies in, over k; may exceed 1
  std::vector<double> coverage;   ///< for each real row: 1 if its own ball holds a generated row
};

/// real: [N,D], generated: [M,D]. Inside a ball is strictly nearer than its radius. Throws UsageError unless k >= 1 and
/// both sets have more than k rows.
Prdc prdc(const Tensor& real_features, const Tensor& generated_features, Index k);

}  // namespace reverie::inline REVERIE_PRECISION
