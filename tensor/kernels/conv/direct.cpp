#include "tensor/kernels/conv/direct.h"

#include <algorithm>
#include <vector>

#include "tensor/kernels/packing/blocks.h"
#include "tensor/kernels/packing/packed_weights.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"

// A convolution without im2col: the micro-kernels read the input where it lies. An image is copied once, with zeros
// around it and in blocks of 16 units, so that each tap of each pixel is a constant away from the pixel; then rows
// of output pixels by blocks of output channels are computed in registers, the weights streaming past from the
// second-level cache. The idea is that of oneDNN's and LIBXSMM's direct convolutions. [Georganas18]
//
// What differs between strides, and between a convolution and its data gradient, is only which taps there are and how
// far apart the pixels lie: a stride of s makes s x s convolutions of stride one out of it, each with its share of the
// taps.
namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

// A tap: how far from the output's pixel it reads the input, and its place in the kernel, counted row by row.
struct Tap {
  Index row, column, place;
};

// Images to convolve, [count, height, width, channels].
struct Images {
  Index count, height, width, channels;
  Index size() const { return height * width * channels; }
};

constexpr Index copied_rows = 8;  // of an image, by a task

// The copy of a band of rows of a few images (side by side, so that small images too make long rows of pixels):
// [blocks][rows][phases][columns][images][block_units]. With stride s, the columns 0, s, 2s, ... come first, then
// 1, 1 + s, ...: what neighbouring output pixels read through one tap are neighbours here.
template <class Unit>
struct Copy {
  Index images, blocks, rows, phases, columns;
  Index left;  // columns of zeros to the left of the images

  Index column_step() const { return images * block_units; }
  Index row_step() const { return phases * columns * column_step(); }
  Index block_step() const { return rows * row_step(); }
  Index size() const { return blocks * block_step(); }
  Index at(Index block, Index row, Index column) const {
    return block * block_step() + row * row_step() + (column % phases * columns + column / phases) * column_step();
  }

  // Copies the images' rows that lie in [first_row, first_row + rows), and zeros where the images have none.
  void fill(const Images& from, const real* x, Index first_row, Unit* to) const {
    parallel_for(rows, copied_rows, [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        for (Index block = 0; block < blocks; ++block)
          fill_row(from, x, first_row + row, block * block_channels<Unit>, to + at(block, row, 0));
      }
    });
  }

  void fill_row(const Images& from, const real* x, Index y, Index channel, Unit* line) const {
    if (y < 0 || y >= from.height) return static_cast<void>(std::fill_n(line, row_step(), Unit()));
    const Index count = std::min(block_channels<Unit>, from.channels - channel);
    for (Index image = 0; image < images; ++image) {
      const real* pixels = x + image * from.size() + y * from.width * from.channels + channel;
      for (Index phase = 0; phase < phases; ++phase) {
        const auto clamped = [&](Index column) { return std::clamp<Index>(column, 0, columns); };
        const Index begin = clamped(blocks_of(left - phase, phases));  // columns that the image has
        const Index end = std::max(begin, clamped(blocks_of(from.width + left - phase, phases)));
        Unit* target = line + (phase * columns * images + image) * block_units;
        for (Index column = 0; column < begin; ++column) copy_block(nullptr, 0, target + column * column_step());
        copy_blocks(pixels + (begin * phases + phase - left) * from.channels, end - begin, count,
                    phases * from.channels, target + begin * column_step(), column_step());
        for (Index column = end; column < columns; ++column) copy_block(nullptr, 0, target + column * column_step());
      }
    }
  }
};

// How many images lie side by side: as many as make the fewest tiles of `width` pixels an image.
template <class Unit>
Index images_at_once(Index count, Index width) {
  const Index most = conv_micro().in<Unit>().max_pixels;
  const auto tiles = [&](Index images) {
    return count / images * blocks_of(images * width, most) + blocks_of(count % images * width, most);
  };
  Index best = 1;
  for (Index images = 2; images <= std::min(count, std::max<Index>(4, most / std::max<Index>(width, 1))); ++images) {
    if (tiles(images) < tiles(best)) best = images;
  }
  return best;
}

