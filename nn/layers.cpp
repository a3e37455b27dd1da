#include "nn/layers.h"

#include <cmath>
#include <vector>

namespace reverie::inline REVERIE_PRECISION {

Tensor timestep_embedding(std::span<const double> t, Index dim, double max_period) {
  if (dim < 2) throw ShapeError("timestep_embedding: dim is ", dim, ", wants at least 2");
  const Index half = dim / 2;
  std::vector<double> frequencies;
  for (Index i = 0; i < half; ++i)
    frequencies.push_back(std::exp(-std::log(max_period) * static_cast<double>(i) / static_cast<double>(half)));
  Tensor embedding = Tensor::zeros({static_cast<Index>(t.size()), dim});
  real* row = embedding.data();
  for (const double time : t) {
    for (Index i = 0; i < half; ++i) {
      const double angle = time * frequencies[static_cast<std::size_t>(i)];
      row[i] = static_cast<real>(std::cos(angle));
      row[half + i] = static_cast<real>(std::sin(angle));
    }
    row += dim;
  }
  return embedding;
}

}  // namespace reverie::inline REVERIE_PRECISION
