#include "tensor/kernels/conv/thin.h"

#include <algorithm>
#include <vector>

#include "tensor/kernels/packing/blocks.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"

// A convolution with few channels on one side. If the input is thin, the taps of an output pixel together (a patch: 9
// numbers for a grey image, 27 for a colour image) fill a block or two of what the microkernel sums over; this is
// im2col, which is cheap here. If the output is thin, each of its numbers is a dot product along the input's channels,
// read in place. The gradient in the data is the other case of the two. The gradient in the weights is a sum of outer
// products of the thin side's patches with the other side's pixels.
namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

constexpr Index thin = 8;  // a side with fewer channels is thin
constexpr Index task_pixels = 448;

// A correlation of images with a kernel, as in ConvShape.
struct Correlation {
  Index batch, height, width, channels;
  Index kernel_height, kernel_width, stride, top, left;  // top, left: padding
  Index out_height, out_width, out_channels;

  Index taps() const { return kernel_height * kernel_width; }
  Index patch() const { return taps() * channels; }
  Index rows() const { return batch * out_height; }  // of output, of all images
  Index task_rows() const { return std::max<Index>(1, task_pixels / std::max<Index>(out_width, 1)); }

  // The columns of output for which tap kx is inside of the image.
  std::pair<Index, Index> columns(Index kx) const {
    const Index first = blocks_of(std::max<Index>(left - kx, 0), stride);
    const Index end = std::clamp<Index>(blocks_of(width + left - kx, stride), first, out_width);
    return {std::min(first, end), end};
  }
};

Correlation forward_of(const ConvShape& s) {
  return {s.batch,  s.in_height, s.in_width, s.in_channels,  s.kernel_height, s.kernel_width,
          s.stride, s.padding,   s.padding,  s.out_height(), s.out_width(),   s.out_channels};
}
// From dy to dx, for a stride of one; its kernel is the forward kernel rotated by 180 degrees.
Correlation backward_of(const ConvShape& s) {
  return {s.batch,
          s.out_height(),
          s.out_width(),
          s.out_channels,
          s.kernel_height,
          s.kernel_width,
          1,
          s.kernel_height - 1 - s.padding,
          s.kernel_width - 1 - s.padding,
          s.in_height,
          s.in_width,
          s.in_channels};
}

// The patches of the output pixels of rows [first, last): [blocks][pixels + 1][channel_block], the numbers of a patch
// in the order kernel row, kernel column, channel. The columns of a kernel row are contiguous in the image, so a patch
// is copied in a few pieces. Each piece copies a whole block, which is a single instruction; the next pieces and pixels
// overwrite the excess, and there is room for one more pixel at the end.
class Patches {
 public:
  Patches(const Correlation& c, Index first, Index last, const real* images, Scratch& scratch)
      : pixels((last - first) * c.out_width), block_stride((pixels + 1) * channel_block) {
    data_ = scratch.take(blocks_of(c.patch(), channel_block) * block_stride);
    const Index line = ((c.out_width - 1) * c.stride + c.kernel_width) * c.channels, line_stride = line + channel_block;
    real* lines = scratch.take(c.kernel_height * line_stride);  // the inputs of a row of output, padded with zeros
    std::fill_n(lines, c.kernel_height * line_stride, real(0));
    struct Piece {
      Index from, to;
    };
    std::vector<Piece> pieces;
    const Index run = c.kernel_width * c.channels;
    for (Index k = 0; k < c.patch(); ++k) {
      if (k % run == 0 || k % channel_block == 0) {
        pieces.push_back({k / run * line_stride + k % run, k / channel_block * block_stride + k % channel_block});
      }
    }
    const Index zeros = c.left * c.channels, length = std::clamp<Index>(line - zeros, 0, c.width * c.channels);
    real* to = data_;
    for (Index row = first; row < last; ++row) {
      for (Index ky = 0; ky < c.kernel_height; ++ky) {
        const Index y = row % c.out_height * c.stride + ky - c.top;
        real* target = lines + ky * line_stride + zeros;
        if (y < 0 || y >= c.height) {
          std::fill_n(target, length, real(0));
        } else {
          std::copy_n(images + (row / c.out_height * c.height + y) * c.width * c.channels, length, target);
        }
      }
      for (Index column = 0; column < c.out_width; ++column, to += channel_block) {
        for (const Piece& piece : pieces)
          copy_block(lines + piece.from + column * c.stride * c.channels, channel_block, to + piece.to);
      }
    }
    const Index rest = c.patch() % channel_block;
    for (Index pixel = 0; rest != 0 && pixel < pixels; ++pixel) {
      real* end = data_ + c.patch() / channel_block * block_stride + pixel * channel_block;
      std::fill(end + rest, end + channel_block, real(0));
    }
  }

