#include "benchmarks/peak.h"

#include <algorithm>
#include <ctime>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "benchmarks/peak.cpp"
#include <hwy/foreach_target.h>
// clang-format off
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int chains = HWY_MAX_BYTES >= 64 ? 24 : 12;  // more than latency times throughput, but they fit in registers

// Runs independent chains of multiply-adds; returns the number of operations.
double multiply_adds(Index rounds, real* sink) {
  const hn::ScalableTag<real> d;
  hn::Vec<hn::ScalableTag<real>> sum[chains];
  for (int i = 0; i < chains; ++i) sum[i] = hn::Set(d, static_cast<real>(i));
  const auto a = hn::Set(d, real(0.999)), b = hn::Set(d, real(0.001));
  for (Index round = 0; round < rounds; ++round) {
#pragma GCC unroll 24
    for (int i = 0; i < chains; ++i) sum[i] = hn::MulAdd(sum[i], a, b);
  }
  for (int i = 1; i < chains; ++i) sum[0] = hn::Add(sum[0], sum[i]);
  hn::StoreU(sum[0], d, sink);
  return 2.0 * chains * static_cast<double>(rounds) * static_cast<double>(hn::Lanes(d));
}

}  // namespace reverie::inline REVERIE_PRECISION::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace reverie::inline REVERIE_PRECISION {

HWY_EXPORT(multiply_adds);

double fma_peak(int tries) {
  double best = 0;
  volatile double used = 0;  // keeps the compiler from removing the sums
  real sink[64];
  for (int i = 0; i < tries; ++i) {
    const std::clock_t start = std::clock();  // processor time, because the machine may be busy
    const double operations = HWY_DYNAMIC_DISPATCH(multiply_adds)(500000, sink);
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    used = used + static_cast<double>(sink[0]);
    best = std::max(best, operations / seconds / 1e9);
  }
  return best;
}

}  // namespace reverie::inline REVERIE_PRECISION
#endif
