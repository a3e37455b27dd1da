#include <algorithm>
#include <vector>

#include "tensor/kernels/packing/blocks.h"
#include "tensor/kernels/conv/direct.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"

// The weight gradient in pairs of pixels. It is a sum over pixels, so neighbours along the rows make a pair, and a tap
// that shifts dy by an odd number of pixels wants other pairs than one that shifts it by an even number: there are two
// copies of dy. Images are laid out as one long line, row after row and image after image, with so many zeros after
// each row and below each image that a tap that leaves the image meets zeros. Then every tap is one number, how far it
// shifts the line, and the sum runs over the whole line whatever the images' size. A stride of s makes s x s lines of
// x, as in conv_direct.cpp.
namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

// What taps do along one direction: x's pixel is `phase` + stride times a place of the line, dy's is shift less.
struct Reach {
  Index stride, padding;
  Index phase(Index tap) const { return (tap + padding * (stride - 1)) % stride; }  // (tap - padding) mod stride
  Index shift(Index tap) const { return (tap - padding - phase(tap)) / stride; }
};

// How long a row (or high an image) becomes, so that no tap of `taps` reaches the next one's pixels.
Index padded(const Reach& reach, Index taps, Index in, Index out) {
  const Index least = reach.shift(0), most = reach.shift(taps - 1);
  return std::max(out + std::max<Index>(most, 0), blocks_of(in, reach.stride) - std::min<Index>(least, 0));
}

// Images as a line; of their pixels each `stride`-th in both directions, from `row` and `column` on.
struct Line {
  const real* images;
  Index count, height, width, channels;
  Index padded_height, padded_width;
  Index stride = 1, row = 0, column = 0;

  // How many pixels follow one another in a row from a place on, the first of which is `pixel`; or none.
  struct Run {
    const real* pixel;
    Index pixels;
  };
  Run at(Index place) const {
    if (place < 0) return {nullptr, 0};
    const Index line = place / padded_width, image = line / padded_height;
    const Index y = line % padded_height * stride + row, x = place % padded_width * stride + column;
    if (image >= count || y >= height || x >= width) return {nullptr, 0};
    return {images + ((image * height + y) * width + x) * channels, blocks_of(width - x, stride)};
  }

  // Pairs of neighbours from `first` on, [blocks][columns][width], with zeros to the end of the last block.
  void copy(Index first, Index columns, Index width, Bfloat16Pair* to) const {
    const auto& micro = conv_micro().bfloat16();
    const real zeros[channel_block] = {};
    const Index step = stride * channels;
    for (Index column = 0, pairs = 0; column < columns; column += pairs) {
      const Run run = at(first + 2 * column);
      pairs = std::clamp<Index>(run.pixels / 2, 1, columns - column);
      const real* second = run.pixels > 1 ? run.pixel + step : at(first + 2 * column + 1).pixel;
      for (Index channel = 0; channel < blocks_of(channels, width) * width; channel += channel_block) {
        Bfloat16Pair* target = to + (channel / width * columns + column) * width + channel % width;
        const auto pixel = [&](const real* p) { return p != nullptr ? p + channel : zeros; };
        if (channel + channel_block <= channels) {
          micro.round_two(pixel(run.pixel), pixel(second), pairs, channel_block, 2 * step, target, width);
          continue;
        }
        for (Index pair = 0; pair < pairs; ++pair, target += width) {
          real two[2][channel_block] = {};
          if (channel < channels && run.pixel != nullptr)
            std::copy_n(run.pixel + 2 * pair * step + channel, channels - channel, two[0]);
          if (channel < channels && second != nullptr)
            std::copy_n(second + 2 * pair * step + channel, channels - channel, two[1]);
          micro.round_two(two[0], two[1], 1, channel_block, 0, target, 0);
        }
      }
    }
  }
};

// From the pairs of pixels 0 and 1, 2 and 3, ... those of 1 and 2, 3 and 4, ...
void shift_pairs(const Bfloat16Pair* even, Index columns, Index width, Bfloat16Pair* odd) {
#pragma omp simd
  for (Index i = 0; i < columns * width; ++i) odd[i].bits = even[i].bits >> 16 | even[i + width].bits << 16;
}

constexpr Index square_places = 2 * square_units;
constexpr Index chunk_squares = 8;  // of x and dy, one block of each, stay in the first-level cache for all taps

}  // namespace

