#include "tensor/kernels/conv/winograd.h"

#include <algorithm>
#include <vector>

#include "tensor/kernels/packing/packed_weights.h"
#include "tensor/kernels/conv/winograd_tiling.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"

// Winograd's minimal filtering. A tile of 4x4 outputs of a 3x3 correlation takes 144 multiplications a channel pair;
// seen as the product of two polynomials, evaluated at six points in each direction and interpolated back, it takes 36:
//     y = A^T [ (G w G^T) * (B^T d B) ] A,   d the 6x6 inputs of the tile, * elementwise                [Lavin16] eq. 8
// The sum over input channels goes inside the brackets, so that each of the 36 places is a matrix product [tiles, I]
// [I, O], for which the direct convolution's micro-kernels serve. Tiles go through in groups whose transforms fit the
// second-level cache. The gradient in the data is the same with the weights turned round; the gradient in the weights
// is the transpose
//     dw = G^T [ sum over tiles of (B^T d B) * (A dy A^T) ] G.
namespace reverie::inline REVERIE_PRECISION::kernels {

using namespace winograd;

namespace {

// The outputs of a tile for a block of channels, which may be more than there are.
void output(WinogradMicro::Output function, const real* m, Index place_stride, const real* bias, bool accumulate,
            real* const* pixels, Index channel, Index channels) {
  if (channel + channel_block <= channels) return function(m, place_stride, bias, accumulate, pixels, channel);
  real window[16 * channel_block] = {}, *window_pixels[16];
  for (Index k = 0; k < 16; ++k) window_pixels[k] = window + k * channel_block;
  function(m, place_stride, nullptr, false, window_pixels, 0);
  for (Index k = 0; k < 16; ++k) {
    for (Index c = channel; c < channels; ++c) {
      const real value = window_pixels[k][c - channel] + (bias != nullptr ? bias[c] : 0);
      pixels[k][c] = accumulate ? pixels[k][c] + value : value;
    }
  }
}

// How a pair of channels' nine taps lie in a weight [O, I, 3, 3], for the convolution or for its data gradient, which
// is the convolution with the weights turned round by 180 degrees and input for output channels.
struct Taps {
  Index out, in, out_step, in_step;
  bool turned;
  static Taps forward(const ConvShape& s) { return {s.out_channels, s.in_channels, s.in_channels * 9, 9, false}; }
  static Taps turned_round(const ConvShape& s) { return {s.in_channels, s.out_channels, 9, s.in_channels * 9, true}; }
};

// The units of 36 places of all pairs of channels, [output blocks][places][input blocks][block_units][output block].
template <class Unit>
struct Places {
  Index out_blocks, in_blocks, output_block;
  explicit Places(const Taps& t) : output_block(conv_micro().output_block) {
    out_blocks = blocks_of(t.out, output_block);
    in_blocks = blocks_of(t.in, block_channels<Unit>);
  }
  // Not the power of two that the channels make: places would meet in the same sets of the cache.
  Index place() const { return in_blocks * block_units * output_block + channel_block; }
  Index block() const { return places * place(); }
  // Of a block's output o.
  Index at(Index place_number, Index o, Index i) const {
    return place_number * place() + i / unit_numbers<Unit> * output_block + o;
  }
};

// U = G w G^T of an input and a block of output channels. Their taps lie where no processor foresees them, in memory
// that no cache holds after a step: those of some inputs further on are asked for now.
void transform_weights(const real* weight, const Taps& t, Index o, Index i, real* u, Index place_stride) {
  const Index count = i < t.in ? std::clamp<Index>(t.out - o, 0, channel_block) : 0;
  const real* taps = weight + o * t.out_step + i * t.in_step;
  constexpr Index ahead = 8;
  for (Index c = 0; c < count && i + ahead < t.in; ++c) __builtin_prefetch(taps + ahead * t.in_step + c * t.out_step);
  if (count == channel_block) return winograd_micro().weight(taps, t.out_step, t.turned, u, place_stride);
  real few[channel_block * 9] = {};
  for (Index c = 0; c < count; ++c) std::copy_n(taps + c * t.out_step, 9, few + c * 9);
  winograd_micro().weight(few, 9, t.turned, u, place_stride);
}

// The same of all inputs and the outputs of a block.
template <class Unit>
void transform_block(const real* weight, const Taps& t, const Places<Unit>& p, Index block, Unit* u) {
  for (Index i = 0; i < p.in_blocks * block_channels<Unit>; i += unit_numbers<Unit>) {
    for (Index o = 0; o < p.output_block; o += channel_block) {
      const Index output = block * p.output_block + o;
      Unit* to = u + p.at(0, o, i);
      if constexpr (is_bfloat16<Unit>) {
        real two[2][places * channel_block];
        for (const Index k : {0, 1}) transform_weights(weight, t, output, i + k, two[k], channel_block);
        conv_micro().bfloat16().round_two(two[0], two[1], places, channel_block, channel_block, to, p.place());
      } else {
        transform_weights(weight, t, output, i, to, p.place());
      }
    }
  }
}

// Transformed weights of more units are made anew for every use, if that is for a single group of tiles: block by block
// in the second-level cache, whereas kept ones would come from far behind it, and have been written there first.
constexpr Index most_kept_units = Index{1} << 19;

// Weights, transformed for all or for one group of tiles.
template <class Unit>
class TransformedWeights {
 public:
  TransformedWeights(const Tensor& weight, PackedForm form, const Taps& t, bool one_group)
      : weight_(weight.data()), taps_(t), p_(t) {
    const Index size = p_.out_blocks * p_.block();
    if (one_group && size > most_kept_units) return;
    const auto fill = [p = p_, t, w = weight_](Index block, real* all) {
      transform_block(w, t, p, block, units<Unit>(all) + block * p.block());
    };
    kept_ = packed_weight(weight, form, 0, {{p_.out_blocks, p_.block()}, p_.out_blocks, fill, is_bfloat16<Unit>});
  }
  // Those of a block of outputs; `scratch` may hold them.
  const Unit* block(Index number, Scratch& scratch) const {
    if (kept_.defined()) return units<Unit>(kept_.data()) + number * p_.block();
    Unit* u = units<Unit>(scratch.take(p_.block()));
    transform_block(weight_, taps_, p_, number, u);
    return u;
  }

