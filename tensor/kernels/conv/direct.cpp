#include "tensor/kernels/conv/direct.h"

#include <algorithm>
#include <vector>

#include "tensor/kernels/packing/blocks.h"
#include "tensor/kernels/packing/packed_weights.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"

// A convolution without im2col. An image is copied once, in blocks of 16 operands and with zeros around it, so that
// every tap of a pixel is a constant offset away from the pixel. The microkernel computes rows of output pixels by
// blocks of output channels in registers, while the packed weights stream from the second-level cache. The idea is that
// of oneDNN's and LIBXSMM's direct convolutions.
// [Georganas18]
//
// Strides, and a convolution and its data gradient, differ only in the taps and in the distance between pixels: with
// stride s, each is computed as s x s correlations of stride one, each with its share of the taps.
namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

// A tap: the offset from the output pixel to the input pixel that it reads, and its index in the kernel, row by row.
struct Tap {
  Index row, column, index;
};

// A batch of images, [count, height, width, channels].
struct Images {
  Index count, height, width, channels;
  Index size() const { return height * width * channels; }
};

constexpr Index rows_per_copy_task = 8;

// A packed band of rows of a few images, with zeros around them:
//     [blocks][rows][phases][columns][images][block_operands].
// The images lie side by side, so that small images make long rows too. With stride s, the columns 0, s, 2s, ... come
// first, then 1, 1 + s, ...: neighbouring output pixels read neighbours here.
template <class Operand>
struct PaddedImages {
  Index images, blocks, rows, phases, columns;
  Index left;  // columns of zeros to the left of the images

  Index column_stride() const { return images * block_operands; }
  Index row_stride() const { return phases * columns * column_stride(); }
  Index block_stride() const { return rows * row_stride(); }
  Index size() const { return blocks * block_stride(); }
  Index at(Index block, Index row, Index column) const {
    return block * block_stride() + row * row_stride() +
           (column % phases * columns + column / phases) * column_stride();
  }

  // Copies the rows [first_row, first_row + rows) of the images; rows outside of the images are zeros.
  void fill(const Images& from, const real* x, Index first_row, Operand* to) const {
    parallel_for(rows, rows_per_copy_task, [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        for (Index block = 0; block < blocks; ++block)
          fill_row(from, x, first_row + row, block * block_channels<Operand>, to + at(block, row, 0));
      }
    });
  }

  void fill_row(const Images& from, const real* x, Index y, Index channel, Operand* line) const {
    if (y < 0 || y >= from.height) return static_cast<void>(std::fill_n(line, row_stride(), Operand()));
    const Index count = std::min(block_channels<Operand>, from.channels - channel);
    for (Index image = 0; image < images; ++image) {
      const real* pixels = x + image * from.size() + y * from.width * from.channels + channel;
      for (Index phase = 0; phase < phases; ++phase) {
        const auto clamped = [&](Index column) { return std::clamp<Index>(column, 0, columns); };
        const Index begin = clamped(blocks_of(left - phase, phases));  // the first column inside of the image
        const Index end = std::max(begin, clamped(blocks_of(from.width + left - phase, phases)));
        Operand* target = line + (phase * columns * images + image) * block_operands;
        for (Index column = 0; column < begin; ++column) copy_block(nullptr, 0, target + column * column_stride());
        copy_blocks(pixels + (begin * phases + phase - left) * from.channels, end - begin, count,
                    phases * from.channels, target + begin * column_stride(), column_stride());
        for (Index column = end; column < columns; ++column) copy_block(nullptr, 0, target + column * column_stride());
      }
    }
  }
};

// The number of images side by side that gives the fewest register tiles, for rows of `width` pixels.
template <class Operand>
Index images_at_once(Index count, Index width) {
  const Index most = microkernel().of<Operand>().max_pixels;
  const auto register_tiles = [&](Index images) {
    return count / images * blocks_of(images * width, most) + blocks_of(count % images * width, most);
  };
  Index best = 1;
  for (Index images = 2; images <= std::min(count, std::max<Index>(4, most / std::max<Index>(width, 1))); ++images) {
    if (register_tiles(images) < register_tiles(best)) best = images;
  }
  return best;
}

// The rows of output per task: about 2^24 multiplications.
Index band_rows(Index height, Index row_work) {
  return even_part(height, std::clamp<Index>((Index{1} << 24) / std::max<Index>(row_work, 1), 1, height));
}

