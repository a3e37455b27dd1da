// Included once for each instruction set, by kernels that Highway compiles for all of them.
#if defined(REVERIE_TILES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef REVERIE_TILES_INL_H
#undef REVERIE_TILES_INL_H
#else
#define REVERIE_TILES_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "tensor/kernels/simd/microkernel.h"

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

/// The processor's eight tiles, each of 16 rows of 16 units or sums. With sums C [16,16], units A [16,16] and units B
/// [16,16], a multiplication is C[i,j] += sum over units k of A[i,k] B[k,j]: 8192 multiply-adds in 16 cycles, sixteen
/// times as many as by vectors of floats. A vector's register is a tile's row; steps between rows are counted in units
/// or reals. It is fast if rows begin where a line of the cache does.
struct Amx {
  static constexpr Index rows = 16;
  static_assert(rows == block_units && rows == pixels_read);

  /// Tells the processor the tiles' sizes, once in a thread; it keeps them, unless other code in the program uses
  /// tiles.
  Amx() {
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
  /// The sums in tiles 0 and 1 += a's rows by two tiles of b's columns; with Two those in 2 and 3 the same of `second`.
  template <bool Two>
  static HWY_INLINE void add(const Bfloat16Pair* a, const Bfloat16Pair* second, Index a_step, const Bfloat16Pair* b,
                             Index b_step) {
    load<4>(a, a_step);
    load<6>(b, b_step);
    multiply<0, 4, 6>();
    load<7>(b + rows, b_step);
    multiply<1, 4, 7>();
    if constexpr (Two) {
      load<5>(second, a_step);
      multiply<2, 5, 6>();
      multiply<3, 5, 7>();
    }
  }
  /// Calls f<tile>(address, step) for the sums at `to`, two tiles side by side; with Two those at `second` too.
  template <bool Two, class Function>
  static HWY_INLINE void each_sum(real* to, real* second, Index step, Function f) {
    f.template operator()<0>(to, step);
    f.template operator()<1>(to + rows, step);
    if constexpr (Two) {
      f.template operator()<2>(second, step);
      f.template operator()<3>(second + rows, step);
    }
  }
  template <bool Two>
  static HWY_INLINE void load_sums(real* from, real* second, Index step) {
    each_sum<Two>(from, second, step, []<int Tile>(const real* p, Index n) HWY_ATTR { load<Tile>(p, n); });
  }
  template <bool Two>
  static HWY_INLINE void store_sums(real* to, real* second, Index step) {
    each_sum<Two>(to, second, step, []<int Tile>(real* p, Index n) HWY_ATTR { store<Tile>(p, n); });
  }
  static HWY_INLINE void clear_sums() { clear<0>(), clear<1>(), clear<2>(), clear<3>(); }
};

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
