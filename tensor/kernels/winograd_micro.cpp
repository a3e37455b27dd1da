// Compiled once for each instruction set that Highway knows; the best one that the processor has is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/winograd_micro.cpp"
#include <hwy/foreach_target.h>
// clang-format off
#include <hwy/highway.h>
// clang-format on

#include "tensor/kernels/conv_micro.h"
#include "tensor/kernels/transpose-inl.h"
#include "tensor/kernels/winograd_micro.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Lanes = hn::CappedTag<real, 16>;
using Vec = hn::Vec<Lanes>;

constexpr int lanes = static_cast<int>(hn::MaxLanes(Lanes()));

HWY_INLINE HWY_ATTR Vec load(const real* p) { return hn::LoadU(Lanes(), p); }
HWY_INLINE HWY_ATTR void store(Vec v, real* p) { hn::StoreU(v, Lanes(), p); }
HWY_INLINE HWY_ATTR Vec factor(double value) { return hn::Set(Lanes(), static_cast<real>(value)); }
HWY_INLINE HWY_ATTR Vec times(double value, Vec v) { return hn::Mul(factor(value), v); }
HWY_INLINE HWY_ATTR Vec plus(Vec sum, double value, Vec v) { return hn::MulAdd(factor(value), v, sum); }
HWY_INLINE HWY_ATTR Vec minus(Vec sum, double value, Vec v) { return hn::NegMulAdd(factor(value), v, sum); }

// B^T x [Lavin16] eq. 16: six numbers to six.
HWY_INLINE HWY_ATTR void input_line(const Vec (&x)[6], Vec (&y)[6]) {
  const Vec even = minus(x[4], 4, x[2]), odd = minus(x[3], 4, x[1]);
  const Vec even2 = hn::Sub(x[4], x[2]), odd2 = hn::Sub(x[3], x[1]);
  y[0] = minus(plus(x[4], 4, x[0]), 5, x[2]);
  y[1] = hn::Add(even, odd);
  y[2] = hn::Sub(even, odd);
  y[3] = plus(even2, 2, odd2);
  y[4] = minus(even2, 2, odd2);
  y[5] = minus(plus(x[5], 4, x[1]), 5, x[3]);
}

// A^T x: six numbers to four.
HWY_INLINE HWY_ATTR void output_line(const Vec (&x)[6], Vec (&y)[4]) {
  const Vec sum = hn::Add(x[1], x[2]), difference = hn::Sub(x[1], x[2]);
  const Vec sum2 = hn::Add(x[3], x[4]), difference2 = hn::Sub(x[3], x[4]);
  y[0] = hn::Add(hn::Add(x[0], sum), sum2);
  y[1] = plus(difference, 2, difference2);
  y[2] = plus(sum, 4, sum2);
  y[3] = hn::Add(plus(difference, 8, difference2), x[5]);
}

// A x: four numbers to six.
HWY_INLINE HWY_ATTR void gradient_line(const Vec (&x)[4], Vec (&y)[6]) {
  const Vec even = hn::Add(x[0], x[2]), odd = hn::Add(x[1], x[3]);
  const Vec even2 = plus(x[0], 4, x[2]), odd2 = plus(x[1], 4, x[3]);
  y[0] = x[0];
  y[1] = hn::Add(even, odd);
  y[2] = hn::Sub(even, odd);
  y[3] = plus(even2, 2, odd2);
  y[4] = minus(even2, 2, odd2);
  y[5] = x[3];
}

// G x: three numbers to six.
HWY_INLINE HWY_ATTR void weight_line(const Vec (&x)[3], Vec (&y)[6]) {
  const Vec ends = times(-1.0 / 6, hn::Add(x[0], x[2])), middle = times(-1.0 / 6, x[1]);
  const Vec far = plus(times(1.0 / 24, x[0]), 1.0 / 6, x[2]), near = times(1.0 / 12, x[1]);
  y[0] = times(0.25, x[0]);
  y[1] = hn::Add(ends, middle);
  y[2] = hn::Sub(ends, middle);
  y[3] = hn::Add(far, near);
  y[4] = hn::Sub(far, near);
  y[5] = x[2];
}

// G^T x: six numbers to three.
HWY_INLINE HWY_ATTR void weight_gradient_line(const Vec (&x)[6], Vec (&y)[3]) {
  const Vec sum = times(-1.0 / 6, hn::Add(x[1], x[2])), sum2 = hn::Add(x[3], x[4]);
  y[0] = plus(plus(sum, 0.25, x[0]), 1.0 / 24, sum2);
  y[1] = plus(times(1.0 / 6, hn::Sub(x[2], x[1])), 1.0 / 12, hn::Sub(x[3], x[4]));
  y[2] = hn::Add(plus(sum, 1.0 / 6, sum2), x[5]);
}

