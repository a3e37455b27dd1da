#include "nn/layers.h"

#include <cmath>
#include <vector>

#include "tensor/kernels/functions.h"

namespace reverie::inline REVERIE_PRECISION {

Tensor timestep_embedding(std::span<const double> t, Index dim, double max_period) {
  if (dim < 2) throw ShapeError("timestep_embedding: expects dim of at least 2, got ", dim);
  const Index half = dim / 2;
  std::vector<double> frequencies;
  for (Index i = 0; i < half; ++i) frequencies.push_back(std::exp(-std::log(max_period) * i / half));
  Tensor embedding = Tensor::zeros({std::ssize(t), dim});
  real* row = embedding.data();
  const auto fill = [&](double time, auto sin_cos) {
#pragma omp simd
    for (Index i = 0; i < half; ++i) {
      const kernels::SinCos value = sin_cos(time * frequencies[i]);
      row[i] = value.cos;
      row[half + i] = value.sin;
    }
    row += dim;
  };
  for (const double time : t) {
    if (sizeof(real) == sizeof(float) && std::abs(time) < 0x1p20) {
      fill(time, [](double x) { return kernels::fast_sin_cos(x); });
    } else {
      fill(time, [](double x) { return kernels::SinCos{std::sin(x), std::cos(x)}; });
    }
  }
  return embedding;
}

}  // namespace reverie::inline REVERIE_PRECISION
