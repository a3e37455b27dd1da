// Included once for each instruction set, by conv_micro.cpp: its products in tiles, and what they share with those in
// vectors.
#if defined(REVERIE_CONV_TILES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef REVERIE_CONV_TILES_INL_H
#undef REVERIE_CONV_TILES_INL_H
#else
#define REVERIE_CONV_TILES_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>

#include "tensor/kernels/simd/microkernel.h"
#include "tensor/kernels/simd/amx-inl.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Vector = hn::ScalableTag<real>;
using Vec = hn::Vec<Vector>;
constexpr Index lanes = static_cast<Index>(hn::MaxLanes(Vector()));
constexpr Index vectors = std::max<Index>(2, channel_block / lanes), output_block = vectors * lanes;

// y's rows from sums that have been stored, [pixels][output block].
template <class Unit>
HWY_ATTR void put_rows(const Product<Unit>& t, const real* rows) {
  const Vector d;
  for (Index p = 0; p < t.pixels; ++p, rows += output_block) {
    real* y = t.y + t.y_at[p];
    Index c = 0;
    for (; c + lanes <= t.channels; c += lanes) {
      Vec value = hn::LoadU(d, rows + c);
      if (t.bias != nullptr) value = hn::Add(value, hn::LoadU(d, t.bias + c));
      if (t.accumulate) value = hn::Add(hn::LoadU(d, y + c), value);
      hn::StoreU(value, d, y + c);
    }
    for (; c < t.channels; ++c) {
      const real value = rows[c] + (t.bias != nullptr ? t.bias[c] : 0);
      y[c] = t.accumulate ? y[c] + value : value;
    }
  }
}

#if REVERIE_TILES
static_assert(output_block == 2 * Amx::rows && square_units == Amx::rows);

// One or two tiles of pixels by two of output channels. Of more than 16 pixels the last 16 make the second tile; it
// may have some of the first one's, whose sums then are computed twice. Fewer than 16 are read as if they were 16.
template <bool Two>
HWY_ATTR void tile_product_of(const Product<Bfloat16Pair>& t) {
  const Amx amx;
  const Index second = Two ? t.pixels - Amx::rows : 0, y_step = t.pixels > 1 ? t.y_at[1] - t.y_at[0] : 0;
  Index uneven = 0;
  for (Index p = 1; p < t.pixels; ++p) uneven |= (t.y_at[p] - t.y_at[p - 1]) ^ y_step;
  const bool in_place = uneven == 0 && t.pixels >= Amx::rows && t.channels == output_block;
  real* const y = t.y + t.y_at[0];
  if (in_place && t.accumulate) {
    amx.load_sums<Two>(y, y + second * y_step, y_step);
  } else if (in_place && t.bias != nullptr) {
    real* const bias = const_cast<real*>(t.bias);  // for every row the same
    amx.load_sums<Two>(bias, bias, 0);
  } else {
    amx.clear_sums();
  }
  const Bfloat16Pair* weight = t.weight;
  for (const Index step : t.steps) {
    const Bfloat16Pair* x = t.x + step;
    amx.add<Two>(x, x + second * block_units, block_units, weight, output_block);
    weight += block_units * output_block;
  }
  if (in_place) return amx.store_sums<Two>(y, y + second * y_step, y_step);
  HWY_ALIGN real rows[2 * Amx::rows * output_block];
  amx.store_sums<Two>(rows, rows + second * output_block, output_block);
  put_rows(t, rows);
}

inline void tile_product(const Product<Bfloat16Pair>& t) {
  (t.pixels > Amx::rows ? tile_product_of<true> : tile_product_of<false>)(t);
}

// Squares of x by two tiles of dy's channels.
inline HWY_ATTR void tile_outer_sum(const OuterSum<Bfloat16Pair>& t) {
  const Amx amx;
  if (t.accumulate) {
    amx.load_sums<false>(t.sum, nullptr, t.sum_row);
  } else {
    amx.clear_sums();
  }
  const Bfloat16Pair *x = t.x, *dy = t.dy;
  for (Index column = 0; column < t.columns; column += square_units) {
    amx.add<false>(x, nullptr, square_units, dy, output_block);
    x += channel_block * square_units, dy += square_units * output_block;
  }
  amx.store_sums<false>(t.sum, nullptr, t.sum_row);
}
#endif

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
