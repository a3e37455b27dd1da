#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Measures the peak of one core: GFLOP/s of fused multiply-adds of `real` in registers, the best of `tries` runs of
/// about two milliseconds.
double fma_peak(int tries = 10);

}  // namespace reverie::inline REVERIE_PRECISION
