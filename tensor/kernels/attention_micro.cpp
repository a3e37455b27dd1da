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
#include "tensor/kernels/functions-inl.h"
#include "tensor/kernels/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Vector = hn::ScalableTag<real>;
using Vec = hn::Vec<Vector>;
constexpr Index lanes = static_cast<Index>(hn::MaxLanes(Vector()));
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

// y[r,B] (+)= sum over n of a[r row + n step] x[n,B]: the sums of `Rows` rows stay in registers.
template <Index Vectors, Index Rows>
HWY_ATTR void rows_by_block(const real* a, Index row, Index step, Index count, const real* x, bool accumulate,
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
    for (Index v = 0; v < Vectors; ++v) value[v] = hn::LoadU(d, x + v * lanes);
#pragma GCC unroll 16
    for (Index r = 0; r < Rows; ++r) {
      const Vec factor = hn::Set(d, a[r * row]);
#pragma GCC unroll 2
      for (Index v = 0; v < Vectors; ++v) sum[r][v] = hn::MulAdd(factor, value[v], sum[r][v]);
    }
  }
#pragma GCC unroll 16
  for (Index r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (Index v = 0; v < Vectors; ++v) hn::StoreU(sum[r][v], d, y + r * queries + v * lanes);
  }
}

template <Index Vectors>
void scores(const real* k, Index stride, Index keys, Index width, const real* q, real* s) {
  for_tiles(keys, [&](Index first, auto rows) {
    rows_by_block<Vectors, rows>(k + first * stride, stride, 1, width, q, false, s + first * Vectors * lanes);
  });
}

template <Index Vectors>
void mix(const real* v, Index stride, Index keys, Index width, const real* p, real* y) {
  for_tiles(width, [&](Index first, auto rows) {
    rows_by_block<Vectors, rows>(v + first, 1, stride, keys, p, true, y + first * Vectors * lanes);
  });
}

template <Index Vectors, Index Keys>
HWY_ATTR void spread_to(const real* p, Index padded, const real* q, real* dk) {
  const Vector d;
  constexpr Index queries = Vectors * lanes;
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

template <Index Vectors>
void spread(const real* p, Index keys, Index padded, const real* q, real* dk) {
  for_tiles(keys, [&](Index first, auto rows) {
    spread_to<Vectors, rows>(p + first * Vectors * lanes, padded, q, dk + first * padded);
  });
}

HWY_ATTR void turn(const real* from, Index rows, Index columns, real* to) {
  for (Index row = 0; row < rows; row += lanes) {
    for (Index column = 0; column < columns; column += lanes) {
      Vec square[lanes];
#pragma GCC unroll 16
      for (Index i = 0; i < lanes; ++i) square[i] = hn::LoadU(Vector(), from + (row + i) * columns + column);
      transpose(Vector(), square);
#pragma GCC unroll 16
      for (Index i = 0; i < lanes; ++i) hn::StoreU(square[i], Vector(), to + (column + i) * rows + row);
    }
  }
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

template <Index Vectors>
HWY_ATTR void exponentials(real* s, Index keys, const real* shift, real* total) {
  const Vector d;
  Vec less[Vectors], sum[Vectors];
#pragma GCC unroll 2
  for (Index v = 0; v < Vectors; ++v)
    less[v] = hn::LoadU(d, shift + v * lanes), sum[v] = hn::LoadU(d, total + v * lanes);
  for (Index key = 0; key < keys; ++key, s += Vectors * lanes) {
#pragma GCC unroll 2
    for (Index v = 0; v < Vectors; ++v) {
      const Vec p = decay(d, hn::Sub(hn::LoadU(d, s + v * lanes), less[v]));
      hn::StoreU(p, d, s + v * lanes);
      sum[v] = hn::Add(sum[v], p);
    }
  }
#pragma GCC unroll 2
  for (Index v = 0; v < Vectors; ++v) hn::StoreU(sum[v], d, total + v * lanes);
}

template <Index Vectors>
HWY_ATTR void slopes(real* s, real* dp, Index keys, const real* log_sum, const real* dot) {
  const Vector d;
  Vec logs[Vectors], dots[Vectors];
#pragma GCC unroll 2
  for (Index v = 0; v < Vectors; ++v)
    logs[v] = hn::LoadU(d, log_sum + v * lanes), dots[v] = hn::LoadU(d, dot + v * lanes);
  for (Index key = 0; key < keys; ++key, s += Vectors * lanes, dp += Vectors * lanes) {
#pragma GCC unroll 2
    for (Index v = 0; v < Vectors; ++v) {
      const Vec p = decay(d, hn::Sub(hn::LoadU(d, s + v * lanes), logs[v]));
      hn::StoreU(p, d, s + v * lanes);
      hn::StoreU(hn::Mul(p, hn::Sub(hn::LoadU(d, dp + v * lanes), dots[v])), d, dp + v * lanes);
    }
  }
}

}  // namespace

template <Index Vectors>
constexpr AttentionMicro describe() {
  return {Vectors * lanes,       lanes,          scores<Vectors>, mix<Vectors>, spread<Vectors>, turn, raise<Vectors>,
          exponentials<Vectors>, slopes<Vectors>};
}

AttentionMicros describe_attention() { return {describe<1>(), describe<2>()}; }

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace reverie::inline REVERIE_PRECISION::kernels {

HWY_EXPORT(describe_attention);

const AttentionMicro& attention_micro(Index queries) {
  static const AttentionMicros micros = HWY_DYNAMIC_DISPATCH(describe_attention)();
  return queries <= micros.one_vector.queries ? micros.one_vector : micros.two_vectors;
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
#endif