 private:
  const real* weight_;
  Taps taps_;
  Places<Unit> p_;
  Tensor kept_;
};

// y (+)= the correlation of x, padded by one, with a weight.
template <class Unit>
void correlate(const Tiles& tiles, const Taps& taps, PackedForm form, const real* x, const Tensor& weight,
               const real* bias, bool accumulate, real* y) {
  const ConvMicro& micro = conv_micro();
  const Places<Unit> p(taps);
  const Index in = taps.in, out = taps.out;
  const Index at_once = group_tiles<Unit>(tiles.count(), places * (p.in_blocks * block_units + p.output_block));
  const TransformedWeights<Unit> weights(weight, form, taps, tiles.count() <= at_once);
  parallel_for(tiles.count(), at_once, [&](Index first, Index last) {
    const Group group(tiles, first, last);
    const Index count = group.count();
    const TileLayout v_layout = TileLayout::for_products(p.in_blocks, count, block_units),
                     m_layout = TileLayout::for_products(1, count, p.output_block);
    Scratch scratch;
    const Index v_size = places * v_layout.place_stride;
    Unit* v = units<Unit>(scratch.take(v_size + read_beyond<Unit>));
    if (in <= p.in_blocks * block_channels<Unit> - channel_block) std::fill_n(v, v_size, Unit());
    transform<6>(x, tiles, in, group, 1, winograd_micro().inputs<Unit>(), v_layout, v);
    real* sink = scratch.take(out);  // for outputs beyond the image
    std::fill_n(sink, out, real(0));
    std::vector<real*> pixels(static_cast<std::size_t>(count * 16));
    for (Index t = 0; t < count; ++t)
      tiles.window<4>(y, out, group.tiles[t], 0, sink, pixels.data() + t * 16);
    std::vector<Index> steps, m_at;
    for (Index block = 0; block < p.in_blocks; ++block) steps.push_back(v_layout.at(0, block, 0));
    for (Index t = 0; t < micro.in<Unit>().max_pixels; ++t) m_at.push_back(m_layout.at(0, 0, t));
    parallel_tasks(p.out_blocks, [&](Index block) {
      const Index channel = block * p.output_block;
      Scratch local;
      real* m = local.take(places * m_layout.place_stride);
      const Unit* u = weights.block(block, local);
      for (Index place = 0; place < places; ++place) {
        const auto [begin, end] = group.having(place);
        const Index tile = even_tile(end - begin, micro.in<Unit>().max_pixels);
        for (Index t = begin; t < end; t += tile) {
          micro.in<Unit>().product({.x = v + v_layout.at(place, 0, t),
                                    .steps = steps,
                                    .weight = u + p.at(place, 0, 0),
                                    .pixels = std::min(tile, end - t),
                                    .y = m + m_layout.at(place, 0, t),
                                    .y_at = m_at.data(),
                                    .channels = p.output_block});
        }
      }
      for (Index t = 0; t < count; ++t) {
        const Tile& tile = group.tiles[t];
        for (Index c = channel; c < std::min(channel + p.output_block, out); c += channel_block) {
          output(winograd_micro().output[tile.few_rows][tile.few_columns], m + m_layout.at(0, 0, t) + c - channel,
                 m_layout.place_stride, bias, accumulate, pixels.data() + t * 16, c, out);
        }
      }
    });
  });
}

// Of a block of output and one of input channels the sum over tiles, [places][channel_block][output block].
struct PairSum {
  real* sum;

  // Not the power of two that the channels make: places would meet in the same sets of the cache.
  static Index place() { return channel_block * conv_micro().output_block + channel_block; }

