#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// What one core can do at best, measured: GFLOP/s of fused multiply-adds in registers, in `real`; the best of `tries`
/// of two milliseconds each.
double fma_peak(int tries = 10);

}  // namespace reverie::inline REVERIE_PRECISION
