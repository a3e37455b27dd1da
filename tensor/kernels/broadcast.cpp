#include "tensor/kernels/broadcast.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

// The axes of an output, and the stride of each operand along them (0 where it is broadcast). Neighbouring axes along
// which every operand is contiguous are merged, so most cases have one or two loops. The innermost strides are 0 or 1.
template <std::size_t Operands>
struct BroadcastLoop {
  int rank = 0;
  std::array<Index, Shape::max_rank> extents{};
  std::array<std::array<Index, Shape::max_rank>, Operands> strides{};

  BroadcastLoop(const Shape& out, const std::array<const Shape*, Operands>& operands) {
    std::array<Index, Operands> operand_size;
    operand_size.fill(1);
    for (int back = -1; back >= -out.rank(); --back) {  // innermost first
      const Index extent = out[back];
      std::array<Index, Operands> stride;
      for (std::size_t k = 0; k < Operands; ++k) {
        const Index own = -back <= operands[k]->rank() ? (*operands[k])[back] : 1;
        stride[k] = own == 1 ? 0 : operand_size[k];
        operand_size[k] *= own;
      }
      if (extent == 1) continue;
      bool merges = rank > 0;
      for (std::size_t k = 0; k < Operands && merges; ++k)
        merges = stride[k] == strides[k][rank - 1] * extents[rank - 1];
      if (merges) {
        extents[rank - 1] *= extent;
        continue;
      }
      extents[rank] = extent;
      for (std::size_t k = 0; k < Operands; ++k) strides[k][rank] = stride[k];
      ++rank;
    }
    if (rank == 0) extents[rank++] = 1;
  }

  Index inner() const { return extents[0]; }
  Index outer() const {
    Index count = 1;
    for (int axis = 1; axis < rank; ++axis) count *= extents[axis];
    return count;
  }
  // The offset of operand k at the start of inner loop number `row`.
  Index offset(std::size_t k, Index row) const {
    Index offset = 0;
    for (int axis = 1; axis < rank; ++axis) {
      offset += row % extents[axis] * strides[k][axis];
      row /= extents[axis];
    }
    return offset;
  }
};

constexpr Index grain_elements = 1 << 14, column_chunk = 64;

Index rows_per_task(Index inner) { return inner >= grain_elements ? 1 : grain_elements / std::max<Index>(inner, 1); }

template <class F>
void binary(const Tensor& a, const Tensor& b, Tensor& out, F f) {
  const BroadcastLoop<2> loop(out.shape(), {&a.shape(), &b.shape()});
  const Index inner = loop.inner();
  parallel_for(out.size() == 0 ? 0 : loop.outer(), rows_per_task(inner), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const real* x = a.data() + loop.offset(0, row);
      const real* y = b.data() + loop.offset(1, row);
      real* z = out.data() + row * inner;
      if (loop.strides[0][0] == 0) {
        const real left = *x;
#pragma omp simd
        for (Index i = 0; i < inner; ++i) z[i] = f(left, y[i]);
      } else if (loop.strides[1][0] == 0) {
        const real right = *y;
#pragma omp simd
        for (Index i = 0; i < inner; ++i) z[i] = f(x[i], right);
      } else {
#pragma omp simd
        for (Index i = 0; i < inner; ++i) z[i] = f(x[i], y[i]);
      }
    }
  });
}

// y[c] += the sum over rows of x[row,c], for a few columns at a time, to keep their sums in registers.
void add_rows(Index rows, Index columns, const real* x, real* y) {
  const auto add = [=](Index first, auto count) {
    real sum[column_chunk];
    std::copy_n(y + first, count, sum);
    for (Index row = 0; row < rows; ++row) {
#pragma omp simd
      for (Index c = 0; c < count; ++c) sum[c] += x[row * columns + first + c];
    }
    std::copy_n(sum, count, y + first);
  };
  Index first = 0;
  for (; first + column_chunk <= columns; first += column_chunk)
    add(first, std::integral_constant<Index, column_chunk>());
  if (first < columns) add(first, columns - first);
}

}  // namespace

void broadcast_binary(Binary op, const Tensor& a, const Tensor& b, Tensor& out) {
  switch (op) {
    case Binary::add:
      return binary(a, b, out, [](real x, real y) { return x + y; });
    case Binary::sub:
      return binary(a, b, out, [](real x, real y) { return x - y; });
    case Binary::mul:
      return binary(a, b, out, [](real x, real y) { return x * y; });
    case Binary::div:
      return binary(a, b, out, [](real x, real y) { return x / y; });
  }
}

void reduce_add(const Tensor& wide, Tensor& out) {
  const BroadcastLoop<1> loop(wide.shape(), {&out.shape()});
  const Index inner = loop.inner(), rows = loop.outer();
  const auto add_part = [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const real* x = wide.data() + row * inner;
      real* y = out.data() + loop.offset(0, row);
      if (loop.strides[0][0] == 0) {
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (Index i = 0; i < inner; ++i) sum += static_cast<double>(x[i]);
        *y += static_cast<real>(sum);
      } else {
#pragma omp simd
        for (Index i = 0; i < inner; ++i) y[i] += x[i];
      }
    }
  };
  if (wide.size() == 0) return;
  if (loop.rank == 2 && loop.strides[0][0] == 1 && loop.strides[0][1] == 0)  // the gradient of a bias
    return add_rows(rows, inner, wide.data(), out.data());
  // Tasks must not write to the same part of `out`: they split the outermost axis if `out` has it; otherwise there is
  // one.
  const int outermost = loop.rank - 1;
  if (loop.rank > 1 && loop.strides[0][outermost] != 0) {
    const Index block = rows / loop.extents[outermost];
    parallel_for(loop.extents[outermost], rows_per_task(block * inner),
                 [&](Index begin, Index end) { add_part(begin * block, end * block); });
  } else {
    add_part(0, rows);
  }
}

void broadcast_add(const Tensor& narrow, Tensor& out) { broadcast_binary(Binary::add, out, narrow, out); }

void broadcast_copy(const Tensor& narrow, Tensor& out) {
  binary(out, narrow, out, [](real, real y) { return y; });
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
