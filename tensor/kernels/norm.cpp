#include "tensor/kernels/norm.h"

#include <algorithm>
#include <cmath>

#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

constexpr Index block_elements = 1 << 13;  // a block stays in the first-level cache between its passes

// [N,P,C] cut into blocks of positions, a task each. At most 256 positions: sums that short are accurate in float, and
// the sums of blocks are put together in double.
struct Blocks {
  Index samples, channels, positions, rows, per_sample;

  explicit Blocks(const Shape& shape)
      : samples(shape[0]),
        channels(shape[-1]),
        positions(shape.product(1, shape.rank() - 1)),
        rows(std::clamp<Index>(block_elements / std::max<Index>(channels, 1), 1, 256)),
        per_sample((positions + rows - 1) / rows) {}

  Index count() const { return samples * per_sample; }
  Index rows_of(Index block) const { return std::min(rows, positions - block % per_sample * rows); }

  // body(block, sample, offset of its first element, its positions)
  template <class Body>
  void for_each(Body body) const {
    parallel_tiles(count(), [&](Index block) {
      const Index sample = block / per_sample;
      body(block, sample, (sample * positions + block % per_sample * rows) * channels, rows_of(block));
    });
  }
};

// For every block and channel its mean and its sum of squared deviations from that mean: [blocks,2,C].
Tensor block_moments(const Blocks& blocks, const Tensor& x) {
  const Index channels = blocks.channels;
  Tensor moments = Tensor::zeros({blocks.count(), 2, channels});
  blocks.for_each([&](Index block, Index, Index offset, Index rows) {
    const real* from = x.data() + offset;
    real* mean = moments.data() + 2 * block * channels;
    real* squares = mean + channels;
    for (Index p = 0; p < rows; ++p) {
#pragma omp simd
      for (Index c = 0; c < channels; ++c) mean[c] += from[p * channels + c];
    }
    for (Index c = 0; c < channels; ++c) mean[c] /= static_cast<real>(rows);
    for (Index p = 0; p < rows; ++p) {
#pragma omp simd
      for (Index c = 0; c < channels; ++c) {
        const real deviation = from[p * channels + c] - mean[c];
        squares[c] += deviation * deviation;
      }
    }
  });
  return moments;
}

// dweight and dbias from their partial sums [parts,2,C] (bias first), added in order.
void add_parts(const Tensor& parts, Tensor* dweight, Tensor* dbias) {
  const Index count = parts.extent(0), channels = parts.extent(2);
  for (Index i = 0; i < count; ++i) {
    const real* bias_part = parts.data() + 2 * i * channels;
    const real* weight_part = bias_part + channels;
    for (Index c = 0; dbias != nullptr && c < channels; ++c) (*dbias)[c] += bias_part[c];
    for (Index c = 0; dweight != nullptr && c < channels; ++c) (*dweight)[c] += weight_part[c];
  }
}

}  // namespace

// Of parts with n_i elements, mean m_i and squared deviations M_i: mean m = sum n_i m_i / n and variance
// sum (M_i + n_i (m_i - m)^2) / n, which never takes the difference of two large numbers.                      [Chan83]
void group_norm_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, Index groups, double eps,
                        Tensor& mean, Tensor& rstd, Tensor& y) {
  const Blocks blocks(x.shape());
  const Index channels = blocks.channels, width = channels / groups;
  const Tensor moments = block_moments(blocks, x);
  const double count = static_cast<double>(blocks.positions * width);
  parallel_tiles(blocks.samples, [&](Index n) {
    const Index first = n * blocks.per_sample, last = first + blocks.per_sample;
    for (Index g = 0; g < groups; ++g) {
      const auto sum = [&](auto&& term) {  // of term(elements, mean, squares) over all parts of the group
        double total = 0;
        for (Index block = first; block < last; ++block) {
          const real* m = moments.data() + 2 * block * channels + g * width;
          const auto rows = static_cast<double>(blocks.rows_of(block));
          for (Index c = 0; c < width; ++c) total += term(rows, double{m[c]}, double{m[channels + c]});
        }
        return total;
      };
      const double mu = sum([](double rows, double m, double) { return rows * m; }) / count;
      const double variance =
          sum([mu](double rows, double m, double s) { return s + rows * (m - mu) * (m - mu); }) / count;
      const Index at = n * channels + g * width;
      std::fill_n(mean.data() + at, width, static_cast<real>(mu));
      std::fill_n(rstd.data() + at, width, static_cast<real>(1 / std::sqrt(variance + eps)));
    }
  });
  blocks.for_each([&](Index, Index n, Index offset, Index rows) {
    const real *from = x.data() + offset, *mu = mean.data() + n * channels, *r = rstd.data() + n * channels;
    const real *w = weight.data(), *b = bias.data();
    real* to = y.data() + offset;
    for (Index p = 0; p < rows; ++p, from += channels, to += channels) {
#pragma omp simd
      for (Index c = 0; c < channels; ++c) to[c] = (from[c] - mu[c]) * (r[c] * w[c]) + b[c];
    }
  });
}

