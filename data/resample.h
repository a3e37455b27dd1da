#pragma once
#include "data/png.h"

namespace reverie::inline REVERIE_PRECISION {

/// The old pixels that a new pixel averages, along one axis: from `first` on, with these weights.
struct PixelWeights {
  Index first;
  std::vector<double> weights;
};
/// Computes the weights for area resampling along one axis: cuts the interval [begin, begin + length) of old pixels
/// into `count` new ones, each the mean over its part.
std::vector<PixelWeights> area_weights(double begin, double length, Index count);

/// A rectangle of pixels.
struct PixelBox {
  double top, left, height, width;
};
/// Resamples a part of the picture, which must lie inside it: each new pixel is the mean over the area that it covers.
Picture resample(const Picture& picture, const PixelBox& part, Index height, Index width);

/// Crops the centre of the picture to the proportions height : width, then resamples it.
Picture crop_and_resample(const Picture& picture, Index height, Index width);

}  // namespace reverie::inline REVERIE_PRECISION
