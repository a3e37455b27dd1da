#include "tensor/kernels/conv/winograd.h"

#include <algorithm>
#include <vector>

#include "tensor/kernels/conv/winograd_tiling.h"
#include "tensor/kernels/packing/packed_weights.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"

// Winograd's minimal filtering. A Winograd tile is 4x4 outputs, which a 3x3 correlation computes from 6x6 inputs. Done
// directly, that takes 144 multiplications per pair of channels. As the product of two polynomials, evaluated at six
// points per axis and interpolated back, it takes 36:
//     y = A^T [ (G w G^T) * (B^T d B) ] A,   d the 6x6 inputs, * elementwise.
// [Lavin16] eq. 8
// The sum over input channels moves inside the brackets, so each of the 36 elements is a matrix product [tiles, I] x
// [I, O], which the microkernel computes. Tiles are processed in groups whose transforms fit in the second-level cache.
// The gradient in the data is the same with the weights rotated by 180 degrees; the gradient in the weights is the
// transpose,
//     dw = G^T [ sum over tiles of (B^T d B) * (A dy A^T) ] G.
namespace reverie::inline REVERIE_PRECISION::kernels {

using namespace winograd;

namespace {

// Computes the outputs of a Winograd tile for a block of channels; the last channels may not exist.
void output(WinogradTransforms::Output function, const real* m, Index element_stride, const real* bias, bool accumulate,
            real* const* pixels, Index channel, Index channels) {
  if (channel + channel_block <= channels) return function(m, element_stride, bias, accumulate, pixels, channel);
  real window[16 * channel_block] = {}, *window_pixels[16];
  for (Index k = 0; k < 16; ++k) window_pixels[k] = window + k * channel_block;
  function(m, element_stride, nullptr, false, window_pixels, 0);
  for (Index k = 0; k < 16; ++k) {
    for (Index c = channel; c < channels; ++c) {
      const real value = window_pixels[k][c - channel] + (bias != nullptr ? bias[c] : 0);
      pixels[k][c] = accumulate ? pixels[k][c] + value : value;
    }
  }
}

// The nine taps of each pair of channels in a weight [O, I, 3, 3]; for the gradient in the data, rotated by 180 degrees
// and with inputs and outputs exchanged.
struct Taps {
  Index out, in, out_stride, in_stride;
  bool rotated;
  static Taps of_forward(const ConvShape& s) { return {s.out_channels, s.in_channels, s.in_channels * 9, 9, false}; }
  static Taps of_backward_data(const ConvShape& s) {
    return {s.in_channels, s.out_channels, 9, s.in_channels * 9, true};
  }
};

// The transformed weights of all pairs of channels: [output blocks][elements][input blocks][block_operands][output
// block].
template <class Operand>
struct WeightLayout {
  Index out_blocks, in_blocks, output_block;
  explicit WeightLayout(const Taps& t) : output_block(microkernel().output_block) {
    out_blocks = blocks_of(t.out, output_block);
    in_blocks = blocks_of(t.in, block_channels<Operand>);
  }
  // Padded: at a stride that is a power of two, all elements would fall into the same sets of the cache.
  Index element() const { return in_blocks * block_operands * output_block + channel_block; }
  Index block() const { return elements * element(); }
  // The offset of output o and input i in a block.
  Index at(Index element_number, Index o, Index i) const {
    return element_number * element() + i / operand_numbers<Operand> * output_block + o;
  }
};

// U = G w G^T of one input channel and a block of output channels. The processor can't predict where their taps lie, so
// the taps of a later input are prefetched.
void transform_weights(const real* weight, const Taps& t, Index o, Index i, real* u, Index element_stride) {
  const Index count = i < t.in ? std::clamp<Index>(t.out - o, 0, channel_block) : 0;
  const real* taps = weight + o * t.out_stride + i * t.in_stride;
  constexpr Index ahead = 8;
  for (Index c = 0; c < count && i + ahead < t.in; ++c)
    __builtin_prefetch(taps + ahead * t.in_stride + c * t.out_stride);
  if (count == channel_block) return winograd_transforms().weight(taps, t.out_stride, t.rotated, u, element_stride);
  real few[channel_block * 9] = {};
  for (Index c = 0; c < count; ++c) std::copy_n(taps + c * t.out_stride, 9, few + c * 9);
  winograd_transforms().weight(few, 9, t.rotated, u, element_stride);
}

// The same for all inputs and one block of outputs.
template <class Operand>
void transform_block(const real* weight, const Taps& t, const WeightLayout<Operand>& p, Index block, Operand* u) {
  for (Index i = 0; i < p.in_blocks * block_channels<Operand>; i += operand_numbers<Operand>) {
    for (Index o = 0; o < p.output_block; o += channel_block) {
      const Index output = block * p.output_block + o;
      Operand* to = u + p.at(0, o, i);
      if constexpr (is_bfloat16<Operand>) {
        real two[2][elements * channel_block];
        for (const Index k : {0, 1}) transform_weights(weight, t, output, i + k, two[k], channel_block);
        microkernel().bfloat16().round_two(two[0], two[1], elements, channel_block, channel_block, to, p.element());
      } else {
        transform_weights(weight, t, output, i, to, p.element());
      }
    }
  }
}

// Larger transformed weights that only one tile group uses are not cached but computed block by block in the
// second-level cache: writing them to memory and reading them back would take longer.
constexpr Index max_cached_operands = Index{1} << 19;

// Transformed weights: from the cache, or computed block by block.
template <class Operand>
class TransformedWeights {
 public:
  TransformedWeights(const Tensor& weight, PackedLayout layout, const Taps& t, bool one_group)
      : weight_(weight.data()), taps_(t), p_(t) {
    const Index size = p_.out_blocks * p_.block();
    if (one_group && size > max_cached_operands) return;
    const auto fill = [p = p_, t, w = weight_](Index block, real* all) {
      transform_block(w, t, p, block, as_operands<Operand>(all) + block * p.block());
    };
    packed_ =
        packed_weight(weight, layout, 0, {{p_.out_blocks, p_.block()}, p_.out_blocks, fill, is_bfloat16<Operand>});
  }
  // Returns those of a block of outputs; `scratch` may hold them.
  const Operand* block(Index number, Scratch& scratch) const {
    if (packed_.defined()) return as_operands<Operand>(packed_.data()) + number * p_.block();
    Operand* u = as_operands<Operand>(scratch.take(p_.block()));
    transform_block(weight_, taps_, p_, number, u);
    return u;
  }

