#include "tensor/kernels/simd/operands.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>

#include "tensor/kernels/simd/microkernel.h"

namespace reverie::inline REVERIE_PRECISION::kernels {

bool bfloat16_is_faster() {
#if defined(__x86_64__)
  // On Intel's processors, bfloat16 vectors take four times as long as float vectors; only AMX is faster.
  if (bfloat16_level() == Bfloat16Level::vectors) return __builtin_cpu_is("intel") == 0;
#endif
  return bfloat16_level() == Bfloat16Level::amx;
}

Bfloat16Level bfloat16_level() {
  return std::min<Bfloat16Level>(kernel_choice().most_bfloat16, microkernel().best_bfloat16);
}

bool has_amx() {
#if defined(__x86_64__) && defined(__linux__)
  constexpr unsigned amx_bits = 1u << 22 | 1u << 24;   // AMX-BF16, AMX-TILE
  constexpr long permission = 0x1023, amx_state = 18;  // ARCH_REQ_XCOMP_PERM; Linux 5.16 and later
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & amx_bits) == amx_bits &&
         syscall(SYS_arch_prctl, permission, amx_state) == 0;
#else
  return false;
#endif
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
