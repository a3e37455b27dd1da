// Included once for each instruction set, by kernels that Highway compiles for all of them.
#if defined(REVERIE_BFLOAT16_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef REVERIE_BFLOAT16_INL_H
#undef REVERIE_BFLOAT16_INL_H
#else
#define REVERIE_BFLOAT16_INL_H
#endif

#include <hwy/highway.h>

#include "tensor/bfloat16.h"

// AVX-512's instructions for bfloat16, which Highway does not know yet; whether the processor has them is asked at run
// time (`Native`). Elsewhere shifts and masks take their place, with the same results.
#define REVERIE_AVX512_BF16 (HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL)

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {

/// Whether the functions below have a `Native` form here, and the processor the instructions for it.
inline bool has_native_bfloat16() {
#if REVERIE_AVX512_BF16
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

/// sum + the products of a's and b's pairs, lane by lane; the second numbers' product is added first. Products are
/// exact in float.
template <bool Native, class D>
HWY_INLINE HWY_ATTR hwy::HWY_NAMESPACE::Vec<D> add_products(D d, hwy::HWY_NAMESPACE::Vec<D> a,
                                                            hwy::HWY_NAMESPACE::Vec<D> b,
                                                            hwy::HWY_NAMESPACE::Vec<D> sum) {
  namespace hn = hwy::HWY_NAMESPACE;
#if REVERIE_AVX512_BF16
  if constexpr (Native) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
    return sum;
  }
#endif
  const hn::RebindToUnsigned<D> bits;
  const auto first = [&](auto v) HWY_ATTR { return hn::BitCast(d, hn::ShiftLeft<16>(hn::BitCast(bits, v))); };
  const auto second = [&](auto v)
                          HWY_ATTR { return hn::And(v, hn::BitCast(d, hn::Set(bits, std::uint32_t{0xffff0000}))); };
  return hn::MulAdd(first(a), first(b), hn::MulAdd(second(a), second(b), sum));
}

/// As `rounded_to_bfloat16`, in the upper halves of the lanes; the lower ones hold anything.
template <class D>
HWY_INLINE HWY_ATTR hwy::HWY_NAMESPACE::Vec<hwy::HWY_NAMESPACE::RebindToUnsigned<D>> rounded(
    D d, hwy::HWY_NAMESPACE::Vec<D> v) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::RebindToUnsigned<D> bits;
  const auto b = hn::BitCast(bits, v);
  const auto even = hn::And(hn::ShiftRight<16>(b), hn::Set(bits, 1u));
  const auto nearest = hn::Add(hn::Add(b, hn::Set(bits, 0x7fffu)), even);
  const auto quiet = hn::Or(b, hn::Set(bits, 0x400000u));
  return hn::BitCast(bits, hn::IfThenElse(hn::IsNaN(v), hn::BitCast(d, quiet), hn::BitCast(d, nearest)));
}

/// Rounds a vector and stores it, numbers side by side.
template <bool Native, class D>
HWY_INLINE HWY_ATTR void store_rounded(D d, hwy::HWY_NAMESPACE::Vec<D> v, std::uint16_t* to) {
  namespace hn = hwy::HWY_NAMESPACE;
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

/// Rounds two vectors and stores the pairs of one's and the other's numbers.
template <bool Native, class D>
HWY_INLINE HWY_ATTR void store_pairs(D d, hwy::HWY_NAMESPACE::Vec<D> first, hwy::HWY_NAMESPACE::Vec<D> second,
                                     Bfloat16Pair* to) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::RebindToUnsigned<D> bits;
#if REVERIE_AVX512_BF16
  if constexpr (Native) {  // all of the first's numbers, then the second's; shuffled like cards
    alignas(64) static constexpr std::uint16_t order[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                            21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                            11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    hn::Vec<decltype(bits)> pairs, shuffle = hn::Load(bits, reinterpret_cast<const std::uint32_t*>(order));
    asm("vcvtne2ps2bf16 %1, %2, %0" : "=v"(pairs.raw) : "v"(first.raw), "v"(second.raw));
    asm("vpermw %0, %1, %0" : "+v"(pairs.raw) : "v"(shuffle.raw));
    hn::StoreU(pairs, bits, &to->bits);
    return;
  }
#endif
  const auto upper = hn::And(rounded(d, second), hn::Set(bits, std::uint32_t{0xffff0000}));
  hn::StoreU(hn::Or(upper, hn::ShiftRight<16>(rounded(d, first))), bits, &to->bits);
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
