#pragma once
#include "data/png.h"
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// Images [n,H,W,C] in [-1,1], C = 1 or 3, side by side with a grey border between them. `columns` 0: about as many as
/// rows. `scale` enlarges each pixel to a square; 0: so much that a tiny image becomes about 100 pixels high. Throws
/// ShapeError for anything but images of 1 or 3 channels.
Picture grid(const Tensor& images, Index columns = 0, Index scale = 0);

}  // namespace reverie::inline REVERIE_PRECISION
