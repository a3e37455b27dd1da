#include "tensor/kernels/conv/linear.h"

#include <algorithm>
#include <vector>

#include "tensor/gemm.h"
#include "tensor/kernels/packing/blocks.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"

// Matrix products with the microkernel of the convolutions instead of BLAS: the packed weights are cached, and the
// microkernel uses every vector extension that the processor has, whether the BLAS library supports it or not.
namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

// The rows of x of a panel, which stays in the first-level cache.
template <class Operand>
constexpr Index panel_rows = is_bfloat16<Operand> ? 128 : 112;

// The least number of multiplications that pays for a task.
constexpr Index task_work = Index{1} << 20;

// Too small to fill the registers; BLAS is faster.
bool small(const LinearShape& s) { return s.in < 8 || s.out < 8 || s.rows < 4; }

// y (+)= x times packed weights [in, out] (+ bias).
template <class Operand>
void multiply(Index rows, Index in, Index out, const real* x, const Operand* weight, const real* bias, bool accumulate,
              real* y) {
  const Microkernel& micro = microkernel();
  const Index blocks = blocks_of(in, block_channels<Operand>);
  parallel_for(rows, even_part(rows, panel_rows<Operand>), [&](Index first, Index last) {
    const Index count = last - first, register_tile = even_part(count, micro.of<Operand>().max_pixels);
    Scratch scratch;
    Operand* panel = as_operands<Operand>(scratch.take(blocks * count * block_operands + overread<Operand>));
    rows_to_blocks(x + first * in, count, in, panel);
    std::vector<Index> x_offsets, y_offsets;
    for (Index block = 0; block < blocks; ++block) x_offsets.push_back(block * count * block_operands);
    for (Index row = 0; row < register_tile; ++row) y_offsets.push_back(row * out);
    for (Index channel = 0; channel < out; channel += micro.output_block) {
      for (Index row = 0; row < count; row += register_tile) {
        micro.of<Operand>().product({.x = panel + row * block_operands,
                                     .x_offsets = x_offsets,
                                     .weight = weight + channel * blocks * block_operands,
                                     .pixels = std::min(register_tile, count - row),
                                     .y = y + (first + row) * out + channel,
                                     .y_offsets = y_offsets.data(),
                                     .channels = std::min(micro.output_block, out - channel),
                                     .bias = bias != nullptr ? bias + channel : nullptr,
                                     .accumulate = accumulate});
      }
    }
  });
}

// Packs the weights of inputs k and outputs c, which lie at weight[k k_stride + c c_stride]; one of the strides is 1.
template <class Operand>
Packer pack_weight(Index inputs, Index outputs, const real* weight, Index k_stride, Index c_stride) {
  Packer packer = weights_in_blocks<Operand>(inputs, outputs,
                                             [=](Index k, Index c) { return weight[k * k_stride + c * c_stride]; });
  const Index width = microkernel().output_block, blocks = blocks_of(inputs, block_channels<Operand>);
  if (inputs % block_channels<Operand> != 0 || outputs % width != 0) return packer;
  packer.pack = [=](Index block, real* packed) {  // whole squares only
    const Microkernel& micro = microkernel();
    for (Index k = 0; k < blocks; ++k) {
      for (Index c = 0; c < width; c += channel_block) {
        const real* from = weight + k * block_channels<Operand> * k_stride + (block * width + c) * c_stride;
        real* to = packed + (block * blocks + k) * block_operands * width + c;
        if constexpr (is_bfloat16<Operand>) {
          if (c_stride == 1) {
            micro.bfloat16().round_two(from, from + k_stride, block_operands, channel_block, 2 * k_stride,
                                       as_operands<Operand>(to), width);
          } else {
            real square[channel_block * block_operands];
            micro.bfloat16().round(from, channel_block, block_channels<Operand>, c_stride, as_operands<Operand>(square),
                                   block_operands);
            micro.transpose_square(square, block_operands, to, width);
          }
        } else if (c_stride == 1) {
          copy_blocks(from, block_operands, channel_block, k_stride, to, width);
        } else {
          micro.transpose_square(from, c_stride, to, width);
        }
      }
    }
  };
  return packer;
}

}  // namespace

void linear_forward(const LinearShape& s, const real* x, const Tensor& weight, const Tensor* bias, real* y) {
  if (small(s)) {
    for (Index row = 0; bias != nullptr && row < s.rows; ++row) std::copy_n(bias->data(), s.out, y + row * s.out);
    return parallel_gemm(Trans::no, Trans::yes, s.rows, s.out, s.in, 1, x, s.in, weight.data(), s.in,
                         bias != nullptr ? 1 : 0, y, s.out);
  }
  with_operands([&]<class Operand>(Operand) {
    const Tensor packed = packed_weight(weight, PackedLayout::linear_forward, 0,
                                        pack_weight<Operand>(s.in, s.out, weight.data(), 1, s.in));
    multiply(s.rows, s.in, s.out, x, as_operands<Operand>(packed.data()), bias != nullptr ? bias->data() : nullptr,
             false, y);
  });
}

