#include "tensor/kernels/conv_winograd.h"

#include <algorithm>
#include <vector>

#include "tensor/kernels/blocks.h"
#include "tensor/kernels/kept_weights.h"
#include "tensor/kernels/winograd_micro.h"
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
namespace {

constexpr Index places = 36;

// Images cut into tiles of 4x4 outputs, counted through image after image.
struct Tiles {
  Index batch, height, width;
  Index down() const { return blocks_of(height, 4); }
  Index across() const { return blocks_of(width, 4); }
  Index count() const { return batch * down() * across(); }

  // The addresses of the pixels of a tile's window: `size` x `size`, beginning `border` above and to the left of the
  // tile's first output; `outside` stands for those that no image has.
  template <class Real>
  void window(Real* images, Index channels, Index tile, Index size, Index border, Real* outside, Real** pixels) const {
    Real* image = images + tile / (down() * across()) * height * width * channels;
    const Index row = tile / across() % down() * 4 - border, column = tile % across() * 4 - border;
    for (Index y = row; y < row + size; ++y) {
      for (Index x = column; x < column + size; ++x) {
        const bool inside = y >= 0 && y < height && x >= 0 && x < width;
        *pixels++ = inside ? image + (y * width + x) * channels : outside;
      }
    }
  }
};

// Tiles that go through together: as many as keep `tile_reals` for each of them in about a quarter of the second-level
// cache (weights and images want the rest), but at least enough for the micro-kernel to use a weight some dozen times.
Index group_tiles(Index tiles, Index tile_reals) {
  constexpr Index cache_reals = (Index{1} << 19) / static_cast<Index>(sizeof(real));
  const Index most = conv_micro().max_pixels;
  return even_tile(tiles, std::clamp(cache_reals / tile_reals / most, Index{2}, Index{8}) * most);
}

using Transform = void (*)(const real* const* pixels, Index channel, real* out, Index stride);

// Transforms the windows of tiles [first, last). A place's numbers lie as [blocks][tiles][block].
void transform(const real* images, const Tiles& tiles, Index channels, Index first, Index last, Index size,
               Index border, Transform function, Index place_stride, Index block, real* out) {
  Scratch scratch;
  real* zeros = scratch.take(channels);
  std::fill_n(zeros, channels, real(0));
  real rest[36 * channel_block];  // the channels of a window that fill no block
  const real *pixels[36], *rest_pixels[36];
  for (Index k = 0; k < 36; ++k) rest_pixels[k] = rest + k * channel_block;
  for (Index tile = first; tile < last; ++tile) {
    tiles.window(images, channels, tile, size, border, const_cast<const real*>(zeros), pixels);
    for (Index channel = 0; channel < channels; channel += channel_block) {
      real* to = out + (channel / block * (last - first) + tile - first) * block + channel % block;
      if (channel + channel_block <= channels) {
        function(pixels, channel, to, place_stride);
        continue;
      }
      for (Index k = 0; k < size * size; ++k)
        copy_block(pixels[k] + channel, channels - channel, rest + k * channel_block);
      function(rest_pixels, 0, to, place_stride);
    }
  }
}

// The outputs of a tile for a block of channels, which may be more than there are.
void output(const real* m, Index place_stride, const real* bias, bool accumulate, real* const* pixels, Index channel,
            Index channels) {
  if (channel + channel_block <= channels) {
    return winograd_micro().output(m, place_stride, bias, accumulate, pixels, channel);
  }
  real window[16 * channel_block], *window_pixels[16];
  for (Index k = 0; k < 16; ++k) window_pixels[k] = window + k * channel_block;
  winograd_micro().output(m, place_stride, nullptr, false, window_pixels, 0);
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

// The reals of 36 places of all pairs of channels, [output blocks][places][input blocks][channel_block][output block].
struct Places {
  Index out_blocks, in_blocks, output_block;
  Places(Index out, Index in) : output_block(conv_micro().output_block) {
    out_blocks = blocks_of(out, output_block);
    in_blocks = blocks_of(in, channel_block);
  }
  // Not the power of two that the channels make: places would meet in the same sets of the cache.
  Index place() const { return in_blocks * channel_block * output_block + channel_block; }
  Index block() const { return places * place(); }
  Index at(Index place_number, Index o, Index i) const {
    return (o / output_block * places + place_number) * place() + i * output_block + o % output_block;
  }
};

// U = G w G^T of all pairs of channels, a block of outputs at a time.
FormRecipe transformed(const Tensor& weight, const Taps& t) {
  const Places p(t.out, t.in);
  return {{p.out_blocks, p.block()}, p.out_blocks, [=, w = weight.data()](Index block, real* u) {
            real few[channel_block * 9];  // of outputs that fill no block
            for (Index i = 0; i < p.in_blocks * channel_block; ++i) {
              for (Index o = block * p.output_block; o < (block + 1) * p.output_block; o += channel_block) {
                const Index count = i < t.in ? std::clamp<Index>(t.out - o, 0, channel_block) : 0;
                const real* taps = w + o * t.out_step + i * t.in_step;
                if (count < channel_block) {
                  std::fill(std::begin(few), std::end(few), real(0));
                  for (Index c = 0; c < count; ++c) std::copy_n(taps + c * t.out_step, 9, few + c * 9);
                }
                const bool whole = count == channel_block;
                winograd_micro().weight(whole ? taps : few, whole ? t.out_step : 9, t.turned, u + p.at(0, o, i),
                                        p.place());
              }
            }
          }};
}

// y (+)= the correlation of x, padded by one, with transformed weights.
void correlate(const Tiles& tiles, Index in, Index out, const real* x, const real* u, const real* bias, bool accumulate,
               real* y) {
  const ConvMicro& micro = conv_micro();
  const Places p(out, in);
  const Index group = group_tiles(tiles.count(), places * (p.in_blocks * channel_block + p.output_block));
  parallel_for(tiles.count(), group, [&](Index first, Index last) {
    const Index count = last - first, tile = even_tile(count, micro.max_pixels);
    const Index v_place = p.in_blocks * count * channel_block + channel_block,
                m_place = count * p.output_block + channel_block;
    Scratch scratch;
    real* v = scratch.take(places * v_place);
    real* m = scratch.take(places * m_place);
    transform(x, tiles, in, first, last, 6, 1, winograd_micro().input, v_place, channel_block, v);
    real* sink = scratch.take(out);  // for outputs beyond the image
    std::fill_n(sink, out, real(0));
    std::vector<real*> pixels(static_cast<std::size_t>(count * 16));
    for (Index t = 0; t < count; ++t) tiles.window(y, out, first + t, 4, 0, sink, pixels.data() + t * 16);
    std::vector<Index> steps, m_at;
    for (Index block = 0; block < p.in_blocks; ++block) steps.push_back(block * count * channel_block);
    for (Index t = 0; t < tile; ++t) m_at.push_back(t * p.output_block);
    for (Index channel = 0; channel < out; channel += p.output_block) {
      for (Index place = 0; place < places; ++place) {
        for (Index t = 0; t < count; t += tile) {
          micro.product({.x = v + place * v_place + t * channel_block,
                         .steps = steps,
                         .weight = u + p.at(place, channel, 0),
                         .pixels = std::min(tile, count - t),
                         .y = m + place * m_place + t * p.output_block,
                         .y_at = m_at.data(),
                         .channels = p.output_block});
        }
      }
      for (Index t = 0; t < count; ++t) {
        for (Index c = channel; c < std::min(channel + p.output_block, out); c += channel_block) {
          output(m + t * p.output_block + c - channel, m_place, bias, accumulate, pixels.data() + t * 16, c, out);
        }
      }
    }
  });
}

// Of a block of output and one of input channels the sum over tiles, [places][channel_block][output block].
struct PairSum {
  real* sum;

  // Not the power of two that the channels make: places would meet in the same sets of the cache.
  static Index place() { return channel_block * conv_micro().output_block + channel_block; }

  // dweight += G^T sum G, for the channels from first_o and first_i on.
  void add_to(Tensor& dweight, Index first_o, Index first_i) const {
    const Index width = conv_micro().output_block, in = dweight.extent(1),
                count = std::min(channel_block, in - first_i);
    for (Index o = 0; o < std::min(width, dweight.extent(0) - first_o); o += channel_block) {
      real taps[channel_block * 9 * channel_block];  // [inputs][taps][outputs]
      for (Index i = 0; i < count; ++i)
        winograd_micro().weight_gradient(sum + i * width + o, place(), taps + i * 9 * channel_block);
      const Index outs = std::min(channel_block, dweight.extent(0) - first_o - o);
      real* block = dweight.data() + ((first_o + o) * in + first_i) * 9;
      if (outs == channel_block && count == channel_block) {
        winograd_micro().add_taps(taps, in * 9, block);
        continue;
      }
      for (Index c = 0; c < outs; ++c) {
        real* to = block + c * in * 9;
#pragma omp simd
        for (Index k = 0; k < count * 9; ++k) to[k] += taps[k * channel_block + c];
      }
    }
  }
};

}  // namespace

bool winograd_applies(const ConvShape& s) {
  return s.kernel_height == 3 && s.kernel_width == 3 && s.stride == 1 && s.padding == 1 && s.groups == 1 &&
         s.in_channels >= 16 && s.out_channels >= 16 && s.in_height >= 4 && s.in_width >= 4;
}

void winograd_conv2d_forward(const ConvShape& s, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y) {
  const Tensor u = prepared(weight, WeightForm::winograd_forward, 0, transformed(weight, Taps::forward(s)));
  correlate({s.batch, s.in_height, s.in_width}, s.in_channels, s.out_channels, x.data(), u.data(),
            bias != nullptr ? bias->data() : nullptr, false, y.data());
}

void winograd_conv2d_backward_data(const ConvShape& s, const Tensor& weight, const Tensor& dy, bool accumulate,
                                   Tensor& dx) {
  const Tensor u = prepared(weight, WeightForm::winograd_data, 0, transformed(weight, Taps::turned_round(s)));
  correlate({s.batch, s.in_height, s.in_width}, s.out_channels, s.in_channels, dy.data(), u.data(), nullptr, accumulate,
            dx.data());
}

void winograd_conv2d_backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, Tensor& dweight) {
  const ConvMicro& micro = conv_micro();
  const Tiles tiles{s.batch, s.in_height, s.in_width};
  const Index in = s.in_channels, out = s.out_channels;
  const Index in_blocks = blocks_of(in, channel_block), out_blocks = blocks_of(out, micro.output_block);
  // At most eight parts, each a run of groups of tiles with a sum of its own; added up in their order at the end.
  const Index group =
      group_tiles(tiles.count(), places * (in_blocks * channel_block + out_blocks * micro.output_block));
  const Index groups = blocks_of(tiles.count(), group);
  const Index part_tiles =
      even_tile(groups, blocks_of(groups, std::clamp<Index>(tiles.count() * places * in * out >> 28, 1, 8))) * group;
  const Index parts = blocks_of(tiles.count(), part_tiles);
  const Index pairs = out_blocks * in_blocks, sum_size = places * PairSum::place();  // pairs of blocks
  Scratch scratch;
  real* sums = scratch.take((parts == 1 && groups == 1 ? 1 : parts * pairs) * sum_size);
  parallel_tiles(parts, [&](Index part) {
    const Index end = std::min(tiles.count(), (part + 1) * part_tiles);
    for (Index first = part * part_tiles; first < end; first += group) {
      const Index last = std::min(first + group, end), count = last - first;
      const Index v_place = in_blocks * count * channel_block + channel_block;
      const Index d_place = out_blocks * count * micro.output_block + channel_block;
      Scratch local;
      real* v = local.take(places * v_place);
      real* d = local.take(places * d_place);
      if (out % micro.output_block != 0) std::fill_n(d, places * d_place, real(0));  // channels that only fill up
      transform(x.data(), tiles, in, first, last, 6, 1, winograd_micro().input, v_place, channel_block, v);
      transform(dy.data(), tiles, out, first, last, 4, 0, winograd_micro().gradient, d_place, micro.output_block, d);
      for (Index pair = 0; pair < pairs; ++pair) {
        const Index o = pair / in_blocks, i = pair % in_blocks;
        real* sum = sums + (parts == 1 && groups == 1 ? 0 : part * pairs + pair) * sum_size;
        for (Index place = 0; place < places; ++place) {
          micro.outer_sum({.x = v + place * v_place + i * count * channel_block,
                           .x_row = 0,
                           .dy = d + place * d_place + o * count * micro.output_block,
                           .rows = 1,
                           .columns = count,
                           .sum = sum + place * PairSum::place(),
                           .sum_row = micro.output_block,
                           .accumulate = first > part * part_tiles});
        }
        if (parts == 1 && last == end) PairSum{sum}.add_to(dweight, o * micro.output_block, i * channel_block);
      }
    }
  });
  for (Index pair = 0; parts > 1 && pair < pairs; ++pair) {
    real* sum = sums + pair * sum_size;
    for (Index part = 1; part < parts; ++part) {
      for (Index k = 0; k < sum_size; ++k) sum[k] += sum[part * pairs * sum_size + k];
    }
    PairSum{sum}.add_to(dweight, pair / in_blocks * micro.output_block, pair % in_blocks * channel_block);
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
