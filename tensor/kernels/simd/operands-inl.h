// The operations on vectors of operands from which the microkernels are built: load, broadcast, multiply-add, store
// with rounding; for reals and for bfloat16.
#if defined(REVERIE_OPERANDS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef REVERIE_OPERANDS_INL_H
#undef REVERIE_OPERANDS_INL_H
#else
#define REVERIE_OPERANDS_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "tensor/kernels/simd/operands.h"

// Highway doesn't support AVX-512's bfloat16 instructions yet; has_native_bfloat16() checks for them at run time
// (`Native`). Without them, shifts and masks give the same products and sums, except for numbers below 2^-126, which
// the instructions treat as zero.
#define REVERIE_AVX512_BF16 (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3)  // better targets have smaller numbers

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Keeps a vector in a register for several multiply-adds. With only sixteen registers, GCC would load it again for
/// each of them, although all fit, and the loads would take longer than the multiply-adds.
template <class V>
HWY_INLINE HWY_ATTR V in_register(V v) {
#if HWY_TARGET == HWY_AVX2
  asm("" : "+x"(v.raw));
#endif
  return v;
}

/// The operations for reals.
struct RealOperands {
  using Operand = real;
  /// Loads operands that several products use.
  template <class D>
  static HWY_INLINE HWY_ATTR hn::Vec<D> load(D d, const Operand* from) {
    return in_register(hn::LoadU(d, from));
  }
  /// Copies one operand to all lanes.
  template <class D>
  static HWY_INLINE HWY_ATTR hn::Vec<D> broadcast(D d, const Operand* from) {
    return hn::Set(d, *from);
  }
  /// sum + a b, lane by lane; in bfloat16, the sum of two products per lane.
  template <class D>
  static HWY_INLINE HWY_ATTR hn::Vec<D> add_products(D, hn::Vec<D> a, hn::Vec<D> b, hn::Vec<D> sum) {
    return hn::MulAdd(a, b, sum);
  }
  /// Stores numbers of a row from index `at` on; a pair is two neighbours of the row.
  template <class D>
  static HWY_INLINE HWY_ATTR void store_row(D d, hn::Vec<D> v, Operand* row, Index at) {
    hn::StoreU(v, d, row + at);
  }
  /// Stores numbers of two rows; a pair is a lane of `first` and the same lane of `second`.
  template <class D>
  static HWY_INLINE HWY_ATTR void store_rows(D d, hn::Vec<D> first, hn::Vec<D>, Operand* to) {
    hn::StoreU(first, d, to);
  }
};

#ifndef REVERIE_DOUBLE
/// The same for pairs in bfloat16. The products are exact in float; that of the second numbers is added first.
template <bool Native>
struct Bfloat16Operands {
  using Operand = Bfloat16Pair;
  template <class D>
  using Bits = hn::RebindToUnsigned<D>;

  template <class D>
  static HWY_INLINE HWY_ATTR hn::Vec<D> load(D d, const Operand* from) {
    return in_register(hn::BitCast(d, hn::LoadU(Bits<D>(), &from->bits)));
  }
  template <class D>
  static HWY_INLINE HWY_ATTR hn::Vec<D> broadcast(D d, const Operand* from) {
    return hn::BitCast(d, hn::Set(Bits<D>(), from->bits));
  }

  template <class D>
  static HWY_INLINE HWY_ATTR hn::Vec<D> add_products(D d, hn::Vec<D> a, hn::Vec<D> b, hn::Vec<D> sum) {
#if REVERIE_AVX512_BF16
    if constexpr (Native) {
      asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
      return sum;
    }
#endif
    const auto first = [&](auto v) HWY_ATTR { return hn::BitCast(d, hn::ShiftLeft<16>(hn::BitCast(Bits<D>(), v))); };
    const auto second = [&](auto v) HWY_ATTR { return hn::And(v, hn::BitCast(d, upper_half(d))); };
    return hn::MulAdd(first(a), first(b), hn::MulAdd(second(a), second(b), sum));
  }

  template <class D>
  static HWY_INLINE HWY_ATTR void store_row(D d, hn::Vec<D> v, Operand* row, Index at) {
    auto* to = reinterpret_cast<std::uint16_t*>(row) + at;
    const hn::Rebind<std::uint16_t, D> halves;
#if REVERIE_AVX512_BF16
    if constexpr (Native) {
      hn::Vec<decltype(halves)> half;
      asm("vcvtneps2bf16 %1, %0" : "=v"(half.raw) : "v"(v.raw));
      hn::StoreU(half, halves, to);
      return;
    }
#endif
    hn::StoreU(hn::TruncateTo(halves, hn::ShiftRight<16>(rounded(d, v))), halves, to);
  }

  template <class D>
  static HWY_INLINE HWY_ATTR void store_rows(D d, hn::Vec<D> first, hn::Vec<D> second, Operand* to) {
#if REVERIE_AVX512_BF16
    if constexpr (Native) {  // first's numbers, then second's; then interleaved
      alignas(64) static constexpr std::uint16_t order[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                              21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                              11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
      hn::Vec<Bits<D>> pairs, shuffle = hn::Load(Bits<D>(), reinterpret_cast<const std::uint32_t*>(order));
      asm("vcvtne2ps2bf16 %1, %2, %0" : "=v"(pairs.raw) : "v"(first.raw), "v"(second.raw));
      asm("vpermw %0, %1, %0" : "+v"(pairs.raw) : "v"(shuffle.raw));
      hn::StoreU(pairs, Bits<D>(), &to->bits);
      return;
    }
#endif
    const auto upper = hn::And(rounded(d, second), upper_half(d));
    hn::StoreU(hn::Or(upper, hn::ShiftRight<16>(rounded(d, first))), Bits<D>(), &to->bits);
  }

 private:
  template <class D>
  static HWY_INLINE HWY_ATTR hn::Vec<Bits<D>> upper_half(D) {
    return hn::Set(Bits<D>(), std::uint32_t{0xffff0000});
  }
  // rounded_to_bfloat16 in the upper halves of the lanes; the lower halves are undefined.
  template <class D>
  static HWY_INLINE HWY_ATTR hn::Vec<Bits<D>> rounded(D d, hn::Vec<D> v) {
    const Bits<D> bits;
    const auto b = hn::BitCast(bits, v);
    const auto even = hn::And(hn::ShiftRight<16>(b), hn::Set(bits, 1u));
    const auto nearest = hn::Add(hn::Add(b, hn::Set(bits, 0x7fffu)), even);
    const auto quiet = hn::Or(b, hn::Set(bits, 0x400000u));
    return hn::BitCast(bits, hn::IfThenElse(hn::IsNaN(v), hn::BitCast(d, quiet), hn::BitCast(d, nearest)));
  }
};
#endif

/// Whether Bfloat16Operands<true> exists for this target, and the processor has the instructions.
inline bool has_native_bfloat16() {
#if REVERIE_AVX512_BF16
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
