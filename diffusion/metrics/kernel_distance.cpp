#include "diffusion/metrics/kernel_distance.h"

#include "tensor/finite.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

std::vector<double> kernel(const Tensor& a, const Tensor& b) {
  const Index rows = a.extent(0), columns = b.extent(0), width = a.extent(1);
  std::vector<double> result(static_cast<std::size_t>(rows * columns));
  parallel_for(rows, 8, [&](Index first, Index last) {
    for (Index i = first; i < last; ++i) {
      for (Index j = 0; j < columns; ++j) {
        const real *x = a.data() + i * width, *y = b.data() + j * width;
        double dot = 0;
#pragma omp simd reduction(+ : dot)
        for (Index d = 0; d < width; ++d) dot += static_cast<double>(x[d]) * static_cast<double>(y[d]);
        const double base = dot / static_cast<double>(width) + 1;
        result[i * columns + j] = base * base * base;
      }
    }
  });
  return result;
}

// The mean of k_ij over pairs with weights x_i y_j; if x and y are the same set, without pairs of a row with itself,
// unless a resample has no other pairs.
double mean_kernel(const std::vector<double>& k, std::span<const double> x, std::span<const double> y, bool one_set) {
  double sum = 0, x_weight = 0, y_weight = 0, diagonal = 0, last = 0;
  for (const double w : y) y_weight += w;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double* row = &k[i * y.size()];
    double of_row = 0;
#pragma omp simd reduction(+ : of_row)
    for (std::size_t j = 0; j < y.size(); ++j) of_row += y[j] * row[j];
    if (one_set && y[i] < y_weight) {
      of_row -= y[i] * row[i];
      diagonal += x[i] * y[i];
      if (x[i] > 0) last = row[i];
    }
    sum += x[i] * of_row;
    x_weight += x[i];
  }
  const double pairs = x_weight * y_weight - diagonal;
  return pairs > 0 ? sum / pairs : last;  // a resample may hold a single row, many times
}

}  // namespace

KernelDistance::KernelDistance(const Tensor& a, const Tensor& b) {
  for (const Tensor* x : {&a, &b}) require_finite("kernel distance", *x);
  if (a.rank() != 2 || b.rank() != 2 || a.extent(1) != b.extent(1) || a.extent(0) < 2 || b.extent(0) < 2) {
    throw ShapeError("kernel distance: features of shapes ", a.shape(), " and ", b.shape(),
                     " can't be compared; expects [N,D] and [M,D] of at least two rows");
  }
  aa_ = kernel(a, a);
  bb_ = kernel(b, b);
  ab_ = kernel(a, b);
  a_rows_ = a.extent(0);
  b_rows_ = b.extent(0);
}

double KernelDistance::estimate() const {
  return estimate(std::vector<double>(static_cast<std::size_t>(a_rows_), 1),
                  std::vector<double>(static_cast<std::size_t>(b_rows_), 1));
}

double KernelDistance::estimate(std::span<const double> a_weights, std::span<const double> b_weights) const {
  return mean_kernel(aa_, a_weights, a_weights, true) + mean_kernel(bb_, b_weights, b_weights, true) -
         2 * mean_kernel(ab_, a_weights, b_weights, false);
}

}  // namespace reverie::inline REVERIE_PRECISION
