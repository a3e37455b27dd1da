// The inner loops of attention for a block of queries: scores, softmax, weighted sums and their gradients.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/simd/attention.cpp"
#include <hwy/foreach_target.h>
// clang-format off
#include <hwy/highway.h>
// clang-format on

#include <algorithm>
#include <utility>

#include "tensor/kernels/simd/amx-inl.h"
#include "tensor/kernels/simd/attention.h"
#include "tensor/kernels/simd/exp-inl.h"
#include "tensor/kernels/simd/operands-inl.h"
#include "tensor/kernels/simd/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {
namespace {

using Vector = hn::ScalableTag<real>;
using Vec = hn::Vec<Vector>;
constexpr Index lanes = static_cast<Index>(hn::MaxLanes(Vector()));
constexpr Index max_rows =
    HWY_MAX_BYTES >= 64 || HWY_TARGET == HWY_NEON ? 12 : 6;  // of a register tile, two vectors wide
constexpr bool few_rows = max_rows < 12;  // too few independent sums to hide the latency of multiply-adds

// Cuts the rows [0, count) into register tiles; calls tile(first, rows) for each, with `rows` a compile-time constant.
template <class Tile, Index... Rows>
void call_register_tile(Index rows, Tile tile, std::integer_sequence<Index, Rows...>) {
  ((rows == Rows + 1 ? tile(std::integral_constant<Index, Rows + 1>()) : void()), ...);
}
template <class Tile>
void for_register_tiles(Index count, Tile tile) {
  const Index tiles = (count + max_rows - 1) / max_rows;
  for (Index i = 0; i < tiles; ++i) {
    const Index first = i * count / tiles, last = (i + 1) * count / tiles;
    call_register_tile(
        last - first, [&](auto rows) { tile(first, rows); }, std::make_integer_sequence<Index, max_rows>());
  }
}

// y[r,B] (+)= sum over n of a[r row + n stride] x[n,B]: the sums of `Rows` rows stay in registers.
template <class Operands, Index Vectors, Index Rows, class Operand = typename Operands::Operand>
HWY_ATTR void rows_by_block(const Operand* a, Index row, Index stride, Index count, const Operand* x, bool accumulate,
                            real* y) {
  const Vector d;
  constexpr Index queries = Vectors * lanes;
  Vec sum[Rows][Vectors];
#pragma GCC unroll 16
  for (Index r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (Index v = 0; v < Vectors; ++v)
      sum[r][v] = accumulate ? hn::LoadU(d, y + r * queries + v * lanes) : hn::Zero(d);
  }
  for (Index n = 0; n < count; ++n, a += stride, x += queries) {
    Vec value[Vectors];
#pragma GCC unroll 2
    for (Index v = 0; v < Vectors; ++v) value[v] = Operands::load(d, x + v * lanes);
#pragma GCC unroll 16
    for (Index r = 0; r < Rows; ++r) {
      const Vec factor = Operands::broadcast(d, a + r * row);
#pragma GCC unroll 2
      for (Index v = 0; v < Vectors; ++v) sum[r][v] = Operands::add_products(d, factor, value[v], sum[r][v]);
    }
  }
#pragma GCC unroll 16
  for (Index r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (Index v = 0; v < Vectors; ++v) hn::StoreU(sum[r][v], d, y + r * queries + v * lanes);
  }
}

template <class Operands, Index Vectors, class Operand = typename Operands::Operand>
void scores(const Operand* k, Index stride, Index keys, Index width, const Operand* q, real* s) {
  for_register_tiles(keys, [&](Index first, auto rows) {
    rows_by_block<Operands, Vectors, rows>(k + first * stride, stride, 1, width, q, false, s + first * Vectors * lanes);
  });
}

template <class Operands, Index Vectors, class Operand = typename Operands::Operand>
void weighted_sum(const Operand* v, Index stride, Index keys, Index width, const Operand* p, real* y) {
  for_register_tiles(width, [&](Index first, auto rows) {
    constexpr bool transposed = is_bfloat16<Operand>;
    rows_by_block<Operands, Vectors, rows>(v + first * (transposed ? stride : 1), transposed ? stride : 1,
                                           transposed ? 1 : stride, keys, p, true, y + first * Vectors * lanes);
  });
}

// dk[r,C] += sum over queries of p[r,query] q[query,C], for `Keys` rows and `Columns` vectors C.
template <class Operands, Index Queries, Index Keys, Index Columns, class Operand = typename Operands::Operand>
HWY_ATTR void key_gradient_of(const Operand* p, Index padded, const Operand* q, real* dk) {
  const Vector d;
  Vec sum[Keys][Columns];
#pragma GCC unroll 16
  for (Index key = 0; key < Keys; ++key) {
#pragma GCC unroll 2
    for (Index c = 0; c < Columns; ++c) sum[key][c] = hn::LoadU(d, dk + key * padded + c * lanes);
  }
  for (Index query = 0; query < Queries; ++query, q += padded) {
    Vec row[Columns];
#pragma GCC unroll 2
    for (Index c = 0; c < Columns; ++c) row[c] = Operands::load(d, q + c * lanes);
#pragma GCC unroll 16
    for (Index key = 0; key < Keys; ++key) {
      const Vec factor = Operands::broadcast(d, p + key * Queries + query);
#pragma GCC unroll 2
      for (Index c = 0; c < Columns; ++c) sum[key][c] = Operands::add_products(d, factor, row[c], sum[key][c]);
    }
  }
#pragma GCC unroll 16
  for (Index key = 0; key < Keys; ++key) {
#pragma GCC unroll 2
    for (Index c = 0; c < Columns; ++c) hn::StoreU(sum[key][c], d, dk + key * padded + c * lanes);
  }
}

template <class Operands, Index Vectors, class Operand = typename Operands::Operand>
void key_gradient(const Operand* p, Index keys, Index width, Index padded, const Operand* q, real* dk) {
  constexpr Index queries = Vectors * lanes / operand_numbers<Operand>;
  for_register_tiles(keys, [&](Index first, auto rows) {
    const Operand* factors = p + first * queries;
    real* to = dk + first * padded;
    Index column = 0;
    if constexpr (few_rows) {
      for (; column + lanes < width; column += 2 * lanes)
        key_gradient_of<Operands, queries, rows, 2>(factors, padded, q + column, to + column);
    }
    for (; column < width; column += lanes)
      key_gradient_of<Operands, queries, rows, 1>(factors, padded, q + column, to + column);
  });
}

HWY_ATTR void transpose_rows(const real* from, Index rows, Index columns, real* to) {
  transpose_matrix(Vector(), from, columns, rows, columns, to, rows);
}

// The queries' maxima stay in registers. The order of the comparison lets a NaN through to the exponentials.
template <Index Vectors>
HWY_ATTR void update_largest(const real* s, Index keys, real* largest) {
  const Vector d;
  Vec most[Vectors];
#pragma GCC unroll 2
  for (Index v = 0; v < Vectors; ++v) most[v] = hn::LoadU(d, largest + v * lanes);
  for (Index key = 0; key < keys; ++key, s += Vectors * lanes) {
#pragma GCC unroll 2
    for (Index v = 0; v < Vectors; ++v) most[v] = hn::Max(hn::LoadU(d, s + v * lanes), most[v]);
  }
#pragma GCC unroll 2
  for (Index v = 0; v < Vectors; ++v) hn::StoreU(most[v], d, largest + v * lanes);
}

// One operand's keys at a time; the exponentials of keys that don't exist are zero.
template <class Operands, Index Vectors, class Operand = typename Operands::Operand>
HWY_ATTR void exponentials(const real* s, Index keys, const real* shift, real* total, Operand* p) {
  const Vector d;
  Vec less[Vectors], sum[Vectors];
#pragma GCC unroll 2
  for (Index v = 0; v < Vectors; ++v)
    less[v] = hn::LoadU(d, shift + v * lanes), sum[v] = hn::LoadU(d, total + v * lanes);
  for (Index key = 0; key < keys; key += operand_numbers<Operand>, p += Vectors * lanes) {
#pragma GCC unroll 2
    for (Index v = 0; v < Vectors; ++v) {
      Vec e[2] = {hn::Zero(d), hn::Zero(d)};
#pragma GCC unroll 2
      for (Index i = 0; i < operand_numbers<Operand>; ++i) {
        if (i > 0 && key + i == keys) break;
        e[i] = decay(d, hn::Sub(hn::LoadU(d, s + (key + i) * Vectors * lanes + v * lanes), less[v]));
        sum[v] = hn::Add(sum[v], e[i]);
      }
      Operands::store_rows(d, e[0], e[1], p + v * lanes);
    }
  }
#pragma GCC unroll 2
  for (Index v = 0; v < Vectors; ++v) hn::StoreU(sum[v], d, total + v * lanes);
}

template <class Operands, Index Vectors, class Operand = typename Operands::Operand>
HWY_ATTR void score_gradient(const real* s, const real* dp, Index keys, const real* log_sum, const real* dot,
                             Operand* p, Operand* ds, Operand* ds_by_key) {
  const Vector d;
  Vec logs[Vectors], dots[Vectors];
#pragma GCC unroll 2
  for (Index v = 0; v < Vectors; ++v)
    logs[v] = hn::LoadU(d, log_sum + v * lanes), dots[v] = hn::LoadU(d, dot + v * lanes);
  for (Index key = 0; key < keys; key += operand_numbers<Operand>) {
#pragma GCC unroll 2
    for (Index v = 0; v < Vectors; ++v) {
      Vec slope[2] = {hn::Zero(d), hn::Zero(d)};
#pragma GCC unroll 2
      for (Index i = 0; i < operand_numbers<Operand>; ++i) {
        if (i > 0 && key + i == keys) break;
        const Index row = (key + i) * Vectors * lanes, unit_row = row / operand_numbers<Operand>;
        const Vec e = decay(d, hn::Sub(hn::LoadU(d, s + row + v * lanes), logs[v]));
        slope[i] = hn::Mul(e, hn::Sub(hn::LoadU(d, dp + row + v * lanes), dots[v]));
        Operands::store_row(d, e, p + unit_row, v * lanes);
        Operands::store_row(d, slope[i], ds + unit_row, v * lanes);
      }
      if (ds_by_key != ds)
        Operands::store_rows(d, slope[0], slope[1],
                             ds_by_key + key / operand_numbers<Operand> * Vectors * lanes + v * lanes);
    }
  }
}

template <class Operands, Index Vectors>
AttentionMicrokernel<typename Operands::Operand> describe() {
  constexpr Index whole = is_bfloat16<typename Operands::Operand> ? std::max(lanes, block_operands) : lanes;
  return {Vectors * lanes,
          whole,
          scores<Operands, Vectors>,
          weighted_sum<Operands, Vectors>,
          key_gradient<Operands, Vectors>,
          transpose_rows,
          update_largest<Vectors>,
          exponentials<Operands, Vectors>,
          score_gradient<Operands, Vectors>};
}

#if REVERIE_AMX
constexpr Index amx_queries = 2 * Amx::rows;
static_assert(amx_queries == 2 * lanes);

template <bool Two>
HWY_ATTR void amx_rows_of(const Bfloat16Pair* a, Index row, Index count, const Bfloat16Pair* x, bool accumulate,
                          real* y) {
  const Amx amx;
  real* second = y + Amx::rows * amx_queries;
  if (accumulate) {
    amx.load_sums<Two>(y, second, amx_queries);
  } else {
    amx.clear_sums();
  }
  for (Index n = 0; n < count; n += Amx::rows)
    amx.add<Two>(a + n, a + n + Amx::rows * row, row, x + n * amx_queries, amx_queries);
  amx.store_sums<Two>(y, second, amx_queries);
}

// y[r,B] (+)= sum over n of a[r row + n] x[n,B], in whole AMX tiles.
void amx_rows_by_block(const Bfloat16Pair* a, Index row, Index rows, Index count, const Bfloat16Pair* x,
                       bool accumulate, real* y) {
  for (Index r = 0; r < rows; r += 2 * Amx::rows) {
    (rows - r > Amx::rows ? amx_rows_of<true> : amx_rows_of<false>)(a + r * row, row, count, x, accumulate,
                                                                    y + r * amx_queries);
  }
}

void amx_scores(const Bfloat16Pair* k, Index stride, Index keys, Index width, const Bfloat16Pair* q, real* s) {
  amx_rows_by_block(k, stride, keys, width, q, false, s);
}
void amx_weighted_sum(const Bfloat16Pair* v, Index stride, Index keys, Index width, const Bfloat16Pair* p, real* y) {
  amx_rows_by_block(v, stride, width, keys, p, true, y);
}

// One or two AMX tiles of columns; those of the queries stay loaded.
template <bool Two>
HWY_ATTR void amx_key_gradient_of(const Bfloat16Pair* p, Index keys, Index padded, const Bfloat16Pair* q, real* dk) {
  const Amx amx;
  amx.load<6>(q, padded);
  if constexpr (Two) amx.load<7>(q + Amx::rows, padded);
  for (Index key = 0; key < keys; key += Amx::rows) {
    real* sum = dk + key * padded;
    amx.load<0>(sum, padded);
    amx.load<4>(p + key * Amx::rows, Amx::rows);
    amx.multiply<0, 4, 6>();
    if constexpr (Two) {
      amx.load<1>(sum + Amx::rows, padded);
      amx.multiply<1, 4, 7>();
      amx.store<1>(sum + Amx::rows, padded);
    }
    amx.store<0>(sum, padded);
  }
}

void amx_key_gradient(const Bfloat16Pair* p, Index keys, Index width, Index padded, const Bfloat16Pair* q, real* dk) {
  for (Index column = 0; column < width; column += 2 * Amx::rows) {
    (width - column > Amx::rows ? amx_key_gradient_of<true> : amx_key_gradient_of<false>)(p, keys, padded, q + column,
                                                                                          dk + column);
  }
}

AttentionMicrokernel<Bfloat16Pair> describe_amx() {
  AttentionMicrokernel<Bfloat16Pair> micro = describe<Bfloat16Operands<true>, 2>();
  micro.whole = 2 * Amx::rows;
  micro.scores = amx_scores;
  micro.weighted_sum = amx_weighted_sum;
  micro.key_gradient = amx_key_gradient;
  return micro;
}
#endif

}  // namespace

AttentionMicrokernels describe_attention() {
  AttentionMicrokernels micros{{describe<RealOperands, 1>(), describe<RealOperands, 2>()}};
#ifndef REVERIE_DOUBLE
  constexpr Index least = lanes > 1 ? 1 : 2;  // vectors that hold a pair
  micros.bfloat16_levels[0] = {describe<Bfloat16Operands<false>, least>(), describe<Bfloat16Operands<false>, 2>()};
  if (has_native_bfloat16())
    micros.bfloat16_levels[1] = {describe<Bfloat16Operands<true>, least>(), describe<Bfloat16Operands<true>, 2>()};
#if REVERIE_AMX
  if (has_native_bfloat16() && has_amx()) micros.bfloat16_levels[2] = {describe_amx(), describe_amx()};
#endif
#endif
  return micros;
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace reverie::inline REVERIE_PRECISION::kernels {

HWY_EXPORT(describe_attention);

const AttentionMicrokernels& attention_microkernels() {
  static const AttentionMicrokernels micros = HWY_DYNAMIC_DISPATCH(describe_attention)();
  return micros;
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
#endif
