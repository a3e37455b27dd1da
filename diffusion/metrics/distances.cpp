#include "diffusion/metrics/distances.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/finite.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The number of elements per row, the same in both.
Index common_width(const Tensor& a, const Tensor& b) {
  if (a.rank() < 1 || b.rank() < 1 || a.extent(0) == 0 || b.extent(0) == 0 ||
      a.size() / a.extent(0) != b.size() / b.extent(0)) {
    throw ShapeError("distances: rows of ", a.shape(), " and ", b.shape(), " can't be compared");
  }
  for (const Tensor* x : {&a, &b}) require_finite("distances", *x);  // NaN has no order
  return a.size() / a.extent(0);
}

double squared_distance(const real* a, const real* b, Index width) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index i = 0; i < width; ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += d * d;
  }
  return sum;
}

constexpr Index rows_a_task = 8;

}  // namespace

std::vector<double> squared_distances(const Tensor& a, const Tensor& b) {
  const Index width = common_width(a, b), rows = a.extent(0), columns = b.extent(0);
  std::vector<double> result(static_cast<std::size_t>(rows * columns));
  parallel_for(rows, rows_a_task, [&](Index first, Index last) {
    for (Index i = first; i < last; ++i) {
      for (Index j = 0; j < columns; ++j) {
        result[i * columns + j] = squared_distance(a.data() + i * width, b.data() + j * width, width);
      }
    }
  });
  return result;
}

std::vector<double> nearest_distances(const Tensor& queries, const Tensor& set) {
  const Index width = common_width(queries, set);
  std::vector<double> result(static_cast<std::size_t>(queries.extent(0)), std::numeric_limits<double>::infinity());
  parallel_for(queries.extent(0), rows_a_task, [&](Index first, Index last) {
    for (Index j = 0; j < set.extent(0); ++j) {  // reuses the row for all queries while it is in cache
      for (Index i = first; i < last; ++i) {
        double& nearest = result[i];
        nearest = std::min(nearest, squared_distance(queries.data() + i * width, set.data() + j * width, width));
      }
    }
    for (Index i = first; i < last; ++i) {
      result[i] = std::sqrt(result[i]);
    }
  });
  return result;
}

}  // namespace reverie::inline REVERIE_PRECISION