  // dweight (+)= G^T sum G, for the channels from first_o and first_i on.
  void put(Index first_o, Index first_i, bool accumulate, Tensor& dweight) const {
    const Index width = conv_micro().output_block;
    for (Index o = 0; o < std::min(width, dweight.extent(0) - first_o); o += channel_block) {
      real taps[channel_block * 9 * channel_block];  // [inputs][taps][outputs]
      for (Index i = 0; i < channel_block; ++i)
        winograd_micro().weight_gradient(sum + i * width + o, place(), taps + i * 9 * channel_block);
      put_taps(taps, 9 * channel_block, channel_block, first_o + o, first_i, accumulate, dweight);
    }
  }
};

}  // namespace

bool winograd_applies(const ConvShape& s) {
  return s.kernel_height == 3 && s.kernel_width == 3 && s.stride == 1 && s.padding == 1 && s.groups == 1 &&
         s.in_channels >= 16 && s.out_channels >= 16 && s.in_height >= 4 && s.in_width >= 4;
}

void winograd_conv2d_forward(const ConvShape& s, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y) {
  with_units([&]<class Unit>(Unit) {
    correlate<Unit>({s.batch, s.in_height, s.in_width}, Taps::forward(s), PackedForm::winograd_forward, x.data(),
                    weight, bias != nullptr ? bias->data() : nullptr, false, y.data());
  });
}

void winograd_conv2d_backward_data(const ConvShape& s, const Tensor& weight, const Tensor& dy, bool accumulate,
                                   Tensor& dx) {
  with_units([&]<class Unit>(Unit) {
    correlate<Unit>({s.batch, s.in_height, s.in_width}, Taps::turned_round(s), PackedForm::winograd_data, dy.data(),
                    weight, nullptr, accumulate, dx.data());
  });
}

template <class Unit>
static void backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, bool accumulate, Tensor& dweight) {
  const ConvMicro& micro = conv_micro();
  const Tiles tiles{s.batch, s.in_height, s.in_width};
  const Index in = s.in_channels, out = s.out_channels;
  const Index in_blocks = blocks_of(in, channel_block), out_blocks = blocks_of(out, micro.output_block);
  const Index tile_reals = places * (in_blocks * channel_block + out_blocks * micro.output_block);
  const Index at_once = group_tiles<Unit>(tiles.count(), tile_reals / unit_numbers<Unit>);
  const Index pairs = out_blocks * in_blocks, sum_size = places * PairSum::place();  // pairs of blocks
  Scratch scratch;
  real* sums = tiles.count() > at_once ? scratch.take(pairs * sum_size) : nullptr;  // where a single group leaves none
  for (Index first = 0; first < tiles.count(); first += at_once) {
    const Group group(tiles, first, std::min(first + at_once, tiles.count()));
    const Index count = sum_columns<Unit>(group.count());
    const TileLayout v_layout = TileLayout::for_sums(count, channel_block),
                     d_layout = TileLayout::for_sums(count, micro.output_block);
    Scratch of_group;
    const Index v_size = in_blocks * v_layout.block_stride, d_size = out_blocks * d_layout.block_stride;
    Unit* v = units<Unit>(of_group.take(v_size));
    Unit* d = units<Unit>(of_group.take(d_size));
    if (out % micro.output_block != 0) std::fill_n(d, d_size, Unit());  // channels that only fill up
    transform_for_sum<6>(x.data(), tiles, in, group, 1, winograd_micro().input, v_layout, v);
    transform_for_sum<4>(dy.data(), tiles, out, group, 0, winograd_micro().gradient, d_layout, d);
    if constexpr (is_bfloat16<Unit>) {
      parallel_tasks(places, [&](Index place) {
        for (Index i = 0; i < in_blocks; ++i) turn_columns(v + v_layout.at(place, i, 0), count);
      });
    }
    parallel_tasks(pairs, [&](Index pair) {
      const Index o = pair / in_blocks, i = pair % in_blocks;
      Scratch of_pair;
      real* sum = sums != nullptr ? sums + pair * sum_size : of_pair.take(sum_size);
      for (Index place = 0; place < places; ++place) {
        const Group::Range having = group.having(place);
        const Index begin = begin_column<Unit>(having.begin);
        micro.in<Unit>().outer_sum({.x = v + v_layout.at(place, i, begin),
                                    .x_row = 0,
                                    .dy = d + d_layout.at(place, o, begin),
                                    .rows = 1,
                                    .columns = blocks_of(having.end, unit_numbers<Unit>) - begin,
                                    .sum = sum + place * PairSum::place(),
                                    .sum_row = micro.output_block,
                                    .accumulate = first > 0});
      }
      if (first + at_once >= tiles.count())
        PairSum{sum}.put(o * micro.output_block, i * channel_block, accumulate, dweight);
    });
  }
}

void winograd_conv2d_backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, bool accumulate,
                                     Tensor& dweight) {
  with_units([&]<class Unit>(Unit) { backward_weight<Unit>(s, x, dy, accumulate, dweight); });
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