void linear_backward_data(const LinearShape& s, const Tensor& weight, const real* dy, bool accumulate, real* dx) {
  if (small(s)) {
    return parallel_gemm(Trans::no, Trans::no, s.rows, s.in, s.out, 1, dy, s.out, weight.data(), s.in,
                         accumulate ? 1 : 0, dx, s.in);
  }
  with_operands([&]<class Operand>(Operand) {
    const Tensor packed =
        packed_weight(weight, PackedLayout::linear_data, 0, pack_weight<Operand>(s.out, s.in, weight.data(), s.in, 1));
    multiply(s.rows, s.out, s.in, dy, as_operands<Operand>(packed.data()), nullptr, accumulate, dx);
  });
}

// Rows as an OuterSum reads them, in blocks of `width` channels: in place, or packed.
template <class Operand>
struct RowBlocks {
  const Operand* data;
  Index block_stride, column_stride;
};
template <class Operand>
static RowBlocks<Operand> rows_for_sum(const real* from, Index rows, Index channels, Index width, bool transposed,
                                       Scratch& scratch) {
  if constexpr (!is_bfloat16<Operand>) {
    if (channels % width == 0 && channels <= max_channels_in_place) return {from, width, channels};
  }
  const Index blocks = blocks_of(channels, width), columns = sum_columns<Operand>(rows);
  Operand* copy = as_operands<Operand>(scratch.take(blocks * columns * width));
  rows_to_columns(from, rows, channels, width, copy);
  if (transposed) transpose_columns(copy, blocks * columns);
  return {copy, columns * width, width};
}

// The rows are cut into parts that are long enough to make adding the parts' sums cheap. A single part of whole blocks
// adds to dW directly; otherwise each part has its own sum, and the sums are added in order.
template <class Operand>
static void backward_weight(const LinearShape& s, const real* x, const real* dy, bool accumulate, Tensor& dweight) {
  const Microkernel& micro = microkernel();
  const Index width = micro.output_block, out_blocks = blocks_of(s.out, channel_block),
              in_blocks = blocks_of(s.in, width);
  const Index padded = in_blocks * width, size = out_blocks * channel_block * padded;
  const Index most_parts = std::clamp<Index>(s.rows * s.in * s.out >> 22, 1, std::clamp<Index>(s.rows / 512, 1, 8));
  const Index part_rows = even_part(s.rows, std::max(panel_rows<Operand>, blocks_of(s.rows, most_parts)));
  const Index parts = blocks_of(s.rows, part_rows);
  const bool directly = parts == 1 && size == s.out * s.in;
  Scratch scratch;
  real* sums = directly ? dweight.data() : scratch.take(parts * size);
  parallel_for(s.rows, part_rows, [&](Index begin, Index end) {
    real* sum = sums + begin / part_rows * size;
    const Index panel = even_part(end - begin, panel_rows<Operand>);
    for (Index first = begin; first < end; first += panel) {
      const Index rows = std::min(panel, end - first);
      Scratch local;
      const Index columns = sum_columns<Operand>(rows);
      const auto dy_rows = rows_for_sum<Operand>(dy + first * s.out, rows, s.out, channel_block, true, local),
                 x_rows = rows_for_sum<Operand>(x + first * s.in, rows, s.in, width, false, local);
      const Index row_blocks = std::max<Index>(1, task_work / (columns * out_blocks * channel_block * width));
      parallel_for(in_blocks, row_blocks, [&](Index first_i, Index last_i) {
        for (Index i = first_i; i < last_i; ++i) {
          for (Index o = 0; o < out_blocks; ++o) {
            micro.of<Operand>().outer_sum({.x = dy_rows.data + o * dy_rows.block_stride,
                                           .x_row = 0,
                                           .dy = x_rows.data + i * x_rows.block_stride,
                                           .rows = 1,
                                           .columns = columns,
                                           .sum = sum + o * channel_block * padded + i * width,
                                           .sum_row = padded,
                                           .accumulate = (directly && accumulate) || first > begin,
                                           .x_column = dy_rows.column_stride,
                                           .dy_column = x_rows.column_stride});
          }
        }
      });
    }
  });
  for (Index part = 0; part < parts && !directly; ++part) {
    for (Index o = 0; o < s.out; ++o) {
      const real* from = sums + part * size + o * padded;
      real* to = dweight.data() + o * s.in;
      const bool add = accumulate || part > 0;
#pragma omp simd
      for (Index i = 0; i < s.in; ++i) to[i] = from[i] + (add ? to[i] : 0);
    }
  }
}

void linear_backward_weight(const LinearShape& s, const real* x, const real* dy, bool accumulate, Tensor& dweight) {
  if (s.rows == 0) return accumulate ? void() : dweight.fill(0);
  if (small(s) || s.rows < 64) {  // over few rows, reading and writing the sums costs more than the products
    return parallel_gemm(Trans::yes, Trans::no, s.out, s.in, s.rows, 1, dy, s.out, x, s.in, accumulate ? 1 : 0,
                         dweight.data(), s.in);
  }
  with_operands([&]<class Operand>(Operand) { backward_weight<Operand>(s, x, dy, accumulate, dweight); });
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
