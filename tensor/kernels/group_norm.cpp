#include "tensor/kernels/group_norm.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "tensor/kernels/functions.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

// [N,P,C] cut into blocks of positions that stay in the first-level cache. At most 256 positions: sums that short are
// accurate in float, and the sums of blocks are put together in double. A sample is a task (so that its second pass
// finds it in the second-level cache), and so is a block of it where there are few samples.
struct Blocks {
  Index samples, channels, positions, rows, per_sample;

  explicit Blocks(const Shape& shape)
      : samples(shape[0]),
        channels(shape[-1]),
        positions(shape.product(1, shape.rank() - 1)),
        rows(std::clamp<Index>((Index{1} << 13) / std::max<Index>(channels, 1), 1, 256)),
        per_sample((positions + rows - 1) / rows) {}

  Index rows_of(Index block) const { return std::min(rows, positions - block * rows); }

  // body(block, offset of its first element, its positions) for the blocks of a sample
  template <class Body>
  void for_each(Index sample, Body body) const {
    parallel_tiles(per_sample,
                   [&](Index block) { body(block, (sample * positions + block * rows) * channels, rows_of(block)); });
  }
};

// Calls body(first, count) for channels [first, first + count): mostly 32, a number that the compiler knows, so that
// sums over them stay in registers.
constexpr Index chunk = 32;
template <class Body>
void for_chunks(Index channels, Body body) {
  Index first = 0;
  for (; first + chunk <= channels; first += chunk) body(first, std::integral_constant<Index, chunk>());
  if (first < channels) body(first, channels - first);
}

// What belongs to a chunk's channels, for the registers.
struct Chunk {
  real values[chunk];
  Chunk(const real* all, Index first, Index count) { std::copy_n(all + first, count, values); }
  real operator[](Index c) const { return values[c]; }
};

// Rows whose sums are kept apart, so that no addition waits for the one before; more would not fit in sixteen registers.
constexpr Index side_by_side = 2;

// For every channel of a block its mean and its sum of squared deviations from that mean.
void block_moments(const real* x, Index rows, Index channels, real* mean, real* squares) {
  for_chunks(channels, [&](Index first, auto count) {
    real mu[chunk];
    const auto over_rows = [&](auto term, real* out) {
      real sum[side_by_side][chunk] = {};
      const real* from = x + first;
      Index p = 0;
      for (; p + side_by_side <= rows; p += side_by_side, from += side_by_side * channels) {
        for (Index k = 0; k < side_by_side; ++k) {
#pragma omp simd
          for (Index c = 0; c < count; ++c) sum[k][c] += term(from[k * channels + c], c);
        }
      }
      for (; p < rows; ++p, from += channels) {
#pragma omp simd
        for (Index c = 0; c < count; ++c) sum[0][c] += term(from[c], c);
      }
      for (Index k = 1; k < side_by_side; ++k) {
#pragma omp simd
        for (Index c = 0; c < count; ++c) sum[0][c] += sum[k][c];
      }
      std::copy_n(sum[0], count, out);
    };
    over_rows([](real value, Index) { return value; }, mean + first);
    for (Index c = 0; c < count; ++c) mean[first + c] = mu[c] = mean[first + c] / static_cast<real>(rows);
    over_rows([&mu](real value, Index c) { return (value - mu[c]) * (value - mu[c]); }, squares + first);
  });
}

// u = (x - mean) gain + offset: of one sample, channel by channel.
struct Affine {
  std::vector<real> gain, offset;

  Affine(const GroupNormInput& in, const GroupNormMoments& moments, Index n, Index channels)
      : gain(static_cast<std::size_t>(channels)), offset(gain.size()) {
    for (Index c = 0; c < channels; ++c) {
      const auto at = static_cast<std::size_t>(c);
      const bool modulated = in.modulation.defined();
      const real scale = modulated ? 1 + in.modulation[2 * n * channels + c] : real(1);
      gain[at] = moments.rstd[n * channels + c] * in.weight[c] * scale;
      offset[at] = in.bias[c] * scale + (modulated ? in.modulation[(2 * n + 1) * channels + c] : real(0));
    }
  }
};

