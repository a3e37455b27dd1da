#include "nn/layers.h"

#include <cmath>

namespace reverie::inline REVERIE_PRECISION {

Tensor timestep_embedding(std::span<const double> t, Index dim, double max_period) {
  if (dim < 2) throw ShapeError("timestep_embedding: dim is ", dim, ", wants at least 2");
  const Index half = dim / 2;
  Tensor embedding = Tensor::zeros({static_cast<Index>(t.size()), dim});
  real* row = embedding.data();
  for (const double time : t) {
    for (Index i = 0; i < half; ++i) {
      const double frequency = std::exp(-std::log(max_period) * static_cast<double>(i) / static_cast<double>(half));
      const double angle = time * frequency;
      row[i] = static_cast<real>(std::cos(angle));
      row[half + i] = static_cast<real>(std::sin(angle));
    }
    row += dim;
  }
  return embedding;
}

}  // namespace reverie::inline REVERIE_PRECISION
