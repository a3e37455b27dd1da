#include "tensor/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/kernels/functions.h"
#include "tensor/kernels/packing/blocks.h"
#include "tensor/kernels/simd/attention.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"

// Queries are processed in blocks of B (two vectors; the last block perhaps one), keys in blocks whose scores [keys,B]
// fit in the first-level cache. The softmax is accumulated over the key blocks: with the largest score m so far and the
// sum l of e^(s - m), a block with a larger score m' first scales the sums by e^(m - m'). The backward pass recomputes
// the scores, and gets the probabilities from log_sum = m + ln l. [Dao22] algs. 1 and 4
namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

constexpr Index key_block = 128;

// Copies `count` rows of a head times `scale`, padded with zeros: to[B,padded].
void padded_rows(const real* rows, Index stride, Index count, Index width, real scale, Index B, Index padded,
                 real* to) {
  for (Index j = 0; j < B; ++j, rows += stride, to += padded) {
    const Index columns = j < count ? width : 0;
#pragma omp simd
    for (Index d = 0; d < columns; ++d) to[d] = scale * rows[d];
    std::fill(to + columns, to + padded, real(0));
  }
}

// to[d] (+)= factor from[d]
void store_row(const real* from, real factor, Index width, bool accumulate, real* to) {
  if (accumulate) {
#pragma omp simd
    for (Index d = 0; d < width; ++d) to[d] += factor * from[d];
  } else {
#pragma omp simd
    for (Index d = 0; d < width; ++d) to[d] = factor * from[d];
  }
}

// Calls body(begin, end) for parts of [0, n), about equally long, each at most a key block. In bfloat16 a part begins
// at a whole square.
template <class Operand, class Body>
void for_parts(Index n, Body body) {
  constexpr Index whole = is_bfloat16<Operand> ? 2 * square_side : 1;
  const Index all = blocks_of(n, whole), parts = blocks_of(all, key_block / whole);
  for (Index i = 0; i < parts; ++i) body(i * all / parts * whole, std::min((i + 1) * all / parts * whole, n));
}

// The width, rounded up to whole vectors and operands.
template <class Operand>
Index padded_width(Index width) {
  const Index whole = attention_microkernel<Operand>(1).whole;
  return blocks_of(width, whole) * whole;
}

// Memory for the operands made from reals: new memory for pairs; reals are their own operands.
template <class Operand>
Operand* operands_beside(real* reals, Index count, Scratch& scratch) {
  if constexpr (is_bfloat16<Operand>) {
    return as_operands<Operand>(scratch.take(count));
  } else {
    return reals;
  }
}

// Rounds the matrix [rows,columns] to pairs of neighbouring rows, [rows / 2][columns].
template <class Operand>
void pair_rows(const real* matrix, Index rows, Index columns, Operand* to) {
  if constexpr (is_bfloat16<Operand>)
    microkernel().bfloat16().round_two(matrix, matrix + columns, rows / 2, columns, 2 * columns, to, columns);
}

// The number of rows that a microkernel may read or write if there are `count`.
Index read_rows(Index count) { return blocks_of(count, min_pixels_read) * min_pixels_read; }

// Fills the last square of p[keyo,B] with zeros.
template <class Operand>
void fill_square(Operand* p, Index keys, Index B) {
  if constexpr (is_bfloat16<Operand>) std::fill(p + blocks_of(keys, 2) * B, p + square_columns(keys) * B, Operand());
}

// The keys or values of a head as operands, `stride` apart: reals in place, or packed pairs.
template <class Operand>
struct PackedRows {
  const Operand* data;
  Index stride;
  /// Those from a row on, as weighted_sum expects them.
  const Operand* rows_from(Index row) const {
    return data + (is_bfloat16<Operand> ? row / operand_numbers<Operand> : row * stride);
  }
};

