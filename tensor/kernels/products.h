#pragma once
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// What linear layers and convolutions multiply from now on, in the whole program: their reals, or those rounded to
/// bfloat16, whose products are summed in float all the same (tensor/bfloat16.h). Processors that know bfloat16
/// multiply twice as many in the same time. A linear layer's or a direct convolution's results are then off by 0.3% of
/// their size, Winograd's by 0.7 to 1.3%. Convolutions from or to fewer than eight channels, attention's scores, norms
/// and everything else stay as they are. For real = float; throws Error in the build for double.
enum class Factors { full, bfloat16 };
void use_factors(Factors choice);
bool bfloat16_factors();

/// Whether the processor has instructions for it. Elsewhere the results are the same, at less than the speed of float.
bool has_bfloat16();

}  // namespace reverie::inline REVERIE_PRECISION::kernels
