#pragma once
#include <cmath>
#include <iomanip>
#include <sstream>
#include <stdexcept>
#include <string>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Concatenates the parts, each written with `<<`.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// An error message in one line that a user can act on: what is wrong, where, and what would be right.
struct Error : std::runtime_error {
  template <class... Parts>
  explicit Error(const Parts&... parts) : std::runtime_error(concat(parts...)) {}
};

/// "N MB", rounded up.
inline std::string megabytes(double bytes) {
  return concat(std::fixed, std::setprecision(0), std::ceil(bytes / 1e6), " MB");
}

/// Memory that a tensor or an operation can't get: "out of memory: WHAT needs N MB".
struct OutOfMemory : Error {
  using Error::Error;
  static OutOfMemory of(const std::string& what, double bytes) {
    return OutOfMemory("out of memory: ", what, " needs ", megabytes(bytes));
  }
};

/// Shapes that don't fit an operation; names both.
struct ShapeError : Error {
  using Error::Error;
};

/// A wrong flag, configuration key or value. The program exits with 2 instead of 1.
struct UsageError : Error {
  using Error::Error;
};

}  // namespace reverie::inline REVERIE_PRECISION
