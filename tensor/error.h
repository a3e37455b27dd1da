#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// "a", 3, shape -> one string, each part written with `<<`.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// What went wrong, in one line a user can act on: what is wrong, where, and what would be right.
struct Error : std::runtime_error {
  template <class... Parts>
  explicit Error(const Parts&... parts) : std::runtime_error(concat(parts...)) {}
};

/// Tensors that do not fit together: names the operation and the shapes.
struct ShapeError : Error {
  using Error::Error;
};

/// A wrong flag, configuration key or value: the program exits with 2 instead of 1.
struct UsageError : Error {
  using Error::Error;
};

}  // namespace reverie::inline REVERIE_PRECISION
