// Included once for each instruction set, by kernels that Highway compiles for all of them.
#if defined(REVERIE_TILES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef REVERIE_TILES_INL_H
#undef REVERIE_TILES_INL_H
#else
#define REVERIE_TILES_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "tensor/kernels/products.h"

// Intel's AMX, which multiplies matrices of 16 x 16. Highway does not know it; whether the processor has it, and the
// system lends it, is asked at run time. Such a processor has AVX-512 too.
#undef REVERIE_TILES
#if HWY_ARCH_X86_64 && HWY_TARGET <= HWY_AVX3 && defined(__linux__) && !defined(REVERIE_DOUBLE)
#define REVERIE_TILES 1
#else
#define REVERIE_TILES 0
#endif

#if REVERIE_TILES
HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {

/// The processor's eight tiles, each of 16 rows of 16 units or sums. For sums C [16,16], units A [16,16] and units B
/// [16,16], a multiplication is C[i,j] += sum over units k of A[i,k] B[k,j]: 8192 multiply-adds in the time in which a
/// vector does 32. A register of a vector is a tile's row; steps between rows are counted in units or reals. For the
/// rate it matters that rows begin at a line of the cache, and that four tiles of sums take turns.
struct Tiles {
  static constexpr Index rows = 16;

  /// Tells the processor the tiles' sizes, once in a thread; it keeps them.
  Tiles() {
    static thread_local bool told = false;
    if (told) return;
    struct alignas(64) {
      std::uint8_t palette = 1, unused[15] = {};
      std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t row_count[16] = {rows, rows, rows, rows, rows, rows, rows, rows};
    } sizes;
    asm volatile("ldtilecfg %0" ::"m"(sizes));
    told = true;
  }

  template <int Tile>
  static HWY_INLINE void clear() {
    asm volatile("tilezero %%tmm%c0" ::"i"(Tile));
  }
  template <int Tile>
  static HWY_INLINE void load(const void* from, Index step) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(step * 4), "i"(Tile) : "memory");
  }
  template <int Tile>
  static HWY_INLINE void store(void* to, Index step) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(step * 4), "i"(Tile) : "memory");
  }
  /// C += A B.
  template <int C, int A, int B>
  static HWY_INLINE void multiply() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
  }
};

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