  const real* block(Index k) const { return data_ + k * block_stride; }

  const Index pixels, block_stride;

 private:
  real* data_;
};

// Packs weights for multiply_pixels, [taps, out_channels, channels], from at(number in the patch, output).
template <class At>
Packer by_tap(const Correlation& c, At at) {
  return {{c.taps(), c.out_channels, c.channels}, c.taps(), [=](Index tap, real* packed) {
            for (Index i = tap * c.out_channels * c.channels; i < (tap + 1) * c.out_channels * c.channels; ++i)
              packed[i] = at(tap * c.channels + i % c.channels, i / c.channels % c.out_channels);
          }};
}

// Thin input: y (+)= bias + patches times packed weights [patch, out_channels].
void multiply_patches(const Correlation& c, const real* x, const Tensor& weight, const real* bias, bool accumulate,
                      real* y) {
  const Microkernel& micro = microkernel();
  const Index blocks = blocks_of(c.patch(), channel_block);
  parallel_for(c.rows(), c.task_rows(), [&](Index first, Index last) {
    Scratch scratch;
    const Patches patches(c, first, last, x, scratch);
    const Index pixels = patches.pixels, register_tile = even_part(pixels, micro.of_real.max_pixels);
    std::vector<Index> x_offsets, y_offsets;
    for (Index block = 0; block < blocks; ++block) x_offsets.push_back(block * patches.block_stride);
    for (Index pixel = 0; pixel < register_tile; ++pixel) y_offsets.push_back(pixel * c.out_channels);
    for (Index pixel = 0; pixel < pixels; pixel += register_tile) {
      for (Index channel = 0; channel < c.out_channels; channel += micro.output_block) {
        micro.of_real.product({.x = patches.block(0) + pixel * channel_block,
                               .x_offsets = x_offsets,
                               .weight = weight.data() + channel * blocks * channel_block,
                               .pixels = std::min(register_tile, pixels - pixel),
                               .y = y + (first * c.out_width + pixel) * c.out_channels + channel,
                               .y_offsets = y_offsets.data(),
                               .channels = std::min(micro.output_block, c.out_channels - channel),
                               .bias = bias != nullptr ? bias + channel : nullptr,
                               .accumulate = accumulate});
      }
    }
  });
}

// Thin output: y (+)= bias + dot products of pixels with weights [kernel_height, kernel_width, out_channels, channels].
void multiply_pixels(const Correlation& c, const real* x, const Tensor& weight, const real* bias, bool accumulate,
                     real* y) {
  const Index weight_row = c.kernel_width * c.out_channels * c.channels;
  parallel_for(c.rows(), c.task_rows(), [&](Index first, Index last) {
    const auto [inner, inner_end] = std::pair{c.columns(0).first, c.columns(c.kernel_width - 1).second};
    for (Index row = first; row < last; ++row) {
      const Index top = row % c.out_height * c.stride - c.top;
      const Index ky = std::max<Index>(-top, 0), ky_end = std::min(c.kernel_height, c.height - top);
      for (Index column = 0; column < c.out_width;) {
        const Index left = column * c.stride - c.left;
        const Index kx = std::max<Index>(-left, 0), kx_end = std::min(c.kernel_width, c.width - left);
        const Index pixels = column >= inner && column + 4 <= inner_end ? 4 : 1;
        microkernel().dots({.x = x + ((row / c.out_height * c.height + top + ky) * c.width + left + kx) * c.channels,
                            .x_row = c.width * c.channels,
                            .x_pixel = c.stride * c.channels,
                            .rows = ky_end - ky,
                            .columns = kx_end - kx,
                            .channels = c.channels,
                            .weight = weight.data() + ky * weight_row + kx * c.out_channels * c.channels,
                            .weight_row = weight_row,
                            .pixels = pixels,
                            .y = y + (row * c.out_width + column) * c.out_channels,
                            .outputs = c.out_channels,
                            .bias = bias,
                            .accumulate = accumulate});
        column += pixels;
      }
    }
  });
}

