// Transposes squares of numbers in registers.
#if defined(REVERIE_TRANSPOSE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef REVERIE_TRANSPOSE_INL_H
#undef REVERIE_TRANSPOSE_INL_H
#else
#define REVERIE_TRANSPOSE_INL_H
#endif

#include <hwy/highway.h>

#include "tensor/real.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {

/// Transposes a square of one vector per row. The index of a number in the square is log2(lanes) bits for the row, then
/// as many for the column. A round that separates pairs of vectors into even and odd lanes rotates the index by one
/// bit; log2(lanes) rounds exchange row and column.
template <class D, int Lanes>
HWY_INLINE HWY_ATTR void transpose([[maybe_unused]] D d, [[maybe_unused]] hwy::HWY_NAMESPACE::Vec<D> (&rows)[Lanes]) {
#if HWY_TARGET != HWY_SCALAR
  namespace hn = hwy::HWY_NAMESPACE;
#pragma GCC unroll 4
  for (int round = 1; round < Lanes; round *= 2) {
    hn::Vec<D> sorted[Lanes];
#pragma GCC unroll 8
    for (int i = 0; i < Lanes / 2; ++i) {
      sorted[i] = hn::ConcatEven(d, rows[2 * i + 1], rows[2 * i]);
      sorted[i + Lanes / 2] = hn::ConcatOdd(d, rows[2 * i + 1], rows[2 * i]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < Lanes; ++i) rows[i] = sorted[i];
  }
#endif
}

/// to[c to_stride + r] = from[r stride + c]; rows and columns are multiples of the vector length.
template <class D>
HWY_INLINE HWY_ATTR void transpose_matrix(D d, const real* from, Index stride, Index rows, Index columns, real* to,
                                          Index to_stride) {
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr int lanes = static_cast<int>(hn::MaxLanes(D()));
  for (Index row = 0; row < rows; row += lanes) {
    for (Index column = 0; column < columns; column += lanes) {
      hn::Vec<D> square[lanes];
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) square[i] = hn::LoadU(d, from + (row + i) * stride + column);
      transpose(d, square);
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) hn::StoreU(square[i], d, to + (column + i) * to_stride + row);
    }
  }
}

/// Loads the nine taps of one channel per lane, `stride` apart: a vector per tap.
template <class D>
HWY_INLINE HWY_ATTR void load_taps(D d, const real* taps, Index stride, hwy::HWY_NAMESPACE::Vec<D> (&tap)[9]) {
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr int lanes = static_cast<int>(hn::MaxLanes(D())), at_once = lanes > 9 ? 9 : lanes;
  const auto mask = hn::FirstN(d, at_once);
#pragma GCC unroll 9
  for (int first = 0; first + at_once <= 9; first += at_once) {
    hn::Vec<D> rows[lanes];
#pragma GCC unroll 16
    for (int row = 0; row < lanes; ++row) {
      const real* from = taps + row * stride + first;
      rows[row] = at_once < lanes ? hn::MaskedLoad(mask, d, from) : hn::LoadU(d, from);
    }
    transpose(d, rows);
#pragma GCC unroll 16
    for (int k = 0; k < at_once; ++k) tap[first + k] = rows[k];
  }
  if constexpr (9 % at_once != 0) {  // one is left of nine
    HWY_ALIGN real last[lanes];
    for (int row = 0; row < lanes; ++row) last[row] = taps[row * stride + 8];
    tap[8] = hn::LoadU(d, last);
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
