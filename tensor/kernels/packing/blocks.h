#pragma once
#include <algorithm>
#include <cstring>

#include "tensor/kernels/simd/microkernel.h"
#include "tensor/kernels/packing/packed_weights.h"
#include "tensor/kernels/simd/operands.h"
#include "tensor/tensor.h"

/// How numbers are laid out for the micro-kernels: in blocks of channels, so that every address in their inner loops is
/// a register plus a number that the compiler knows.
namespace reverie::inline REVERIE_PRECISION::kernels {

inline Index blocks_of(Index count, Index block) { return (count + block - 1) / block; }

/// The length of tiles if `count` is cut into as few as possible of at most `most`, and evenly.
inline Index even_tile(Index count, Index most) { return blocks_of(count, std::max<Index>(1, blocks_of(count, most))); }

/// Channels of rows that are read where they lie instead of copied into blocks; longer rows' blocks would meet in a few
/// sets of the first-level cache.
inline constexpr Index most_in_place = 512;

/// Copies the `count` channels that a block has, with zeros for the rest; all zeros for a pixel outside of the image
/// (null).
inline void copy_block(const real* from, Index count, real* to) {
  if (from != nullptr && count == channel_block) {
    std::memcpy(to, from, channel_block * sizeof(real));  // a number that the compiler knows: vectors, not a call
    return;
  }
  std::fill_n(to, channel_block, real(0));
  if (from != nullptr) std::copy_n(from, count, to);
}
/// The same in pairs of neighbours; the numbers, count <= 2 block_units.
inline void copy_block(const real* from, Index count, Bfloat16Pair* to) {
  if (from == nullptr) return static_cast<void>(std::fill_n(to, block_units, Bfloat16Pair()));
  constexpr Index all = block_channels<Bfloat16Pair>;
  if (count == all) return conv_micro().bfloat16().round(from, 1, all, 0, to, 0);
  real numbers[all] = {};
  std::copy_n(from, count, numbers);
  conv_micro().bfloat16().round(numbers, 1, all, 0, to, 0);
}

/// The same for `pixels` of them, `step` apart.
inline void copy_blocks(const real* from, Index pixels, Index count, Index step, real* to, Index to_step) {
  for (Index pixel = 0; pixel < pixels; ++pixel, from += step, to += to_step) copy_block(from, count, to);
}
inline void copy_blocks(const real* from, Index pixels, Index count, Index step, Bfloat16Pair* to, Index to_step) {
  if (count == block_channels<Bfloat16Pair>)
    return conv_micro().bfloat16().round(from, pixels, count, step, to, to_step);
  for (Index pixel = 0; pixel < pixels; ++pixel, from += step, to += to_step) copy_block(from, count, to);
}

/// What is read beyond the last pixel of a Product's x, in reals.
template <class Unit>
inline constexpr Index read_beyond = is_bfloat16<Unit> ? pixels_read* block_units : 0;

/// Rows of `channels` numbers -> [blocks][rows][block_units], zeros to the end of the last block.
template <class Unit>
void rows_to_blocks(const real* from, Index rows, Index channels, Unit* to) {
  for (Index channel = 0; channel < channels; channel += block_channels<Unit>, to += rows * block_units)
    copy_blocks(from + channel, rows, std::min(channels - channel, block_channels<Unit>), channels, to, block_units);
}

/// The pairs that `rows` make, and pairs of zeros up to a whole square.
inline Index square_columns(Index rows) { return blocks_of(rows, 2 * square_units) * square_units; }

/// The columns of an OuterSum that `rows` make: themselves, or pairs of them; for tiles, whole squares of pairs.
template <class Unit>
Index sum_columns(Index rows) {
  if constexpr (is_bfloat16<Unit>) {
    return conv_micro().bfloat16().turned ? square_columns(rows) : blocks_of(rows, 2);
  } else {
    return rows;
  }
}

/// The same rows for sums over them: units are of rows, [blocks][sum_columns][width], where `width` is some channel
/// blocks.
inline void rows_to_columns(const real* from, Index rows, Index channels, Index width, real* to) {
  for (Index row = 0; row < rows; ++row, from += channels) {
    for (Index channel = 0; channel < blocks_of(channels, width) * width; channel += channel_block) {
      const Index count = std::clamp<Index>(channels - channel, 0, channel_block);
      copy_block(count > 0 ? from + channel : nullptr, count,
                 to + (channel / width * rows + row) * width + channel % width);
    }
  }
}
inline void rows_to_columns(const real* from, Index rows, Index channels, Index width, Bfloat16Pair* to) {
  const Index columns = sum_columns<Bfloat16Pair>(rows);
  for (Index channel = 0; channel < blocks_of(channels, width) * width; channel += channel_block) {
    const Index count = std::clamp<Index>(channels - channel, 0, channel_block);
    Bfloat16Pair* target = to + channel / width * columns * width + channel % width;
    const Index whole = count == channel_block ? rows / 2 : 0;
    const auto& micro = conv_micro().bfloat16();
    micro.round_two(from + channel, from + channels + channel, whole, channel_block, 2 * channels, target, width);
    for (Index pair = whole; pair < columns; ++pair) {
      real two[2][channel_block];
      for (const Index k : {0, 1}) {
        const bool exists = count > 0 && 2 * pair + k < rows;
        copy_block(exists ? from + (2 * pair + k) * channels + channel : nullptr, count, two[k]);
      }
      micro.round_two(two[0], two[1], 1, channel_block, 0, target + pair * width, 0);
    }
  }
}

/// The columns of channel blocks as an OuterSum wants its x.
inline void turn_columns(real*, Index) {}
inline void turn_columns(Bfloat16Pair* columns, Index count) {
  const Bfloat16Micro& micro = conv_micro().bfloat16();
  if (micro.turned) micro.turn_in_place(columns, count / square_units);
}

/// The last column, not after that of `row`, with which an OuterSum may begin.
template <class Unit>
Index begin_column(Index row) {
  if constexpr (is_bfloat16<Unit>) {
    return conv_micro().bfloat16().turned ? row / (2 * square_units) * square_units : row / 2;
  } else {
    return row;
  }
}

/// The recipe for weights `at(k, c)` of inputs k and outputs c as [output blocks][input blocks][block_units][output
/// block], zeros beyond the edges: a Product's weights, with a step for each block of inputs.
template <class Unit, class At>
PackingRecipe weights_in_blocks(Index inputs, Index outputs, At at) {
  const Index width = conv_micro().output_block, blocks = blocks_of(outputs, width),
              height = blocks_of(inputs, block_channels<Unit>) * block_units;
  const auto fill = [=](Index block, real* form) {
    const Index first = block * width, count = std::min(width, outputs - first);
    Unit* to = units<Unit>(form) + block * height * width;
    for (Index k = 0; k < height * unit_numbers<Unit>; k += unit_numbers<Unit>, to += width) {
      const Index known = k < inputs ? count : 0;
      for (Index c = 0; c < known; ++c)
        to[c] = make_unit<Unit>([&](Index n) { return k + n < inputs ? at(k + n, first + c) : 0; });
      std::fill(to + known, to + width, Unit());
    }
  };
  return {{blocks, height, width}, blocks, fill, is_bfloat16<Unit>};
}

/// dweight [O,I,taps...] (+)= sums of a channel block of outputs, from first_o on, by one of inputs, from first_i on,
/// as far as there are such channels; that of output o, input i and tap k stands at sums[i input + k tap + o].
inline void put_taps(const real* sums, Index input, Index tap, Index first_o, Index first_i, bool accumulate,
                     Tensor& dweight) {
  const Index in = dweight.extent(1), taps = dweight.extent(2) * dweight.extent(3), step = in * taps;
  const Index outs = std::min(channel_block, dweight.extent(0) - first_o), ins = std::min(channel_block, in - first_i);
  real* to = dweight.data() + first_o * step + first_i * taps;
  if (taps == 9 && outs == channel_block && ins == channel_block) {
    return conv_micro().put_taps(sums, input, tap, step, accumulate, to);
  }
  for (Index o = 0; o < outs; ++o) {
    for (Index i = 0; i < ins; ++i) {
      for (Index k = 0; k < taps; ++k) {
        real& w = to[o * step + i * taps + k];
        w = sums[i * input + k * tap + o] + (accumulate ? w : 0);
      }
    }
  }
}

/// The same of a sum [taps][channel_block][output block].
inline void put_sum(const real* sum, Index first_o, Index first_i, bool accumulate, Tensor& dweight) {
  const Index width = conv_micro().output_block;
  for (Index block = 0; block < width && first_o + block < dweight.extent(0); block += channel_block)
    put_taps(sum + block, width, channel_block * width, first_o + block, first_i, accumulate, dweight);
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
