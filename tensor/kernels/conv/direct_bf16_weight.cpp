#include <algorithm>
#include <vector>

#include "tensor/kernels/conv/direct.h"
#include "tensor/kernels/packing/blocks.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"

// The weight gradient with operands in bfloat16. It is a sum over pixels, so a pair is two neighbouring pixels of a
// row. A tap that shifts dy by an odd number of pixels needs other pairs than one that shifts it by an even number; so
// there are two copies of dy.
//
// The images are laid out as one long line, row after row and image after image, with enough zeros after each row and
// each image that a tap that leaves the image reads zeros. Then every tap is a single offset in the line, and the sum
// runs over the whole line, whatever the size of the images. With stride s, x becomes s x s lines, as in direct.cpp.
namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

// The taps along one axis: at position p of the line, a tap multiplies x's pixel phase + stride p by dy's pixel
// p - shift.
struct TapAxis {
  Index stride, padding;
  Index phase(Index tap) const { return (tap + padding * (stride - 1)) % stride; }  // (tap - padding) mod stride
  Index shift(Index tap) const { return (tap - padding - phase(tap)) / stride; }
};

// The padded length of a row (or height of an image), so that no tap reads the pixels of the next one.
Index padded(const TapAxis& axis, Index taps, Index in, Index out) {
  const Index least = axis.shift(0), most = axis.shift(taps - 1);
  return std::max(out + std::max<Index>(most, 0), blocks_of(in, axis.stride) - std::min<Index>(least, 0));
}

// Images as a line: every `stride`-th pixel along both axes, from `row` and `column` on.
struct Line {
  const real* images;
  Index count, height, width, channels;
  Index padded_height, padded_width;
  Index stride = 1, row = 0, column = 0;

  // The first of some consecutive pixels of a row, or null where the line has zeros.
  struct Run {
    const real* pixel;
    Index pixels;
  };
  Run at(Index position) const {
    if (position < 0) return {nullptr, 0};
    const Index line = position / padded_width, image = line / padded_height;
    const Index y = line % padded_height * stride + row, x = position % padded_width * stride + column;
    if (image >= count || y >= height || x >= width) return {nullptr, 0};
    return {images + ((image * height + y) * width + x) * channels, blocks_of(width - x, stride)};
  }

  // Copies pairs of neighbours from position `first` on: [blocks][columns][width], with zeros for missing channels.
  void copy(Index first, Index columns, Index width, Bfloat16Pair* to) const {
    const auto& micro = microkernel().bfloat16();
    const real zeros[channel_block] = {};
    const Index pixel_stride = stride * channels;
    for (Index column = 0, pairs = 0; column < columns; column += pairs) {
      const Run run = at(first + 2 * column);
      pairs = std::clamp<Index>(run.pixels / 2, 1, columns - column);
      const real* second = run.pixels > 1 ? run.pixel + pixel_stride : at(first + 2 * column + 1).pixel;
      for (Index channel = 0; channel < blocks_of(channels, width) * width; channel += channel_block) {
        Bfloat16Pair* target = to + (channel / width * columns + column) * width + channel % width;
        const auto pixel = [&](const real* p) { return p != nullptr ? p + channel : zeros; };
        if (channel + channel_block <= channels) {
          micro.round_two(pixel(run.pixel), pixel(second), pairs, channel_block, 2 * pixel_stride, target, width);
          continue;
        }
        for (Index pair = 0; pair < pairs; ++pair, target += width) {
          real two[2][channel_block] = {};
          if (channel < channels && run.pixel != nullptr)
            std::copy_n(run.pixel + 2 * pair * pixel_stride + channel, channels - channel, two[0]);
          if (channel < channels && second != nullptr)
            std::copy_n(second + 2 * pair * pixel_stride + channel, channels - channel, two[1]);
          micro.round_two(two[0], two[1], 1, channel_block, 0, target, 0);
        }
      }
    }
  }
};

// Makes the pairs of pixels (1, 2), (3, 4), ... from the pairs (0, 1), (2, 3), ...
void shift_pairs(const Bfloat16Pair* even, Index columns, Index width, Bfloat16Pair* odd) {
#pragma omp simd
  for (Index i = 0; i < columns * width; ++i) odd[i].bits = even[i].bits >> 16 | even[i + width].bits << 16;
}

constexpr Index square_pixels = 2 * square_side;
constexpr Index chunk_squares = 8;  // one block of x and of dy stay in the first-level cache for all taps

}  // namespace

