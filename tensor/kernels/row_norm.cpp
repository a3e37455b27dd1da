#include "tensor/kernels/row_norm.h"

#include <algorithm>
#include <cmath>

#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

constexpr Index block_elements = 1 << 13;  // of a task: they stay in the first-level cache between its passes

// Adds the parts' sums [parts,2,C] (bias first) to dweight and dbias, in order.
void add_parts(const Tensor& parts, Tensor* dweight, Tensor* dbias) {
  const Index count = parts.extent(0), channels = parts.extent(2);
  for (Index i = 0; i < count; ++i) {
    const real* bias_part = parts.data() + 2 * i * channels;
    const real* weight_part = bias_part + channels;
    for (Index c = 0; dbias != nullptr && c < channels; ++c) (*dbias)[c] += bias_part[c];
    for (Index c = 0; dweight != nullptr && c < channels; ++c) (*dweight)[c] += weight_part[c];
  }
}

}  // namespace

void row_norm_forward(Centre centre, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                      Tensor& mean, Tensor& rstd, Tensor& y) {
  const Index channels = x.extent(-1);
  const real *w = weight.data(), *b = bias.data(), width = static_cast<real>(channels);
  parallel_for(mean.size(), std::max<Index>(1, block_elements / std::max<Index>(1, channels)),
               [&](Index begin, Index end) {
                 for (Index row = begin; row < end; ++row) {
                   const real* from = x.data() + row * channels;
                   real* to = y.data() + row * channels;
                   real sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
                   for (Index c = 0; c < channels; ++c) sum += from[c];
                   const real mu = centre == Centre::yes ? sum / width : real(0);
#pragma omp simd reduction(+ : squares)
                   for (Index c = 0; c < channels; ++c) squares += (from[c] - mu) * (from[c] - mu);
                   const real r = 1 / std::sqrt(squares / width + static_cast<real>(eps));
#pragma omp simd
                   for (Index c = 0; c < channels; ++c) to[c] = (from[c] - mu) * r * w[c] + b[c];
                   mean[row] = mu;
                   rstd[row] = r;
                 }
               });
}

// The formulas are in autograd/ops/norm.cpp.
void row_norm_backward(Centre centre, const Tensor& x, const Tensor& weight, const Tensor& mean, const Tensor& rstd,
                       const Tensor& dy, Tensor* dx, Tensor* dweight, Tensor* dbias) {
  const Index channels = x.extent(-1), rows = mean.size();
  const Index grain = std::max<Index>(1, block_elements / std::max<Index>(1, channels));
  const real width = static_cast<real>(channels);
  Tensor parts = Tensor::zeros({(rows + grain - 1) / grain, 2, channels});
  parallel_for(rows, grain, [&](Index begin, Index end) {
    const real* const w = weight.data();  // if captured, it would be loaded for each element
    real* const bias_part = parts.data() + begin / grain * 2 * channels;
    real* const weight_part = bias_part + channels;
    for (Index row = begin; row < end; ++row) {
      const real *from = x.data() + row * channels, *slope = dy.data() + row * channels;
      const real mu = mean[row], r = rstd[row];
      real sum = 0, sum_z = 0;
#pragma omp simd reduction(+ : sum, sum_z)
      for (Index c = 0; c < channels; ++c) {
        const real z = (from[c] - mu) * r;
        bias_part[c] += slope[c];
        weight_part[c] += slope[c] * z;
        sum += w[c] * slope[c];
        sum_z += w[c] * slope[c] * z;
      }
      if (dx == nullptr) continue;
      const real mean_dy = centre == Centre::yes ? sum / width : real(0), mean_dyz = sum_z / width;
      real* to = dx->data() + row * channels;
#pragma omp simd
      for (Index c = 0; c < channels; ++c) {
        const real z = (from[c] - mu) * r;
        to[c] += r * (w[c] * slope[c] - mean_dy - z * mean_dyz);
      }
    }
  });
  add_parts(parts, dweight, dbias);
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
