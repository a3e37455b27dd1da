#include "tensor/kernels/conv/linear.h"

#include <algorithm>
#include <vector>

#include "tensor/gemm.h"
#include "tensor/kernels/packing/blocks.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"

// Matrix products with the convolutions' micro-kernels: the weights come from PackedWeights, packed, and any vector
// extension that the processor has is used, whatever the BLAS library knows of it.
namespace reverie::inline REVERIE_PRECISION::kernels {
namespace {

// Rows of x that go through together, and stay in the first-level cache while they do.
template <class Unit>
constexpr Index panel_rows = is_bfloat16<Unit> ? 128 : 112;

// Multiplications that are worth a task.
constexpr Index task_work = Index{1} << 20;

// Too few of anything to fill the registers, or nearly nothing to do.
bool small(const LinearShape& s) { return s.in < 8 || s.out < 8 || s.rows < 4; }

// y (+)= x times weights in blocks, [in, out].
template <class Unit>
void multiply(Index rows, Index in, Index out, const real* x, const Unit* weight, const real* bias, bool accumulate,
              real* y) {
  const ConvMicro& micro = conv_micro();
  const Index blocks = blocks_of(in, block_channels<Unit>);
  parallel_for(rows, even_tile(rows, panel_rows<Unit>), [&](Index first, Index last) {
    const Index count = last - first, tile = even_tile(count, micro.in<Unit>().max_pixels);
    Scratch scratch;
    Unit* panel = units<Unit>(scratch.take(blocks * count * block_units + read_beyond<Unit>));
    rows_to_blocks(x + first * in, count, in, panel);
    std::vector<Index> steps, y_at;
    for (Index block = 0; block < blocks; ++block) steps.push_back(block * count * block_units);
    for (Index row = 0; row < tile; ++row) y_at.push_back(row * out);
    for (Index channel = 0; channel < out; channel += micro.output_block) {
      for (Index row = 0; row < count; row += tile) {
        micro.in<Unit>().product({.x = panel + row * block_units,
                                  .steps = steps,
                                  .weight = weight + channel * blocks * block_units,
                                  .pixels = std::min(tile, count - row),
                                  .y = y + (first + row) * out + channel,
                                  .y_at = y_at.data(),
                                  .channels = std::min(micro.output_block, out - channel),
                                  .bias = bias != nullptr ? bias + channel : nullptr,
                                  .accumulate = accumulate});
      }
    }
  });
}

// The recipe for the weights of inputs k and outputs c, which stand at weight[k k_step + c c_step]; one of the steps
// is 1.
template <class Unit>
PackingRecipe blocks_of_weight(Index inputs, Index outputs, const real* weight, Index k_step, Index c_step) {
  PackingRecipe recipe =
      weights_in_blocks<Unit>(inputs, outputs, [=](Index k, Index c) { return weight[k * k_step + c * c_step]; });
  const Index width = conv_micro().output_block, blocks = blocks_of(inputs, block_channels<Unit>);
  if (inputs % block_channels<Unit> != 0 || outputs % width != 0) return recipe;
  recipe.fill = [=](Index block, real* form) {  // square by square
    const ConvMicro& micro = conv_micro();
    for (Index k = 0; k < blocks; ++k) {
      for (Index c = 0; c < width; c += channel_block) {
        const real* from = weight + k * block_channels<Unit> * k_step + (block * width + c) * c_step;
        real* to = form + (block * blocks + k) * block_units * width + c;
        if constexpr (is_bfloat16<Unit>) {
          if (c_step == 1) {
            micro.bfloat16().round_two(from, from + k_step, block_units, channel_block, 2 * k_step, units<Unit>(to),
                                       width);
          } else {
            real square[channel_block * block_units];
            micro.bfloat16().round(from, channel_block, block_channels<Unit>, c_step, units<Unit>(square), block_units);
            micro.turn(square, block_units, to, width);
          }
        } else if (c_step == 1) {
          copy_blocks(from, block_units, channel_block, k_step, to, width);
        } else {
          micro.turn(from, c_step, to, width);
        }
      }
    }
  };
  return recipe;
}

}  // namespace

void linear_forward(const LinearShape& s, const real* x, const Tensor& weight, const Tensor* bias, real* y) {
  if (small(s)) {
    for (Index row = 0; bias != nullptr && row < s.rows; ++row) std::copy_n(bias->data(), s.out, y + row * s.out);
    return parallel_gemm(Trans::no, Trans::yes, s.rows, s.out, s.in, 1, x, s.in, weight.data(), s.in,
                         bias != nullptr ? 1 : 0, y, s.out);
  }
  with_units([&]<class Unit>(Unit) {
    const Tensor packed =
        packed_weight(weight, PackedForm::linear_forward, 0, blocks_of_weight<Unit>(s.in, s.out, weight.data(), 1, s.in));
    multiply(s.rows, s.in, s.out, x, units<Unit>(packed.data()), bias != nullptr ? bias->data() : nullptr, false, y);
  });
}

void linear_backward_data(const LinearShape& s, const Tensor& weight, const real* dy, bool accumulate, real* dx) {
  if (small(s)) {
    return parallel_gemm(Trans::no, Trans::no, s.rows, s.in, s.out, 1, dy, s.out, weight.data(), s.in,
                         accumulate ? 1 : 0, dx, s.in);
  }
  with_units([&]<class Unit>(Unit) {
    const Tensor packed =
        packed_weight(weight, PackedForm::linear_data, 0, blocks_of_weight<Unit>(s.out, s.in, weight.data(), s.in, 1));
    multiply(s.rows, s.out, s.in, dy, units<Unit>(packed.data()), nullptr, accumulate, dx);
  });
}

// What an OuterSum reads of some rows, in blocks of `width` channels: the rows where they lie, or a copy.
template <class Unit>
struct RowBlocks {
  const Unit* data;
  Index block_step, column_step;
};
template <class Unit>
static RowBlocks<Unit> rows_for_sum(const real* from, Index rows, Index channels, Index width, bool turned,
                                    Scratch& scratch) {
  if constexpr (!is_bfloat16<Unit>) {
    if (channels % width == 0 && channels <= most_in_place) return {from, width, channels};
  }
  const Index blocks = blocks_of(channels, width), columns = sum_columns<Unit>(rows);
  Unit* copy = units<Unit>(scratch.take(blocks * columns * width));
  rows_to_columns(from, rows, channels, width, copy);
  if (turned) turn_columns(copy, blocks * columns);
  return {copy, columns * width, width};
}

// The rows are cut into parts, so long that sums cost little beside products. A single one adds to dW at once, if only
// whole blocks do; otherwise each has a sum of its own, and they are added in their order.
template <class Unit>
static void backward_weight(const LinearShape& s, const real* x, const real* dy, bool accumulate, Tensor& dweight) {
  const ConvMicro& micro = conv_micro();
  const Index width = micro.output_block, out_blocks = blocks_of(s.out, channel_block),
              in_blocks = blocks_of(s.in, width);
  const Index padded = in_blocks * width, size = out_blocks * channel_block * padded;
  const Index parts_wanted = std::clamp<Index>(s.rows * s.in * s.out >> 22, 1, std::clamp<Index>(s.rows / 512, 1, 8));
  const Index part_rows = even_tile(s.rows, std::max(panel_rows<Unit>, blocks_of(s.rows, parts_wanted)));
  const Index parts = blocks_of(s.rows, part_rows);
  const bool at_once = parts == 1 && size == s.out * s.in;
  Scratch scratch;
  real* sums = at_once ? dweight.data() : scratch.take(parts * size);
  parallel_for(s.rows, part_rows, [&](Index begin, Index end) {
    real* sum = sums + begin / part_rows * size;
    const Index panel = even_tile(end - begin, panel_rows<Unit>);
    for (Index first = begin; first < end; first += panel) {
      const Index rows = std::min(panel, end - first);
      Scratch local;
      const Index columns = sum_columns<Unit>(rows);
      const auto dy_rows = rows_for_sum<Unit>(dy + first * s.out, rows, s.out, channel_block, true, local),
                 x_rows = rows_for_sum<Unit>(x + first * s.in, rows, s.in, width, false, local);
      const Index row_blocks = std::max<Index>(1, task_work / (columns * out_blocks * channel_block * width));
      parallel_for(in_blocks, row_blocks, [&](Index first_i, Index last_i) {
        for (Index i = first_i; i < last_i; ++i) {
          for (Index o = 0; o < out_blocks; ++o) {
            micro.in<Unit>().outer_sum({.x = dy_rows.data + o * dy_rows.block_step,
                                        .x_row = 0,
                                        .dy = x_rows.data + i * x_rows.block_step,
                                        .rows = 1,
                                        .columns = columns,
                                        .sum = sum + o * channel_block * padded + i * width,
                                        .sum_row = padded,
                                        .accumulate = (at_once && accumulate) || first > begin,
                                        .x_column = dy_rows.column_step,
                                        .dy_column = x_rows.column_step});
          }
        }
      });
    }
  });
  for (Index part = 0; part < parts && !at_once; ++part) {
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
  if (small(s) || s.rows < 64) {  // sums over few rows: their tiles would be read and written more than computed
    return parallel_gemm(Trans::yes, Trans::no, s.out, s.in, s.rows, 1, dy, s.out, x, s.in, accumulate ? 1 : 0,
                         dweight.data(), s.in);
  }
  with_units([&]<class Unit>(Unit) { backward_weight<Unit>(s, x, dy, accumulate, dweight); });
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
