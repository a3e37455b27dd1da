#include "tensor/kernels/conv_direct.h"

#include <algorithm>
#include <vector>

#include "tensor/kernels/conv_micro.h"
#include "tensor/parallel.h"

// A convolution without im2col: the micro-kernels read the input where it lies. An image is copied once with its
// padding around it, in blocks of 16 channels, so that each tap of each pixel is a constant away from the pixel; then
// rows of output pixels by blocks of output channels are computed in registers, the weights streaming past from the
// second-level cache. The idea is that of oneDNN's and LIBXSMM's direct convolutions. [Georganas18]
namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

Index blocks_of(Index count, Index block) { return (count + block - 1) / block; }

// The extents of the padded copy of an image.
struct Padded {
  Index channels, blocks, height, width;
  Index row() const { return width * channel_block; }
  Index block() const { return height * row(); }
  Index size() const { return blocks * block(); }
};

// Room for a thread's copy of an image; `which` tells two that are needed at once apart.
template <int which>
real* scratch(Index count) {
  thread_local std::vector<real> buffer;
  if (static_cast<Index>(buffer.size()) < count) buffer.resize(static_cast<std::size_t>(count));
  return buffer.data();
}

// image [height, width, channels] -> [blocks][padded rows][padded columns][channel_block], zeros around and in channels
// that do not exist.
void pad(const Padded& p, const real* image, Index height, Index width, Index padding, real* out) {
  for (Index block = 0; block < p.blocks; ++block) {
    const Index first = block * channel_block, count = std::min(channel_block, p.channels - first);
    for (Index row = 0; row < p.height; ++row) {
      real* target = out + block * p.block() + row * p.row();
      const Index y = row - padding;
      if (y < 0 || y >= height) {
        std::fill_n(target, p.row(), real(0));
        continue;
      }
      for (Index column = 0; column < p.width; ++column, target += channel_block) {
        const Index x = column - padding;
        const bool inside = x >= 0 && x < width;
        copy_block(inside ? image + (y * width + x) * p.channels + first : nullptr, count, target);
      }
    }
  }
}

// The weights in the order in which the micro-kernel wants them: [output blocks][input
// blocks][taps][channel_block][output block]. `at(o, i, tap)` gives a weight.
template <class At>
std::vector<real> packed(Index out, Index in, Index taps, Index output_block, At at) {
  const Index in_blocks = blocks_of(in, channel_block);
  std::vector<real> w(
      static_cast<std::size_t>(blocks_of(out, output_block) * in_blocks * taps * channel_block * output_block), 0);
  for (Index o = 0; o < out; ++o) {
    for (Index i = 0; i < in; ++i) {
      real* target = w.data() +
                     ((o / output_block * in_blocks + i / channel_block) * taps * channel_block + i % channel_block) *
                         output_block +
                     o % output_block;
      for (Index tap = 0; tap < taps; ++tap) target[tap * channel_block * output_block] = at(o, i, tap);
    }
  }
  return w;
}

// y (+)= the correlation of x, padded by `padding`, with packed weights.
struct Correlation {
  Index batch, in_height, in_width, in_channels, out_height, out_width, out_channels, kernel_height, kernel_width,
      stride, padding;
  bool accumulate;

  void operator()(const real* x, const std::vector<real>& weight, const real* bias, real* y) const {
    const ConvMicro& micro = conv_micro();
    const Padded p{in_channels, blocks_of(in_channels, channel_block), (out_height - 1) * stride + kernel_height,
                   (out_width - 1) * stride + kernel_width};
    const Index output_blocks = blocks_of(out_channels, micro.output_block);
    const Index weight_block = p.blocks * kernel_height * kernel_width * channel_block * micro.output_block;
    // Rows are cut evenly; the last tile of a row is moved to the left if it would stick out.
    const Index tiles = blocks_of(out_width, micro.max_pixels), pixels = blocks_of(out_width, tiles);
    parallel_tiles(batch, [&](Index n) {
      real* padded = scratch<0>(p.size());
      pad(p, x + n * in_height * in_width * in_channels, in_height, in_width, padding, padded);
      for (Index block = 0; block < output_blocks; ++block) {
        const Index first = block * micro.output_block;
        ForwardTile t{.x = nullptr,
                      .block_stride = p.block(),
                      .row_stride = p.row(),
                      .blocks = p.blocks,
                      .kernel_height = kernel_height,
                      .kernel_width = kernel_width,
                      .stride = stride,
                      .weight = weight.data() + block * weight_block,
                      .pixels = pixels,
                      .y = nullptr,
                      .y_stride = out_channels,
                      .channels = std::min(micro.output_block, out_channels - first),
                      .bias = nullptr,
                      .accumulate = accumulate};
        if (bias != nullptr) t.bias = bias + first;
        for (Index row = 0; row < out_height; ++row) {
          for (Index column = 0; column < out_width; column += t.pixels) {
            t.pixels = std::min(pixels, out_width - column);
            t.x = padded + row * stride * p.row() + column * stride * channel_block;
            t.y = y + ((n * out_height + row) * out_width + column) * out_channels + first;
            micro.forward(t);
          }
          t.pixels = pixels;
        }
      }
    });
  }
};

bool wide_enough(const ConvShape& s) { return s.groups == 1 && s.in_channels >= 8 && s.out_channels >= 8; }
bool has_taps(const ConvShape& s) { return s.kernel_height > 1 || s.kernel_width > 1; }

}  // namespace

bool direct_forward_applies(const ConvShape& s) { return wide_enough(s) && has_taps(s) && s.stride <= 2; }

