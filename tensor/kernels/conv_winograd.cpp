#include "tensor/kernels/conv_winograd.h"

#include <algorithm>
#include <tuple>
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
  Index row(Index tile) const { return tile / across() % down() * 4; }
  Index column(Index tile) const { return tile % across() * 4; }

  // The addresses of the pixels of a tile's window: `size` x `size`, beginning `border` above and to the left of the
  // tile's first output; `outside` stands for those that no image has.
  template <Index size, class Real>
  void window(Real* images, Index channels, Index tile, Index border, Real* outside, Real** pixels) const {
    Real* image = images + tile / (down() * across()) * height * width * channels;
    const Index top = row(tile) - border, left = column(tile) - border;
    if (top >= 0 && left >= 0 && top + size <= height && left + size <= width) {
      Real* corner = image + (top * width + left) * channels;
      for (Index y = 0; y < size; ++y) {
        for (Index x = 0; x < size; ++x) *pixels++ = corner + (y * width + x) * channels;
      }
      return;
    }
    for (Index y = top; y < top + size; ++y) {
      for (Index x = left; x < left + size; ++x) {
        const bool inside = y >= 0 && y < height && x >= 0 && x < width;
        *pixels++ = inside ? image + (y * width + x) * channels : outside;
      }
    }
  }
};

// Tiles that go through together. At the edge of an image a tile may have only one or two rows or columns of outputs;
// such a tile does without the places of the last two finite points in that direction (at 14x14, a sixth of all
// products). In the order of columns, none, rows, both that are few, the tiles that have a place follow one another.
struct Group {
  struct Entry {
    Index tile;
    bool few_rows, few_columns;
  };
  std::vector<Entry> tiles;
  Index few_columns = 0, whole = 0, few_both = 0;

  Group(const Tiles& all, Index first, Index last) {
    for (const auto& [rows, columns, count] : {std::tuple{false, true, &few_columns},
                                               {false, false, &whole},
                                               {true, false, nullptr},
                                               {true, true, &few_both}}) {
      for (Index tile = first; tile < last; ++tile) {
        if ((all.height - all.row(tile) <= 2) != rows || (all.width - all.column(tile) <= 2) != columns) continue;
        tiles.push_back({tile, rows, columns});
        if (count != nullptr) ++*count;
      }
    }
  }

  Index count() const { return std::ssize(tiles); }
  struct Range {
    Index begin, end;
  };
  Range having(Index place) const {
    const auto far = [](Index point) { return point == 3 || point == 4; };
    const bool far_row = far(place / 6), far_column = far(place % 6);
    return {far_column ? few_columns : 0, far_row ? few_columns + whole : count() - (far_column ? few_both : 0)};
  }
};

// Of how many tiles a group is: as many as keep `tile_reals` for each of them in about a quarter of the second-level
// cache (weights and images want the rest), but at least enough for the micro-kernel to use a weight some dozen times.
Index group_tiles(Index tiles, Index tile_reals) {
  constexpr Index cache_reals = (Index{1} << 19) / static_cast<Index>(sizeof(real));
  const Index most = conv_micro().max_pixels;
  const Index wanted = std::clamp(cache_reals / tile_reals / most, Index{2}, Index{8}) * most;
  return blocks_of(tiles, std::max<Index>(1, (tiles + wanted / 2) / wanted));
}

