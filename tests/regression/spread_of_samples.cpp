// dpmpp_sde drew the two noises of a sampling step independently, and its samples had too small a variance: of an exact
// Gaussian 0.69, 0.91 and 0.98 of the standard deviation with 10, 50 and 250 steps. Orders are measured without noise,
// so no test saw it.
#include "benchmarks/sampler_moments.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
