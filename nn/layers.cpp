#include "nn/layers.h"

#include <cmath>

namespace reverie::inline REVERIE_PRECISION {

Tensor timestep_embedding(const Tensor& t, Index dim, double max_period) {
  if (t.rank() != 1 || dim < 2) throw ShapeError("timestep_embedding: times of shape ", t.shape(), ", dim ", dim);
  const Index half = dim / 2;
  Tensor embedding = Tensor::zeros({t.size(), dim});
  for (Index n = 0; n < t.size(); ++n) {
    real* row = embedding.data() + n * dim;
    for (Index i = 0; i < half; ++i) {
      const double frequency = std::exp(-std::log(max_period) * static_cast<double>(i) / static_cast<double>(half));
      const double angle = static_cast<double>(t[n]) * frequency;
      row[i] = static_cast<real>(std::cos(angle));
      row[half + i] = static_cast<real>(std::sin(angle));
    }
  }
  return embedding;
}

}  // namespace reverie::inline REVERIE_PRECISION
