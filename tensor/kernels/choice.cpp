#include "tensor/kernels/choice.h"

#include "tensor/error.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

const KernelChoice& kernel_choice() {
  static constexpr KernelChoice by_default;
  return task_context.kernels != nullptr ? *task_context.kernels : by_default;
}

WithKernels::WithKernels(const KernelChoice& choice) : choice_(choice) {
  if (choice.operands == OperandType::bfloat16 && sizeof(real) != 4)
    throw Error("bfloat16 operands: this build computes in float64");
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
