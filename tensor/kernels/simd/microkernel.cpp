// The inner loops of linear layers and convolutions: register tiles of products, sums of outer products, dot products;
// and the kernels that transpose, round and store for them.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/simd/microkernel.cpp"
#include <hwy/foreach_target.h>
// clang-format off
#include <hwy/highway.h>
// clang-format on

#include <algorithm>
#include <utility>

#include "tensor/kernels/simd/microkernel.h"
#include "tensor/kernels/simd/microkernel_amx-inl.h"
#include "tensor/kernels/simd/operands-inl.h"
#include "tensor/kernels/simd/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {
namespace {

constexpr Index registers = HWY_MAX_BYTES >= 64 || HWY_TARGET == HWY_NEON ? 32 : 16;
constexpr Index max_pixels = std::max<Index>(1, (registers - vectors - 1) / vectors);

// All sums of the register tile stay in registers. For each operand of a block, the loop loads its vectors of weights
// and broadcasts one operand of x per pixel, which is used by one multiply-add per vector.
template <class Operands, Index Pixels>
HWY_ATTR void product_of(const Product<typename Operands::Operand>& t) {
  using Operand = typename Operands::Operand;
  const Vector d;
  Vec sum[Pixels][vectors];
#pragma GCC unroll 16  // otherwise GCC clears an array in memory at every call
  for (Index p = 0; p < Pixels; ++p) {
#pragma GCC unroll 16
    for (Index v = 0; v < vectors; ++v) sum[p][v] = hn::Zero(d);
  }
  const Operand* weight = t.weight;
  for (const Index x_offset : t.x_offsets) {
    const Operand* x = t.x + x_offset;
    for (Index two = 0; two < block_operands / 2; ++two, x += 2) {
#pragma GCC unroll 2
      for (Index i = 0; i < 2; ++i, weight += output_block) {
        Vec w[vectors];
#pragma GCC unroll 16
        for (Index v = 0; v < vectors; ++v) w[v] = Operands::load(d, weight + v * lanes);
#pragma GCC unroll 16
        for (Index p = 0; p < Pixels; ++p) {
          const Vec value = Operands::broadcast(d, x + p * block_operands + i);
#pragma GCC unroll 16
          for (Index v = 0; v < vectors; ++v) sum[p][v] = Operands::add_products(d, value, w[v], sum[p][v]);
        }
      }
    }
  }
  if (t.channels < output_block) {
    HWY_ALIGN real rows[Pixels * output_block];
#pragma GCC unroll 16
    for (Index p = 0; p < Pixels; ++p) {
#pragma GCC unroll 16
      for (Index v = 0; v < vectors; ++v) hn::StoreU(sum[p][v], d, rows + p * output_block + v * lanes);
    }
    store_partial(t, rows);
    return;
  }
  real* const y = t.y;  // copies, because to the compiler every store might change t
  const Index* const y_offsets = t.y_offsets;
  const real* const bias = t.bias;
  const auto store = [&](auto finish) HWY_ATTR {
#pragma GCC unroll 16
    for (Index p = 0; p < Pixels; ++p) {
      real* to = y + y_offsets[p];
#pragma GCC unroll 16
      for (Index v = 0; v < vectors; ++v) hn::StoreU(finish(sum[p][v], v, to + v * lanes), d, to + v * lanes);
    }
  };
  if (t.accumulate) {
    store([&](auto value, Index, const real* to) HWY_ATTR { return hn::Add(value, hn::LoadU(d, to)); });
  } else if (bias != nullptr) {
    store([&](auto value, Index v, const real*) HWY_ATTR { return hn::Add(value, hn::LoadU(d, bias + v * lanes)); });
  } else {
    store([&](auto value, Index, const real*) HWY_ATTR { return value; });
  }
}

template <class Operands, Index... Pixels>
void product_for(const Product<typename Operands::Operand>& t, std::integer_sequence<Index, Pixels...>) {
  static constexpr void (*table[])(const Product<typename Operands::Operand>&) = {product_of<Operands, Pixels + 1>...};
  table[t.pixels - 1](t);
}
template <class Operands>
void product(const Product<typename Operands::Operand>& t) {
  product_for<Operands>(t, std::make_integer_sequence<Index, max_pixels>());
}

// A register tile of `Channels` channels of x, from `first` on, by a block of dy's; the loop runs over the pixels.
template <class Operands, Index Channels>
HWY_ATTR void outer_sum_of(const OuterSum<typename Operands::Operand>& t, Index first) {
  using Operand = typename Operands::Operand;
  const Vector d;
  Vec sum[Channels][vectors];
  real* target = t.sum + first * t.sum_row;
#pragma GCC unroll 8
  for (Index i = 0; i < Channels; ++i) {
#pragma GCC unroll 16
    for (Index v = 0; v < vectors; ++v) {
      sum[i][v] = t.accumulate ? hn::LoadU(d, target + i * t.sum_row + v * lanes) : hn::Zero(d);
    }
  }
  const Operand* dy = t.dy;
  const Index x_column = is_bfloat16<Operand> ? channel_block : t.x_column;
  const Index dy_column = is_bfloat16<Operand> || t.dy_column == 0 ? output_block : t.dy_column;
  for (Index row = 0; row < t.rows; ++row) {
    const Operand* x = t.x + row * t.x_row + first;
    for (Index column = 0; column < t.columns; ++column, x += x_column, dy += dy_column) {
      Vec slope[vectors];
#pragma GCC unroll 16
      for (Index v = 0; v < vectors; ++v) slope[v] = Operands::load(d, dy + v * lanes);
#pragma GCC unroll 8
      for (Index i = 0; i < Channels; ++i) {
        const Vec value = Operands::broadcast(d, x + i);
#pragma GCC unroll 16
        for (Index v = 0; v < vectors; ++v) sum[i][v] = Operands::add_products(d, value, slope[v], sum[i][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (Index i = 0; i < Channels; ++i) {
#pragma GCC unroll 16
    for (Index v = 0; v < vectors; ++v) hn::StoreU(sum[i][v], d, target + i * t.sum_row + v * lanes);
  }
}

// All channels of x, in as few passes as the registers allow, all about equally large.
template <class Operands, Index... Passes>
void outer_sum_in(const OuterSum<typename Operands::Operand>& t, std::integer_sequence<Index, Passes...>) {
  constexpr auto first = [](Index pass) { return pass * channel_block / static_cast<Index>(sizeof...(Passes)); };
  (outer_sum_of<Operands, first(Passes + 1) - first(Passes)>(t, first(Passes)), ...);
}
template <class Operands>
void outer_sum(const OuterSum<typename Operands::Operand>& t) {
  constexpr Index passes = (channel_block + max_pixels - 1) / max_pixels;
  outer_sum_in<Operands>(t, std::make_integer_sequence<Index, passes>());
}

using Channels = hn::CappedTag<real, channel_block>;
constexpr Index channel_lanes = static_cast<Index>(hn::MaxLanes(Channels()));

HWY_ATTR void transpose_square(const real* from, Index stride, real* to, Index to_stride) {
  transpose_matrix(Channels(), from, stride, channel_block, channel_block, to, to_stride);
}

// The nine taps of a block of input channels are 144 contiguous numbers of the weight. The sums are transposed to that
// order, square by square.
HWY_ATTR void store_taps(const real* taps, Index input, Index tap, Index stride, bool accumulate, real* dweight) {
  const Channels d;
  constexpr Index side = channel_lanes;
  for (Index output = 0; output < channel_block; output += side) {
    for (Index k = 0; k < 9 * channel_block; k += side) {
      hn::Vec<Channels> rows[side];
#pragma GCC unroll 16
      for (Index i = 0; i < side; ++i) rows[i] = hn::LoadU(d, taps + (k + i) / 9 * input + (k + i) % 9 * tap + output);
      transpose(d, rows);
#pragma GCC unroll 16
      for (Index row = 0; row < side; ++row) {
        real* to = dweight + (output + row) * stride + k;
        hn::StoreU(accumulate ? hn::Add(hn::LoadU(d, to), rows[row]) : rows[row], d, to);
      }
    }
  }
}

// The lanes run along the channels; the remaining channels are added one by one.
template <Index Pixels, Index Outputs>
HWY_ATTR void dots_of(const Dots& t) {
  const Vector d;
  Vec sum[Pixels][Outputs];
  real rest[Pixels][Outputs] = {};
#pragma GCC unroll 8
  for (Index p = 0; p < Pixels; ++p) {
#pragma GCC unroll 8
    for (Index o = 0; o < Outputs; ++o) sum[p][o] = hn::Zero(d);
  }
  for (Index row = 0; row < t.rows; ++row) {
    for (Index column = 0; column < t.columns; ++column) {
      const real* x = t.x + row * t.x_row + column * t.channels;
      const real* weight = t.weight + row * t.weight_row + column * Outputs * t.channels;
      Index i = 0;
      for (; i + lanes <= t.channels; i += lanes) {
        Vec value[Pixels];
#pragma GCC unroll 8
        for (Index p = 0; p < Pixels; ++p) value[p] = hn::LoadU(d, x + p * t.x_pixel + i);
#pragma GCC unroll 8
        for (Index o = 0; o < Outputs; ++o) {
          const auto w = hn::LoadU(d, weight + o * t.channels + i);
#pragma GCC unroll 8
          for (Index p = 0; p < Pixels; ++p) sum[p][o] = hn::MulAdd(value[p], w, sum[p][o]);
        }
      }
      for (; i < t.channels; ++i) {
        for (Index p = 0; p < Pixels; ++p) {
          for (Index o = 0; o < Outputs; ++o) rest[p][o] += x[p * t.x_pixel + i] * weight[o * t.channels + i];
        }
      }
    }
  }
#pragma GCC unroll 8
  for (Index p = 0; p < Pixels; ++p) {
#pragma GCC unroll 8
    for (Index o = 0; o < Outputs; ++o) {
      real* y = t.y + p * Outputs + o;
      const real value = hn::GetLane(hn::SumOfLanes(d, sum[p][o])) + rest[p][o] + (t.bias != nullptr ? t.bias[o] : 0);
      *y = t.accumulate ? *y + value : value;
    }
  }
}

template <Index... Outputs>
void dots_for(const Dots& t, std::integer_sequence<Index, Outputs...>) {
  static constexpr void (*one[])(const Dots&) = {dots_of<1, Outputs + 1>...};
  static constexpr void (*four[])(const Dots&) = {dots_of<4, Outputs + 1>...};
  (t.pixels == 1 ? one : four)[t.outputs - 1](t);
}
void dots(const Dots& t) { dots_for(t, std::make_integer_sequence<Index, 8>()); }

#ifndef REVERIE_DOUBLE
template <bool Native>
HWY_ATTR void round(const real* from, Index rows, Index count, Index stride, Bfloat16Pair* to, Index to_stride) {
  const Channels d;
  for (Index row = 0; row < rows; ++row, from += stride, to += to_stride) {
    for (Index i = 0; i < count; i += channel_lanes)
      Bfloat16Operands<Native>::store_row(d, hn::LoadU(d, from + i), to, i);
  }
}

template <bool Native>
HWY_ATTR void round_two(const real* first, const real* second, Index rows, Index count, Index stride, Bfloat16Pair* to,
                        Index to_stride) {
  const Channels d;
  for (Index row = 0; row < rows; ++row, first += stride, second += stride, to += to_stride) {
    for (Index i = 0; i < count; i += channel_lanes)
      Bfloat16Operands<Native>::store_rows(d, hn::LoadU(d, first + i), hn::LoadU(d, second + i), to + i);
  }
}

HWY_ATTR void transpose_squares(Bfloat16Pair* squares, Index count) {
  constexpr Index side = channel_lanes;
  const hn::Rebind<std::uint32_t, Channels> d;
  using Row = hn::Vec<decltype(d)>;
  const auto at = [&](Index row, Index column) { return &squares[row * square_side + column].bits; };
  for (; count > 0; --count, squares += square_side * channel_block) {
    for (Index row = 0; row < channel_block; row += side) {
      for (Index column = row; column < square_side; column += side) {
        Row one[side], other[side];
#pragma GCC unroll 16
        for (Index i = 0; i < side; ++i) one[i] = hn::LoadU(d, at(row + i, column));
        transpose(d, one);
        if (column > row) {
#pragma GCC unroll 16
          for (Index i = 0; i < side; ++i) other[i] = hn::LoadU(d, at(column + i, row));
          transpose(d, other);
#pragma GCC unroll 16
          for (Index i = 0; i < side; ++i) hn::StoreU(other[i], d, at(row + i, column));
        }
#pragma GCC unroll 16
        for (Index i = 0; i < side; ++i) hn::StoreU(one[i], d, at(column + i, row));
      }
    }
  }
}

template <bool Native>
HWY_ATTR void round_taps(const real* first, const real* second, Index stride, Bfloat16Pair* to) {
  const Channels d;
  for (Index c = 0; c < channel_block; c += channel_lanes) {
    hn::Vec<Channels> one[9], other[9];
    load_taps(d, first + c * stride, stride, one);
    load_taps(d, second + c * stride, stride, other);
#pragma GCC unroll 9
    for (Index k = 0; k < 9; ++k) Bfloat16Operands<Native>::store_rows(d, one[k], other[k], to + k * channel_block + c);
  }
}

template <bool Native>
constexpr Bfloat16Kernels in_vectors{
    {max_pixels, product<Bfloat16Operands<Native>>, outer_sum<Bfloat16Operands<Native>>},
    false,
    round<Native>,
    round_two<Native>,
    transpose_squares,
    round_taps<Native>};
#endif

}  // namespace

Microkernel describe_microkernel() {
  Microkernel micro{.output_block = output_block,
                    .of_real = {max_pixels, product<RealOperands>, outer_sum<RealOperands>},
                    .transpose_square = transpose_square,
                    .store_taps = store_taps,
                    .dots = dots};
#ifndef REVERIE_DOUBLE
  micro.bfloat16_levels[0] = in_vectors<false>;
  if (has_native_bfloat16()) {
    micro.bfloat16_levels[1] = in_vectors<true>;
    micro.best_bfloat16 = Bfloat16Level::vectors;
  }
#if REVERIE_AMX
  if (has_native_bfloat16() && has_amx()) {
    micro.bfloat16_levels[2] = {{2 * Amx::rows, amx_product, amx_outer_sum},
                                true,
                                round<true>,
                                round_two<true>,
                                transpose_squares,
                                round_taps<true>};
    micro.best_bfloat16 = Bfloat16Level::amx;
  }
#endif
#endif
  return micro;
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace reverie::inline REVERIE_PRECISION::kernels {

HWY_EXPORT(describe_microkernel);

const Microkernel& microkernel() {
  static const Microkernel micro = HWY_DYNAMIC_DISPATCH(describe_microkernel)();
  return micro;
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
#endif