 private:
  const real* weight_;
  Taps taps_;
  WeightLayout<Operand> p_;
  Tensor packed_;
};

// y (+)= the correlation of x, padded by one, with a weight.
template <class Operand>
void correlate(const Tiling& tiles, const Taps& taps, PackedLayout layout, const real* x, const Tensor& weight,
               const real* bias, bool accumulate, real* y) {
  const Microkernel& micro = microkernel();
  const WeightLayout<Operand> p(taps);
  const Index in = taps.in, out = taps.out;
  const Index at_once =
      tiles_per_group<Operand>(tiles.count(), elements * (p.in_blocks * block_operands + p.output_block));
  const TransformedWeights<Operand> weights(weight, layout, taps, tiles.count() <= at_once);
  parallel_for(tiles.count(), at_once, [&](Index first, Index last) {
    const TileGroup group(tiles, first, last);
    const Index count = group.count();
    const TileLayout v_layout = TileLayout::for_products(p.in_blocks, count, block_operands),
                     m_layout = TileLayout::for_products(1, count, p.output_block);
    Scratch scratch;
    const Index v_size = elements * v_layout.element_stride;
    Operand* v = as_operands<Operand>(scratch.take(v_size + overread<Operand>));
    if (in <= p.in_blocks * block_channels<Operand> - channel_block) std::fill_n(v, v_size, Operand());
    transform<6>(x, tiles, in, group, 1, winograd_transforms().inputs<Operand>(), v_layout, v);
    real* sink = scratch.take(out);  // for outputs outside of the image
    std::fill_n(sink, out, real(0));
    std::vector<real*> pixels(count * 16);
    for (Index t = 0; t < count; ++t) tiles.window<4>(y, out, group.tiles[t], 0, sink, pixels.data() + t * 16);
    std::vector<Index> x_offsets, m_offsets;
    for (Index block = 0; block < p.in_blocks; ++block) x_offsets.push_back(v_layout.at(0, block, 0));
    for (Index t = 0; t < micro.of<Operand>().max_pixels; ++t) m_offsets.push_back(m_layout.at(0, 0, t));
    parallel_tasks(p.out_blocks, [&](Index block) {
      const Index channel = block * p.output_block;
      Scratch local;
      real* m = local.take(elements * m_layout.element_stride);
      const Operand* u = weights.block(block, local);
      for (Index element = 0; element < elements; ++element) {
        const auto [begin, end] = group.tiles_with(element);
        const Index register_tile = even_part(end - begin, micro.of<Operand>().max_pixels);
        for (Index t = begin; t < end; t += register_tile) {
          micro.of<Operand>().product({.x = v + v_layout.at(element, 0, t),
                                       .x_offsets = x_offsets,
                                       .weight = u + p.at(element, 0, 0),
                                       .pixels = std::min(register_tile, end - t),
                                       .y = m + m_layout.at(element, 0, t),
                                       .y_offsets = m_offsets.data(),
                                       .channels = p.output_block});
        }
      }
      for (Index t = 0; t < count; ++t) {
        const WinogradTile& tile = group.tiles[t];
        for (Index c = channel; c < std::min(channel + p.output_block, out); c += channel_block) {
          output(winograd_transforms().output[tile.few_rows][tile.few_columns], m + m_layout.at(0, 0, t) + c - channel,
                 m_layout.element_stride, bias, accumulate, pixels.data() + t * 16, c, out);
        }
      }
    });
  });
}

// The sum over Winograd tiles for a block of outputs and a block of inputs: [elements][channel_block][output block].
struct BlockSum {
  real* sum;

  // Padded: at a stride that is a power of two, all elements would fall into the same sets of the cache.
  static Index element() { return channel_block * microkernel().output_block + channel_block; }