// Rows of output in a task: about as many as make 2^24 multiplications.
Index band_rows(Index height, Index row_work) {
  return even_tile(height, std::clamp<Index>((Index{1} << 24) / std::max<Index>(row_work, 1), 1, height));
}

// The weights in the order in which the micro-kernel wants them: of a block of outputs, [input blocks][taps]
// [block_units][output block], zeros in channels that do not exist. The `all` taps of a pair of channels begin at
// weight[o o_step + i i_step].
template <class Unit>
void pack(Index first_o, Index out, Index in, std::span<const Tap> taps, Index all, const real* weight, Index o_step,
          Index i_step, Unit* packed) {
  const Index output_block = conv_micro().output_block, tap_step = block_units * output_block;
  for (Index first_i = 0; first_i < in; first_i += block_channels<Unit>, packed += std::ssize(taps) * tap_step) {
    for (Index i = first_i; i < first_i + block_channels<Unit>; i += unit_numbers<Unit>) {
      for (Index o = first_o; o < first_o + output_block; o += channel_block) {
        Unit* to = packed + (i - first_i) / unit_numbers<Unit> * output_block + o - first_o;
        if constexpr (is_bfloat16<Unit>) {
          if (all == 9 && i + 2 <= in && o + channel_block <= out) {
            Unit rows[9][channel_block];
            const real* first = weight + o * o_step + i * i_step;
            conv_micro().bfloat16().round_taps(first, first + i_step, o_step, rows[0]);
            for (const Tap& tap : taps) {
              std::copy_n(rows[tap.place], channel_block, to);
              to += tap_step;
            }
            continue;
          }
        }
        for (const Tap& tap : taps) {
          for (Index c = 0; c < channel_block; ++c) {
            to[c] = make_unit<Unit>([&](Index n) {
              return o + c < out && i + n < in ? weight[(o + c) * o_step + (i + n) * i_step + tap.place] : 0;
            });
          }
          to += tap_step;
        }
      }
    }
  }
}
template <class Unit>
Index packed_block(Index in, Index taps) {
  return conv_micro().output_block * blocks_of(in, block_channels<Unit>) * block_units * taps;
}
template <class Unit>
Index packed_size(Index out, Index in, Index taps) {
  return blocks_of(out, conv_micro().output_block) * packed_block<Unit>(in, taps);
}

// y[first + r step, c step] (+)= bias + sum over taps and channels of x[r stride + tap.row, c stride + tap.column]
// weight.
struct Correlation {
  Images in;
  Index stride;
  std::vector<Tap> taps;
  Index rows, columns;  // that are computed
  Images out;
  Index first_row, first_column, step;  // where they stand in the output

