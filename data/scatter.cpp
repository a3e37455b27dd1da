#include "data/scatter.h"

#include <algorithm>
#include <cmath>

#include "tensor/finite.h"

namespace reverie::inline REVERIE_PRECISION {

Picture scatter(const Tensor& points, double range, Index size) {
  if (points.rank() != 2 || points.extent(1) != 2) throw ShapeError("scatter: expects [n,2], got ", points.shape());
  require_finite("scatter", points);
  const Index n = points.extent(0);
  std::vector<double> hits(size * size, 0);
  constexpr Index dot = 1;  // a point is a square of 3 x 3 pixels
  for (Index i = 0; i < n; ++i) {
    const double x = (points[2 * i] + range) / (2 * range) * size;
    const double y = (range - points[2 * i + 1]) / (2 * range) * size;
    const auto inside = [&](double v) { return v >= dot && v < size - dot; };
    if (!inside(x) || !inside(y)) continue;
    const Index row = y, column = x;
    for (Index dy = -dot; dy <= dot; ++dy) {
      for (Index dx = -dot; dx <= dot; ++dx) hits[(row + dy) * size + column + dx] += 1;
    }
  }
  // Each hit removes a fraction of the remaining white, so that single points are visible and dense regions are dark.
  const double fraction = std::min(0.5, 2000.0 / std::max<Index>(n, 1));
  Picture picture(size, size, 3);
  for (Index i = 0; i < std::ssize(hits); ++i) {
    const double white = std::pow(1 - fraction, hits[i]);
    const double ink[] = {16, 56, 140};
    for (Index c = 0; c < 3; ++c) picture.pixels[3 * i + c] = std::lround(255 * white + ink[c] * (1 - white));
  }
  return picture;
}

}  // namespace reverie::inline REVERIE_PRECISION
