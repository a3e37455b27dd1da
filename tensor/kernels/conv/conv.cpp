#include "tensor/kernels/conv/conv.h"

#include <algorithm>
#include <vector>

#include "tensor/gemm.h"
#include "tensor/kernels/choice.h"
#include "tensor/kernels/conv/direct.h"
#include "tensor/kernels/conv/linear.h"
#include "tensor/kernels/conv/thin.h"
#include "tensor/kernels/conv/winograd.h"
#include "tensor/kernels/simd/operands.h"
#include "tensor/parallel.h"

// A convolution as a matrix product. Each output pixel sees a patch of kh x kw x I values; written as the rows of a
// matrix (im2col), the patches times the weights [kh kw I, O] are the output. The whole matrix would be kh kw times the
// input, so it is made a tile of rows at a time, small enough to stay in the second-level cache, and thrown away.
namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

using enum Trans;

constexpr Index panel_bytes = 256 << 10;

// Output pixels (of all images, counted through) in a tile.
Index tile_rows(const ConvShape& s) {
  return std::clamp<Index>(panel_bytes / static_cast<Index>(sizeof(real)) / std::max<Index>(s.patch(), 1), 16, 1024);
}

// A 1x1 convolution is a matrix product of the pixels as they lie in memory.
bool is_pointwise(const ConvShape& s) {
  return s.kernel_height == 1 && s.kernel_width == 1 && s.stride == 1 && s.padding == 0;
}

real* scratch(Index count) {
  thread_local std::vector<real> buffer;
  if (static_cast<Index>(buffer.size()) < count) buffer.resize(static_cast<std::size_t>(count));
  return buffer.data();
}

// [O, I, kh, kw] -> for each group [kh kw I, O]: the right-hand side of the product.
std::vector<real> packed_weight(const ConvShape& s, const Tensor& weight) {
  std::vector<real> out(static_cast<std::size_t>(weight.size()));
  const Index taps = s.kernel_height * s.kernel_width, in = s.group_in(), group_out = s.group_out();
  for (Index o = 0; o < s.out_channels; ++o) {
    real* group = out.data() + o / group_out * s.patch() * group_out + o % group_out;
    for (Index i = 0; i < in; ++i) {
      for (Index tap = 0; tap < taps; ++tap) group[(tap * in + i) * group_out] = weight[(o * in + i) * taps + tap];
    }
  }
  return out;
}

void unpack(const ConvShape& s, const real* packed, bool accumulate, Tensor& weight) {
  const Index taps = s.kernel_height * s.kernel_width, in = s.group_in(), group_out = s.group_out();
  for (Index o = 0; o < s.out_channels; ++o) {
    const real* group = packed + o / group_out * s.patch() * group_out + o % group_out;
    for (Index i = 0; i < in; ++i) {
      for (Index tap = 0; tap < taps; ++tap) {
        real& w = weight[(o * in + i) * taps + tap];
        w = group[(tap * in + i) * group_out] + (accumulate ? w : 0);
      }
    }
  }
}

// Calls visit(row, tap offset in the patch, pixel in x or null outside) for the patches of output pixels [first, last).
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
  const std::vector<real> w = packed_weight(s, weight);
  const Index out = s.group_out(), patch = s.patch();
  parallel_for(s.batch * s.out_height() * s.out_width(), tile_rows(s), [&](Index first, Index last) {
    const Index rows = last - first;
    real* tile = y.data() + first * s.out_channels;
    if (bias != nullptr) {
      for (Index row = 0; row < rows; ++row) std::copy_n(bias->data(), s.out_channels, tile + row * s.out_channels);
    }
    for (Index group = 0; group < s.groups; ++group) {
      const real* panel = x.data() + first * s.in_channels + group * s.group_in();
      if (!is_pointwise(s)) {
        real* columns = scratch(rows * patch);
        im2col(s, x.data(), group, first, last, columns);
        panel = columns;
      }
      gemm(no, no, rows, out, patch, 1, panel, is_pointwise(s) ? s.in_channels : patch, w.data() + group * patch * out,
           out, bias != nullptr ? 1 : 0, tile + group * out, s.out_channels);
    }
  });
}

void plain_conv2d_backward_data(const ConvShape& s, const Tensor& weight, const Tensor& dy, bool accumulate,
                                Tensor& dx) {
  if (!accumulate) dx.fill(0);
  const std::vector<real> w = packed_weight(s, weight);
  const Index out = s.group_out(), patch = s.patch(), pixels = s.out_height() * s.out_width(),
              rows_per_tile = tile_rows(s);
  // An image is a task: the patches of neighbouring pixels overlap in dx.
  parallel_tiles(s.batch, [&](Index n) {
    for (Index begin = 0; begin < pixels; begin += rows_per_tile) {
      const Index first = n * pixels + begin, last = n * pixels + std::min(begin + rows_per_tile, pixels);
      for (Index group = 0; group < s.groups; ++group) {
        const real* tile = dy.data() + first * s.out_channels + group * out;
        if (is_pointwise(s)) {
          gemm(no, yes, last - first, patch, out, 1, tile, s.out_channels, w.data() + group * patch * out, out, 1,
               dx.data() + first * s.in_channels + group * patch, s.in_channels);
          continue;
        }
        real* columns = scratch((last - first) * patch);
        gemm(no, yes, last - first, patch, out, 1, tile, s.out_channels, w.data() + group * patch * out, out, 0,
             columns, patch);
        col2im_add(s, columns, group, first, last, dx.data());
      }
    }
  });
}