// Pairs of neighbours along the width.
template <class Operand>
PackedRows<Operand> by_width(const real* rows, Index stride, Index count, Index width, Index padded, Scratch& scratch) {
  if constexpr (is_bfloat16<Operand>) {
    Operand* to = as_operands<Operand>(scratch.take(read_rows(count) * padded / 2));
    if (width % channel_block != 0) {  // others are rounded in place
      real* copy = scratch.take(count * padded);
      padded_rows(rows, stride, count, width, 1, count, padded, copy);
      rows = copy, stride = width = padded;
    }
    if (width < padded) std::fill_n(to, count * padded / 2, Operand());
    microkernel().bfloat16().round(rows, count, width, stride, to, padded / 2);
    return {to, padded / 2};
  } else {
    return {rows, stride};
  }
}

// Pairs of neighbouring rows, [width][row pairs], padded with zeros to whole squares.
template <class Operand>
PackedRows<Operand> by_row(const real* rows, Index stride, Index count, Index width, Scratch& scratch) {
  if constexpr (is_bfloat16<Operand>) {
    const Index pairs = square_columns(count), columns = blocks_of(width, channel_block) * channel_block;
    real *by_pair = scratch.take(pairs * columns), *transposed = scratch.take(pairs * columns);
    const Index whole = width == columns ? count / 2 : 0, rest = 2 * (pairs - whole);
    microkernel().bfloat16().round_two(rows, rows + stride, whole, columns, 2 * stride, as_operands<Operand>(by_pair),
                                       columns);
    real* copy = scratch.take(rest * columns);
    padded_rows(rows + 2 * whole * stride, stride, count - 2 * whole, width, 1, rest, columns, copy);
    pair_rows(copy, rest, columns, as_operands<Operand>(by_pair) + whole * columns);
    attention_microkernel<Operand>(1).transpose_rows(by_pair, pairs, columns, transposed);
    return {as_operands<Operand>(transposed), pairs};
  } else {
    return {rows, stride};
  }
}

}  // namespace

template <class Operand>
static void forward(Index width, HeadView<const real> q, HeadView<const real> k, HeadView<const real> v,
                    Tensor& log_sum, HeadView<real> y) {
  const Index heads = log_sum.extent(1), most = attention_microkernel<Operand>(q.rows).queries,
              padded = padded_width<Operand>(width), numbers = operand_numbers<Operand>;
  const real scale = 1 / std::sqrt(static_cast<real>(width));
  parallel_tasks(log_sum.extent(0) * heads, [&](Index task) {
    const Index n = task / heads, h = task % heads;
    Scratch scratch;
    real *rows = scratch.take(most * padded), *query = scratch.take(padded * most), *sum = scratch.take(padded * most);
    real *s = scratch.take(key_block * most), *shrink = scratch.take(most);
    real *largest = scratch.take(most), *total = scratch.take(most);
    Operand *query_operands = operands_beside<Operand>(query, padded * most, scratch),
            *p = operands_beside<Operand>(s, key_block * most, scratch);
    const PackedRows<Operand> keys = by_width<Operand>(k.at(n, h), k.row_stride, k.rows, width, padded, scratch);
    const PackedRows<Operand> values = by_row<Operand>(v.at(n, h), v.row_stride, v.rows, width, scratch);
    for (Index first = 0; first < q.rows; first += most) {
      const AttentionMicrokernel<Operand>& micro = attention_microkernel<Operand>(q.rows - first);
      const Index B = micro.queries, count = std::min(B, q.rows - first);
      padded_rows(q.at(n, h) + first * q.row_stride, q.row_stride, count, width, scale, B, padded, rows);
      micro.transpose_rows(rows, B, padded, query);
      pair_rows(query, padded, B, query_operands);
      std::fill_n(sum, padded * B, real(0));
      std::fill_n(total, B, real(0));
      std::fill_n(largest, B, -std::numeric_limits<real>::infinity());
      for_parts<Operand>(k.rows, [&](Index begin, Index end) {
        micro.scores(keys.data + begin * keys.stride, keys.stride, end - begin, blocks_of(width, numbers),
                     query_operands, s);
        std::copy_n(largest, B, shrink);
        micro.update_largest(s, end - begin, largest);
#pragma omp simd
        for (Index j = 0; j < B; ++j) shrink[j] = fast_exp(shrink[j] - largest[j]);
#pragma omp simd
        for (Index j = 0; j < B; ++j) total[j] *= shrink[j];
        for (Index d = 0; d < width; ++d) {
#pragma omp simd
          for (Index j = 0; j < B; ++j) sum[d * B + j] *= shrink[j];
        }
        micro.exponentials(s, end - begin, largest, total, p);
        fill_square(p, end - begin, B);
        micro.weighted_sum(values.rows_from(begin), values.stride, blocks_of(end - begin, numbers), width, p, sum);
      });
      micro.transpose_rows(sum, padded, B, rows);
      real *out = y.at(n, h) + first * y.row_stride, *logs = log_sum.data() + task * q.rows + first;
      for (Index j = 0; j < count; ++j, out += y.row_stride) {
        store_row(rows + j * padded, 1 / total[j], width, false, out);
        logs[j] = largest[j] + std::log(total[j]);
      }
    }
  });
}