// Calls body with std::true_type or std::false_type, so that a loop is compiled for each.
template <class Body>
void with_constant(bool value, Body body) {
  value ? body(std::true_type()) : body(std::false_type());
}

}  // namespace

// Of parts with n_i elements, mean m_i and squared deviations M_i: mean m = sum n_i m_i / n and variance
// sum (M_i + n_i (m_i - m)^2) / n, which never takes the difference of two large numbers.                      [Chan83]
GroupNormMoments group_norm_moments(const Tensor& x, Index groups, double eps) {
  const Blocks blocks(x.shape());
  const Index channels = blocks.channels, width = channels / groups;
  const double count = static_cast<double>(blocks.positions * width);
  const Shape shape{blocks.samples, channels};
  GroupNormMoments result{Tensor::uninitialized(shape), Tensor::uninitialized(shape)};
  parallel_tiles(blocks.samples, [&](Index n) {
    std::vector<real> parts(static_cast<std::size_t>(2 * blocks.per_sample * channels));
    blocks.for_each(n, [&](Index block, Index offset, Index rows) {
      real* mean = parts.data() + 2 * block * channels;
      block_moments(x.data() + offset, rows, channels, mean, mean + channels);
    });
    for (Index g = 0; g < groups; ++g) {
      const auto sum = [&](auto&& term) {  // of term(elements, mean, squares) over all parts of the group
        double total = 0;
        for (Index block = 0; block < blocks.per_sample; ++block) {
          const real* m = parts.data() + 2 * block * channels + g * width;
          const auto rows = static_cast<double>(blocks.rows_of(block));
          for (Index c = 0; c < width; ++c) total += term(rows, double{m[c]}, double{m[channels + c]});
        }
        return total;
      };
      const double mu = sum([](double rows, double m, double) { return rows * m; }) / count;
      const double variance =
          sum([mu](double rows, double m, double s) { return s + rows * (m - mu) * (m - mu); }) / count;
      const Index at = n * channels + g * width;
      std::fill_n(result.mean.data() + at, width, static_cast<real>(mu));
      std::fill_n(result.rstd.data() + at, width, static_cast<real>(1 / std::sqrt(variance + eps)));
    }
  });
  return result;
}

void group_norm_forward(const GroupNormInput& in, const GroupNormMoments& moments, Tensor& y) {
  const Blocks blocks(in.x.shape());
  const Index channels = blocks.channels;
  parallel_tiles(blocks.samples, [&](Index n) {
    const Affine affine(in, moments, n, channels);
    const real *mu = moments.mean.data() + n * channels, *gain = affine.gain.data(), *offset = affine.offset.data();
    with_constant(in.silu, [&](auto with_silu) {
      blocks.for_each(n, [&](Index, Index at, Index rows) {
        for_chunks(channels, [&](Index first, auto count) {
          const real* from = in.x.data() + at + first;
          real* to = y.data() + at + first;
          const Chunk m(mu, first, count), g(gain, first, count), o(offset, first, count);
          for (Index p = 0; p < rows; ++p, from += channels, to += channels) {
#pragma omp simd
            for (Index c = 0; c < count; ++c) {
              const real u = (from[c] - m[c]) * g[c] + o[c];
              to[c] = with_silu ? silu(u) : u;
            }
          }
        });
      });
    });
  });
}

