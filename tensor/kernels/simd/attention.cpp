// Compiled once for each instruction set that Highway knows; the best one that the processor has is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/simd/attention.cpp"
#include <hwy/foreach_target.h>
// clang-format off
#include <hwy/highway.h>
// clang-format on

#include <algorithm>
#include <utility>

#include "tensor/kernels/simd/attention.h"
#include "tensor/kernels/simd/exp-inl.h"
#include "tensor/kernels/simd/amx-inl.h"
#include "tensor/kernels/simd/transpose-inl.h"
#include "tensor/kernels/simd/operands-inl.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {
namespace {

using Vector = hn::ScalableTag<real>;
using Vec = hn::Vec<Vector>;
constexpr Index lanes = static_cast<Index>(hn::MaxLanes(Vector()));
constexpr Index most_rows = HWY_MAX_BYTES >= 64 || HWY_TARGET == HWY_NEON ? 12 : 6;  // times two vectors, in registers
constexpr bool few_rows = most_rows < 12;  // fewer sums than a processor's multiply-adds need to wait for none

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

// y[r,B] (+)= sum over n of a[r row + n step] x[n,B]: the sums of `Rows` rows stay in registers.
template <class Units, Index Vectors, Index Rows, class Unit = typename Units::Unit>
HWY_ATTR void rows_by_block(const Unit* a, Index row, Index step, Index count, const Unit* x, bool accumulate,
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
  for (Index n = 0; n < count; ++n, a += step, x += queries) {
    Vec value[Vectors];
#pragma GCC unroll 2
    for (Index v = 0; v < Vectors; ++v) value[v] = Units::load(d, x + v * lanes);
#pragma GCC unroll 16
    for (Index r = 0; r < Rows; ++r) {
      const Vec factor = Units::spread(d, a + r * row);
#pragma GCC unroll 2
      for (Index v = 0; v < Vectors; ++v) sum[r][v] = Units::add_products(d, factor, value[v], sum[r][v]);
    }
  }
#pragma GCC unroll 16
  for (Index r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (Index v = 0; v < Vectors; ++v) hn::StoreU(sum[r][v], d, y + r * queries + v * lanes);
  }
}

template <class Units, Index Vectors, class Unit = typename Units::Unit>
void scores(const Unit* k, Index stride, Index keys, Index width, const Unit* q, real* s) {
  for_tiles(keys, [&](Index first, auto rows) {
    rows_by_block<Units, Vectors, rows>(k + first * stride, stride, 1, width, q, false, s + first * Vectors * lanes);
  });
}

template <class Units, Index Vectors, class Unit = typename Units::Unit>
void mix(const Unit* v, Index stride, Index keys, Index width, const Unit* p, real* y) {
  for_tiles(width, [&](Index first, auto rows) {
    constexpr bool turned = is_bfloat16<Unit>;
    rows_by_block<Units, Vectors, rows>(v + first * (turned ? stride : 1), turned ? stride : 1, turned ? 1 : stride,
                                        keys, p, true, y + first * Vectors * lanes);
  });
}

// dk[r,C] += sum over queries of p[r,query] q[query,C], for `Keys` rows and `Columns` vectors C.
template <class Units, Index Queries, Index Keys, Index Columns, class Unit = typename Units::Unit>
HWY_ATTR void spread_to(const Unit* p, Index padded, const Unit* q, real* dk) {
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
    for (Index c = 0; c < Columns; ++c) row[c] = Units::load(d, q + c * lanes);
#pragma GCC unroll 16
    for (Index key = 0; key < Keys; ++key) {
      const Vec factor = Units::spread(d, p + key * Queries + query);
#pragma GCC unroll 2
      for (Index c = 0; c < Columns; ++c) sum[key][c] = Units::add_products(d, factor, row[c], sum[key][c]);
    }
  }
#pragma GCC unroll 16
  for (Index key = 0; key < Keys; ++key) {
#pragma GCC unroll 2
    for (Index c = 0; c < Columns; ++c) hn::StoreU(sum[key][c], d, dk + key * padded + c * lanes);
  }
}

