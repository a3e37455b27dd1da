#pragma once
#include <vector>

#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// How well two sets of features cover each other: precision, recall, density and coverage. The ball around a row
/// extends to its k-th nearest other row in the same set. Each measure is a mean over the rows of one set; the per-row
/// values are stored for bootstrap intervals.
/// [Kynkaanniemi19], [Naeem20]
struct Prdc {
  std::vector<double> precision;  ///< per generated row: 1 if it is in the ball of any real row, else 0
  std::vector<double> recall;     ///< per real row: 1 if it is in the ball of any generated row, else 0
  std::vector<double> density;    ///< per generated row: number of real balls it is in, divided by k; may exceed 1
  std::vector<double> coverage;   ///< per real row: 1 if its ball holds a generated row, else 0
};

/// real: [N,D], generated: [M,D]. A ball contains its surface, as in [Kynkaanniemi19] eq. 1: where more than k rows are
/// equal the radius is 0, and the ball still holds their copies. Throws UsageError unless k >= 1 and both sets have
/// more than k rows.
Prdc prdc(const Tensor& real_features, const Tensor& generated_features, Index k);

}  // namespace reverie::inline REVERIE_PRECISION
