#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// The nearest bfloat16, the even one of two: the upper half of a float, with 8 bits of precision instead of 24 and
/// the same range, so that a number is off by at most 2^-9 of itself. Infinities stay, and what is no number stays so.
inline std::uint16_t rounded_to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// The same as a float.
inline float nearest_bfloat16(float value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(rounded_to_bfloat16(value)) << 16);
}

/// Two neighbours among the factors of a sum of products. Processors that know bfloat16 multiply such pairs and add
/// both products to a float, which all lanes of a vector do at once.
struct Bfloat16Pair {
  std::uint32_t bits;  ///< the first number's in the lower half
};
inline Bfloat16Pair bfloat16_pair(float first, float second) {
  return {static_cast<std::uint32_t>(rounded_to_bfloat16(second)) << 16 | rounded_to_bfloat16(first)};
}

}  // namespace reverie::inline REVERIE_PRECISION
