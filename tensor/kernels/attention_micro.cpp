// Compiled once for each instruction set that Highway knows; the best one that the processor has is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/attention_micro.cpp"
#include <hwy/foreach_target.h>
// clang-format off
#include <hwy/highway.h>
// clang-format on

#include <algorithm>
#include <utility>

#include "tensor/kernels/attention_micro.h"
#include "tensor/kernels/functions.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Vector = hn::ScalableTag<real>;
using Vec = hn::Vec<Vector>;
constexpr Index lanes = static_cast<Index>(hn::MaxLanes(Vector()));
constexpr Index queries = 2 * lanes;
constexpr Index most_rows = HWY_MAX_BYTES >= 64 || HWY_TARGET == HWY_NEON ? 12 : 6;  // times two vectors, in registers

// Of the rows [0, count), cut evenly: calls tile(first, how many, a number that the compiler knows).
template <class Tile, Index... Rows>
void call_tile(Index rows, Tile tile, std::integer_sequence<Index, Rows...>) {
  ((rows == Rows + 1 ? tile(std::integral_constant<Index, Rows + 1>()) : void()), ...);
}
template <class Tile>
void for_tiles(Index count, Tile tile) {
  const Index tiles = (count + most_rows - 1) / most_rows;
  for (Index i = 0; i < tiles; ++i) {
    const Index first = i * count / tiles, last = (i + 1) * count / tiles;
    call_tile(
        last - first, [&](auto rows) { tile(first, rows); }, std::make_integer_sequence<Index, most_rows>());
  }
}

// y[r,B] (+)= sum over n of a[r row + n step] x[n,B]: the sums of `Rows` rows by two vectors stay in registers.
template <Index Rows>
HWY_ATTR void rows_by_block(const real* a, Index row, Index step, Index count, const real* x, bool accumulate,
                            real* y) {
  const Vector d;
  Vec low[Rows], high[Rows];
#pragma GCC unroll 16
  for (Index r = 0; r < Rows; ++r) {
    low[r] = accumulate ? hn::LoadU(d, y + r * queries) : hn::Zero(d);
    high[r] = accumulate ? hn::LoadU(d, y + r * queries + lanes) : hn::Zero(d);
  }
  for (Index n = 0; n < count; ++n, a += step, x += queries) {
    const Vec x_low = hn::LoadU(d, x), x_high = hn::LoadU(d, x + lanes);
#pragma GCC unroll 16
    for (Index r = 0; r < Rows; ++r) {
      const Vec value = hn::Set(d, a[r * row]);
      low[r] = hn::MulAdd(value, x_low, low[r]);
      high[r] = hn::MulAdd(value, x_high, high[r]);
    }
  }
#pragma GCC unroll 16
  for (Index r = 0; r < Rows; ++r) {
    hn::StoreU(low[r], d, y + r * queries);
    hn::StoreU(high[r], d, y + r * queries + lanes);
  }
}

void scores(const real* k, Index stride, Index keys, Index width, const real* q, real* s) {
  for_tiles(keys, [&](Index first, auto rows) {
    rows_by_block<rows>(k + first * stride, stride, 1, width, q, false, s + first * queries);
  });
}

void mix(const real* v, Index stride, Index keys, Index width, const real* p, real* y) {
  for_tiles(width, [&](Index first, auto rows) {
    rows_by_block<rows>(v + first, 1, stride, keys, p, true, y + first * queries);
  });
}

template <Index Keys>
HWY_ATTR void spread_to(const real* p, Index padded, const real* q, real* dk) {
  const Vector d;
  for (Index column = 0; column < padded; column += lanes) {
    Vec sum[Keys];
#pragma GCC unroll 16
    for (Index key = 0; key < Keys; ++key) sum[key] = hn::LoadU(d, dk + key * padded + column);
    for (Index query = 0; query < queries; ++query) {
      const Vec row = hn::LoadU(d, q + query * padded + column);
#pragma GCC unroll 16
      for (Index key = 0; key < Keys; ++key) {
        sum[key] = hn::MulAdd(hn::Set(d, p[key * queries + query]), row, sum[key]);
      }
    }
#pragma GCC unroll 16
    for (Index key = 0; key < Keys; ++key) hn::StoreU(sum[key], d, dk + key * padded + column);
  }
}

void spread(const real* p, Index keys, Index padded, const real* q, real* dk) {
  for_tiles(keys,
            [&](Index first, auto rows) { spread_to<rows>(p + first * queries, padded, q, dk + first * padded); });
}

// Plain loops over a number of queries that the compiler knows: it keeps what belongs to the queries in registers. The
// comparison lets a NaN through to the exponentials.
HWY_ATTR void raise(const real* s, Index keys, real* largest) {
  real most[queries];
  std::copy_n(largest, queries, most);
  for (Index key = 0; key < keys; ++key, s += queries) {
#pragma omp simd
    for (Index j = 0; j < queries; ++j) most[j] = s[j] > most[j] ? s[j] : most[j];
  }
  std::copy_n(most, queries, largest);
}

HWY_ATTR void exponentials(real* s, Index keys, const real* shift, real* total) {
  real less[queries], sum[queries];
  std::copy_n(shift, queries, less);
  std::copy_n(total, queries, sum);
  for (Index key = 0; key < keys; ++key, s += queries) {
#pragma omp simd
    for (Index j = 0; j < queries; ++j) {
      s[j] = bounded_exp(s[j] - less[j]);
      sum[j] += s[j];
    }
  }
  std::copy_n(sum, queries, total);
}

HWY_ATTR void slopes(real* s, real* dp, Index keys, const real* log_sum, const real* dot) {
  real logs[queries], dots[queries];
  std::copy_n(log_sum, queries, logs);
  std::copy_n(dot, queries, dots);
  for (Index key = 0; key < keys; ++key, s += queries, dp += queries) {
#pragma omp simd
    for (Index j = 0; j < queries; ++j) {
      s[j] = bounded_exp(s[j] - logs[j]);
      dp[j] = s[j] * (dp[j] - dots[j]);
    }
  }
}

}  // namespace

AttentionMicro describe_attention() { return {queries, lanes, scores, mix, spread, raise, exponentials, slopes}; }

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace reverie::inline REVERIE_PRECISION::kernels {

HWY_EXPORT(describe_attention);

const AttentionMicro& attention_micro() {
  static const AttentionMicro micro = HWY_DYNAMIC_DISPATCH(describe_attention)();
  return micro;
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
#endif