void plain_conv2d_backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, bool accumulate,
                                  Tensor& dweight) {
  const Index out = s.group_out(), patch = s.patch(), pixels = s.batch * s.out_height() * s.out_width();
  // Parts of about 2^27 multiplications, at most eight, each with a sum of its own; added up in their order at the end.
  const Index parts = std::clamp<Index>(pixels * patch * s.out_channels >> 27, 1, 8);
  const Index part_pixels = (pixels + parts - 1) / parts, rows_per_tile = tile_rows(s);
  std::vector<std::vector<real>> sums(static_cast<std::size_t>(parts));
  parallel_tiles(parts, [&](Index part) {
    std::vector<real>& sum = sums[part];
    sum.assign(static_cast<std::size_t>(dweight.size()), 0);
    const Index end = std::min(pixels, (part + 1) * part_pixels);
    for (Index first = part * part_pixels; first < end; first += rows_per_tile) {
      const Index last = std::min(first + rows_per_tile, end);
      for (Index group = 0; group < s.groups; ++group) {
        const real* panel = x.data() + first * s.in_channels + group * s.group_in();
        if (!is_pointwise(s)) {
          real* columns = scratch((last - first) * patch);
          im2col(s, x.data(), group, first, last, columns);
          panel = columns;
        }
        gemm(yes, no, patch, out, last - first, 1, panel, is_pointwise(s) ? s.in_channels : patch,
             dy.data() + first * s.out_channels + group * out, s.out_channels, 1, sum.data() + group * patch * out,
             out);
      }
    }
  });
  for (const auto& sum : sums) unpack(s, sum.data(), accumulate || &sum != &sums.front(), dweight);
}

// A pointwise convolution without groups is a linear layer on pixels.
static bool is_linear(const ConvShape& s) { return is_pointwise(s) && s.groups == 1; }
static LinearShape linear_shape(const ConvShape& s) {
  return {s.batch * s.in_height * s.in_width, s.in_channels, s.out_channels};
}

static bool use_winograd(const ConvShape& s) {
  const ConvKernels choice = kernel_choice().conv;
  if (choice == ConvKernels::direct || !winograd_applies(s)) return false;
  if (choice == ConvKernels::winograd) return true;
  if (bfloat16_operands() && bfloat16_level() == Bfloat16Level::amx) return false;  // products are cheap
  return s.batch * s.in_height * s.in_width >= 128;  // fewer pixels make too few Winograd tiles to fill a register tile
}

void conv2d_forward(const ConvShape& s, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y) {
  if (is_linear(s)) return linear_forward(linear_shape(s), x.data(), weight, bias, y.data());
  if (use_winograd(s)) return winograd_conv2d_forward(s, x, weight, bias, y);
  if (thin_forward_applies(s)) return thin_conv2d_forward(s, x, weight, bias, y);
  if (direct_applies(s)) return direct_conv2d_forward(s, x, weight, bias, y);
  plain_conv2d_forward(s, x, weight, bias, y);
}

void conv2d_backward_data(const ConvShape& s, const Tensor& weight, const Tensor& dy, bool accumulate, Tensor& dx) {
  if (is_linear(s)) return linear_backward_data(linear_shape(s), weight, dy.data(), accumulate, dx.data());
  if (use_winograd(s)) return winograd_conv2d_backward_data(s, weight, dy, accumulate, dx);
  if (thin_backward_applies(s)) return thin_conv2d_backward_data(s, weight, dy, accumulate, dx);
  if (direct_applies(s)) return direct_conv2d_backward_data(s, weight, dy, accumulate, dx);
  plain_conv2d_backward_data(s, weight, dy, accumulate, dx);
}

void conv2d_backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, bool accumulate, Tensor& dweight) {
  if (dy.size() == 0) return accumulate ? void() : dweight.fill(0);
  if (is_linear(s)) return linear_backward_weight(linear_shape(s), x.data(), dy.data(), accumulate, dweight);
  if (use_winograd(s)) return winograd_conv2d_backward_weight(s, x, dy, accumulate, dweight);
  if (thin_backward_applies(s)) return thin_conv2d_backward_weight(s, x, dy, accumulate, dweight);
  if (direct_applies(s)) return direct_conv2d_backward_weight(s, x, dy, accumulate, dweight);
  plain_conv2d_backward_weight(s, x, dy, accumulate, dweight);
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
