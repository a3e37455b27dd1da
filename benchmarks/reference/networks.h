#pragma once
#include "benchmarks/reference/case.h"
#include "diffusion/networks/unet.h"

namespace reverie::inline REVERIE_PRECISION {

/// The U-Net that a case's parameters describe; the options that only guided-diffusion has are optional.
UNetOptions read_unet(const Case& c);

}  // namespace reverie::inline REVERIE_PRECISION
