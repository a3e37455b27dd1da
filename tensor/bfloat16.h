#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// Rounds to the nearest bfloat16, ties to even. A bfloat16 is the upper half of a float: the same range, but 8 bits of
/// precision instead of 24, so the relative error is at most 2^-9. Infinities and NaNs are preserved.
inline std::uint16_t rounded_to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// The nearest bfloat16 as a float.
inline float nearest_bfloat16(float value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(rounded_to_bfloat16(value)) << 16);
}

/// Two neighbours along a sum of products. Processors with bfloat16 instructions multiply such pairs, and add both
/// products to a float, in every lane of a vector.
struct Bfloat16Pair {
  std::uint32_t bits;  ///< the first number is in the lower half
};
inline Bfloat16Pair bfloat16_pair(float first, float second) {
  return {static_cast<std::uint32_t>(rounded_to_bfloat16(second)) << 16 | rounded_to_bfloat16(first)};
}

}  // namespace reverie::inline REVERIE_PRECISION