bool direct_backward_data_applies(const ConvShape& s) {
  return wide_enough(s) && has_taps(s) && s.stride == 1 && s.padding < s.kernel_height && s.padding < s.kernel_width &&
         s.kernel_height == s.kernel_width;
}

bool direct_backward_weight_applies(const ConvShape& s) { return wide_enough(s) && has_taps(s) && s.stride <= 2; }

void direct_conv2d_forward(const ConvShape& s, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y) {
  const Index taps = s.kernel_height * s.kernel_width, output_block = conv_micro().output_block;
  const std::vector<real> w =
      packed(s.out_channels, s.in_channels, taps, output_block,
             [&](Index o, Index i, Index tap) { return weight[(o * s.in_channels + i) * taps + tap]; });
  std::vector<real> b;
  if (bias != nullptr) {  // filled up, so that the last block may be read whole
    b.assign(static_cast<std::size_t>(blocks_of(s.out_channels, output_block) * output_block), 0);
    std::copy_n(bias->data(), s.out_channels, b.begin());
  }
  const Correlation correlate{s.batch,        s.in_height,   s.in_width,     s.in_channels,
                              s.out_height(), s.out_width(), s.out_channels, s.kernel_height,
                              s.kernel_width, s.stride,      s.padding,      false};
  correlate(x.data(), w, bias != nullptr ? b.data() : nullptr, y.data());
}

// dx is dy correlated with the weights turned round (by 180 degrees) and transposed (input for output channels).
void direct_conv2d_backward_data(const ConvShape& s, const Tensor& weight, const Tensor& dy, Tensor& dx) {
  const Index taps = s.kernel_height * s.kernel_width;
  const std::vector<real> w =
      packed(s.in_channels, s.out_channels, taps, conv_micro().output_block,
             [&](Index i, Index o, Index tap) { return weight[(o * s.in_channels + i) * taps + (taps - 1 - tap)]; });
  const Correlation correlate{s.batch,
                              s.out_height(),
                              s.out_width(),
                              s.out_channels,
                              s.in_height,
                              s.in_width,
                              s.in_channels,
                              s.kernel_height,
                              s.kernel_width,
                              1,
                              s.kernel_height - 1 - s.padding,
                              true};
  correlate(dy.data(), w, nullptr, dx.data());
}

void direct_conv2d_backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, Tensor& dweight) {
  const ConvMicro& micro = conv_micro();
  const Index taps = s.kernel_height * s.kernel_width, height = s.out_height(), width = s.out_width();
  const Padded p{s.in_channels, blocks_of(s.in_channels, channel_block), (height - 1) * s.stride + s.kernel_height,
                 (width - 1) * s.stride + s.kernel_width};
  const Index output_blocks = blocks_of(s.out_channels, micro.output_block), tile = channel_block * micro.output_block;
  // At most eight parts, each a run of images with a sum of its own; added up in their order at the end.
  const Index parts = std::clamp<Index>(s.batch * height * width * taps * s.in_channels * s.out_channels >> 27, 1,
                                        std::min<Index>(8, s.batch));
  const Index images = blocks_of(s.batch, parts);
  std::vector<std::vector<real>> sums(static_cast<std::size_t>(parts));
  parallel_tiles(parts, [&](Index part) {
    std::vector<real>& sum = sums[static_cast<std::size_t>(part)];
    sum.assign(static_cast<std::size_t>(output_blocks * p.blocks * taps * tile), 0);
    for (Index n = part * images; n < std::min(s.batch, (part + 1) * images); ++n) {
      real* padded = scratch<0>(p.size());
      pad(p, x.data() + n * s.in_height * s.in_width * s.in_channels, s.in_height, s.in_width, s.padding, padded);
      const real* dy_image = dy.data() + n * height * width * s.out_channels;
      Index dy_stride = s.out_channels;
      if (s.out_channels % micro.output_block != 0) {  // filled up with zeros to whole blocks
        dy_stride = output_blocks * micro.output_block;
        real* whole = scratch<1>(height * width * dy_stride);
        for (Index pixel = 0; pixel < height * width; ++pixel) {
          std::copy_n(dy_image + pixel * s.out_channels, s.out_channels, whole + pixel * dy_stride);
          std::fill(whole + pixel * dy_stride + s.out_channels, whole + (pixel + 1) * dy_stride, real(0));
        }
        dy_image = whole;
      }
      for (Index o = 0; o < output_blocks; ++o) {
        for (Index i = 0; i < p.blocks; ++i) {
          for (Index tap = 0; tap < taps; ++tap) {
            const Index ky = tap / s.kernel_width, kx = tap % s.kernel_width;
            micro.weight({.x = padded + i * p.block() + ky * p.row() + kx * channel_block,
                          .x_row_stride = s.stride * p.row(),
                          .x_pixel_stride = s.stride * channel_block,
                          .dy = dy_image + o * micro.output_block,
                          .dy_row_stride = width * dy_stride,
                          .dy_pixel_stride = dy_stride,
                          .rows = height,
                          .columns = width,
                          .dweight = sum.data() + ((o * p.blocks + i) * taps + tap) * tile});
          }
        }
      }
    }
  });
  for (const auto& sum : sums) {
    for (Index o = 0; o < s.out_channels; ++o) {
      for (Index i = 0; i < s.in_channels; ++i) {
        const real* from =
            sum.data() +
            ((o / micro.output_block * p.blocks + i / channel_block) * taps * channel_block + i % channel_block) *
                micro.output_block +
            o % micro.output_block;
        for (Index tap = 0; tap < taps; ++tap) dweight[(o * s.in_channels + i) * taps + tap] += from[tap * tile];
      }
    }
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
