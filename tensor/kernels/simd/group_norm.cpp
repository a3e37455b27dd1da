// Group norm's loops over a block of positions: moments, forward pass, sums and gradient of the backward pass. The
// compiler vectorises them.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/simd/group_norm.cpp"
#include <hwy/foreach_target.h>
// clang-format off
#include <hwy/highway.h>
// clang-format on

#include <algorithm>
#include <type_traits>

#include "tensor/kernels/functions.h"
#include "tensor/kernels/simd/group_norm.h"

HWY_BEFORE_NAMESPACE();
namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE {
namespace {

// Calls body(first, count) for channels [first, first + count): 32 as a compile-time constant, so that values per
// channel stay in registers, and once more for the rest.
constexpr Index chunk = 32;
template <class Body>
HWY_ATTR void for_chunks(Index channels, Body body) {
  Index first = 0;
  for (; first + chunk <= channels; first += chunk) body(first, std::integral_constant<Index, chunk>());
  if (first < channels) body(first, channels - first);
}

// One value per channel of a chunk.
struct Chunk {
  real values[chunk];
  HWY_INLINE HWY_ATTR Chunk(const real* all, Index first, Index count) {
    for (Index c = 0; c < count; ++c) values[c] = all[first + c];
  }
  HWY_INLINE HWY_ATTR real operator[](Index c) const { return values[c]; }
};

// Calls body with std::true_type or std::false_type, so that its loop is compiled for each.
template <class Body>
HWY_ATTR void with_constant(bool value, Body body) {
  value ? body(std::true_type()) : body(std::false_type());
}

// The number of independent sums: fewer additions wait for the one before. More would not fit in sixteen registers.
constexpr Index side_by_side = 2;

HWY_ATTR void moments(const real* x, Index rows, Index channels, real* mean, real* squares) {
  for_chunks(channels, [=](Index first, auto count) HWY_ATTR {
    real mu[chunk] = {};
    const auto over_rows = [&](auto term, real* out) HWY_ATTR {
      real sum[side_by_side][chunk] = {};
      const real* from = x + first;
      Index p = 0;
      for (; p + side_by_side <= rows; p += side_by_side, from += side_by_side * channels) {
        for (Index k = 0; k < side_by_side; ++k) {
#pragma omp simd
          for (Index c = 0; c < count; ++c) sum[k][c] += term(from[k * channels + c], mu[c]);
        }
      }
      for (; p < rows; ++p, from += channels) {
#pragma omp simd
        for (Index c = 0; c < count; ++c) sum[0][c] += term(from[c], mu[c]);
      }
      for (Index k = 1; k < side_by_side; ++k) {
#pragma omp simd
        for (Index c = 0; c < count; ++c) sum[0][c] += sum[k][c];
      }
      std::copy_n(sum[0], count, out);
    };
    over_rows([](real value, real) HWY_ATTR { return value; }, mean + first);
    for (Index c = 0; c < count; ++c) mean[first + c] = mu[c] = mean[first + c] / static_cast<real>(rows);
    over_rows([](real value, real m) HWY_ATTR { return (value - m) * (value - m); }, squares + first);
  });
}

HWY_ATTR void forward(const NormBlock& b, real* y) {
  with_constant(b.silu, [&](auto with_silu) HWY_ATTR {
    for_chunks(b.channels, [&](Index first, auto count) HWY_ATTR {
      const Chunk mean(b.mean, first, count), gain(b.gain, first, count), offset(b.offset, first, count);
      const Index channels = b.channels, rows = b.rows;
      const real* from = b.x + first;
      real* to = y + first;
      for (Index p = 0; p < rows; ++p, from += channels, to += channels) {
#pragma omp simd
        for (Index c = 0; c < count; ++c) {
          const real u = (from[c] - mean[c]) * gain[c] + offset[c];
          to[c] = with_silu ? silu(u) : u;
        }
      }
    });
  });
}

HWY_ATTR void backward_sums(const NormBlock& b, real* dy, real* S, real* D) {
  with_constant(b.silu, [&](auto with_silu) HWY_ATTR {
    for_chunks(b.channels, [&](Index first, auto count) HWY_ATTR {
      const Chunk mean(b.mean, first, count), gain(b.gain, first, count), offset(b.offset, first, count);
      const Index channels = b.channels, rows = b.rows;
      const real* from = b.x + first;
      real *slope = dy + first, sum[chunk] = {}, sum_x[chunk] = {};
      for (Index p = 0; p < rows; ++p, from += channels, slope += channels) {
#pragma omp simd
        for (Index c = 0; c < count; ++c) {
          const real centred = from[c] - mean[c];
          const real du = with_silu ? slope[c] * silu_slope(centred * gain[c] + offset[c]) : slope[c];
          if (with_silu) slope[c] = du;
          sum[c] += du;
          sum_x[c] += du * centred;
        }
      }
      std::copy_n(sum, count, S + first);
      std::copy_n(sum_x, count, D + first);
    });
  });
}

HWY_ATTR void backward_data(const NormBlock& b, const real* du, const real* all_a, const real* all_b, bool accumulate,
                            real* dx) {
  with_constant(accumulate, [&](auto adds) HWY_ATTR {
    for_chunks(b.channels, [&](Index first, auto count) HWY_ATTR {
      const Chunk mean(b.mean, first, count), gain(b.gain, first, count), a_of(all_a, first, count),
          b_of(all_b, first, count);
      const Index channels = b.channels, rows = b.rows;
      const real *from = b.x + first, *slope = du + first;
      real* to = dx + first;
      for (Index p = 0; p < rows; ++p, from += channels, slope += channels, to += channels) {
#pragma omp simd
        for (Index c = 0; c < count; ++c) {
          const real d = gain[c] * slope[c] - a_of[c] - (from[c] - mean[c]) * b_of[c];
          to[c] = adds ? to[c] + d : d;
        }
      }
    });
  });
}

}  // namespace

GroupNormLoops describe_group_norm() { return {moments, forward, backward_sums, backward_data}; }

}  // namespace reverie::inline REVERIE_PRECISION::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace reverie::inline REVERIE_PRECISION::kernels {

HWY_EXPORT(describe_group_norm);

const GroupNormLoops& group_norm_loops() {
  static const GroupNormLoops micro = HWY_DYNAMIC_DISPATCH(describe_group_norm)();
  return micro;
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
#endif