// Calls visit(k, channel, sum) with the sum over pixels of number k of the patch times the channel of the pixel. Each
// part of the rows has its own sum; the sums are added in order.
template <class Visit>
void correlate_patches(const Correlation& c, const real* x, const real* pixels_of_out, Visit visit) {
  const Microkernel& micro = microkernel();
  const Index k_blocks = blocks_of(c.patch(), channel_block),
              out_blocks = blocks_of(c.out_channels, micro.output_block);
  const Index sum_size = channel_block * micro.output_block, size = out_blocks * k_blocks * sum_size;
  const Index tasks = blocks_of(c.rows(), c.task_rows()), parts = std::clamp<Index>(tasks / 16, 1, 8),
              part_tasks = blocks_of(tasks, parts);
  Scratch scratch;
  real* sums = scratch.take(parts * size);
  std::fill_n(sums, parts * size, real(0));
  parallel_tasks(parts, [&](Index part) {
    for (Index task = part * part_tasks; task < std::min(tasks, (part + 1) * part_tasks); ++task) {
      const Index first = task * c.task_rows();
      Scratch local;
      const Patches patches(c, first, std::min(c.rows(), first + c.task_rows()), x, local);
      const Index pixels = patches.pixels;
      real* others = local.take(out_blocks * pixels * micro.output_block);
      rows_to_columns(pixels_of_out + first * c.out_width * c.out_channels, pixels, c.out_channels, micro.output_block,
                      others);
      for (Index o = 0; o < out_blocks; ++o) {
        for (Index k = 0; k < k_blocks; ++k) {
          micro.of_real.outer_sum({.x = patches.block(k),
                                   .x_row = 0,
                                   .dy = others + o * pixels * micro.output_block,
                                   .rows = 1,
                                   .columns = pixels,
                                   .sum = sums + part * size + (o * k_blocks + k) * sum_size,
                                   .sum_row = micro.output_block,
                                   .accumulate = true});
        }
      }
    }
  });
  for (Index channel = 0; channel < c.out_channels; ++channel) {
    for (Index k = 0; k < c.patch(); ++k) {
      const real* from = sums + (channel / micro.output_block * k_blocks * channel_block + k) * micro.output_block +
                         channel % micro.output_block;
      real sum = 0;
      for (Index part = 0; part < parts; ++part) sum += from[part * size];
      visit(k, channel, sum);
    }
  }
}

// The index of the weight of output o, input i and a tap in [O, I, kh, kw].
struct WeightIndex {
  Index in, taps;
  Index operator()(Index o, Index i, Index tap) const { return (o * in + i) * taps + tap; }
};

}  // namespace

bool thin_forward_applies(const ConvShape& s) {
  return s.groups == 1 && (s.in_channels < thin || s.out_channels < thin);
}
bool thin_backward_applies(const ConvShape& s) {
  return thin_forward_applies(s) && s.stride == 1 && s.padding < std::min(s.kernel_height, s.kernel_width);
}

void thin_conv2d_forward(const ConvShape& s, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y) {
  const Correlation c = forward_of(s);
  const WeightIndex index{s.in_channels, c.taps()};
  const bool patches = s.in_channels < thin;
  const auto at = [&](Index k, Index o) { return weight[index(o, k % s.in_channels, k / s.in_channels)]; };
  const Tensor w = packed_weight(weight, PackedLayout::thin_forward, 0,
                                 patches ? weights_in_blocks<real>(c.patch(), s.out_channels, at) : by_tap(c, at));
  (patches ? multiply_patches : multiply_pixels)(c, x.data(), w, bias != nullptr ? bias->data() : nullptr, false,
                                                 y.data());
}

void thin_conv2d_backward_data(const ConvShape& s, const Tensor& weight, const Tensor& dy, bool accumulate,
                               Tensor& dx) {
  const Correlation c = backward_of(s);
  const WeightIndex index{s.in_channels, c.taps()};
  const bool patches = s.out_channels < thin;
  const auto at = [&](Index k, Index i) {
    return weight[index(k % s.out_channels, i, c.taps() - 1 - k / s.out_channels)];
  };
  const Tensor w = packed_weight(weight, PackedLayout::thin_data, 0,
                                 patches ? weights_in_blocks<real>(c.patch(), s.in_channels, at) : by_tap(c, at));
  (patches ? multiply_patches : multiply_pixels)(c, dy.data(), w, nullptr, accumulate, dx.data());
}

void thin_conv2d_backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, bool accumulate,
                                 Tensor& dweight) {
  const WeightIndex index{s.in_channels, s.kernel_height * s.kernel_width};
  if (s.in_channels < thin) {
    correlate_patches(forward_of(s), x.data(), dy.data(), [&](Index k, Index o, real sum) {
      real& w = dweight[index(o, k % s.in_channels, k / s.in_channels)];
      w = sum + (accumulate ? w : 0);
    });
  } else {
    correlate_patches(backward_of(s), dy.data(), x.data(), [&](Index k, Index i, real sum) {
      real& w = dweight[index(k % s.out_channels, i, index.taps - 1 - k / s.out_channels)];
      w = sum + (accumulate ? w : 0);
    });
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
