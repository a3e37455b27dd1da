#include "tensor/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/kernels/attention_micro.h"
#include "tensor/kernels/functions.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"

// Queries go through in blocks of B (two vectors, the last perhaps one), keys in blocks whose scores [keys,B] stay in
// the first-level cache. The softmax is put together from block to block: with the largest score m so far and the sum l
// of e^(s - m), a block with a larger score m' first scales what there is by e^(m - m'). The backward pass computes the
// scores again, and with log_sum = m + ln l has the probabilities at once. [Dao22] algs. 1 and 4
namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

constexpr Index key_block = 128;

// `count` rows of a head times `scale`, padded with zeros: to[B,padded].
void padded_rows(const real* rows, Index stride, Index count, Index width, real scale, Index B, Index padded,
                 real* to) {
  for (Index j = 0; j < B; ++j, rows += stride, to += padded) {
    const Index columns = j < count ? width : 0;
#pragma omp simd
    for (Index d = 0; d < columns; ++d) to[d] = scale * rows[d];
    std::fill(to + columns, to + padded, real(0));
  }
}

// Cuts [0, n) into even parts of at most `most`.
template <class Body>
void for_parts(Index n, Index most, Body body) {
  const Index parts = (n + most - 1) / most;
  for (Index i = 0; i < parts; ++i) body(i * n / parts, (i + 1) * n / parts);
}

}  // namespace

void attention_forward(Index width, HeadView<const real> q, HeadView<const real> k, HeadView<const real> v,
                       Tensor& log_sum, HeadView<real> y) {
  const Index heads = log_sum.extent(1), most = attention_micro(q.rows).queries, lanes = attention_micro(q.rows).lanes,
              padded = (width + lanes - 1) / lanes * lanes;
  const real scale = 1 / std::sqrt(static_cast<real>(width));
  parallel_tiles(log_sum.extent(0) * heads, [&](Index tile) {
    const Index n = tile / heads, h = tile % heads;
    Scratch scratch;
    real *rows = scratch.take(most * padded), *query = scratch.take(padded * most), *sum = scratch.take(padded * most);
    real *p = scratch.take(key_block * most), *shrink = scratch.take(most);
    real *largest = scratch.take(most), *total = scratch.take(most);
    for (Index first = 0; first < q.rows; first += most) {
      const AttentionMicro& micro = attention_micro(q.rows - first);
      const Index B = micro.queries, count = std::min(B, q.rows - first);
      padded_rows(q.at(n, h) + first * q.row_stride, q.row_stride, count, width, scale, B, padded, rows);
      micro.turn(rows, B, padded, query);
      std::fill_n(sum, padded * B, real(0));
      std::fill_n(total, B, real(0));
      std::fill_n(largest, B, -std::numeric_limits<real>::infinity());
      for_parts(k.rows, key_block, [&](Index begin, Index end) {
        const Index keys = end - begin;
        micro.scores(k.at(n, h) + begin * k.row_stride, k.row_stride, keys, width, query, p);
        std::copy_n(largest, B, shrink);
        micro.raise(p, keys, largest);
#pragma omp simd
        for (Index j = 0; j < B; ++j) shrink[j] = fast_exp(shrink[j] - largest[j]);
#pragma omp simd
        for (Index j = 0; j < B; ++j) total[j] *= shrink[j];
        for (Index d = 0; d < width; ++d) {
#pragma omp simd
          for (Index j = 0; j < B; ++j) sum[d * B + j] *= shrink[j];
        }
        micro.exponentials(p, keys, largest, total);
        micro.mix(v.at(n, h) + begin * v.row_stride, v.row_stride, keys, width, p, sum);
      });
      micro.turn(sum, padded, B, rows);
      real *out = y.at(n, h) + first * y.row_stride, *logs = log_sum.data() + tile * q.rows + first;
      for (Index j = 0; j < count; ++j, out += y.row_stride) {
        const real share = 1 / total[j];
#pragma omp simd
        for (Index d = 0; d < width; ++d) out[d] = rows[j * padded + d] * share;
        logs[j] = largest[j] + std::log(total[j]);
      }
    }
  });
}