// A square transform: the line transform down the columns, then along the rows. `load(k)` gives the element k of the
// In x In, `store(v, k)` takes that of the Out x Out. The loops are unrolled, so that what lies between stays in
// registers as far as they go.
template <int In, int Out, class Load, class Line, class Store>
HWY_INLINE HWY_ATTR void square(Load load_element, Line line, Store store_element) {
  Vec middle[Out][In];
#pragma GCC unroll 6
  for (int column = 0; column < In; ++column) {
    Vec x[In], y[Out];
#pragma GCC unroll 6
    for (int row = 0; row < In; ++row) x[row] = load_element(row * In + column);
    line(x, y);
#pragma GCC unroll 6
    for (int row = 0; row < Out; ++row) middle[row][column] = y[row];
  }
#pragma GCC unroll 6
  for (int row = 0; row < Out; ++row) {
    Vec y[Out];
    line(middle[row], y);
#pragma GCC unroll 6
    for (int column = 0; column < Out; ++column) store_element(y[column], row * Out + column);
  }
}

HWY_ATTR void input(const real* const* pixels, Index channel, real* v, Index stride) {
  for (Index lane = 0; lane < channel_block; lane += lanes) {
    square<6, 6>([&](int k) HWY_ATTR { return load(pixels[k] + channel + lane); }, input_line,
                 [&](Vec x, int k) HWY_ATTR { store(x, v + k * stride + lane); });
  }
}

HWY_ATTR void output(const real* m, Index stride, const real* bias, bool accumulate, real* const* pixels,
                     Index channel) {
  for (Index lane = 0; lane < channel_block; lane += lanes) {
    const Vec shift = bias != nullptr ? load(bias + channel + lane) : hn::Zero(Lanes());
    square<6, 4>([&](int k) HWY_ATTR { return load(m + k * stride + lane); }, output_line,
                 [&](Vec x, int k) HWY_ATTR {
                   real* y = pixels[k] + channel + lane;
                   store(hn::Add(x, accumulate ? load(y) : shift), y);
                 });
  }
}

HWY_ATTR void gradient(const real* const* pixels, Index channel, real* d, Index stride) {
  for (Index lane = 0; lane < channel_block; lane += lanes) {
    square<4, 6>([&](int k) HWY_ATTR { return load(pixels[k] + channel + lane); }, gradient_line,
                 [&](Vec x, int k) HWY_ATTR { store(x, d + k * stride + lane); });
  }
}

// The nine taps of `lanes` channels, `step` apart, tap by tap.
HWY_INLINE HWY_ATTR void load_taps(const real* taps, Index step, Vec (&tap)[9]) {
  constexpr int at_once = lanes > 9 ? 9 : lanes;
  const auto mask = hn::FirstN(Lanes(), at_once);
#pragma GCC unroll 9
  for (int first = 0; first + at_once <= 9; first += at_once) {
    Vec rows[lanes];
#pragma GCC unroll 16
    for (int row = 0; row < lanes; ++row) {
      const real* from = taps + row * step + first;
      rows[row] = at_once < lanes ? hn::MaskedLoad(mask, Lanes(), from) : load(from);
    }
    transpose(Lanes(), rows);
#pragma GCC unroll 16
    for (int k = 0; k < at_once; ++k) tap[first + k] = rows[k];
  }
  if constexpr (9 % at_once != 0) {  // one is left of nine
    HWY_ALIGN real last[lanes];
    for (int row = 0; row < lanes; ++row) last[row] = taps[row * step + 8];
    tap[8] = load(last);
  }
}

HWY_ATTR void weight(const real* taps, Index step, bool turned, real* u, Index stride) {
  for (Index lane = 0; lane < channel_block; lane += lanes) {
    Vec tap[9];
    load_taps(taps + lane * step, step, tap);
    const auto store_place = [&](Vec x, int k) HWY_ATTR { store(x, u + k * stride + lane); };
    if (turned) {
      square<3, 6>([&](int k) HWY_ATTR { return tap[8 - k]; }, weight_line, store_place);
    } else {
      square<3, 6>([&](int k) HWY_ATTR { return tap[k]; }, weight_line, store_place);
    }
  }
}

HWY_ATTR void weight_gradient(const real* s, Index stride, real* taps) {
  for (Index lane = 0; lane < channel_block; lane += lanes) {
    square<6, 3>([&](int k) HWY_ATTR { return load(s + k * stride + lane); }, weight_gradient_line,
                 [&](Vec x, int k) HWY_ATTR { store(x, taps + k * channel_block + lane); });
  }
}

HWY_ATTR void add_taps(const real* taps, Index step, real* dweight) {
  for (Index lane = 0; lane < channel_block; lane += lanes) {
    for (Index i = 0; i < 9 * channel_block; i += lanes) {
      Vec rows[lanes];
#pragma GCC unroll 16
      for (int k = 0; k < lanes; ++k) rows[k] = load(taps + (i + k) * channel_block + lane);
      transpose(Lanes(), rows);
#pragma GCC unroll 16
      for (int row = 0; row < lanes; ++row) {
        real* to = dweight + (lane + row) * step + i;
        store(hn::Add(load(to), rows[row]), to);
      }
    }
  }
}

}  // namespace

WinogradMicro describe_winograd() { return {input, output, gradient, weight, weight_gradient, add_taps}; }

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace reverie::inline REVERIE_PRECISION::kernels {

HWY_EXPORT(describe_winograd);

const WinogradMicro& winograd_micro() {
  static const WinogradMicro micro = HWY_DYNAMIC_DISPATCH(describe_winograd)();
  return micro;
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
#endif