// Packs the weights of one output block: [input blocks][taps][block_operands][output block], with zeros for channels
// that don't exist. The kernel's `all` taps for output o and input i begin at weight[o o_stride + i i_stride].
template <class Operand>
void pack(Index first_o, Index out, Index in, std::span<const Tap> taps, Index all, const real* weight, Index o_stride,
          Index i_stride, Operand* packed) {
  const Index output_block = microkernel().output_block, tap_stride = block_operands * output_block;
  for (Index first_i = 0; first_i < in; first_i += block_channels<Operand>, packed += std::ssize(taps) * tap_stride) {
    for (Index i = first_i; i < first_i + block_channels<Operand>; i += operand_numbers<Operand>) {
      for (Index o = first_o; o < first_o + output_block; o += channel_block) {
        Operand* to = packed + (i - first_i) / operand_numbers<Operand> * output_block + o - first_o;
        if constexpr (is_bfloat16<Operand>) {
          if (all == 9 && i + 2 <= in && o + channel_block <= out) {
            Operand rows[9][channel_block];
            const real* first = weight + o * o_stride + i * i_stride;
            microkernel().bfloat16().round_taps(first, first + i_stride, o_stride, rows[0]);
            for (const Tap& tap : taps) {
              std::copy_n(rows[tap.index], channel_block, to);
              to += tap_stride;
            }
            continue;
          }
        }
        for (const Tap& tap : taps) {
          for (Index c = 0; c < channel_block; ++c) {
            to[c] = make_operand<Operand>([&](Index n) {
              return o + c < out && i + n < in ? weight[(o + c) * o_stride + (i + n) * i_stride + tap.index] : 0;
            });
          }
          to += tap_stride;
        }
      }
    }
  }
}
template <class Operand>
Index packed_block(Index in, Index taps) {
  return microkernel().output_block * blocks_of(in, block_channels<Operand>) * block_operands * taps;
}
template <class Operand>
Index packed_size(Index out, Index in, Index taps) {
  return blocks_of(out, microkernel().output_block) * packed_block<Operand>(in, taps);
}

// y[first_row + r out_stride, first_column + c out_stride] (+)=
//     bias + sum over taps and channels of x[r stride + tap.row, c stride + tap.column] weight
struct Correlation {
  Images in;
  Index stride;
  std::vector<Tap> taps;
  Index rows, columns;  // to compute
  Images out;
  Index first_row, first_column, out_stride;  // of the rows and columns in `out`

  template <class Operand>
  void operator()(const real* x, const Operand* weight, const real* bias, bool accumulate, real* y) const {
    if (taps.empty() || rows <= 0 || columns <= 0) return;
    const Microkernel& micro = microkernel();
    Tap least = taps.front(), most = taps.front();
    for (const Tap& tap : taps) {
      least = {std::min(least.row, tap.row), std::min(least.column, tap.column), 0};
      most = {std::max(most.row, tap.row), std::max(most.column, tap.column), 0};
    }
    const Index in_blocks = blocks_of(in.channels, block_channels<Operand>), tap_count = std::ssize(taps);
    const Index weight_block = packed_block<Operand>(in.channels, tap_count);
    const Index at_once = images_at_once<Operand>(in.count, columns), groups = blocks_of(in.count, at_once);
    const Index band = band_rows(rows, at_once * columns * tap_count * in.channels * out.channels),
                bands = blocks_of(rows, band);
    parallel_tasks(groups * bands, [&](Index task) {
      const Index first_image = task / bands * at_once, first = task % bands * band;
      const Index band_height = std::min(band, rows - first);
      const PaddedImages<Operand> copy{
          .images = std::min(at_once, in.count - first_image),
          .blocks = in_blocks,
          .rows = (band_height - 1) * stride + most.row - least.row + 1,
          .phases = stride,
          .columns = blocks_of((columns - 1) * stride + most.column - least.column + 1, stride),
          .left = -least.column};
      Scratch scratch;
      Operand* image = as_operands<Operand>(scratch.take(copy.size() + overread<Operand>));
      copy.fill(in, x + first_image * in.size(), first * stride + least.row, image);
      std::vector<Index> x_offsets, y_offsets;
      for (Index block = 0; block < in_blocks; ++block) {
        for (const Tap& tap : taps) x_offsets.push_back(copy.at(block, tap.row - least.row, tap.column - least.column));
      }
      for (Index column = 0; column < columns; ++column) {
        for (Index n = 0; n < copy.images; ++n)
          y_offsets.push_back(n * out.size() + column * out_stride * out.channels);
      }
      const Index pixels = columns * copy.images, register_tile = even_part(pixels, micro.of<Operand>().max_pixels);
      real* target = y + first_image * out.size() + (first_row * out.width + first_column) * out.channels;
      for (Index channel = 0; channel < out.channels; channel += micro.output_block) {
        for (Index row = 0; row < band_height; ++row) {
          for (Index pixel = 0; pixel < pixels; pixel += register_tile) {
            micro.of<Operand>().product({.x = image + row * stride * copy.row_stride() + pixel * block_operands,
                                         .x_offsets = x_offsets,
                                         .weight = weight + channel / micro.output_block * weight_block,
                                         .pixels = std::min(register_tile, pixels - pixel),
                                         .y = target + (first + row) * out_stride * out.width * out.channels + channel,
                                         .y_offsets = y_offsets.data() + pixel,
                                         .channels = std::min(micro.output_block, out.channels - channel),
                                         .bias = bias != nullptr ? bias + channel : nullptr,
                                         .accumulate = accumulate});
          }
        }
      }
    });
  }
};

