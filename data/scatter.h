#pragma once
#include "data/png.h"
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// A picture of points [n,2]: a square of `size` pixels that shows [-range,range] on both axes (y upwards), darker blue
/// where they lie denser. Points outside, or not finite, are left out. Throws ShapeError for anything but [n,2].
Picture scatter(const Tensor& points, double range = 3, Index size = 512);

}  // namespace reverie::inline REVERIE_PRECISION
