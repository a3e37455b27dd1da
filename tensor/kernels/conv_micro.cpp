// Compiled once for each instruction set that Highway knows; the best one that the processor has is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/conv_micro.cpp"
#include <hwy/foreach_target.h>
// clang-format off
#include <hwy/highway.h>
// clang-format on

#include <algorithm>
#include <utility>

#include "tensor/kernels/conv_micro.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR || HWY_HAVE_SCALABLE
using Vector = hn::CappedTag<real, 1>;
constexpr Index max_pixels = 4;
#else
using Vector = hn::ScalableTag<real>;
constexpr Index max_pixels = HWY_MAX_BYTES >= 64 || HWY_TARGET == HWY_NEON ? 14 : 6;  // 32 registers or 16
#endif
constexpr Index lanes = static_cast<Index>(hn::MaxLanes(Vector()));
constexpr Index output_block = 2 * lanes;

// The sum over taps and input channels of x times weight, for `Pixels` pixels by two vectors of output channels, all of
// it in registers. Each step loads two vectors of weights and, for every pixel, one number of x for all lanes.
template <Index Pixels, Index Stride>
HWY_ATTR void forward_tile(const ForwardTile& t) {
  const Vector d;
  hn::Vec<Vector> low[Pixels], high[Pixels];
  for (Index p = 0; p < Pixels; ++p) low[p] = high[p] = hn::Zero(d);
  const real* weight = t.weight;
  for (Index block = 0; block < t.blocks; ++block) {
    for (Index ky = 0; ky < t.kernel_height; ++ky) {
      for (Index kx = 0; kx < t.kernel_width; ++kx) {
        const real* x = t.x + block * t.block_stride + ky * t.row_stride + kx * channel_block;
        for (Index i = 0; i < channel_block; ++i, ++x, weight += output_block) {
          const auto w_low = hn::LoadU(d, weight), w_high = hn::LoadU(d, weight + lanes);
#pragma GCC unroll 16
          for (Index p = 0; p < Pixels; ++p) {
            const auto value = hn::Set(d, x[p * Stride * channel_block]);
            low[p] = hn::MulAdd(value, w_low, low[p]);
            high[p] = hn::MulAdd(value, w_high, high[p]);
          }
        }
      }
    }
  }
  HWY_ALIGN real edge[output_block];
  const bool whole = t.channels == output_block;
#pragma GCC unroll 16
  for (Index p = 0; p < Pixels; ++p) {
    real* y = t.y + p * t.y_stride;
    real* target = whole ? y : edge;
    if (!whole) std::copy_n(y, t.channels, edge);
    if (t.accumulate) {
      low[p] = hn::Add(low[p], hn::LoadU(d, target));
      high[p] = hn::Add(high[p], hn::LoadU(d, target + lanes));
    } else if (t.bias != nullptr) {
      low[p] = hn::Add(low[p], hn::LoadU(d, t.bias));
      high[p] = hn::Add(high[p], hn::LoadU(d, t.bias + lanes));
    }
    hn::StoreU(low[p], d, target);
    hn::StoreU(high[p], d, target + lanes);
    if (!whole) std::copy_n(edge, t.channels, y);
  }
}

using Forward = void (*)(const ForwardTile&);

template <Index Stride, Index... Pixels>
constexpr Forward forward_table(Index pixels, std::integer_sequence<Index, Pixels...>) {
  constexpr Forward table[] = {forward_tile<Pixels + 1, Stride>...};
  return table[pixels - 1];
}

void forward(const ForwardTile& t) {
  constexpr auto pixels = std::make_integer_sequence<Index, max_pixels>();
  (t.stride == 1 ? forward_table<1>(t.pixels, pixels) : forward_table<2>(t.pixels, pixels))(t);
}

// Half a block of input channels by two vectors of output channels in registers, running over the pixels.
HWY_ATTR void weight(const WeightTile& t) {
  const Vector d;
  constexpr Index rows_at_once = max_pixels >= 8 ? 8 : 4;
  for (Index half = 0; half < channel_block; half += rows_at_once) {
    real* target = t.dweight + half * output_block;
    hn::Vec<Vector> low[rows_at_once], high[rows_at_once];
    for (Index i = 0; i < rows_at_once; ++i) {
      low[i] = hn::LoadU(d, target + i * output_block);
      high[i] = hn::LoadU(d, target + i * output_block + lanes);
    }
    for (Index row = 0; row < t.rows; ++row) {
      const real* x = t.x + row * t.x_row_stride + half;
      const real* dy = t.dy + row * t.dy_row_stride;
      for (Index column = 0; column < t.columns; ++column, x += t.x_pixel_stride, dy += t.dy_pixel_stride) {
        const auto dy_low = hn::LoadU(d, dy), dy_high = hn::LoadU(d, dy + lanes);
#pragma GCC unroll 16
        for (Index i = 0; i < rows_at_once; ++i) {
          const auto value = hn::Set(d, x[i]);
          low[i] = hn::MulAdd(value, dy_low, low[i]);
          high[i] = hn::MulAdd(value, dy_high, high[i]);
        }
      }
    }
    for (Index i = 0; i < rows_at_once; ++i) {
      hn::StoreU(low[i], d, target + i * output_block);
      hn::StoreU(high[i], d, target + i * output_block + lanes);
    }
  }
}

}  // namespace

ConvMicro describe_conv() { return {output_block, max_pixels, forward, weight}; }

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace reverie::inline REVERIE_PRECISION::kernels {

HWY_EXPORT(describe_conv);

const ConvMicro& conv_micro() {
  static const ConvMicro micro = HWY_DYNAMIC_DISPATCH(describe_conv)();
  return micro;
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
#endif
