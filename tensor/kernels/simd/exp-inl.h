// e^x for vectors.
#if defined(REVERIE_EXP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef REVERIE_EXP_INL_H
#undef REVERIE_EXP_INL_H
#else
#define REVERIE_EXP_INL_H
#endif

#include <hwy/highway.h>

#include <cmath>
#include <type_traits>

#include "tensor/kernels/functions.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {

/// e^max(x, -87) for x <= 0; NaN stays NaN. The algorithm is that of functions.h; in double, std::exp lane by lane.
template <class D>
HWY_INLINE HWY_ATTR hwy::HWY_NAMESPACE::Vec<D> decay(D d, hwy::HWY_NAMESPACE::Vec<D> x) {
  namespace hn = hwy::HWY_NAMESPACE;
  if constexpr (std::is_same_v<hn::TFromD<D>, float>) {
    const hn::RebindToSigned<D> integers;
    x = hn::Max(hn::Set(d, -87.0f), x);  // in this order: if one is NaN, x86 returns the second
    const auto shifted = hn::MulAdd(x, hn::Set(d, ExpConstants::log2e), hn::Set(d, ExpConstants::shift));
    const auto n = hn::Sub(shifted, hn::Set(d, ExpConstants::shift));
    const auto r =
        hn::NegMulAdd(n, hn::Set(d, ExpConstants::ln2_low), hn::NegMulAdd(n, hn::Set(d, ExpConstants::ln2_high), x));
    auto p = hn::Set(d, ExpConstants::polynomial[0]);
#pragma GCC unroll 8
    for (int i = 1; i < ExpConstants::terms; ++i) p = hn::MulAdd(p, r, hn::Set(d, ExpConstants::polynomial[i]));
    return hn::BitCast(d, hn::Add(hn::BitCast(integers, p), hn::ShiftLeft<23>(hn::BitCast(integers, shifted))));
  } else {
    HWY_ALIGN hn::TFromD<D> lane[hn::MaxLanes(D())];
    hn::Store(x, d, lane);
    for (auto& value : lane) value = std::exp(value);
    return hn::Load(d, lane);
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
