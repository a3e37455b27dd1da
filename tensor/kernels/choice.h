#pragma once
#include "tensor/task_context.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

/// The kernels of 3x3 convolutions. Winograd's are faster and less accurate: in float their error is 1e-6 of a value,
/// 1e-5 at worst, twice that of the direct kernels. `automatic` uses them where they are faster, and never with
/// bfloat16 on AMX, where they win little at five times the error. `direct` never uses them, `winograd` wherever they
/// apply.
enum class ConvKernels { automatic, direct, winograd };

/// The numbers that linear layers, convolutions and attention multiply: the reals themselves, or the reals rounded to
/// bfloat16. Sums are in float either way (tensor/bfloat16.h). Processors with bfloat16 instructions multiply twice as
/// many numbers in the same time, those with AMX sixteen times. The relative root-mean-square error of the results is
/// 0.3%, and up to 1.4% for Winograd's convolutions. These stay in float: layers with fewer than eight input or output
/// channels, products of a few rows, grouped convolutions, and every other operation. Only for real = float.
enum class OperandType { real, bfloat16 };

/// How bfloat16 operands are multiplied: emulated with shifts and masks, by vector instructions (AVX-512 BF16), or by
/// Intel's AMX.
enum class Bfloat16Level { emulated, vectors, amx };

/// Which kernels multiply, and what: a property of a model, in force inside a WithKernels scope.
struct KernelChoice {
  ConvKernels conv = ConvKernels::automatic;
  OperandType operands = OperandType::real;
  Bfloat16Level most_bfloat16 = Bfloat16Level::amx;  ///< the best level to use, for tests; the processor may have less

  bool operator==(const KernelChoice&) const = default;
};

/// The choice of the innermost WithKernels scope around the caller, KernelChoice{} outside of all scopes. A parallel
/// loop's tasks see the choice of the loop's caller, whichever thread runs them.
const KernelChoice& kernel_choice();

/// Puts a choice in force for the calling thread, until the end of the scope.
/// Throws Error for bfloat16 operands in the build for double.
class WithKernels {
 public:
  explicit WithKernels(const KernelChoice& choice);
  WithKernels(const WithKernels&) = delete;
  WithKernels& operator=(const WithKernels&) = delete;

 private:
  const KernelChoice choice_;
  const WithTaskContext context_{{&choice_}};
};

}  // namespace reverie::inline REVERIE_PRECISION::kernels