// The taps of the forward pass.
std::vector<Tap> taps_of(const ConvShape& s) {
  std::vector<Tap> taps;
  for (Index ky = 0; ky < s.kernel_height; ++ky) {
    for (Index kx = 0; kx < s.kernel_width; ++kx)
      taps.push_back({ky - s.padding, kx - s.padding, ky * s.kernel_width + kx});
  }
  return taps;
}

Images input_of(const ConvShape& s) { return {s.batch, s.in_height, s.in_width, s.in_channels}; }
Images output_of(const ConvShape& s) { return {s.batch, s.out_height(), s.out_width(), s.out_channels}; }

// Row r stride + row of dx receives row r + (row + padding - ky) / stride of dy, for every ky without a remainder;
// columns likewise. So the pixels of dx fall into stride x stride classes, each a correlation of dy with its own taps.
std::vector<Correlation> data_correlations(const ConvShape& s) {
  std::vector<Correlation> all;
  for (Index row = 0; row < std::min(s.stride, s.in_height); ++row) {
    for (Index column = 0; column < std::min(s.stride, s.in_width); ++column) {
      std::vector<Tap> taps;
      for (Index ky = 0; ky < s.kernel_height; ++ky) {
        for (Index kx = 0; kx < s.kernel_width; ++kx) {
          const Index y = row + s.padding - ky, x = column + s.padding - kx;
          if (y % s.stride == 0 && x % s.stride == 0)
            taps.push_back({y / s.stride, x / s.stride, ky * s.kernel_width + kx});
        }
      }
      all.push_back({output_of(s), 1, std::move(taps), blocks_of(s.in_height - row, s.stride),
                     blocks_of(s.in_width - column, s.stride), input_of(s), row, column, s.stride});
    }
  }
  return all;
}

}  // namespace

bool direct_applies(const ConvShape& s) { return s.groups == 1 && s.in_channels >= 8 && s.out_channels >= 8; }

void direct_conv2d_forward(const ConvShape& s, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y) {
  const std::vector<Tap> taps = taps_of(s);
  const Index output_block = microkernel().output_block, blocks = blocks_of(s.out_channels, output_block);
  const Correlation correlate{input_of(s), s.stride, taps, s.out_height(), s.out_width(), output_of(s), 0, 0, 1};
  with_operands([&]<class Operand>(Operand) {
    const Index block_size = packed_block<Operand>(s.in_channels, std::ssize(taps));
    const auto fill = [&](Index block, real* packed) {
      pack(block * output_block, s.out_channels, s.in_channels, taps, std::ssize(taps), weight.data(), s.patch(),
           std::ssize(taps), as_operands<Operand>(packed) + block * block_size);
    };
    const Tensor packed = packed_weight(weight, PackedLayout::direct_forward, 0,
                                        {{blocks, block_size}, blocks, fill, is_bfloat16<Operand>});
    correlate(x.data(), as_operands<Operand>(packed.data()), bias != nullptr ? bias->data() : nullptr, false, y.data());
  });
}

void direct_conv2d_backward_data(const ConvShape& s, const Tensor& weight, const Tensor& dy, bool accumulate,
                                 Tensor& dx) {
  const std::vector<Correlation> correlations = data_correlations(s);
  const Index output_block = microkernel().output_block, blocks = blocks_of(s.in_channels, output_block),
              taps = s.kernel_height * s.kernel_width;
  const auto untouched = [](const Correlation& c) { return c.taps.empty(); };  // pixels that no tap contributes to
  if (!accumulate && std::any_of(correlations.begin(), correlations.end(), untouched)) {
    dx.fill(0);
    accumulate = true;
  }
  with_operands([&]<class Operand>(Operand) {
    const auto fill = [&](Index block, real* packed) {
      Operand* to = as_operands<Operand>(packed);
      for (const Correlation& c : correlations) {
        const Index block_size = packed_block<Operand>(s.out_channels, std::ssize(c.taps));
        pack(block * output_block, s.in_channels, s.out_channels, c.taps, taps, weight.data(), taps, s.patch(),
             to + block * block_size);
        to += blocks * block_size;
      }
    };
    const Tensor packed =
        packed_weight(weight, PackedLayout::direct_data, s.stride * 256 + s.padding,
                      {{blocks, packed_block<Operand>(s.out_channels, taps)}, blocks, fill, is_bfloat16<Operand>});
    const Operand* w = as_operands<Operand>(packed.data());
    for (const Correlation& correlate : correlations) {
      correlate(dy.data(), w, nullptr, accumulate, dx.data());
      w += packed_size<Operand>(s.in_channels, s.out_channels, std::ssize(correlate.taps));
    }
  });
}