// The formulas are in autograd/ops/attention.cpp.
template <class Operand>
static void backward(Index width, HeadView<const real> q, HeadView<const real> k, HeadView<const real> v,
                     HeadView<const real> y, const Tensor& log_sum, HeadView<const real> dy, bool accumulate,
                     HeadView<real> dq, HeadView<real> dk, HeadView<real> dv) {
  const Index heads = log_sum.extent(1), most = attention_microkernel<Operand>(q.rows).queries,
              padded = padded_width<Operand>(width), numbers = operand_numbers<Operand>;
  const real scale = 1 / std::sqrt(static_cast<real>(width));
  parallel_tasks(log_sum.extent(0) * heads, [&](Index task) {
    const Index n = task / heads, h = task % heads;
    Scratch scratch;
    real *query = scratch.take(padded * most), *query_rows = scratch.take(most * padded);
    real *slope = scratch.take(padded * most), *slope_rows = scratch.take(most * padded);
    real *result = scratch.take(padded * most), *result_rows = scratch.take(most * padded);
    real *dquery = scratch.take(padded * most), *dquery_rows = scratch.take(most * padded);
    real *s = scratch.take(key_block * most), *dp = scratch.take(key_block * most);
    real *logs = scratch.take(most), *dot = scratch.take(most);
    real *dkeys = scratch.take(read_rows(k.rows) * padded), *dvalues = scratch.take(read_rows(k.rows) * padded);
    Operand *query_operands = operands_beside<Operand>(query, padded * most, scratch),
            *query_pairs = operands_beside<Operand>(query_rows, padded * most, scratch),
            *slope_operands = operands_beside<Operand>(slope, padded * most, scratch),
            *slope_pairs = operands_beside<Operand>(slope_rows, padded * most, scratch);
    Operand *p = operands_beside<Operand>(s, key_block * most, scratch),
            *ds = operands_beside<Operand>(dp, key_block * most, scratch),
            *ds_by_key = operands_beside<Operand>(dp, key_block * most, scratch);
    const PackedRows<Operand> keys = by_width<Operand>(k.at(n, h), k.row_stride, k.rows, width, padded, scratch),
                              key_rows = by_row<Operand>(k.at(n, h), k.row_stride, k.rows, width, scratch),
                              values = by_width<Operand>(v.at(n, h), v.row_stride, v.rows, width, padded, scratch);
    std::fill_n(dkeys, k.rows * padded, real(0));
    std::fill_n(dvalues, k.rows * padded, real(0));
    for (Index first = 0; first < q.rows; first += most) {
      const AttentionMicrokernel<Operand>& micro = attention_microkernel<Operand>(q.rows - first);
      const Index B = micro.queries, count = std::min(B, q.rows - first);
      const real *q_rows = q.at(n, h) + first * q.row_stride, *dy_rows = dy.at(n, h) + first * dy.row_stride;
      padded_rows(q_rows, q.row_stride, count, width, scale, B, padded, query_rows);
      padded_rows(dy_rows, dy.row_stride, count, width, 1, B, padded, slope_rows);
      padded_rows(y.at(n, h) + first * y.row_stride, y.row_stride, count, width, 1, B, padded, result_rows);
      if constexpr (is_bfloat16<Operand>) {  // as in dp, so that dp - dot is exact where they cancel
        for (Index i = 0; i < B * padded; ++i) slope_rows[i] = nearest_bfloat16(slope_rows[i]);
      }
      micro.transpose_rows(query_rows, B, padded, query);
      micro.transpose_rows(slope_rows, B, padded, slope);
      micro.transpose_rows(result_rows, B, padded, result);
      pair_rows(query, padded, B, query_operands);
      pair_rows(slope, padded, B, slope_operands);
      pair_rows(query_rows, B, padded, query_pairs);
      pair_rows(slope_rows, B, padded, slope_pairs);
      std::fill_n(dot, B, real(0));
      for (Index d = 0; d < width; ++d) {
#pragma omp simd
        for (Index j = 0; j < B; ++j) dot[j] += slope[d * B + j] * result[d * B + j];
      }
      std::copy_n(log_sum.data() + task * q.rows + first, count, logs);
      std::fill(logs + count, logs + B, real(0));  // queries that don't exist have zero gradients
      std::fill_n(dquery, padded * B, real(0));
      for_parts<Operand>(k.rows, [&](Index begin, Index end) {
        const Index count = end - begin;
        micro.scores(keys.data + begin * keys.stride, keys.stride, count, blocks_of(width, numbers), query_operands, s);
        micro.scores(values.data + begin * values.stride, values.stride, count, blocks_of(width, numbers),
                     slope_operands, dp);
        micro.score_gradient(s, dp, count, logs, dot, p, ds, ds_by_key);
        micro.key_gradient(p, count, width, padded, slope_pairs, dvalues + begin * padded);
        micro.key_gradient(ds, count, width, padded, query_pairs, dkeys + begin * padded);
        fill_square(ds_by_key, count, B);
        micro.weighted_sum(key_rows.rows_from(begin), key_rows.stride, blocks_of(count, numbers), width, ds_by_key,
                           dquery);
      });
      if (dq.data == nullptr) continue;
      micro.transpose_rows(dquery, padded, B, dquery_rows);
      for (Index j = 0; j < count; ++j)
        store_row(dquery_rows + j * padded, scale, width, accumulate, dq.at(n, h) + (first + j) * dq.row_stride);
    }
    const auto put = [&](const real* sum, HeadView<real> out) {
      for (Index key = 0; key < k.rows && out.data != nullptr; ++key)
        store_row(sum + key * padded, 1, width, accumulate, out.at(n, h) + key * out.row_stride);
    };
    put(dkeys, dk);
    put(dvalues, dv);
  });
}

void attention_forward(Index width, HeadView<const real> q, HeadView<const real> k, HeadView<const real> v,
                       Tensor& log_sum, HeadView<real> y) {
  with_operands([&]<class Operand>(Operand) { forward<Operand>(width, q, k, v, log_sum, y); });
}

void attention_backward(Index width, HeadView<const real> q, HeadView<const real> k, HeadView<const real> v,
                        HeadView<const real> y, const Tensor& log_sum, HeadView<const real> dy, bool accumulate,
                        HeadView<real> dq, HeadView<real> dk, HeadView<real> dv) {
  with_operands(
      [&]<class Operand>(Operand) { backward<Operand>(width, q, k, v, y, log_sum, dy, accumulate, dq, dk, dv); });
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
