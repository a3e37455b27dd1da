// The microkernel on AMX: register tiles of bfloat16 products in AMX tiles, and what they share with the vector
// version.
#if defined(REVERIE_MICROKERNEL_AMX_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef REVERIE_MICROKERNEL_AMX_INL_H
#undef REVERIE_MICROKERNEL_AMX_INL_H
#else
#define REVERIE_MICROKERNEL_AMX_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>

#include "tensor/kernels/simd/amx-inl.h"
#include "tensor/kernels/simd/microkernel.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Vector = hn::ScalableTag<real>;
using Vec = hn::Vec<Vector>;
constexpr Index lanes = static_cast<Index>(hn::MaxLanes(Vector()));
constexpr Index vectors = std::max<Index>(2, channel_block / lanes), output_block = vectors * lanes;

// Stores the rows of y from sums in memory, [pixels][output block]; the last channels may not exist.
template <class Operand>
HWY_ATTR void store_partial(const Product<Operand>& t, const real* rows) {
  const Vector d;
  for (Index p = 0; p < t.pixels; ++p, rows += output_block) {
    real* y = t.y + t.y_offsets[p];
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

#if REVERIE_AMX
static_assert(output_block == 2 * Amx::rows && square_side == Amx::rows);

// One or two AMX tiles of pixels by two of output channels. For more than 16 pixels, the second tile is the last 16;
// sums of pixels in both are computed twice. Fewer than 16 pixels are read as if they were 16.
template <bool Two>
HWY_ATTR void amx_product_of(const Product<Bfloat16Pair>& t) {
  const Amx amx;
  const Index second = Two ? t.pixels - Amx::rows : 0, y_stride = t.pixels > 1 ? t.y_offsets[1] - t.y_offsets[0] : 0;
  Index uneven = 0;
  for (Index p = 1; p < t.pixels; ++p) uneven |= (t.y_offsets[p] - t.y_offsets[p - 1]) ^ y_stride;
  const bool in_place = uneven == 0 && t.pixels >= Amx::rows && t.channels == output_block;
  real* const y = t.y + t.y_offsets[0];
  if (in_place && t.accumulate) {
    amx.load_sums<Two>(y, y + second * y_stride, y_stride);
  } else if (in_place && t.bias != nullptr) {
    real* const bias = const_cast<real*>(t.bias);  // the same for every row
    amx.load_sums<Two>(bias, bias, 0);
  } else {
    amx.clear_sums();
  }
  const Bfloat16Pair* weight = t.weight;
  for (const Index x_offset : t.x_offsets) {
    const Bfloat16Pair* x = t.x + x_offset;
    amx.add<Two>(x, x + second * block_operands, block_operands, weight, output_block);
    weight += block_operands * output_block;
  }
  if (in_place) return amx.store_sums<Two>(y, y + second * y_stride, y_stride);
  HWY_ALIGN real rows[2 * Amx::rows * output_block];
  amx.store_sums<Two>(rows, rows + second * output_block, output_block);
  store_partial(t, rows);
}

inline void amx_product(const Product<Bfloat16Pair>& t) {
  (t.pixels > Amx::rows ? amx_product_of<true> : amx_product_of<false>)(t);
}

// One AMX tile of x's channels by two of dy's.
inline HWY_ATTR void amx_outer_sum(const OuterSum<Bfloat16Pair>& t) {
  const Amx amx;
  if (t.accumulate) {
    amx.load_sums<false>(t.sum, nullptr, t.sum_row);
  } else {
    amx.clear_sums();
  }
  const Bfloat16Pair *x = t.x, *dy = t.dy;
  for (Index column = 0; column < t.columns; column += square_side) {
    amx.add<false>(x, nullptr, square_side, dy, output_block);
    x += channel_block * square_side, dy += square_side * output_block;
  }
  amx.store_sums<false>(t.sum, nullptr, t.sum_row);
}
#endif

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