// With z = (x - mean) rstd:  dbias = sum dy,  dweight = sum dy z,  and, means over a group's elements,
// dx = rstd (weight dy - mean(weight dy) - z mean(weight dy z)).
void group_norm_backward(const Tensor& x, const Tensor& weight, Index groups, const Tensor& mean, const Tensor& rstd,
                         const Tensor& dy, Tensor* dx, Tensor* dweight, Tensor* dbias) {
  const Blocks blocks(x.shape());
  const Index channels = blocks.channels, width = channels / groups;
  Tensor parts = Tensor::zeros({blocks.count(), 2, channels});
  blocks.for_each([&](Index block, Index n, Index offset, Index rows) {
    const real *from = x.data() + offset, *slope = dy.data() + offset;
    const real *mu = mean.data() + n * channels, *r = rstd.data() + n * channels;
    real* sum = parts.data() + 2 * block * channels;
    real* sum_z = sum + channels;
    for (Index p = 0; p < rows; ++p, from += channels, slope += channels) {
#pragma omp simd
      for (Index c = 0; c < channels; ++c) {
        sum[c] += slope[c];
        sum_z[c] += slope[c] * ((from[c] - mu[c]) * r[c]);
      }
    }
  });
  add_parts(parts, dweight, dbias);
  if (dx == nullptr) return;

  Tensor means =
      Tensor::uninitialized({blocks.samples, 2, channels});  // of weight dy and weight dy z, at every channel
  const double count = static_cast<double>(blocks.positions * width);
  parallel_tiles(blocks.samples, [&](Index n) {
    const Index first = n * blocks.per_sample, last = first + blocks.per_sample;
    for (Index g = 0; g < groups; ++g) {
      for (Index which = 0; which < 2; ++which) {
        double total = 0;
        for (Index block = first; block < last; ++block) {
          const real* part = parts.data() + (2 * block + which) * channels;
          for (Index c = g * width; c < (g + 1) * width; ++c) total += double{weight[c]} * double{part[c]};
        }
        std::fill_n(means.data() + (2 * n + which) * channels + g * width, width, static_cast<real>(total / count));
      }
    }
  });
  blocks.for_each([&](Index, Index n, Index offset, Index rows) {
    const real *from = x.data() + offset, *slope = dy.data() + offset;
    const real *mu = mean.data() + n * channels, *r = rstd.data() + n * channels, *w = weight.data();
    const real* mean_dy = means.data() + 2 * n * channels;
    const real* mean_dyz = mean_dy + channels;
    real* to = dx->data() + offset;
    for (Index p = 0; p < rows; ++p, from += channels, slope += channels, to += channels) {
#pragma omp simd
      for (Index c = 0; c < channels; ++c) {
        const real z = (from[c] - mu[c]) * r[c];
        to[c] += r[c] * (w[c] * slope[c] - mean_dy[c] - z * mean_dyz[c]);
      }
    }
  });
}

void row_norm_forward(Centre centre, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                      Tensor& mean, Tensor& rstd, Tensor& y) {
  const Index channels = x.extent(-1);
  const real *w = weight.data(), *b = bias.data(), width = static_cast<real>(channels);
  parallel_for(mean.size(), std::max<Index>(1, block_elements / std::max<Index>(1, channels)),
               [&](Index begin, Index end) {
                 for (Index row = begin; row < end; ++row) {
                   const real* from = x.data() + row * channels;
                   real* to = y.data() + row * channels;
                   real sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
                   for (Index c = 0; c < channels; ++c) sum += from[c];
                   const real mu = centre == Centre::yes ? sum / width : real(0);
#pragma omp simd reduction(+ : squares)
                   for (Index c = 0; c < channels; ++c) squares += (from[c] - mu) * (from[c] - mu);
                   const real r = 1 / std::sqrt(squares / width + static_cast<real>(eps));
#pragma omp simd
                   for (Index c = 0; c < channels; ++c) to[c] = (from[c] - mu) * r * w[c] + b[c];
                   mean[row] = mu;
                   rstd[row] = r;
                 }
               });
}

// The formulas of group_norm_backward with a row for a group; uncentred, the term mean(weight dy) is missing.
void row_norm_backward(Centre centre, const Tensor& x, const Tensor& weight, const Tensor& mean, const Tensor& rstd,
                       const Tensor& dy, Tensor* dx, Tensor* dweight, Tensor* dbias) {
  const Index channels = x.extent(-1), rows = mean.size();
  const Index grain = std::max<Index>(1, block_elements / std::max<Index>(1, channels));
  const real *w = weight.data(), width = static_cast<real>(channels);
  Tensor parts = Tensor::zeros({(rows + grain - 1) / grain, 2, channels});
  parallel_for(rows, grain, [&](Index begin, Index end) {
    real* bias_part = parts.data() + begin / grain * 2 * channels;
    real* weight_part = bias_part + channels;
    for (Index row = begin; row < end; ++row) {
      const real *from = x.data() + row * channels, *slope = dy.data() + row * channels;
      const real mu = mean[row], r = rstd[row];
      real sum = 0, sum_z = 0;
#pragma omp simd reduction(+ : sum, sum_z)
      for (Index c = 0; c < channels; ++c) {
        const real z = (from[c] - mu) * r;
        bias_part[c] += slope[c];
        weight_part[c] += slope[c] * z;
        sum += w[c] * slope[c];
        sum_z += w[c] * slope[c] * z;
      }
      if (dx == nullptr) continue;
      const real mean_dy = centre == Centre::yes ? sum / width : real(0), mean_dyz = sum_z / width;
      real* to = dx->data() + row * channels;
#pragma omp simd
      for (Index c = 0; c < channels; ++c) {
        const real z = (from[c] - mu) * r;
        to[c] += r * (w[c] * slope[c] - mean_dy - z * mean_dyz);
      }
    }
  });
  add_parts(parts, dweight, dbias);
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
