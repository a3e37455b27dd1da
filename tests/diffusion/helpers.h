#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "diffusion/process/process.h"
#include "tensor/random.h"
#include "tests/helpers.h"

namespace reverie::inline REVERIE_PRECISION {

/// How far rounding may lead astray in this precision.
inline double tolerance(double in_double, double in_float) { return sizeof(real) == 8 ? in_double : in_float; }

/// The largest |a - b| / (1 + |b|) over all elements; infinite for a NaN or another shape.
inline double difference(const Var& a_, const Var& b_) {
  const Tensor &a = a_.value(), &b = b_.value();
  double largest = a.shape() == b.shape() ? 0 : INFINITY;
  for (Index i = 0; i < a.size() && largest < INFINITY; ++i) {
    const double d =
        std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])) / (1 + std::abs(static_cast<double>(b[i])));
    largest = std::isnan(d) ? INFINITY : std::max(largest, d);
  }
  return largest;
}

/// N(0, 1) numbers, others for every `channel`.
inline Tensor noise(const Shape& shape, std::uint32_t channel = 0) {
  return normal({2024, Stream::probe, 0, 0, channel}, shape);
}

/// N times the same step.
inline std::vector<Index> all_at(Index n, Index t) { return std::vector<Index>(static_cast<std::size_t>(n), t); }

}  // namespace reverie::inline REVERIE_PRECISION
