#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

#include "tensor/printable.h"

namespace reverie::inline REVERIE_PRECISION {

/// Concatenates the parts, each written with `<<`.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// An error message in one line that a user can act on: what is wrong, where, and what would be right. It is printable,
/// whatever names it quotes.
struct Error : std::runtime_error {
  template <class... Parts>
  explicit Error(const Parts&... parts) : std::runtime_error(printable(concat(parts...))) {}
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