// With p = e^(s - log_sum):  dv = p^T dy,  dp = dy v^T,  ds = p (dp - sum_d dy y),  dq = ds k / sqrt(width),  dk = ds^T
// q / sqrt(width).
void attention_backward(Index width, HeadView<const real> q, HeadView<const real> k, HeadView<const real> v,
                        HeadView<const real> y, const Tensor& log_sum, HeadView<const real> dy, HeadView<real> dq,
                        HeadView<real> dk, HeadView<real> dv) {
  const Index heads = log_sum.extent(1), most = attention_micro(q.rows).queries, lanes = attention_micro(q.rows).lanes,
              padded = (width + lanes - 1) / lanes * lanes;
  const real scale = 1 / std::sqrt(static_cast<real>(width));
  parallel_tiles(log_sum.extent(0) * heads, [&](Index tile) {
    const Index n = tile / heads, h = tile % heads;
    Scratch scratch;
    real *query = scratch.take(padded * most), *query_rows = scratch.take(most * padded);
    real *slope = scratch.take(padded * most), *slope_rows = scratch.take(most * padded);
    real *dquery = scratch.take(padded * most), *dquery_rows = scratch.take(most * padded);
    real *p = scratch.take(key_block * most), *ds = scratch.take(key_block * most);
    real *logs = scratch.take(most), *dot = scratch.take(most);
    real *dkeys = scratch.take(k.rows * padded), *dvalues = scratch.take(k.rows * padded);
    std::fill_n(dkeys, k.rows * padded, real(0));
    std::fill_n(dvalues, k.rows * padded, real(0));
    for (Index first = 0; first < q.rows; first += most) {
      const AttentionMicro& micro = attention_micro(q.rows - first);
      const Index B = micro.queries, count = std::min(B, q.rows - first);
      const real *q_rows = q.at(n, h) + first * q.row_stride, *dy_rows = dy.at(n, h) + first * dy.row_stride;
      padded_rows(q_rows, q.row_stride, count, width, scale, B, padded, query_rows);
      padded_rows(dy_rows, dy.row_stride, count, width, 1, B, padded, slope_rows);
      micro.turn(query_rows, B, padded, query);
      micro.turn(slope_rows, B, padded, slope);
      for (Index j = 0; j < B; ++j) {
        logs[j] = dot[j] = 0;  // what doesn't exist has no slope, and so no share in anything
        if (j >= count) continue;
        logs[j] = log_sum[tile * q.rows + first + j];
        const real* y_row = y.at(n, h) + (first + j) * y.row_stride;
        real sum = 0;
#pragma omp simd reduction(+ : sum)
        for (Index d = 0; d < width; ++d) sum += slope_rows[j * padded + d] * y_row[d];
        dot[j] = sum;
      }
      std::fill_n(dquery, padded * B, real(0));
      for_parts(k.rows, key_block, [&](Index begin, Index end) {
        const Index keys = end - begin;
        const real *k_rows = k.at(n, h) + begin * k.row_stride, *v_rows = v.at(n, h) + begin * v.row_stride;
        micro.scores(k_rows, k.row_stride, keys, width, query, p);
        micro.scores(v_rows, v.row_stride, keys, width, slope, ds);
        micro.slopes(p, ds, keys, logs, dot);
        micro.spread(p, keys, padded, slope_rows, dvalues + begin * padded);
        micro.spread(ds, keys, padded, query_rows, dkeys + begin * padded);
        micro.mix(k_rows, k.row_stride, keys, width, ds, dquery);
      });
      if (dq.data == nullptr) continue;
      micro.turn(dquery, padded, B, dquery_rows);
      for (Index j = 0; j < count; ++j) {
        real* out = dq.at(n, h) + (first + j) * dq.row_stride;
#pragma omp simd
        for (Index d = 0; d < width; ++d) out[d] += scale * dquery_rows[j * padded + d];
      }
    }
    const auto add = [&](const real* sum, HeadView<real> out) {
      for (Index key = 0; key < k.rows && out.data != nullptr; ++key) {
        real* row = out.at(n, h) + key * out.row_stride;
#pragma omp simd
        for (Index d = 0; d < width; ++d) row[d] += sum[key * padded + d];
      }
    };
    add(dkeys, dk);
    add(dvalues, dv);
  });
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