  template <class Unit>
  void operator()(const real* x, const Unit* weight, const real* bias, bool accumulate, real* y) const {
    if (taps.empty() || rows <= 0 || columns <= 0) return;
    const ConvMicro& micro = conv_micro();
    Tap least = taps.front(), most = taps.front();
    for (const Tap& tap : taps) {
      least = {std::min(least.row, tap.row), std::min(least.column, tap.column), 0};
      most = {std::max(most.row, tap.row), std::max(most.column, tap.column), 0};
    }
    const Index in_blocks = blocks_of(in.channels, block_channels<Unit>), tap_count = std::ssize(taps);
    const Index weight_block = packed_block<Unit>(in.channels, tap_count);
    const Index at_once = images_at_once<Unit>(in.count, columns), groups = blocks_of(in.count, at_once);
    const Index band = band_rows(rows, at_once * columns * tap_count * in.channels * out.channels),
                bands = blocks_of(rows, band);
    parallel_tasks(groups * bands, [&](Index task) {
      const Index first_image = task / bands * at_once, first = task % bands * band;
      const Index band_height = std::min(band, rows - first);
      const Copy<Unit> copy{.images = std::min(at_once, in.count - first_image),
                            .blocks = in_blocks,
                            .rows = (band_height - 1) * stride + most.row - least.row + 1,
                            .phases = stride,
                            .columns = blocks_of((columns - 1) * stride + most.column - least.column + 1, stride),
                            .left = -least.column};
      Scratch scratch;
      Unit* image = units<Unit>(scratch.take(copy.size() + read_beyond<Unit>));
      copy.fill(in, x + first_image * in.size(), first * stride + least.row, image);
      std::vector<Index> steps, y_at;
      for (Index block = 0; block < in_blocks; ++block) {
        for (const Tap& tap : taps) steps.push_back(copy.at(block, tap.row - least.row, tap.column - least.column));
      }
      for (Index column = 0; column < columns; ++column) {
        for (Index n = 0; n < copy.images; ++n) y_at.push_back(n * out.size() + column * step * out.channels);
      }
      const Index pixels = columns * copy.images, tile = even_tile(pixels, micro.in<Unit>().max_pixels);
      real* target = y + first_image * out.size() + (first_row * out.width + first_column) * out.channels;
      for (Index channel = 0; channel < out.channels; channel += micro.output_block) {
        for (Index row = 0; row < band_height; ++row) {
          for (Index pixel = 0; pixel < pixels; pixel += tile) {
            micro.in<Unit>().product({.x = image + row * stride * copy.row_step() + pixel * block_units,
                                      .steps = steps,
                                      .weight = weight + channel / micro.output_block * weight_block,
                                      .pixels = std::min(tile, pixels - pixel),
                                      .y = target + (first + row) * step * out.width * out.channels + channel,
                                      .y_at = y_at.data() + pixel,
                                      .channels = std::min(micro.output_block, out.channels - channel),
                                      .bias = bias != nullptr ? bias + channel : nullptr,
                                      .accumulate = accumulate});
          }
        }
      }
    });
  }
};

// The taps of a kernel as the forward pass sees them.
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

// dx at row r stride + row is reached from dy at row r + (row + padding - ky) / stride, for those ky that leave no
// remainder; columns likewise. So the pixels of dx fall into stride x stride classes, each a correlation of dy with the
// taps that reach it.
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
  const Index output_block = conv_micro().output_block, blocks = blocks_of(s.out_channels, output_block);
  const Correlation correlate{input_of(s), s.stride, taps, s.out_height(), s.out_width(), output_of(s), 0, 0, 1};
  with_units([&]<class Unit>(Unit) {
    const Index block_size = packed_block<Unit>(s.in_channels, std::ssize(taps));
    const auto fill = [&](Index block, real* form) {
      pack(block * output_block, s.out_channels, s.in_channels, taps, std::ssize(taps), weight.data(), s.patch(),
           std::ssize(taps), units<Unit>(form) + block * block_size);
    };
    const Tensor packed =
        packed_weight(weight, PackedForm::direct_forward, 0, {{blocks, block_size}, blocks, fill, is_bfloat16<Unit>});
    correlate(x.data(), units<Unit>(packed.data()), bias != nullptr ? bias->data() : nullptr, false, y.data());
  });
}

void direct_conv2d_backward_data(const ConvShape& s, const Tensor& weight, const Tensor& dy, bool accumulate,
                                 Tensor& dx) {
  const std::vector<Correlation> correlations = data_correlations(s);
  const Index output_block = conv_micro().output_block, blocks = blocks_of(s.in_channels, output_block),
              taps = s.kernel_height * s.kernel_width;
  const auto unmet = [](const Correlation& c) { return c.taps.empty(); };  // pixels that no tap reaches
  if (!accumulate && std::any_of(correlations.begin(), correlations.end(), unmet)) {
    dx.fill(0);
    accumulate = true;
  }
  with_units([&]<class Unit>(Unit) {
    const auto fill = [&](Index block, real* form) {
      Unit* to = units<Unit>(form);
      for (const Correlation& c : correlations) {
        const Index block_size = packed_block<Unit>(s.out_channels, std::ssize(c.taps));
        pack(block * output_block, s.in_channels, s.out_channels, c.taps, taps, weight.data(), taps, s.patch(),
             to + block * block_size);
        to += blocks * block_size;
      }
    };
    const Tensor packed =
        packed_weight(weight, PackedForm::direct_data, s.stride * 256 + s.padding,
                      {{blocks, packed_block<Unit>(s.out_channels, taps)}, blocks, fill, is_bfloat16<Unit>});
    const Unit* w = units<Unit>(packed.data());
    for (const Correlation& correlate : correlations) {
      correlate(dy.data(), w, nullptr, accumulate, dx.data());
      w += packed_size<Unit>(s.in_channels, s.out_channels, std::ssize(correlate.taps));
    }
  });
}

