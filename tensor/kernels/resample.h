#pragma once
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// Square windows over [N,H,W,C], `size` wide and `stride` apart, without padding; incomplete windows are dropped.
struct Windows {
  Index size, stride;
  Index count(Index extent) const { return extent < size ? 0 : (extent - size) / stride + 1; }
};

/// coarse[n,i,j,c] += factor * (the sum of fine over window (i, j)). Average pooling, and the backward pass of
/// upsampling.
void gather_windows(Windows windows, const Tensor& fine, real factor, Tensor& coarse);
/// fine[n,y,x,c] += factor * (the sum of coarse over the windows that hold (y, x)): the transpose of `gather_windows`.
/// Nearest upsampling, and the backward pass of average pooling.
void spread_windows(Windows windows, const Tensor& coarse, real factor, Tensor& fine);

}  // namespace reverie::inline REVERIE_PRECISION::kernels
