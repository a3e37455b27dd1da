#include "tensor/kernels/conv/plain.h"

#include <algorithm>
#include <vector>

#include "tensor/gemm.h"
#include "tensor/parallel.h"

// A convolution as a matrix product. An output pixel is computed from a patch of kh x kw x I inputs. im2col writes the
// patches as the rows of a matrix; the patches times the weights [kh kw I, O] are the output. The whole matrix would be
// kh kw times as large as the input, so we make one panel of rows at a time, which fits in the second-level cache.
namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

using enum Trans;

constexpr Index panel_bytes = 256 << 10;

// The rows of a panel; a row is an output pixel, numbered through all images.
Index panel_rows(const ConvShape& s) {
  return std::clamp<Index>(panel_bytes / static_cast<Index>(sizeof(real)) / std::max<Index>(s.patch(), 1), 16, 1024);
}

real* scratch(Index count) {
  thread_local std::vector<real> buffer;
  if (std::ssize(buffer) < count) buffer.resize(count);
  return buffer.data();
}

// [O, I, kh, kw] -> for each group [kh kw I, O]: the right-hand side of the product.
std::vector<real> weight_matrix(const ConvShape& s, const Tensor& weight) {
  std::vector<real> out(weight.size());
  const Index taps = s.kernel_height * s.kernel_width, in = s.group_in(), group_out = s.group_out();
  for (Index o = 0; o < s.out_channels; ++o) {
    real* group = out.data() + o / group_out * s.patch() * group_out + o % group_out;
    for (Index i = 0; i < in; ++i) {
      for (Index tap = 0; tap < taps; ++tap) group[(tap * in + i) * group_out] = weight[(o * in + i) * taps + tap];
    }
  }
  return out;
}

// The inverse: weight (+)= the matrix.
void add_matrix(const ConvShape& s, const real* matrix, bool accumulate, Tensor& weight) {
  const Index taps = s.kernel_height * s.kernel_width, in = s.group_in(), group_out = s.group_out();
  for (Index o = 0; o < s.out_channels; ++o) {
    const real* group = matrix + o / group_out * s.patch() * group_out + o % group_out;
    for (Index i = 0; i < in; ++i) {
      for (Index tap = 0; tap < taps; ++tap) {
        real& w = weight[(o * in + i) * taps + tap];
        w = group[(tap * in + i) * group_out] + (accumulate ? w : 0);
      }
    }
  }
}

// Calls visit(the tap's offset in the panel, the pixel's offset in x, or -1 outside of the image) for all taps of the
// output pixels [first, last).
template <class Visit>
void for_each_tap(const ConvShape& s, Index first, Index last, Visit visit) {
  const Index width = s.out_width(), height = s.out_height(), in = s.group_in();
  for (Index pixel = first; pixel < last; ++pixel) {
    const Index n = pixel / (height * width), oy = pixel / width % height, ox = pixel % width;
    for (Index ky = 0; ky < s.kernel_height; ++ky) {
      const Index iy = oy * s.stride + ky - s.padding;
      for (Index kx = 0; kx < s.kernel_width; ++kx) {
        const Index ix = ox * s.stride + kx - s.padding;
        const bool inside = iy >= 0 && iy < s.in_height && ix >= 0 && ix < s.in_width;
        visit((pixel - first) * s.patch() + (ky * s.kernel_width + kx) * in,
              inside ? ((n * s.in_height + iy) * s.in_width + ix) * s.in_channels : Index{-1});
      }
    }
  }
}

void im2col(const ConvShape& s, const real* x, Index group, Index first, Index last, real* panel) {
  const Index in = s.group_in();
  for_each_tap(s, first, last, [&](Index at, Index pixel) {
    if (pixel < 0) {
      std::fill_n(panel + at, in, real(0));
    } else {
      std::copy_n(x + pixel + group * in, in, panel + at);
    }
  });
}

void col2im_add(const ConvShape& s, const real* panel, Index group, Index first, Index last, real* dx) {
  const Index in = s.group_in();
  for_each_tap(s, first, last, [&](Index at, Index pixel) {
    if (pixel < 0) return;
    real* target = dx + pixel + group * in;
#pragma omp simd
    for (Index i = 0; i < in; ++i) target[i] += panel[at + i];
  });
}

}  // namespace

