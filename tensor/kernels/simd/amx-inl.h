// Intel's AMX: wrappers around the instructions that multiply AMX tiles of 16x16 operands.
#if defined(REVERIE_AMX_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef REVERIE_AMX_INL_H
#undef REVERIE_AMX_INL_H
#else
#define REVERIE_AMX_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "tensor/kernels/simd/microkernel.h"

// Highway doesn't support AMX; has_amx() checks at run time whether the processor and the system do. Every processor
// with AMX has AVX-512 too.
#undef REVERIE_AMX
#if HWY_ARCH_X86_64 && HWY_TARGET <= HWY_AVX3 && defined(__linux__) && !defined(REVERIE_DOUBLE)
#define REVERIE_AMX 1
#else
#define REVERIE_AMX 0
#endif

#if REVERIE_AMX
HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {

/// The processor's eight AMX tiles, each of 16 rows of 16 operands or sums. With sums C, operands A and operands B, all
/// [16,16], a multiplication is C[i,j] += sum over operands k of A[i,k] B[k,j]: 8192 multiply-adds in 16 cycles,
/// sixteen times as many as float vectors do. Strides between rows are counted in operands or reals. It is fastest if
/// the rows are aligned to cache lines.
struct Amx {
  static constexpr Index rows = 16;
  static_assert(rows == block_operands && rows == min_pixels_read);

  /// Configures the AMX tiles, once per thread; assumes that no other code of the program uses AMX.
  Amx() {
    static thread_local bool configured = false;
    if (configured) return;
    struct alignas(64) {
      std::uint8_t palette = 1, unused[15] = {};
      std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t row_count[16] = {rows, rows, rows, rows, rows, rows, rows, rows};
    } sizes;
    asm volatile("ldtilecfg %0" ::"m"(sizes));
    configured = true;
  }

  template <int Tile>
  static HWY_INLINE void clear() {
    asm volatile("tilezero %%tmm%c0" ::"i"(Tile));
  }
  template <int Tile>
  static HWY_INLINE void load(const void* from, Index stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride * 4), "i"(Tile) : "memory");
  }
  template <int Tile>
  static HWY_INLINE void store(void* to, Index stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride * 4), "i"(Tile) : "memory");
  }
  /// C += A B.
  template <int C, int A, int B>
  static HWY_INLINE void multiply() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
  }
  /// AMX tiles 0 and 1 += a's rows by two tiles of b's columns; with Two, tiles 2 and 3 += those of `second`.
  template <bool Two>
  static HWY_INLINE void add(const Bfloat16Pair* a, const Bfloat16Pair* second, Index a_stride, const Bfloat16Pair* b,
                             Index b_stride) {
    load<4>(a, a_stride);
    load<6>(b, b_stride);
    multiply<0, 4, 6>();
    load<7>(b + rows, b_stride);
    multiply<1, 4, 7>();
    if constexpr (Two) {
      load<5>(second, a_stride);
      multiply<2, 5, 6>();
      multiply<3, 5, 7>();
    }
  }
  /// Calls f<tile>(address, stride) for the sums at `to`, two tiles side by side; with Two, for those at `second` too.
  template <bool Two, class Function>
  static HWY_INLINE void each_sum(real* to, real* second, Index stride, Function f) {
    f.template operator()<0>(to, stride);
    f.template operator()<1>(to + rows, stride);
    if constexpr (Two) {
      f.template operator()<2>(second, stride);
      f.template operator()<3>(second + rows, stride);
    }
  }
  template <bool Two>
  static HWY_INLINE void load_sums(real* from, real* second, Index stride) {
    each_sum<Two>(from, second, stride, []<int Tile>(const real* p, Index n) HWY_ATTR { load<Tile>(p, n); });
  }
  template <bool Two>
  static HWY_INLINE void store_sums(real* to, real* second, Index stride) {
    each_sum<Two>(to, second, stride, []<int Tile>(real* p, Index n) HWY_ATTR { store<Tile>(p, n); });
  }
  static HWY_INLINE void clear_sums() { clear<0>(), clear<1>(), clear<2>(), clear<3>(); }
};

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