template <class Units, Index Vectors, class Unit = typename Units::Unit>
void spread(const Unit* p, Index keys, Index width, Index padded, const Unit* q, real* dk) {
  constexpr Index queries = Vectors * lanes / unit_numbers<Unit>;
  for_tiles(keys, [&](Index first, auto rows) {
    const Unit* factors = p + first * queries;
    real* to = dk + first * padded;
    Index column = 0;
    if constexpr (few_rows) {
      for (; column + lanes < width; column += 2 * lanes)
        spread_to<Units, queries, rows, 2>(factors, padded, q + column, to + column);
    }
    for (; column < width; column += lanes)
      spread_to<Units, queries, rows, 1>(factors, padded, q + column, to + column);
  });
}

HWY_ATTR void turn(const real* from, Index rows, Index columns, real* to) {
  transpose_matrix(Vector(), from, columns, rows, columns, to, rows);
}

// What belongs to the queries stays in registers. The comparison lets a NaN through to the exponentials.
template <Index Vectors>
HWY_ATTR void raise(const real* s, Index keys, real* largest) {
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

// As many keys at once as make a unit; of those that don't exist the exponentials are zero.
template <class Units, Index Vectors, class Unit = typename Units::Unit>
HWY_ATTR void exponentials(const real* s, Index keys, const real* shift, real* total, Unit* p) {
  const Vector d;
  Vec less[Vectors], sum[Vectors];
#pragma GCC unroll 2
  for (Index v = 0; v < Vectors; ++v)
    less[v] = hn::LoadU(d, shift + v * lanes), sum[v] = hn::LoadU(d, total + v * lanes);
  for (Index key = 0; key < keys; key += unit_numbers<Unit>, p += Vectors * lanes) {
#pragma GCC unroll 2
    for (Index v = 0; v < Vectors; ++v) {
      Vec e[2] = {hn::Zero(d), hn::Zero(d)};
#pragma GCC unroll 2
      for (Index i = 0; i < unit_numbers<Unit>; ++i) {
        if (i > 0 && key + i == keys) break;
        e[i] = decay(d, hn::Sub(hn::LoadU(d, s + (key + i) * Vectors * lanes + v * lanes), less[v]));
        sum[v] = hn::Add(sum[v], e[i]);
      }
      Units::store_rows(d, e[0], e[1], p + v * lanes);
    }
  }
#pragma GCC unroll 2
  for (Index v = 0; v < Vectors; ++v) hn::StoreU(sum[v], d, total + v * lanes);
}

template <class Units, Index Vectors, class Unit = typename Units::Unit>
HWY_ATTR void slopes(const real* s, const real* dp, Index keys, const real* log_sum, const real* dot, Unit* p, Unit* ds,
                     Unit* ds_by_key) {
  const Vector d;
  Vec logs[Vectors], dots[Vectors];
#pragma GCC unroll 2
  for (Index v = 0; v < Vectors; ++v)
    logs[v] = hn::LoadU(d, log_sum + v * lanes), dots[v] = hn::LoadU(d, dot + v * lanes);
  for (Index key = 0; key < keys; key += unit_numbers<Unit>) {
#pragma GCC unroll 2
    for (Index v = 0; v < Vectors; ++v) {
      Vec slope[2] = {hn::Zero(d), hn::Zero(d)};
#pragma GCC unroll 2
      for (Index i = 0; i < unit_numbers<Unit>; ++i) {
        if (i > 0 && key + i == keys) break;
        const Index row = (key + i) * Vectors * lanes, unit_row = row / unit_numbers<Unit>;
        const Vec e = decay(d, hn::Sub(hn::LoadU(d, s + row + v * lanes), logs[v]));
        slope[i] = hn::Mul(e, hn::Sub(hn::LoadU(d, dp + row + v * lanes), dots[v]));
        Units::store_row(d, e, p + unit_row, v * lanes);
        Units::store_row(d, slope[i], ds + unit_row, v * lanes);
      }
      if (ds_by_key != ds)
        Units::store_rows(d, slope[0], slope[1], ds_by_key + key / unit_numbers<Unit> * Vectors * lanes + v * lanes);
    }
  }
}

template <class Units, Index Vectors>
AttentionMicro<typename Units::Unit> describe() {
  constexpr Index whole = is_bfloat16<typename Units::Unit> ? std::max(lanes, block_units) : lanes;
  return {Vectors * lanes,        whole, scores<Units, Vectors>, mix<Units, Vectors>,
          spread<Units, Vectors>, turn,  raise<Vectors>,         exponentials<Units, Vectors>,
          slopes<Units, Vectors>};
}

#if REVERIE_TILES
constexpr Index tile_queries = 2 * Amx::rows;
static_assert(tile_queries == 2 * lanes);

template <bool Two>
HWY_ATTR void tile_rows_of(const Bfloat16Pair* a, Index row, Index count, const Bfloat16Pair* x, bool accumulate,
                           real* y) {
  const Amx amx;
  real* second = y + Amx::rows * tile_queries;
  if (accumulate) {
    amx.load_sums<Two>(y, second, tile_queries);
  } else {
    amx.clear_sums();
  }
  for (Index n = 0; n < count; n += Amx::rows)
    amx.add<Two>(a + n, a + n + Amx::rows * row, row, x + n * tile_queries, tile_queries);
  amx.store_sums<Two>(y, second, tile_queries);
}

// y[r,B] (+)= sum over n of a[r row + n] x[n,B], in whole tiles.
void tile_rows_by_block(const Bfloat16Pair* a, Index row, Index rows, Index count, const Bfloat16Pair* x,
                        bool accumulate, real* y) {
  for (Index r = 0; r < rows; r += 2 * Amx::rows) {
    (rows - r > Amx::rows ? tile_rows_of<true> : tile_rows_of<false>)(a + r * row, row, count, x, accumulate,
                                                                      y + r * tile_queries);
  }
}

void tile_scores(const Bfloat16Pair* k, Index stride, Index keys, Index width, const Bfloat16Pair* q, real* s) {
  tile_rows_by_block(k, stride, keys, width, q, false, s);
}
void tile_mix(const Bfloat16Pair* v, Index stride, Index keys, Index width, const Bfloat16Pair* p, real* y) {
  tile_rows_by_block(v, stride, width, keys, p, true, y);
}

// One or two tiles of columns; the queries' stay where they are.
template <bool Two>
HWY_ATTR void tile_spread_of(const Bfloat16Pair* p, Index keys, Index padded, const Bfloat16Pair* q, real* dk) {
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

void tile_spread(const Bfloat16Pair* p, Index keys, Index width, Index padded, const Bfloat16Pair* q, real* dk) {
  for (Index column = 0; column < width; column += 2 * Amx::rows) {
    (width - column > Amx::rows ? tile_spread_of<true> : tile_spread_of<false>)(p, keys, padded, q + column,
                                                                                dk + column);
  }
}

AttentionMicro<Bfloat16Pair> describe_tiles() {
  AttentionMicro<Bfloat16Pair> micro = describe<Bfloat16Units<true>, 2>();
  micro.whole = 2 * Amx::rows;
  micro.scores = tile_scores;
  micro.mix = tile_mix;
  micro.spread = tile_spread;
  return micro;
}
#endif

}  // namespace

AttentionMicros describe_attention() {
  AttentionMicros micros{{describe<RealUnits, 1>(), describe<RealUnits, 2>()}};
#ifndef REVERIE_DOUBLE
  constexpr Index least = lanes > 1 ? 1 : 2;  // vectors that hold a pair
  micros.levels[0] = {describe<Bfloat16Units<false>, least>(), describe<Bfloat16Units<false>, 2>()};
  if (has_native_bfloat16())
    micros.levels[1] = {describe<Bfloat16Units<true>, least>(), describe<Bfloat16Units<true>, 2>()};
#if REVERIE_TILES
  if (has_native_bfloat16() && has_tiles()) micros.levels[2] = {describe_tiles(), describe_tiles()};
#endif
#endif
  return micros;
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace reverie::inline REVERIE_PRECISION::kernels {

HWY_EXPORT(describe_attention);

const AttentionMicros& attention_micros() {
  static const AttentionMicros micros = HWY_DYNAMIC_DISPATCH(describe_attention)();
  return micros;
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
#endif
