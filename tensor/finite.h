#pragma once
#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include "tensor/error.h"
#include "tensor/tensor.h"

namespace reverie::inline REVERIE_PRECISION {

/// The number of the first value that is NaN or infinite; values.size() if there is none.
template <class T>
std::size_t first_not_finite(std::span<const T> values) {
  const auto found = std::find_if(values.begin(), values.end(), [](T value) { return !std::isfinite(value); });
  return static_cast<std::size_t>(found - values.begin());
}

inline std::size_t first_not_finite(const Tensor& x) { return first_not_finite(std::span<const real>(x.values())); }

/// Throws Error "WHERE: value I of SHAPE is nan" unless all values are finite.
inline void require_finite(const std::string& where, const Tensor& x) {
  const std::size_t bad = first_not_finite(x);
  if (bad < x.values().size()) throw Error(where, ": value ", bad, " of ", x.shape(), " is ", x.values()[bad]);
}

}  // namespace reverie::inline REVERIE_PRECISION
