#pragma once
#include <array>
#include <charconv>
#include <string>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// The shortest decimal that reads back as the same double: "0.1", "1e-04", "nan".
inline std::string decimal(double value) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

}  // namespace reverie::inline REVERIE_PRECISION