// With du = f'(u) dy, and sums over the positions of a sample, S = sum du and D = sum du (x - mean) channel by channel:
//     dshift = S,  dscale = weight rstd D + bias S,  dbias = sum over samples of (1 + scale) S,  dweight = ... rstd D.
// With dz = weight (1 + scale) du, and means over a group's elements,
//     dx = rstd (dz - mean(dz) - z mean(dz z)),  which the same sums give.
void group_norm_backward(const GroupNormInput& in, const GroupNormMoments& moments, Tensor& dy, Tensor* dx,
                         Tensor* dweight, Tensor* dbias, Tensor* dmodulation) {
  const Blocks blocks(in.x.shape());
  const Index channels = blocks.channels, width = channels / in.groups;
  const double count = static_cast<double>(blocks.positions * width);
  Tensor sums = Tensor::zeros({blocks.samples, 2, channels});  // S and D
  parallel_tiles(blocks.samples, [&](Index n) {
    const Affine affine(in, moments, n, channels);
    const real *mu = moments.mean.data() + n * channels, *rstd = moments.rstd.data() + n * channels;
    std::vector<real> parts(static_cast<std::size_t>(2 * blocks.per_sample * channels));
    with_constant(in.silu, [&](auto with_silu) {
      blocks.for_each(n, [&](Index block, Index at, Index rows) {
        for_chunks(channels, [&](Index first, auto width) {
          const real* from = in.x.data() + at + first;
          real* slope = dy.data() + at + first;
          const Chunk m(mu, first, width), gain(affine.gain.data(), first, width),
              offset(affine.offset.data(), first, width);
          real S[chunk] = {}, D[chunk] = {};
          for (Index p = 0; p < rows; ++p, from += channels, slope += channels) {
#pragma omp simd
            for (Index c = 0; c < width; ++c) {
              const real centred = from[c] - m[c];
              const real du = with_silu ? slope[c] * silu_slope(centred * gain[c] + offset[c]) : slope[c];
              if (with_silu) slope[c] = du;
              S[c] += du;
              D[c] += du * centred;
            }
          }
          real* part = parts.data() + 2 * block * channels + first;
          std::copy_n(S, width, part);
          std::copy_n(D, width, part + channels);
        });
      });
    });
    real* sum = sums.data() + 2 * n * channels;
    for (Index block = 0; block < blocks.per_sample; ++block) {
#pragma omp simd
      for (Index i = 0; i < 2 * channels; ++i) sum[i] += parts[static_cast<std::size_t>(2 * block * channels + i)];
    }
    if (dx == nullptr) return;

    // dx = gain du - a - (x - mean) b
    std::vector<real> a(static_cast<std::size_t>(channels)), b(a.size());
    for (Index g = 0; g < in.groups; ++g) {
      double mean_dz = 0, mean_dz_z = 0;  // times rstd
      for (Index c = g * width; c < (g + 1) * width; ++c) {
        const double gain = static_cast<double>(affine.gain[static_cast<std::size_t>(c)]);
        mean_dz += gain * static_cast<double>(sum[c]) / count;
        mean_dz_z += gain * static_cast<double>(rstd[c]) * static_cast<double>(sum[channels + c]) / count;
      }
      const double r = static_cast<double>(rstd[g * width]);
      std::fill_n(a.begin() + g * width, width, static_cast<real>(mean_dz));
      std::fill_n(b.begin() + g * width, width, static_cast<real>(mean_dz_z * r));
    }
    with_constant(dx == &dy, [&](auto in_place) {
      blocks.for_each(n, [&](Index, Index at, Index rows) {
        for_chunks(channels, [&](Index first, auto width) {
          const real *from = in.x.data() + at + first, *slope = dy.data() + at + first;
          real* to = dx->data() + at + first;
          const Chunk m(mu, first, width), gain(affine.gain.data(), first, width), less(a.data(), first, width),
              tilt(b.data(), first, width);
          for (Index p = 0; p < rows; ++p, from += channels, slope += channels, to += channels) {
#pragma omp simd
            for (Index c = 0; c < width; ++c) {
              const real d = gain[c] * slope[c] - less[c] - (from[c] - m[c]) * tilt[c];
              to[c] = in_place ? d : to[c] + d;
            }
          }
        });
      });
    });
  });

  for (Index n = 0; n < blocks.samples; ++n) {
    const real *S = sums.data() + 2 * n * channels, *D = S + channels, *rstd = moments.rstd.data() + n * channels;
    for (Index c = 0; c < channels; ++c) {
      const real scale = in.modulation.defined() ? 1 + in.modulation[2 * n * channels + c] : real(1);
      if (dbias != nullptr) (*dbias)[c] += scale * S[c];
      if (dweight != nullptr) (*dweight)[c] += scale * rstd[c] * D[c];
      if (dmodulation != nullptr) {
        (*dmodulation)[2 * n * channels + c] += in.weight[c] * rstd[c] * D[c] + in.bias[c] * S[c];
        (*dmodulation)[(2 * n + 1) * channels + c] += S[c];
      }
    }
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