// Transforms the windows of a group's tiles. A place's numbers lie as [blocks][tiles][block].
template <Index size>
void transform(const real* images, const Tiles& tiles, Index channels, const Group& group, Index border,
               const WinogradMicro::Transform (&functions)[2][2], Index place_stride, Index block, real* out) {
  Scratch scratch;
  real* zeros = scratch.take(channels);
  std::fill_n(zeros, channels, real(0));
  real rest[36 * channel_block];  // the channels of a window that fill no block
  const real *pixels[36], *rest_pixels[36];
  for (Index k = 0; k < 36; ++k) rest_pixels[k] = rest + k * channel_block;
  for (Index t = 0; t < group.count(); ++t) {
    const auto& [tile, few_rows, few_columns] = group.tiles[static_cast<std::size_t>(t)];
    tiles.window<size>(images, channels, tile, border, const_cast<const real*>(zeros), pixels);
    for (Index channel = 0; channel < channels; channel += channel_block) {
      real* to = out + (channel / block * group.count() + t) * block + channel % block;
      if (channel + channel_block <= channels) {
        functions[few_rows][few_columns](pixels, channel, to, place_stride);
        continue;
      }
      for (Index k = 0; k < size * size; ++k)
        copy_block(pixels[k] + channel, channels - channel, rest + k * channel_block);
      functions[few_rows][few_columns](rest_pixels, 0, to, place_stride);
    }
  }
}

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
  const Index at_once = group_tiles(tiles.count(), places * (p.in_blocks * channel_block + p.output_block));
  parallel_for(tiles.count(), at_once, [&](Index first, Index last) {
    const Group group(tiles, first, last);
    const Index count = group.count();
    const Index v_place = p.in_blocks * count * channel_block + channel_block,
                m_place = count * p.output_block + channel_block;
    Scratch scratch;
    real* v = scratch.take(places * v_place);
    real* m = scratch.take(places * m_place);
    transform<6>(x, tiles, in, group, 1, winograd_micro().input, v_place, channel_block, v);
    real* sink = scratch.take(out);  // for outputs beyond the image
    std::fill_n(sink, out, real(0));
    std::vector<real*> pixels(static_cast<std::size_t>(count * 16));
    for (Index t = 0; t < count; ++t)
      tiles.window<4>(y, out, group.tiles[static_cast<std::size_t>(t)].tile, 0, sink, pixels.data() + t * 16);
    std::vector<Index> steps, m_at;
    for (Index block = 0; block < p.in_blocks; ++block) steps.push_back(block * count * channel_block);
    for (Index t = 0; t < micro.max_pixels; ++t) m_at.push_back(t * p.output_block);
    for (Index channel = 0; channel < out; channel += p.output_block) {
      for (Index place = 0; place < places; ++place) {
        const auto [begin, end] = group.having(place);
        const Index tile = even_tile(end - begin, micro.max_pixels);
        for (Index t = begin; t < end; t += tile) {
          micro.product({.x = v + place * v_place + t * channel_block,
                         .steps = steps,
                         .weight = u + p.at(place, channel, 0),
                         .pixels = std::min(tile, end - t),
                         .y = m + place * m_place + t * p.output_block,
                         .y_at = m_at.data(),
                         .channels = p.output_block});
        }
      }
      for (Index t = 0; t < count; ++t) {
        const Group::Entry& entry = group.tiles[static_cast<std::size_t>(t)];
        for (Index c = channel; c < std::min(channel + p.output_block, out); c += channel_block) {
          output(winograd_micro().output[entry.few_rows][entry.few_columns], m + t * p.output_block + c - channel,
                 m_place, bias, accumulate, pixels.data() + t * 16, c, out);
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
    const Index width = conv_micro().output_block;
    for (Index o = 0; o < std::min(width, dweight.extent(0) - first_o); o += channel_block) {
      real taps[channel_block * 9 * channel_block];  // [inputs][taps][outputs]
      for (Index i = 0; i < channel_block; ++i)
        winograd_micro().weight_gradient(sum + i * width + o, place(), taps + i * 9 * channel_block);
      add_taps(taps, 9 * channel_block, channel_block, first_o + o, first_i, dweight);
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
  const Index at_once =
      group_tiles(tiles.count(), places * (in_blocks * channel_block + out_blocks * micro.output_block));
  const Index groups = blocks_of(tiles.count(), at_once);
  const Index part_tiles =
      even_tile(groups, blocks_of(groups, std::clamp<Index>(tiles.count() * places * in * out >> 28, 1, 8))) * at_once;
  const Index parts = blocks_of(tiles.count(), part_tiles);
  const Index pairs = out_blocks * in_blocks, sum_size = places * PairSum::place();  // pairs of blocks
  Scratch scratch;
  real* sums = scratch.take((parts == 1 && groups == 1 ? 1 : parts * pairs) * sum_size);
  parallel_tiles(parts, [&](Index part) {
    const Index end = std::min(tiles.count(), (part + 1) * part_tiles);
    for (Index first = part * part_tiles; first < end; first += at_once) {
      const Index last = std::min(first + at_once, end);
      const Group group(tiles, first, last);
      const Index count = group.count();
      const Index v_place = in_blocks * count * channel_block + channel_block;
      const Index d_place = out_blocks * count * micro.output_block + channel_block;
      Scratch local;
      real* v = local.take(places * v_place);
      real* d = local.take(places * d_place);
      if (out % micro.output_block != 0) std::fill_n(d, places * d_place, real(0));  // channels that only fill up
      transform<6>(x.data(), tiles, in, group, 1, winograd_micro().input, v_place, channel_block, v);
      transform<4>(dy.data(), tiles, out, group, 0, winograd_micro().gradient, d_place, micro.output_block, d);
      for (Index pair = 0; pair < pairs; ++pair) {
        const Index o = pair / in_blocks, i = pair % in_blocks;
        real* sum = sums + (parts == 1 && groups == 1 ? 0 : part * pairs + pair) * sum_size;
        for (Index place = 0; place < places; ++place) {
          const Group::Range having = group.having(place);
          micro.outer_sum({.x = v + place * v_place + (i * count + having.begin) * channel_block,
                           .x_row = 0,
                           .dy = d + place * d_place + (o * count + having.begin) * micro.output_block,
                           .rows = 1,
                           .columns = having.end - having.begin,
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
