#pragma once
#include <algorithm>
#include <cstring>

#include "tensor/kernels/packing/packed_weights.h"
#include "tensor/kernels/simd/microkernel.h"
#include "tensor/kernels/simd/operands.h"
#include "tensor/tensor.h"

/// Packing: copies numbers into the blocks of channels that the microkernels read.
namespace reverie::inline REVERIE_PRECISION::kernels {

inline Index blocks_of(Index count, Index block) { return (count + block - 1) / block; }

/// The length of the parts if `count` is cut into as few as possible of at most `most`, all about equally long.
inline Index even_part(Index count, Index most) { return blocks_of(count, std::max<Index>(1, blocks_of(count, most))); }

/// Rows of at most this many channels may be read in place instead of from packed blocks. The blocks of longer rows
/// would compete for a few sets of the first-level cache.
inline constexpr Index max_channels_in_place = 512;

/// Copies one pixel's `count` channels into a block and fills the rest with zeros. A null pixel (outside of the image)
/// gives zeros.
inline void copy_block(const real* from, Index count, real* to) {
  if (from != nullptr && count == channel_block) {
    std::memcpy(to, from, channel_block * sizeof(real));  // a compile-time constant: vectors, not a call
    return;
  }
  std::fill_n(to, channel_block, real(0));
  if (from != nullptr) std::copy_n(from, count, to);
}
/// The same in bfloat16, in pairs of neighbouring channels; count <= 2 block_operands.
inline void copy_block(const real* from, Index count, Bfloat16Pair* to) {
  if (from == nullptr) return static_cast<void>(std::fill_n(to, block_operands, Bfloat16Pair()));
  constexpr Index all = block_channels<Bfloat16Pair>;
  if (count == all) return microkernel().bfloat16().round(from, 1, all, 0, to, 0);
  real numbers[all] = {};
  std::copy_n(from, count, numbers);
  microkernel().bfloat16().round(numbers, 1, all, 0, to, 0);
}

/// The same for `pixels` pixels, `stride` apart.
inline void copy_blocks(const real* from, Index pixels, Index count, Index stride, real* to, Index to_stride) {
  for (Index pixel = 0; pixel < pixels; ++pixel, from += stride, to += to_stride) copy_block(from, count, to);
}
inline void copy_blocks(const real* from, Index pixels, Index count, Index stride, Bfloat16Pair* to, Index to_stride) {
  if (count == block_channels<Bfloat16Pair>)
    return microkernel().bfloat16().round(from, pixels, count, stride, to, to_stride);
  for (Index pixel = 0; pixel < pixels; ++pixel, from += stride, to += to_stride) copy_block(from, count, to);
}

/// Operands to allocate past the end of a Product's x, because a microkernel may read them.
template <class Operand>
inline constexpr Index overread = is_bfloat16<Operand> ? min_pixels_read* block_operands : 0;

/// Rows of `channels` numbers -> [blocks][rows][block_operands], zeros to the end of the last block.
template <class Operand>
void rows_to_blocks(const real* from, Index rows, Index channels, Operand* to) {
  for (Index channel = 0; channel < channels; channel += block_channels<Operand>, to += rows * block_operands)
    copy_blocks(from + channel, rows, std::min(channels - channel, block_channels<Operand>), channels, to,
                block_operands);
}

/// The number of pairs of rows, rounded up to whole squares.
inline Index square_columns(Index rows) { return blocks_of(rows, 2 * square_side) * square_side; }

/// The columns of an OuterSum over `rows`: the rows, or pairs of them; for AMX, rounded up to whole squares.
template <class Operand>
Index sum_columns(Index rows) {
  if constexpr (is_bfloat16<Operand>) {
    return microkernel().bfloat16().transposed ? square_columns(rows) : blocks_of(rows, 2);
  } else {
    return rows;
  }
}

/// Packs rows for an OuterSum over them: [blocks][sum_columns][width], where `width` is some channel blocks and pairs
/// are of neighbouring rows.
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
    const auto& micro = microkernel().bfloat16();
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

/// Transposes the columns of channel blocks, if an OuterSum expects its x transposed.
inline void transpose_columns(real*, Index) {}
inline void transpose_columns(Bfloat16Pair* columns, Index count) {
  const Bfloat16Kernels& micro = microkernel().bfloat16();
  if (micro.transposed) micro.transpose_squares(columns, count / square_side);
}

/// The last column at or before that of `row` at which an OuterSum may begin.
template <class Operand>
Index begin_column(Index row) {
  if constexpr (is_bfloat16<Operand>) {
    return microkernel().bfloat16().transposed ? row / (2 * square_side) * square_side : row / 2;
  } else {
    return row;
  }
}

/// Packs the weights at(k, c) of inputs k and outputs c for a Product with one offset per block of inputs: [output
/// blocks][input blocks][block_operands][output block], with zeros past the edges.
template <class Operand, class At>
Packer weights_in_blocks(Index inputs, Index outputs, At at) {
  const Index width = microkernel().output_block, blocks = blocks_of(outputs, width),
              height = blocks_of(inputs, block_channels<Operand>) * block_operands;
  const auto fill = [=](Index block, real* packed) {
    const Index first = block * width, count = std::min(width, outputs - first);
    Operand* to = as_operands<Operand>(packed) + block * height * width;
    for (Index k = 0; k < height * operand_numbers<Operand>; k += operand_numbers<Operand>, to += width) {
      const Index existing = k < inputs ? count : 0;
      for (Index c = 0; c < existing; ++c)
        to[c] = make_operand<Operand>([&](Index n) { return k + n < inputs ? at(k + n, first + c) : 0; });
      std::fill(to + existing, to + width, Operand());
    }
  };
  return {{blocks, height, width}, blocks, fill, is_bfloat16<Operand>};
}

/// dweight[O,I,taps...] (+)= the sums of a channel block of outputs, from first_o on, by one of inputs, from first_i
/// on, as far as these channels exist. sums[i input + k tap + o] is that of output o, input i and tap k.
inline void store_taps(const real* sums, Index input, Index tap, Index first_o, Index first_i, bool accumulate,
                       Tensor& dweight) {
  const Index in = dweight.extent(1), taps = dweight.extent(2) * dweight.extent(3), stride = in * taps;
  const Index outs = std::min(channel_block, dweight.extent(0) - first_o), ins = std::min(channel_block, in - first_i);
  real* to = dweight.data() + first_o * stride + first_i * taps;
  if (taps == 9 && outs == channel_block && ins == channel_block) {
    return microkernel().store_taps(sums, input, tap, stride, accumulate, to);
  }
  for (Index o = 0; o < outs; ++o) {
    for (Index i = 0; i < ins; ++i) {
      for (Index k = 0; k < taps; ++k) {
        real& w = to[o * stride + i * taps + k];
        w = sums[i * input + k * tap + o] + (accumulate ? w : 0);
      }
    }
  }
}

/// The same for sums [taps][channel_block][output block].
inline void store_sum(const real* sum, Index first_o, Index first_i, bool accumulate, Tensor& dweight) {
  const Index width = microkernel().output_block;
  for (Index block = 0; block < width && first_o + block < dweight.extent(0); block += channel_block)
    store_taps(sum + block, width, channel_block * width, first_o + block, first_i, accumulate, dweight);
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