void direct_bf16_conv2d_backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, bool accumulate,
                                        Tensor& dweight) {
  const Microkernel& micro = microkernel();
  const Index width = micro.output_block, taps = s.kernel_height * s.kernel_width;
  const Index in_blocks = blocks_of(s.in_channels, channel_block), out_blocks = blocks_of(s.out_channels, width);
  const TapAxis axis{s.stride, s.padding};
  const Index padded_height = padded(axis, s.kernel_height, s.in_height, s.out_height()),
              padded_width = padded(axis, s.kernel_width, s.in_width, s.out_width());
  const Line dy_line{dy.data(), s.batch, s.out_height(), s.out_width(), s.out_channels, padded_height, padded_width};
  const auto shift = [&](Index tap) {
    return axis.shift(tap / s.kernel_width) * padded_width + axis.shift(tap % s.kernel_width);
  };
  const Index most = shift(taps - 1), margin = most - shift(0);
  // x has a line for each phase, shared by the taps that are a multiple of the stride apart. dy has two copies, the
  // second shifted by a pixel; a tap begins at some column of one of them.
  const Index phases_down = std::min(s.stride, s.kernel_height), phases_across = std::min(s.stride, s.kernel_width),
              phases = phases_down * phases_across, dy_copies = margin > 0 ? 2 : 1;
  struct TapColumns {
    Index tap, phase, column;
  };
  std::vector<TapColumns> taps_of_copy[2];
  for (Index tap = 0; tap < taps; ++tap) {
    const Index phase = tap / s.kernel_width % s.stride * phases_across + tap % s.kernel_width % s.stride;
    const Index distance = most - shift(tap);
    taps_of_copy[distance % 2].push_back({tap, phase, distance / 2});
  }

  // The line is copied in bands that fill half of the second-level cache, but are long compared with the margin.
  const Index squares = blocks_of(s.batch * padded_height * padded_width, square_pixels),
              sum_size = channel_block * width;
  const Index pixel_bytes = 2 * (phases * in_blocks * channel_block + dy_copies * out_blocks * width);
  const Index band = std::max({chunk_squares, blocks_of(4 * margin, square_pixels),
                               (Index{1} << 20) / (pixel_bytes * square_pixels) / chunk_squares * chunk_squares});
  Scratch scratch;
  real* sums = scratch.take(out_blocks * in_blocks * taps * sum_size);
  for (Index first = 0; first < squares; first += band) {
    const Index columns = std::min(band, squares - first) * square_side;
    const Index dy_columns = columns + blocks_of(margin, 2) + 1, dy_block = dy_columns * width;
    Scratch copies;
    Bfloat16Pair* lines = as_operands<Bfloat16Pair>(copies.take(phases * in_blocks * columns * channel_block));
    Bfloat16Pair* dy_lines = as_operands<Bfloat16Pair>(copies.take(dy_copies * out_blocks * dy_block));
    parallel_tasks(phases + 1, [&](Index phase) {
      if (phase == phases) {
        dy_line.copy(first * square_pixels - most, dy_columns, width, dy_lines);
        for (Index o = 0; o < out_blocks && dy_copies > 1; ++o) {
          shift_pairs(dy_lines + o * dy_block, dy_columns - 1, width, dy_lines + (out_blocks + o) * dy_block);
        }
        return;
      }
      const Line line{.images = x.data(),
                      .count = s.batch,
                      .height = s.in_height,
                      .width = s.in_width,
                      .channels = s.in_channels,
                      .padded_height = padded_height,
                      .padded_width = padded_width,
                      .stride = s.stride,
                      .row = axis.phase(phase / phases_across),
                      .column = axis.phase(phase % phases_across)};
      Bfloat16Pair* of_phase = lines + phase * in_blocks * columns * channel_block;
      line.copy(first * square_pixels, columns, channel_block, of_phase);
      transpose_columns(of_phase, in_blocks * columns);
    });
    parallel_tasks(out_blocks * in_blocks, [&](Index pair) {
      const Index o = pair / in_blocks, i = pair % in_blocks;
      real* sum = sums + pair * taps * sum_size;
      for (Index column = 0; column < columns; column += chunk_squares * square_side) {
        for (Index odd = 0; odd < dy_copies; ++odd) {
          for (const TapColumns& t : taps_of_copy[odd]) {
            micro.of<Bfloat16Pair>().outer_sum(
                {.x = lines + ((t.phase * in_blocks + i) * columns + column) * channel_block,
                 .x_row = 0,
                 .dy = dy_lines + (odd * out_blocks + o) * dy_block + (t.column + column) * width,
                 .rows = 1,
                 .columns = std::min(chunk_squares * square_side, columns - column),
                 .sum = sum + t.tap * sum_size,
                 .sum_row = width,
                 .accumulate = first > 0 || column > 0});
          }
        }
      }
      if (first + band >= squares) store_sum(sum, o * width, i * channel_block, accumulate, dweight);
    });
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
