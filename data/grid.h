#pragma once
#include <span>

#include "data/png.h"
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// The number of pixels that `grid` takes for an image with its border, at the default scale.
Index grid_cell(Index height, Index width);

/// Arranges images [n,H,W,C] in [-1,1], C = 1 or 3, in a grid with grey borders. `columns` 0: about as many as rows.
/// `scale` enlarges each pixel to a square; 0: enlarges tiny images to a height of about 100 pixels. Throws ShapeError
/// for any other shape.
Picture grid(const Tensor& images, Index columns = 0, Index scale = 0);

/// Arranges pictures of one size and number of channels in a row, with grey borders. Throws ShapeError for others.
Picture beside(std::span<const Picture> pictures);

}  // namespace reverie::inline REVERIE_PRECISION