void pairs_conv2d_backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, bool accumulate,
                                  Tensor& dweight) {
  const ConvMicro& micro = conv_micro();
  const Index width = micro.output_block, taps = s.kernel_height * s.kernel_width;
  const Index in_blocks = blocks_of(s.in_channels, channel_block), out_blocks = blocks_of(s.out_channels, width);
  const Reach reach{s.stride, s.padding};
  const Index padded_height = padded(reach, s.kernel_height, s.in_height, s.out_height()),
              padded_width = padded(reach, s.kernel_width, s.in_width, s.out_width());
  const Line slopes{dy.data(), s.batch, s.out_height(), s.out_width(), s.out_channels, padded_height, padded_width};
  const auto shift = [&](Index tap) {
    return reach.shift(tap / s.kernel_width) * padded_width + reach.shift(tap % s.kernel_width);
  };
  const Index most = shift(taps - 1), margin = most - shift(0);
  // Of x there is a line for each phase, which the taps that are a stride apart share. Of dy there are two copies, the
  // second a pixel later; a tap begins some columns into one of them.
  const Index phases_down = std::min(s.stride, s.kernel_height), phases_across = std::min(s.stride, s.kernel_width),
              phases = phases_down * phases_across, slopes_count = margin > 0 ? 2 : 1;
  struct Use {
    Index tap, phase, column;
  };
  std::vector<Use> uses[2];
  for (Index tap = 0; tap < taps; ++tap) {
    const Index phase = tap / s.kernel_width % s.stride * phases_across + tap % s.kernel_width % s.stride;
    const Index places = most - shift(tap);
    uses[places % 2].push_back({tap, phase, places / 2});
  }

  // The line is copied in bands, half of the second-level cache or as long as is worth the margin.
  const Index squares = blocks_of(s.batch * padded_height * padded_width, square_places), tile = channel_block * width;
  const Index place_bytes = 2 * (phases * in_blocks * channel_block + slopes_count * out_blocks * width);
  const Index band = std::max({chunk_squares, blocks_of(4 * margin, square_places),
                               (Index{1} << 20) / (place_bytes * square_places) / chunk_squares * chunk_squares});
  Scratch scratch;
  real* sums = scratch.take(out_blocks * in_blocks * taps * tile);
  for (Index first = 0; first < squares; first += band) {
    const Index columns = std::min(band, squares - first) * square_units;
    const Index slope_columns = columns + blocks_of(margin, 2) + 1, slope_block = slope_columns * width;
    Scratch copies;
    Bfloat16Pair* lines = units<Bfloat16Pair>(copies.take(phases * in_blocks * columns * channel_block));
    Bfloat16Pair* slope_lines = units<Bfloat16Pair>(copies.take(slopes_count * out_blocks * slope_block));
    parallel_tasks(phases + 1, [&](Index phase) {
      if (phase == phases) {
        slopes.copy(first * square_places - most, slope_columns, width, slope_lines);
        for (Index o = 0; o < out_blocks && slopes_count > 1; ++o) {
          shift_pairs(slope_lines + o * slope_block, slope_columns - 1, width,
                      slope_lines + (out_blocks + o) * slope_block);
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
                      .row = reach.phase(phase / phases_across),
                      .column = reach.phase(phase % phases_across)};
      Bfloat16Pair* of_phase = lines + phase * in_blocks * columns * channel_block;
      line.copy(first * square_places, columns, channel_block, of_phase);
      turn_columns(of_phase, in_blocks * columns);
    });
    parallel_tasks(out_blocks * in_blocks, [&](Index pair) {
      const Index o = pair / in_blocks, i = pair % in_blocks;
      real* sum = sums + pair * taps * tile;
      for (Index column = 0; column < columns; column += chunk_squares * square_units) {
        for (Index odd = 0; odd < slopes_count; ++odd) {
          for (const Use& use : uses[odd]) {
            micro.in<Bfloat16Pair>().outer_sum(
                {.x = lines + ((use.phase * in_blocks + i) * columns + column) * channel_block,
                 .x_row = 0,
                 .dy = slope_lines + (odd * out_blocks + o) * slope_block + (use.column + column) * width,
                 .rows = 1,
                 .columns = std::min(chunk_squares * square_units, columns - column),
                 .sum = sum + use.tap * tile,
                 .sum_row = width,
                 .accumulate = first > 0 || column > 0});
          }
        }
      }
      if (first + band >= squares) put_sum(sum, o * width, i * channel_block, accumulate, dweight);
    });
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