void plain_conv2d_forward(const ConvShape& s, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y) {
  const std::vector<real> w = weight_matrix(s, weight);
  const Index out = s.group_out(), patch = s.patch();
  parallel_for(s.batch * s.out_height() * s.out_width(), panel_rows(s), [&](Index first, Index last) {
    const Index rows = last - first;
    real* out_rows = y.data() + first * s.out_channels;
    if (bias != nullptr) {
      for (Index row = 0; row < rows; ++row) std::copy_n(bias->data(), s.out_channels, out_rows + row * s.out_channels);
    }
    for (Index group = 0; group < s.groups; ++group) {
      const real* panel = x.data() + first * s.in_channels + group * s.group_in();
      if (!s.pointwise()) {
        real* columns = scratch(rows * patch);
        im2col(s, x.data(), group, first, last, columns);
        panel = columns;
      }
      gemm(no, no, rows, out, patch, 1, panel, s.pointwise() ? s.in_channels : patch, w.data() + group * patch * out,
           out, bias != nullptr ? 1 : 0, out_rows + group * out, s.out_channels);
    }
  });
}

void plain_conv2d_backward_data(const ConvShape& s, const Tensor& weight, const Tensor& dy, bool accumulate,
                                Tensor& dx) {
  if (!accumulate) dx.fill(0);
  const std::vector<real> w = weight_matrix(s, weight);
  const Index out = s.group_out(), patch = s.patch(), pixels = s.out_height() * s.out_width(),
              rows_per_panel = panel_rows(s);
  // One task per image, because the patches of neighbouring pixels overlap in dx.
  parallel_tasks(s.batch, [&](Index n) {
    for (Index begin = 0; begin < pixels; begin += rows_per_panel) {
      const Index first = n * pixels + begin, last = n * pixels + std::min(begin + rows_per_panel, pixels);
      for (Index group = 0; group < s.groups; ++group) {
        const real* dy_rows = dy.data() + first * s.out_channels + group * out;
        if (s.pointwise()) {
          gemm(no, yes, last - first, patch, out, 1, dy_rows, s.out_channels, w.data() + group * patch * out, out, 1,
               dx.data() + first * s.in_channels + group * patch, s.in_channels);
          continue;
        }
        real* columns = scratch((last - first) * patch);
        gemm(no, yes, last - first, patch, out, 1, dy_rows, s.out_channels, w.data() + group * patch * out, out, 0,
             columns, patch);
        col2im_add(s, columns, group, first, last, dx.data());
      }
    }
  });
}

void plain_conv2d_backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, bool accumulate,
                                  Tensor& dweight) {
  const Index out = s.group_out(), patch = s.patch(), pixels = s.batch * s.out_height() * s.out_width();
  // At most eight parts of about 2^27 multiplications, each with its own sum. The sums are added in order at the end.
  const Index parts = std::clamp<Index>(pixels * patch * s.out_channels >> 27, 1, 8);
  const Index part_pixels = (pixels + parts - 1) / parts, rows_per_panel = panel_rows(s);
  std::vector<std::vector<real>> sums(parts);
  parallel_tasks(parts, [&](Index part) {
    std::vector<real>& sum = sums[part];
    sum.assign(dweight.size(), 0);
    const Index end = std::min(pixels, (part + 1) * part_pixels);
    for (Index first = part * part_pixels; first < end; first += rows_per_panel) {
      const Index last = std::min(first + rows_per_panel, end);
      for (Index group = 0; group < s.groups; ++group) {
        const real* panel = x.data() + first * s.in_channels + group * s.group_in();
        if (!s.pointwise()) {
          real* columns = scratch((last - first) * patch);
          im2col(s, x.data(), group, first, last, columns);
          panel = columns;
        }
        gemm(yes, no, patch, out, last - first, 1, panel, s.pointwise() ? s.in_channels : patch,
             dy.data() + first * s.out_channels + group * out, s.out_channels, 1, sum.data() + group * patch * out,
             out);
      }
    }
  });
  for (const auto& sum : sums) add_matrix(s, sum.data(), accumulate || &sum != &sums.front(), dweight);
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