// Pixels of a chunk whose x and dy, one block of each, are about half of the first-level cache; they meet all taps
// there.
constexpr Index chunk_pixels = 128;

// Rows of fewer pixels are too short for a loop of their own.
constexpr Index long_row = 7;

// A row of some images side by side, as an OuterSum wants its dy: blocks `block_step` apart of [columns][images]
// [output block].
static void copy_for_sum(const Images& from, const real* dy, Index images, Index row, real* to, Index block_step) {
  const Index width = conv_micro().output_block, channels = blocks_of(from.channels, width) * width;
  for (Index n = 0; n < images; ++n) {
    const real* pixel = dy + n * from.size() + row * from.width * from.channels;
    real* target = to + n * width;
    for (Index column = 0; column < from.width; ++column, pixel += from.channels, target += images * width) {
      for (Index c = 0; c < channels; c += channel_block) {
        copy_block(pixel + c, std::clamp<Index>(from.channels - c, 0, channel_block),
                   target + c / width * block_step + c % width);
      }
    }
  }
}

void direct_conv2d_backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, bool accumulate,
                                   Tensor& dweight) {
  if (bfloat16_operands()) return pairs_conv2d_backward_weight(s, x, dy, accumulate, dweight);
  const ConvMicro& micro = conv_micro();
  const Images in = input_of(s), out = output_of(s);
  const Index taps = s.kernel_height * s.kernel_width, tile = channel_block * micro.output_block;
  const Index in_blocks = blocks_of(in.channels, channel_block),
              out_blocks = blocks_of(out.channels, micro.output_block);
  const Index at_once = out.width < long_row ? images_at_once<real>(in.count, out.width) : 1;
  const bool copies_dy = at_once > 1 || out.channels % micro.output_block != 0 || out.channels > most_in_place;
  Scratch scratch;
  real* sums = scratch.take(out_blocks * in_blocks * taps * tile);
  for (Index first_image = 0; first_image < in.count; first_image += at_once) {
    Scratch copies;
    const Copy<real> x_copy{.images = std::min(at_once, in.count - first_image),
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
      parallel_for(out.height, copied_rows, [&](Index first, Index last) {
        for (Index row = first; row < last; ++row)
          copy_for_sum(out, dy_image, x_copy.images, row, copy + row * columns * dy_column, dy_block);
      });
      dy_image = copy;
    }
    const Index chunk = even_tile(out.height, std::max<Index>(1, chunk_pixels / columns));
    parallel_tasks(out_blocks * in_blocks, [&](Index pair) {
      const Index o = pair / in_blocks, i = pair % in_blocks;
      real* sum = sums + pair * taps * tile;
      for (Index row = 0; row < out.height; row += chunk) {
        for (Index tap = 0; tap < taps; ++tap) {
          micro.in_real.outer_sum(
              {.x = x_image + x_copy.at(i, row * s.stride + tap / s.kernel_width, tap % s.kernel_width),
               .x_row = s.stride * x_copy.row_step(),
               .dy = dy_image + o * dy_block + row * columns * dy_column,
               .rows = std::min(chunk, out.height - row),
               .columns = columns,
               .sum = sum + tap * tile,
               .sum_row = micro.output_block,
               .accumulate = first_image > 0 || row > 0,
               .dy_column = dy_column});
        }
      }
      if (first_image + at_once >= in.count)
        put_sum(sum, o * micro.output_block, i * channel_block, accumulate, dweight);
    });
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
