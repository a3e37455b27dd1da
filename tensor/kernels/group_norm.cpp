#include "tensor/kernels/group_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/kernels/simd/group_norm.h"
#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

// Cuts [N,P,C] into blocks of positions that fit in the first-level cache. A block has at most 256 positions: such
// short sums are accurate in float, and the blocks' sums are added in double. A sample is a task, so that its second
// pass finds it in the second-level cache; if there are few samples, each block is a task.
struct Blocks {
  Index samples, channels, positions, rows, per_sample;

  explicit Blocks(const Shape& shape)
      : samples(shape[0]),
        channels(shape[-1]),
        positions(shape.product(1, shape.rank() - 1)),
        rows(std::clamp<Index>((Index{1} << 13) / std::max<Index>(channels, 1), 1, 256)),
        per_sample((positions + rows - 1) / rows) {}

  Index rows_of(Index block) const { return std::min(rows, positions - block * rows); }

  // Calls body(block, offset of its first element, number of positions) for the blocks of a sample.
  template <class Body>
  void for_each(Index sample, Body body) const {
    parallel_tasks(per_sample,
                   [&](Index block) { body(block, (sample * positions + block * rows) * channels, rows_of(block)); });
  }
};

// u = (x - mean) gain + offset, for the channels of one sample.
struct Affine {
  std::vector<real> gain, offset;

  Affine(const GroupNormInput& in, const GroupNormMoments& moments, Index n, Index channels)
      : gain(channels), offset(channels) {
    for (Index c = 0; c < channels; ++c) {
      const bool modulated = in.modulation.defined();
      const real scale = modulated ? 1 + in.modulation[2 * n * channels + c] : real(1);
      gain[c] = moments.rstd[n * channels + c] * in.weight[c] * scale;
      offset[c] = in.bias[c] * scale + (modulated ? in.modulation[(2 * n + 1) * channels + c] : real(0));
    }
  }

  // The block of `rows` positions of sample n that begins at x[at].
  NormBlock block(const GroupNormInput& in, const GroupNormMoments& moments, Index n, Index at, Index rows) const {
    const Index channels = std::ssize(gain);
    return {in.x.data() + at, rows, channels, moments.mean.data() + n * channels, gain.data(), offset.data(), in.silu};
  }
};

}  // namespace

// Combines parts with n_i elements, mean m_i and sum of squared deviations M_i: the mean is m = sum n_i m_i / n, the
// variance sum (M_i + n_i (m_i - m)^2) / n. This never subtracts two large numbers.
// [Chan83]
GroupNormMoments group_norm_moments(const Tensor& x, Index groups, double eps) {
  const Blocks blocks(x.shape());
  const Index channels = blocks.channels, width = channels / groups;
  const double count = static_cast<double>(blocks.positions * width);
  const Shape shape{blocks.samples, channels};
  GroupNormMoments result{Tensor::uninitialized(shape), Tensor::uninitialized(shape)};
  parallel_tasks(blocks.samples, [&](Index n) {
    std::vector<real> parts(2 * blocks.per_sample * channels);
    blocks.for_each(n, [&](Index block, Index offset, Index rows) {
      real* mean = parts.data() + 2 * block * channels;
      group_norm_loops().moments(x.data() + offset, rows, channels, mean, mean + channels);
    });
    for (Index g = 0; g < groups; ++g) {
      const auto sum = [&](auto&& term) {  // of term(elements, mean, squares) over the parts of the group
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
  parallel_tasks(blocks.samples, [&](Index n) {
    const Affine affine(in, moments, n, channels);
    blocks.for_each(n, [&](Index, Index at, Index rows) {
      group_norm_loops().forward(affine.block(in, moments, n, at, rows), y.data() + at);
    });
  });
}

// The formulas are in autograd/ops/norm.cpp.
void group_norm_backward(const GroupNormInput& in, const GroupNormMoments& moments, Tensor& dy, Tensor* dx,
                         Tensor* dweight, Tensor* dbias, Tensor* dmodulation) {
  const Blocks blocks(in.x.shape());
  const Index channels = blocks.channels, width = channels / in.groups;
  const double count = static_cast<double>(blocks.positions * width);
  Tensor sums = Tensor::zeros({blocks.samples, 2, channels});  // S and D
  parallel_tasks(blocks.samples, [&](Index n) {
    const Affine affine(in, moments, n, channels);
    const real* rstd = moments.rstd.data() + n * channels;
    std::vector<real> parts(2 * blocks.per_sample * channels);
    blocks.for_each(n, [&](Index block, Index at, Index rows) {
      real* part = parts.data() + 2 * block * channels;
      group_norm_loops().backward_sums(affine.block(in, moments, n, at, rows), dy.data() + at, part, part + channels);
    });
    real* sum = sums.data() + 2 * n * channels;
    for (Index block = 0; block < blocks.per_sample; ++block) {
#pragma omp simd
      for (Index i = 0; i < 2 * channels; ++i) sum[i] += parts[2 * block * channels + i];
    }
    if (dx == nullptr) return;

    // dx = gain du - a - (x - mean) b,  a = rstd mean(dz),  b = rstd^2 mean(dz z)
    std::vector<real> a(channels), b(channels);
    for (Index g = 0; g < in.groups; ++g) {
      double mean_dz = 0, mean_dz_z = 0;  // times rstd
      for (Index c = g * width; c < (g + 1) * width; ++c) {
        const double gain = static_cast<double>(affine.gain[c]);
        mean_dz += gain * static_cast<double>(sum[c]) / count;
        mean_dz_z += gain * static_cast<double>(rstd[c]) * static_cast<double>(sum[channels + c]) / count;
      }
      const double r = static_cast<double>(rstd[g * width]);
      std::fill_n(a.begin() + g * width, width, static_cast<real>(mean_dz));
      std::fill_n(b.begin() + g * width, width, static_cast<real>(mean_dz_z * r));
    }
    blocks.for_each(n, [&](Index, Index at, Index rows) {
      group_norm_loops().backward_data(affine.block(in, moments, n, at, rows), dy.data() + at, a.data(), b.data(),
                                       dx != &dy, dx->data() + at);
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