// The pixels of a chunk: one block of x and of dy are about half of the first-level cache, and stay there for all taps.
constexpr Index chunk_pixels = 128;

// Shorter rows don't pay for a loop; then several images are copied side by side.
constexpr Index long_row = 7;

// Packs a row of some images side by side for the dy of an OuterSum: blocks of [columns][images][output block],
// `block_stride` apart.
static void copy_for_sum(const Images& from, const real* dy, Index images, Index row, real* to, Index block_stride) {
  const Index width = microkernel().output_block, channels = blocks_of(from.channels, width) * width;
  for (Index n = 0; n < images; ++n) {
    const real* pixel = dy + n * from.size() + row * from.width * from.channels;
    real* target = to + n * width;
    for (Index column = 0; column < from.width; ++column, pixel += from.channels, target += images * width) {
      for (Index c = 0; c < channels; c += channel_block) {
        copy_block(pixel + c, std::clamp<Index>(from.channels - c, 0, channel_block),
                   target + c / width * block_stride + c % width);
      }
    }
  }
}

void direct_conv2d_backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, bool accumulate,
                                   Tensor& dweight) {
  if (bfloat16_operands()) return direct_bf16_conv2d_backward_weight(s, x, dy, accumulate, dweight);
  const Microkernel& micro = microkernel();
  const Images in = input_of(s), out = output_of(s);
  const Index taps = s.kernel_height * s.kernel_width, sum_size = channel_block * micro.output_block;
  const Index in_blocks = blocks_of(in.channels, channel_block),
              out_blocks = blocks_of(out.channels, micro.output_block);
  const Index at_once = out.width < long_row ? images_at_once<real>(in.count, out.width) : 1;
  const bool copies_dy = at_once > 1 || out.channels % micro.output_block != 0 || out.channels > max_channels_in_place;
  Scratch scratch;
  real* sums = scratch.take(out_blocks * in_blocks * taps * sum_size);
  for (Index first_image = 0; first_image < in.count; first_image += at_once) {
    Scratch copies;
    const PaddedImages<real> x_copy{.images = std::min(at_once, in.count - first_image),
                                    .blocks = in_blocks,
                                    .rows = (out.height - 1) * s.stride + s.kernel_height,
                                    .phases = s.stride,
                                    .columns = blocks_of((out.width - 1) * s.stride + s.kernel_width, s.stride),
                                    .left = s.padding};
    real* x_image = copies.take(x_copy.size());
    x_copy.fill(in, x.data() + first_image * in.size(), -s.padding, x_image);
    const Index columns = out.width * x_copy.images;
    const real* dy_image = dy.data() + first_image * out.size();
    Index dy_column = out.channels, dy_block = micro.output_block;
    if (copies_dy) {
      dy_column = micro.output_block, dy_block = out.height * columns * dy_column;
      real* copy = copies.take(out_blocks * dy_block);
      parallel_for(out.height, rows_per_copy_task, [&](Index first, Index last) {
        for (Index row = first; row < last; ++row)
          copy_for_sum(out, dy_image, x_copy.images, row, copy + row * columns * dy_column, dy_block);
      });
      dy_image = copy;
    }
    const Index chunk = even_part(out.height, std::max<Index>(1, chunk_pixels / columns));
    parallel_tasks(out_blocks * in_blocks, [&](Index pair) {
      const Index o = pair / in_blocks, i = pair % in_blocks;
      real* sum = sums + pair * taps * sum_size;
      for (Index row = 0; row < out.height; row += chunk) {
        for (Index tap = 0; tap < taps; ++tap) {
          micro.of_real.outer_sum(
              {.x = x_image + x_copy.at(i, row * s.stride + tap / s.kernel_width, tap % s.kernel_width),
               .x_row = s.stride * x_copy.row_stride(),
               .dy = dy_image + o * dy_block + row * columns * dy_column,
               .rows = std::min(chunk, out.height - row),
               .columns = columns,
               .sum = sum + tap * sum_size,
               .sum_row = micro.output_block,
               .accumulate = first_image > 0 || row > 0,
               .dy_column = dy_column});
        }
      }
      if (first_image + at_once >= in.count)
        store_sum(sum, o * micro.output_block, i * channel_block, accumulate, dweight);
    });
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
