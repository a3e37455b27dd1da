#pragma once
#include <type_traits>

#include "tensor/bfloat16.h"
#include "tensor/kernels/choice.h"
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// Whether the caller's kernel choice rounds operands to bfloat16.
inline bool bfloat16_operands() { return kernel_choice().operands == OperandType::bfloat16; }

/// Whether that is faster than float on this processor. Elsewhere the same products are computed, but slower.
bool bfloat16_is_faster();

/// The level at which pairs in bfloat16 are multiplied: the processor's best, or less if the kernel choice says so.
Bfloat16Level bfloat16_level();

/// Whether the processor has Intel's AMX with bfloat16 and the system lends it to the program. Asks for it: from then
/// on the program's threads have 8 KB more to save.
bool has_tiles();

/// Kernels multiply units: of one number, real, or of two that are neighbours along the sum, Bfloat16Pair.
template <class Unit>
inline constexpr bool is_bfloat16 = std::is_same_v<Unit, Bfloat16Pair>;
template <class Unit>
inline constexpr Index unit_numbers = is_bfloat16<Unit> ? 2 : 1;

/// Channels that lie together in a packed input, in which the micro-kernels read, as so many units: its pixels lie that
/// far apart, a number that the compiler knows, and every address in the inner loops is a register plus a constant.
inline constexpr Index block_units = 16;
template <class Unit>
inline constexpr Index block_channels = block_units* unit_numbers<Unit>;

/// Calls f(a unit) of the kind that is wanted.
template <class Function>
void with_units(Function f) {
  if constexpr (sizeof(real) == sizeof(Bfloat16Pair)) {
    if (bfloat16_operands()) return f(Bfloat16Pair());
  }
  f(real());
}

/// The unit of the numbers that at(0), and at(1) if it has two, return.
template <class Unit, class At>
Unit make_unit(At at) {
  if constexpr (is_bfloat16<Unit>) {
    return bfloat16_pair(static_cast<float>(at(0)), static_cast<float>(at(1)));
  } else {
    return at(0);
  }
}

/// Memory for reals as memory for units, which are no larger.
template <class Unit>
Unit* units(real* memory) {
  static_assert(sizeof(Unit) <= sizeof(real));
  return reinterpret_cast<Unit*>(memory);
}
template <class Unit>
const Unit* units(const real* memory) {
  return units<Unit>(const_cast<real*>(memory));
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
