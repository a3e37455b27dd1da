#pragma once
#include "data/dataset.h"

namespace reverie::inline REVERIE_PRECISION {

/// The median distance of samples to the nearest training sample, as in Memorisation, of at most 256 samples and 10,000
/// training samples (a Subset), which are read in blocks to save memory.
double median_nearest(const Tensor& samples, const Dataset& training);

}  // namespace reverie::inline REVERIE_PRECISION
