#include "data/scatter.h"

#include <algorithm>
#include <cmath>

namespace reverie::inline REVERIE_PRECISION {

Picture scatter(const Tensor& points, double range, Index size) {
  if (points.rank() != 2 || points.extent(1) != 2)
    throw ShapeError("scatter: ", points.shape(), " are no points [n,2]");
  const Index n = points.extent(0);
  std::vector<double> hits(static_cast<std::size_t>(size * size), 0);
  constexpr Index dot = 1;  // a point is a square of 3 x 3 pixels
  for (Index i = 0; i < n; ++i) {
    const double x = (points[2 * i] + range) / (2 * range) * static_cast<double>(size);
    const double y = (range - points[2 * i + 1]) / (2 * range) * static_cast<double>(size);
    const auto inside = [&](double v) { return v >= dot && v < static_cast<double>(size - dot); };
    if (!inside(x) || !inside(y)) continue;
    for (Index dy = -dot; dy <= dot; ++dy) {
      for (Index dx = -dot; dx <= dot; ++dx) {
        hits[(static_cast<Index>(y) + dy) * size + static_cast<Index>(x) + dx] += 1;
      }
    }
  }
  // Each hit takes away a share of what is left of the paper: few points stand alone, many show where they are dense.
  const double share = std::min(0.5, 2000.0 / static_cast<double>(std::max<Index>(n, 1)));
  Picture picture(size, size, 3);
  for (std::size_t i = 0; i < hits.size(); ++i) {
    const double paper = std::pow(1 - share, hits[i]);
    const double ink[] = {16, 56, 140};
    for (std::size_t c = 0; c < 3; ++c) {
      picture.pixels[3 * i + c] = static_cast<std::uint8_t>(std::lround(255 * paper + ink[c] * (1 - paper)));
    }
  }
  return picture;
}

}  // namespace reverie::inline REVERIE_PRECISION