  // dweight (+)= G^T sum G, for the channels from first_o and first_i on.
  void put(Index first_o, Index first_i, bool accumulate, Tensor& dweight) const {
    const Index width = microkernel().output_block;
    for (Index o = 0; o < std::min(width, dweight.extent(0) - first_o); o += channel_block) {
      real taps[channel_block * 9 * channel_block];  // [inputs][taps][outputs]
      for (Index i = 0; i < channel_block; ++i)
        winograd_transforms().weight_gradient(sum + i * width + o, element(), taps + i * 9 * channel_block);
      store_taps(taps, 9 * channel_block, channel_block, first_o + o, first_i, accumulate, dweight);
    }
  }
};

}  // namespace

bool winograd_applies(const ConvShape& s) {
  return s.kernel_height == 3 && s.kernel_width == 3 && s.stride == 1 && s.padding == 1 && s.groups == 1 &&
         s.in_channels >= 16 && s.out_channels >= 16 && s.in_height >= 4 && s.in_width >= 4;
}

void winograd_conv2d_forward(const ConvShape& s, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y) {
  with_operands([&]<class Operand>(Operand) {
    correlate<Operand>({s.batch, s.in_height, s.in_width}, Taps::of_forward(s), PackedLayout::winograd_forward,
                       x.data(), weight, bias != nullptr ? bias->data() : nullptr, false, y.data());
  });
}

void winograd_conv2d_backward_data(const ConvShape& s, const Tensor& weight, const Tensor& dy, bool accumulate,
                                   Tensor& dx) {
  with_operands([&]<class Operand>(Operand) {
    correlate<Operand>({s.batch, s.in_height, s.in_width}, Taps::of_backward_data(s), PackedLayout::winograd_data,
                       dy.data(), weight, nullptr, accumulate, dx.data());
  });
}

template <class Operand>
static void backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, bool accumulate, Tensor& dweight) {
  const Microkernel& micro = microkernel();
  const Tiling tiles{s.batch, s.in_height, s.in_width};
  const Index in = s.in_channels, out = s.out_channels;
  const Index in_blocks = blocks_of(in, channel_block), out_blocks = blocks_of(out, micro.output_block);
  const Index reals_per_tile = elements * (in_blocks * channel_block + out_blocks * micro.output_block);
  const Index at_once = tiles_per_group<Operand>(tiles.count(), reals_per_tile / operand_numbers<Operand>);
  const Index pairs = out_blocks * in_blocks, sum_size = elements * BlockSum::element();  // pairs of blocks
  Scratch scratch;
  real* sums = tiles.count() > at_once ? scratch.take(pairs * sum_size) : nullptr;  // of several groups
  for (Index first = 0; first < tiles.count(); first += at_once) {
    const TileGroup group(tiles, first, std::min(first + at_once, tiles.count()));
    const Index count = sum_columns<Operand>(group.count());
    const TileLayout v_layout = TileLayout::for_sums(count, channel_block),
                     d_layout = TileLayout::for_sums(count, micro.output_block);
    Scratch of_group;
    const Index v_size = in_blocks * v_layout.block_stride, d_size = out_blocks * d_layout.block_stride;
    Operand* v = as_operands<Operand>(of_group.take(v_size));
    Operand* d = as_operands<Operand>(of_group.take(d_size));
    if (out % micro.output_block != 0) std::fill_n(d, d_size, Operand());  // channels that don't exist
    transform_for_sum<6>(x.data(), tiles, in, group, 1, winograd_transforms().input, v_layout, v);
    transform_for_sum<4>(dy.data(), tiles, out, group, 0, winograd_transforms().gradient, d_layout, d);
    if constexpr (is_bfloat16<Operand>) {
      parallel_tasks(elements, [&](Index element) {
        for (Index i = 0; i < in_blocks; ++i) transpose_columns(v + v_layout.at(element, i, 0), count);
      });
    }
    parallel_tasks(pairs, [&](Index pair) {
      const Index o = pair / in_blocks, i = pair % in_blocks;
      Scratch of_pair;
      real* sum = sums != nullptr ? sums + pair * sum_size : of_pair.take(sum_size);
      for (Index element = 0; element < elements; ++element) {
        const TileGroup::Range range = group.tiles_with(element);
        const Index begin = begin_column<Operand>(range.begin);
        micro.of<Operand>().outer_sum({.x = v + v_layout.at(element, i, begin),
                                       .x_row = 0,
                                       .dy = d + d_layout.at(element, o, begin),
                                       .rows = 1,
                                       .columns = blocks_of(range.end, operand_numbers<Operand>) - begin,
                                       .sum = sum + element * BlockSum::element(),
                                       .sum_row = micro.output_block,
                                       .accumulate = first > 0});
      }
      if (first + at_once >= tiles.count())
        BlockSum{sum}.put(o * micro.output_block, i * channel_block, accumulate, dweight);
    });
  }
}

void winograd_conv2d_backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, bool accumulate,
                                     Tensor& dweight) {
  with_operands([&]<class Operand>(Operand) { backward_weight<Operand>(s, x, dy, accumulate, dweight); });
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
