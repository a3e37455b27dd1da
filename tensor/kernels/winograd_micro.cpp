// Compiled once for each instruction set that Highway knows; the best one that the processor has is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/winograd_micro.cpp"
#include <hwy/foreach_target.h>
// clang-format off
#include <hwy/highway.h>
// clang-format on

#include "tensor/kernels/conv_micro.h"
#include "tensor/kernels/winograd_micro.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Lanes = hn::CappedTag<real, 16>;
using Vec = hn::Vec<Lanes>;

HWY_INLINE HWY_ATTR Vec load(const real* p) { return hn::LoadU(Lanes(), p); }
HWY_INLINE HWY_ATTR void store(Vec v, real* p) { hn::StoreU(v, Lanes(), p); }
HWY_INLINE HWY_ATTR Vec times(double factor, Vec v) { return hn::Mul(hn::Set(Lanes(), static_cast<real>(factor)), v); }

// B^T x [Lavin16] eq. 16: six numbers to six.
HWY_INLINE HWY_ATTR void input_line(const Vec (&x)[6], Vec (&y)[6]) {
  const Vec even = hn::Sub(x[4], times(4, x[2])), odd = hn::Sub(x[3], times(4, x[1]));
  const Vec even2 = hn::Sub(x[4], x[2]), odd2 = times(2, hn::Sub(x[3], x[1]));
  y[0] = hn::Add(hn::Sub(times(4, x[0]), times(5, x[2])), x[4]);
  y[1] = hn::Add(even, odd);
  y[2] = hn::Sub(even, odd);
  y[3] = hn::Add(even2, odd2);
  y[4] = hn::Sub(even2, odd2);
  y[5] = hn::Add(hn::Sub(times(4, x[1]), times(5, x[3])), x[5]);
}

// A^T x: six numbers to four.
HWY_INLINE HWY_ATTR void output_line(const Vec (&x)[6], Vec (&y)[4]) {
  const Vec sum = hn::Add(x[1], x[2]), difference = hn::Sub(x[1], x[2]);
  const Vec sum2 = hn::Add(x[3], x[4]), difference2 = hn::Sub(x[3], x[4]);
  y[0] = hn::Add(hn::Add(x[0], sum), sum2);
  y[1] = hn::Add(difference, times(2, difference2));
  y[2] = hn::Add(sum, times(4, sum2));
  y[3] = hn::Add(hn::Add(difference, times(8, difference2)), x[5]);
}

// A x: four numbers to six.
HWY_INLINE HWY_ATTR void gradient_line(const Vec (&x)[4], Vec (&y)[6]) {
  const Vec even = hn::Add(x[0], x[2]), odd = hn::Add(x[1], x[3]);
  const Vec even2 = hn::Add(x[0], times(4, x[2])), odd2 = hn::Add(times(2, x[1]), times(8, x[3]));
  y[0] = x[0];
  y[1] = hn::Add(even, odd);
  y[2] = hn::Sub(even, odd);
  y[3] = hn::Add(even2, odd2);
  y[4] = hn::Sub(even2, odd2);
  y[5] = x[3];
}

// G x: three numbers to six.
HWY_INLINE HWY_ATTR void weight_line(const Vec (&x)[3], Vec (&y)[6]) {
  const Vec ends = times(-1.0 / 6, hn::Add(x[0], x[2])), middle = times(-1.0 / 6, x[1]);
  const Vec far = hn::Add(times(1.0 / 24, x[0]), times(1.0 / 6, x[2])), near = times(1.0 / 12, x[1]);
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
  y[0] = hn::Add(hn::Add(times(0.25, x[0]), sum), times(1.0 / 24, sum2));
  y[1] = hn::Add(times(1.0 / 6, hn::Sub(x[2], x[1])), times(1.0 / 12, hn::Sub(x[3], x[4])));
  y[2] = hn::Add(hn::Add(sum, times(1.0 / 6, sum2)), x[5]);
}

// A square transform: the line transform down the columns, then along the rows.
template <int In, int Out, class Line>
HWY_INLINE HWY_ATTR void square(const real* from, Index from_stride, real* to, Index to_stride, Line line) {
  const Index step = static_cast<Index>(hn::MaxLanes(Lanes()));
  for (Index lane = 0; lane < channel_block; lane += step) {
    Vec middle[Out][In];
    for (int column = 0; column < In; ++column) {
      Vec x[In], y[Out];
      for (int row = 0; row < In; ++row) x[row] = load(from + (row * In + column) * from_stride + lane);
      line(x, y);
      for (int row = 0; row < Out; ++row) middle[row][column] = y[row];
    }
    for (int row = 0; row < Out; ++row) {
      Vec y[Out];
      line(middle[row], y);
      for (int column = 0; column < Out; ++column) store(y[column], to + (row * Out + column) * to_stride + lane);
    }
  }
}

HWY_ATTR void input(const real* tile, real* v, Index stride) {
  square<6, 6>(tile, channel_block, v, stride, input_line);
}
HWY_ATTR void output(const real* m, Index stride, real* tile) {
  square<6, 4>(m, stride, tile, channel_block, output_line);
}
HWY_ATTR void gradient(const real* tile, real* d, Index stride) {
  square<4, 6>(tile, channel_block, d, stride, gradient_line);
}

HWY_ATTR void weight(const real* taps, real* u, Index stride) {
  square<3, 6>(taps, channel_block, u, stride, weight_line);
}
HWY_ATTR void weight_gradient(const real* s, Index stride, real* taps) {
  square<6, 3>(s, stride, taps, channel_block, weight_gradient_line);
}

}  // namespace

WinogradMicro describe_winograd() { return {input, output, gradient, weight, weight_gradient}; }

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
