// The transforms of Winograd's convolution: small constant matrices from both sides, a vector of channels at a time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/simd/winograd_transforms.cpp"
#include <hwy/foreach_target.h>
// clang-format off
#include <hwy/highway.h>
// clang-format on

#include "tensor/kernels/simd/microkernel.h"
#include "tensor/kernels/simd/operands-inl.h"
#include "tensor/kernels/simd/transpose-inl.h"
#include "tensor/kernels/simd/winograd_transforms.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {
namespace {

using Lanes = hn::CappedTag<real, 16>;
using Vec = hn::Vec<Lanes>;

constexpr int lanes = static_cast<int>(hn::MaxLanes(Lanes()));

HWY_INLINE HWY_ATTR Vec load(const real* p) { return hn::LoadU(Lanes(), p); }
HWY_INLINE HWY_ATTR void store(Vec v, real* p) { hn::StoreU(v, Lanes(), p); }
HWY_INLINE HWY_ATTR Vec factor(double value) { return hn::Set(Lanes(), static_cast<real>(value)); }
HWY_INLINE HWY_ATTR Vec times(double value, Vec v) { return hn::Mul(factor(value), v); }
HWY_INLINE HWY_ATTR Vec plus(Vec sum, double value, Vec v) { return hn::MulAdd(factor(value), v, sum); }
HWY_INLINE HWY_ATTR Vec minus(Vec sum, double value, Vec v) { return hn::NegMulAdd(factor(value), v, sum); }

// The polynomials are evaluated at the points 0, r, -r, 2r, -2r and infinity with r^2 = 1/2 instead of the paper's r =
// 1: the factors of the transforms are closer to one another, and the errors half as large.
constexpr double r = 0.70710678118654752440;

// B^T x with these points: six numbers to six.
// [Lavin16] eq. 16
HWY_INLINE HWY_ATTR void input_line(const Vec (&x)[6], Vec (&y)[6]) {
  const Vec even = minus(x[4], 2, x[2]), odd = minus(x[3], 2, x[1]);
  const Vec even2 = minus(x[4], 0.5, x[2]), odd2 = minus(x[3], 0.5, x[1]);
  y[0] = minus(hn::Add(x[0], x[4]), 2.5, x[2]);
  y[1] = plus(even, r, odd);
  y[2] = minus(even, r, odd);
  y[3] = plus(even2, 2 * r, odd2);
  y[4] = minus(even2, 2 * r, odd2);
  y[5] = minus(hn::Add(x[1], x[5]), 2.5, x[3]);
}

// The same for a Winograd tile with two outputs along this axis: F(2, 3) needs no points 2r and -2r. It is scaled so
// that it can use F(4, 3)'s weights.
HWY_INLINE HWY_ATTR void input_line(const Vec (&x)[4], Vec (&y)[4]) {
  const Vec even = times(-1.5, x[2]), odd = times(1.5 * r, x[1]);
  y[0] = minus(x[0], 2, x[2]);
  y[1] = hn::Sub(even, odd);
  y[2] = hn::Add(even, odd);
  y[3] = minus(x[3], 0.5, x[1]);
}

// A^T x: six numbers to four, or four to two.
HWY_INLINE HWY_ATTR void output_line(const Vec (&x)[6], Vec (&y)[4]) {
  const Vec sum = hn::Add(x[1], x[2]), difference = hn::Sub(x[1], x[2]);
  const Vec sum2 = hn::Add(x[3], x[4]), difference2 = hn::Sub(x[3], x[4]);
  y[0] = hn::Add(hn::Add(x[0], sum), sum2);
  y[1] = plus(times(r, difference), 2 * r, difference2);
  y[2] = plus(times(0.5, sum), 2, sum2);
  y[3] = plus(plus(x[5], 0.5 * r, difference), 4 * r, difference2);
}

HWY_INLINE HWY_ATTR void output_line(const Vec (&x)[4], Vec (&y)[2]) {
  y[0] = hn::Add(hn::Add(x[0], x[1]), x[2]);
  y[1] = plus(x[3], r, hn::Sub(x[1], x[2]));
}

// A x: four numbers to six, or two to four.
HWY_INLINE HWY_ATTR void gradient_line(const Vec (&x)[4], Vec (&y)[6]) {
  const Vec even = plus(x[0], 0.5, x[2]), odd = plus(x[1], 0.5, x[3]);
  const Vec even2 = plus(x[0], 2, x[2]), odd2 = plus(x[1], 2, x[3]);
  y[0] = x[0];
  y[1] = plus(even, r, odd);
  y[2] = minus(even, r, odd);
  y[3] = plus(even2, 2 * r, odd2);
  y[4] = minus(even2, 2 * r, odd2);
  y[5] = x[3];
}

HWY_INLINE HWY_ATTR void gradient_line(const Vec (&x)[2], Vec (&y)[4]) {
  y[0] = x[0];
  y[1] = plus(x[0], r, x[1]);
  y[2] = minus(x[0], r, x[1]);
  y[3] = x[1];
}

// G x: three numbers to six.
HWY_INLINE HWY_ATTR void weight_line(const Vec (&x)[3], Vec (&y)[6]) {
  const Vec even = plus(times(-2.0 / 3, x[0]), -1.0 / 3, x[2]), odd = times(-2.0 / 3 * r, x[1]);
  const Vec even2 = plus(times(1.0 / 6, x[0]), 1.0 / 3, x[2]), odd2 = times(1.0 / 3 * r, x[1]);
  y[0] = x[0];
  y[1] = hn::Add(even, odd);
  y[2] = hn::Sub(even, odd);
  y[3] = hn::Add(even2, odd2);
  y[4] = hn::Sub(even2, odd2);
  y[5] = x[2];
}

// G^T x: six numbers to three.
HWY_INLINE HWY_ATTR void weight_gradient_line(const Vec (&x)[6], Vec (&y)[3]) {
  const Vec sum = hn::Add(x[1], x[2]), sum2 = hn::Add(x[3], x[4]);
  y[0] = plus(minus(x[0], 2.0 / 3, sum), 1.0 / 6, sum2);
  y[1] = plus(times(2.0 / 3 * r, hn::Sub(x[2], x[1])), 1.0 / 3 * r, hn::Sub(x[3], x[4]));
  y[2] = plus(x[5], 1.0 / 3, hn::Sub(sum2, sum));
}

// Applies `line` along the columns, then along the rows. load_element(row, column) returns the InRows x InColumns
// inputs; store_element(v, row, column) stores the OutRows x OutColumns results. The loops are unrolled to keep the
// intermediate values in registers as far as possible.
template <int InRows, int InColumns, int OutRows, int OutColumns, class Load, class Line, class Store>
HWY_INLINE HWY_ATTR void both_ways(Load load_element, Line line, Store store_element) {
  Vec middle[OutRows][InColumns];
#pragma GCC unroll 6
  for (int column = 0; column < InColumns; ++column) {
    Vec x[InRows], y[OutRows];
#pragma GCC unroll 6
    for (int row = 0; row < InRows; ++row) x[row] = load_element(row, column);
    line(x, y);
#pragma GCC unroll 6
    for (int row = 0; row < OutRows; ++row) middle[row][column] = y[row];
  }
#pragma GCC unroll 6
  for (int row = 0; row < OutRows; ++row) {
    Vec y[OutColumns];
    line(middle[row], y);
#pragma GCC unroll 6
    for (int column = 0; column < OutColumns; ++column) store_element(y[column], row, column);
  }
}

// The index of a line's point among the six; the four points of F(2, 3) are 0, r, -r and infinity.
template <int Points>
constexpr int point(int i) {
  return Points == 4 && i == 3 ? 5 : i;
}
// A Winograd tile of `Rows` x `Columns` outputs: the number of points along each axis, and the offset of an element.
template <int Rows, int Columns>
struct TileSize {
  static constexpr int high = Rows + 2, wide = Columns + 2;
  static Index element_offset(int row, int column, Index stride) {
    return (point<high>(row) * 6 + point<wide>(column)) * stride;
  }
};

template <class Operands, int Rows, int Columns>
HWY_ATTR void input(const real* const* pixels, Index channel, typename Operands::Operand* v, Index stride) {
  using S = TileSize<Rows, Columns>;
  for (Index lane = 0; lane < channel_block; lane += lanes) {
    both_ways<S::high, S::wide, S::high, S::wide>(
        [&](int row, int column) HWY_ATTR { return load(pixels[row * 6 + column] + channel + lane); },
        [](const auto& x, auto& y) HWY_ATTR { input_line(x, y); },
        [&](Vec x, int row, int column)
            HWY_ATTR { Operands::store_row(Lanes(), x, v + S::element_offset(row, column, stride), lane); });
  }
}

template <int Rows, int Columns>
HWY_ATTR void output(const real* m, Index stride, const real* bias, bool accumulate, real* const* pixels,
                     Index channel) {
  using S = TileSize<Rows, Columns>;
  for (Index lane = 0; lane < channel_block; lane += lanes) {
    const Vec shift = bias != nullptr ? load(bias + channel + lane) : hn::Zero(Lanes());
    both_ways<S::high, S::wide, Rows, Columns>(
        [&](int row, int column) HWY_ATTR { return load(m + S::element_offset(row, column, stride) + lane); },
        [](const auto& x, auto& y) HWY_ATTR { output_line(x, y); },
        [&](Vec x, int row, int column) HWY_ATTR {
          real* y = pixels[row * 4 + column] + channel + lane;
          store(hn::Add(x, accumulate ? load(y) : shift), y);
        });
  }
}

template <int Rows, int Columns>
HWY_ATTR void gradient(const real* const* pixels, Index channel, real* d, Index stride) {
  using S = TileSize<Rows, Columns>;
  for (Index lane = 0; lane < channel_block; lane += lanes) {
    both_ways<Rows, Columns, S::high, S::wide>(
        [&](int row, int column) HWY_ATTR { return load(pixels[row * 4 + column] + channel + lane); },
        [](const auto& x, auto& y) HWY_ATTR { gradient_line(x, y); },
        [&](Vec x, int row, int column) HWY_ATTR { store(x, d + S::element_offset(row, column, stride) + lane); });
  }
}

HWY_ATTR void weight(const real* taps, Index taps_stride, bool rotated, real* u, Index stride) {
  for (Index lane = 0; lane < channel_block; lane += lanes) {
    Vec tap[9];
    load_taps(Lanes(), taps + lane * taps_stride, taps_stride, tap);
    const auto store_element_of_u = [&](Vec x, int row, int column)
                                        HWY_ATTR { store(x, u + (row * 6 + column) * stride + lane); };
    if (rotated) {
      both_ways<3, 3, 6, 6>([&](int row, int column) HWY_ATTR { return tap[8 - row * 3 - column]; }, weight_line,
                            store_element_of_u);
    } else {
      both_ways<3, 3, 6, 6>([&](int row, int column) HWY_ATTR { return tap[row * 3 + column]; }, weight_line,
                            store_element_of_u);
    }
  }
}

HWY_ATTR void weight_gradient(const real* s, Index stride, real* taps) {
  for (Index lane = 0; lane < channel_block; lane += lanes) {
    both_ways<6, 6, 3, 3>([&](int row, int column) HWY_ATTR { return load(s + (row * 6 + column) * stride + lane); },
                          weight_gradient_line,
                          [&](Vec x, int row, int column)
                              HWY_ATTR { store(x, taps + (row * 3 + column) * channel_block + lane); });
  }
}

template <class Operands>
WinogradTransforms::TileTransform<typename Operands::Operand> inputs() {
  return {{{input<Operands, 4, 4>, input<Operands, 4, 2>}, {input<Operands, 2, 4>, input<Operands, 2, 2>}}};
}

}  // namespace

WinogradTransforms describe_winograd_transforms() {
  WinogradTransforms micro{.input = inputs<RealOperands>(),
                           .output = {{output<4, 4>, output<4, 2>}, {output<2, 4>, output<2, 2>}},
                           .gradient = {{{gradient<4, 4>, gradient<4, 2>}, {gradient<2, 4>, gradient<2, 2>}}},
                           .weight = weight,
                           .weight_gradient = weight_gradient};
#ifndef REVERIE_DOUBLE
  micro.rounded_input = has_native_bfloat16() ? inputs<Bfloat16Operands<true>>() : inputs<Bfloat16Operands<false>>();
#endif
  return micro;
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace reverie::inline REVERIE_PRECISION::kernels {

HWY_EXPORT(describe_winograd_transforms);

const WinogradTransforms& winograd_transforms() {
  static const WinogradTransforms micro = HWY_DYNAMIC_DISPATCH(describe_winograd_transforms)();
  return micro;
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
#endif
