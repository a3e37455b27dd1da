#pragma once
#include "data/png.h"
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// Plots points [n,2] in a square of `size` pixels that shows [-range,range] on both axes (y upwards): the denser the
/// points, the darker the blue. Leaves out points that are outside or not finite. Throws ShapeError for other shapes.
Picture scatter(const Tensor& points, double range = 3, Index size = 512);

}  // namespace reverie::inline REVERIE_PRECISION
