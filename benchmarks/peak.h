#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// What one core can do at best, measured: GFLOP/s of fused multiply-adds in registers, in `real`. About half a second.
double fma_peak();

}  // namespace reverie::inline REVERIE_PRECISION
