#pragma once
#include <type_traits>

#include "tensor/bfloat16.h"
#include "tensor/kernels/choice.h"
#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// Whether the caller's kernel choice rounds operands to bfloat16.
inline bool bfloat16_operands() { return kernel_choice().operands == OperandType::bfloat16; }

/// The level at which bfloat16 operands are multiplied: the processor's best, or less if the kernel choice says so.
Bfloat16Level bfloat16_level();

/// Whether bfloat16 operands are faster than float on this processor. If not, they give the same results, but slower.
bool bfloat16_is_faster();

/// Whether the processor has Intel's AMX with bfloat16 and the system permits its use. Asks for the permission; from
/// then on the system saves 8 KB more per thread.
bool has_amx();

/// An operand is what one lane of a vector multiplies: a real, or two numbers in bfloat16 that are neighbours along the
/// sum (Bfloat16Pair). Kernels are templates over it.
template <class Operand>
inline constexpr bool is_bfloat16 = std::is_same_v<Operand, Bfloat16Pair>;
template <class Operand>
inline constexpr Index operand_numbers = is_bfloat16<Operand> ? 2 : 1;

/// Operands of a block, the unit in which a packed input stores its channels. The distance between pixels is thus a
/// compile-time constant, and every address in the inner loops is a register plus a constant.
inline constexpr Index block_operands = 16;
template <class Operand>
inline constexpr Index block_channels = block_operands* operand_numbers<Operand>;

/// Calls f(Operand()) for the operand type of the kernel choice.
template <class Function>
void with_operands(Function f) {
  if constexpr (sizeof(real) == sizeof(Bfloat16Pair)) {
    if (bfloat16_operands()) return f(Bfloat16Pair());
  }
  f(real());
}

/// The operand of the number at(0), or of at(0) and at(1).
template <class Operand, class At>
Operand make_operand(At at) {
  if constexpr (is_bfloat16<Operand>) {
    return bfloat16_pair(static_cast<float>(at(0)), static_cast<float>(at(1)));
  } else {
    return at(0);
  }
}

/// Memory for reals as memory for operands, which are no larger.
template <class Operand>
Operand* as_operands(real* memory) {
  static_assert(sizeof(Operand) <= sizeof(real));
  return reinterpret_cast<Operand*>(memory);
}
template <class Operand>
const Operand* as_operands(const real* memory) {
  return as_operands<Operand>(const_cast<real*>(memory));
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
