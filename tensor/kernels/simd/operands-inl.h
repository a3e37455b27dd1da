// Included once for each instruction set, by kernels that Highway compiles for all of them.
#if defined(REVERIE_UNITS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef REVERIE_UNITS_INL_H
#undef REVERIE_UNITS_INL_H
#else
#define REVERIE_UNITS_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "tensor/kernels/simd/operands.h"

// AVX-512's instructions for bfloat16, which Highway does not know yet; whether the processor has them is asked at run
// time (`Native`). Elsewhere shifts and masks take their place, with the same products and sums but for numbers below
// 2^-126, which the instructions take for zero.
#define REVERIE_AVX512_BF16 (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3)  // better targets have smaller numbers

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// A vector that has been loaded for several multiply-adds. Where there are but sixteen registers GCC would rather load
/// it anew for each of them, though they all have their place, and loads then take longer than multiplying.
template <class V>
HWY_INLINE HWY_ATTR V in_register(V v) {
#if HWY_TARGET == HWY_AVX2
  asm("" : "+x"(v.raw));
#endif
  return v;
}

/// What micro-kernels that are written for any unit do with units of one real.
struct RealUnits {
  using Unit = real;
  /// Units that several products share.
  template <class D>
  static HWY_INLINE HWY_ATTR hn::Vec<D> load(D d, const Unit* from) {
    return in_register(hn::LoadU(d, from));
  }
  /// One unit for all lanes.
  template <class D>
  static HWY_INLINE HWY_ATTR hn::Vec<D> spread(D d, const Unit* from) {
    return hn::Set(d, *from);
  }
  /// sum + the products of a's and b's units, lane by lane.
  template <class D>
  static HWY_INLINE HWY_ATTR hn::Vec<D> add_products(D, hn::Vec<D> a, hn::Vec<D> b, hn::Vec<D> sum) {
    return hn::MulAdd(a, b, sum);
  }
  /// Stores numbers side by side, from the `at`th of a row on: its units are of neighbours in the row.
  template <class D>
  static HWY_INLINE HWY_ATTR void store_row(D d, hn::Vec<D> v, Unit* row, Index at) {
    hn::StoreU(v, d, row + at);
  }
  /// Stores units whose first and second numbers are the vectors' lanes: its units are of neighbouring rows.
  template <class D>
  static HWY_INLINE HWY_ATTR void store_rows(D d, hn::Vec<D> first, hn::Vec<D>, Unit* to) {
    hn::StoreU(first, d, to);
  }
};

#ifndef REVERIE_DOUBLE
/// The same with two numbers in bfloat16. Products are exact in float; the second numbers' is added first.
template <bool Native>
struct Bfloat16Units {
  using Unit = Bfloat16Pair;
  template <class D>
  using Bits = hn::RebindToUnsigned<D>;

  template <class D>
  static HWY_INLINE HWY_ATTR hn::Vec<D> load(D d, const Unit* from) {
    return in_register(hn::BitCast(d, hn::LoadU(Bits<D>(), &from->bits)));
  }
  template <class D>
  static HWY_INLINE HWY_ATTR hn::Vec<D> spread(D d, const Unit* from) {
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
  static HWY_INLINE HWY_ATTR void store_row(D d, hn::Vec<D> v, Unit* row, Index at) {
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
  static HWY_INLINE HWY_ATTR void store_rows(D d, hn::Vec<D> first, hn::Vec<D> second, Unit* to) {
#if REVERIE_AVX512_BF16
    if constexpr (Native) {  // all of the first's numbers, then the second's; shuffled like cards
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
  // As `rounded_to_bfloat16`, in the upper halves of the lanes; the lower ones hold anything.
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

/// Whether Bfloat16Units has a native form here, and the processor the instructions for it.
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
