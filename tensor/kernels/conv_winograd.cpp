#include "tensor/kernels/conv_winograd.h"

#include <algorithm>
#include <vector>

#include "tensor/kernels/conv_micro.h"
#include "tensor/kernels/winograd_micro.h"
#include "tensor/parallel.h"

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

constexpr Index places = 36, group_tiles = 28;

Index blocks_of(Index count, Index block) { return (count + block - 1) / block; }

template <int which>
real* scratch(Index count) {
  thread_local std::vector<real> buffer;
  if (static_cast<Index>(buffer.size()) < count) buffer.resize(static_cast<std::size_t>(count));
  return buffer.data();
}

// Output channels with what fills them up to whole blocks, of the micro-kernel and of the transforms both.
Index filled_up(Index channels) {
  const Index block = std::max(channel_block, conv_micro().output_block);
  return blocks_of(channels, block) * block;
}

// Where the weights of a pair of channels stand in [output blocks][input blocks][channel_block][output block].
Index weight_place(Index o, Index i, Index in_blocks) {
  const Index block = conv_micro().output_block;
  return ((o / block * in_blocks + i / channel_block) * channel_block + i % channel_block) * block + o % block;
}

// A batch of images cut into tiles of 4x4 outputs, counted through image after image.
struct Tiles {
  Index batch, height, width;
  Index down() const { return blocks_of(height, 4); }
  Index across() const { return blocks_of(width, 4); }
  Index count() const { return batch * down() * across(); }
  struct Place {
    Index image, row, column;  // of the tile's first output
  };
  Place place(Index tile) const {
    return {tile / (down() * across()), tile / across() % down() * 4, tile % across() * 4};
  }
};

// A size x size window of an image's channels [first, first + channel_block), zeros outside of the image and its
// channels.
void gather(const real* image, const Tiles& tiles, Index channels, Index first, Index row, Index column, Index size,
            real* out) {
  const Index count = std::min(channel_block, channels - first);
  for (Index i = 0; i < size; ++i) {
    for (Index j = 0; j < size; ++j, out += channel_block) {
      const Index y = row + i, x = column + j;
      const bool inside = y >= 0 && y < tiles.height && x >= 0 && x < tiles.width;
      copy_block(inside ? image + (y * tiles.width + x) * channels + first : nullptr, count, out);
    }
  }
}

// Where a transform puts its numbers: 36 places, in each the tiles of a group and the blocks of channels.
struct Layout {
  Index place, tile, block;  // from one to the next
};

// Transforms the windows of tiles [first, last).
void transform(const real* images, const Tiles& tiles, Index channels, Index first, Index last, Index size,
               Index border, void (*function)(const real*, real*, Index), const Layout& layout, real* out) {
  real window[36 * channel_block];
  for (Index tile = first; tile < last; ++tile) {
    const Tiles::Place at = tiles.place(tile);
    const real* image = images + at.image * tiles.height * tiles.width * channels;
    for (Index block = 0; block < blocks_of(channels, channel_block); ++block) {
      gather(image, tiles, channels, block * channel_block, at.row - border, at.column - border, size, window);
      function(window, out + (tile - first) * layout.tile + block * layout.block, layout.place);
    }
  }
}

// G w G^T of all pairs of channels: 36 times [output blocks][input blocks][channel_block][output block]. `at(o, i,
// tap)`.
template <class At>
std::vector<real> transformed_weights(Index out, Index in, At at) {
  const Index in_blocks = blocks_of(in, channel_block), place_size = filled_up(out) * in_blocks * channel_block;
  std::vector<real> u(static_cast<std::size_t>(places * place_size), 0);
  const Index run = std::min(channel_block, conv_micro().output_block);  // what lies together in u
  real taps[9 * channel_block] = {}, transformed[places * channel_block];
  for (Index i = 0; i < in; ++i) {
    for (Index first = 0; first < out; first += channel_block) {
      const Index count = std::min(channel_block, out - first);
      for (Index c = 0; c < count; ++c) {
        for (Index tap = 0; tap < 9; ++tap) taps[tap * channel_block + c] = at(first + c, i, tap);
      }
      winograd_micro().weight(taps, transformed, channel_block);
      for (Index place = 0; place < places; ++place) {
        for (Index c = 0; c < count; c += run) {
          std::copy_n(transformed + place * channel_block + c, run,
                      u.data() + place * place_size + weight_place(first + c, i, in_blocks));
        }
      }
    }
  }
  return u;
}

// y (+)= the correlation of x, padded by one, with transformed weights.
void correlate(const Tiles& tiles, Index in, Index out, const real* x, const std::vector<real>& u, const real* bias,
               bool accumulate, real* y) {
  const ConvMicro& micro = conv_micro();
  const Index width = filled_up(out), out_blocks = width / micro.output_block;
  const Index in_blocks = blocks_of(in, channel_block), v_place = in_blocks * group_tiles * channel_block;
  const Index u_block = in_blocks * channel_block * micro.output_block;
  parallel_for(tiles.count(), group_tiles, [&](Index first, Index last) {
    real* v = scratch<0>(places * v_place);
    real* m = scratch<1>(places * group_tiles * width);
    transform(x, tiles, in, first, last, 6, 1, winograd_micro().input,
              {v_place, channel_block, group_tiles * channel_block}, v);
    for (Index place = 0; place < places; ++place) {
      for (Index block = 0; block < out_blocks; ++block) {
        for (Index tile = 0; tile < last - first; tile += micro.max_pixels) {
          micro.forward({.x = v + place * v_place + tile * channel_block,
                         .block_stride = group_tiles * channel_block,
                         .row_stride = 0,
                         .blocks = in_blocks,
                         .kernel_height = 1,
                         .kernel_width = 1,
                         .stride = 1,
                         .weight = u.data() + (place * out_blocks + block) * u_block,
                         .pixels = std::min(micro.max_pixels, last - first - tile),
                         .y = m + (place * group_tiles + tile) * width + block * micro.output_block,
                         .y_stride = width,
                         .channels = micro.output_block,
                         .bias = nullptr,
                         .accumulate = false});
        }
      }
    }
    real window[16 * channel_block];
    for (Index tile = first; tile < last; ++tile) {
      const Tiles::Place at = tiles.place(tile);
      for (Index channel = 0; channel < out; channel += channel_block) {
        winograd_micro().output(m + (tile - first) * width + channel, group_tiles * width, window);
        const Index count = std::min(channel_block, out - channel);
        for (Index i = 0; i < std::min<Index>(4, tiles.height - at.row); ++i) {
          for (Index j = 0; j < std::min<Index>(4, tiles.width - at.column); ++j) {
            real* target = y + ((at.image * tiles.height + at.row + i) * tiles.width + at.column + j) * out + channel;
            const real* value = window + (i * 4 + j) * channel_block;
            if (accumulate) {
              for (Index c = 0; c < count; ++c) target[c] += value[c];
            } else if (bias != nullptr) {
              for (Index c = 0; c < count; ++c) target[c] = value[c] + bias[channel + c];
            } else {
              std::copy_n(value, count, target);
            }
          }
        }
      }
    }
  });
}

}  // namespace

bool winograd_applies(const ConvShape& s) {
  return s.kernel_height == 3 && s.kernel_width == 3 && s.stride == 1 && s.padding == 1 && s.groups == 1 &&
         s.in_channels >= 16 && s.out_channels >= 16 && s.in_height >= 4 && s.in_width >= 4;
}

void winograd_conv2d_forward(const ConvShape& s, const Tensor& x, const Tensor& weight, const Tensor* bias, Tensor& y) {
  const std::vector<real> u = transformed_weights(s.out_channels, s.in_channels, [&](Index o, Index i, Index tap) {
    return weight[(o * s.in_channels + i) * 9 + tap];
  });
  correlate({s.batch, s.in_height, s.in_width}, s.in_channels, s.out_channels, x.data(), u,
            bias != nullptr ? bias->data() : nullptr, false, y.data());
}

void winograd_conv2d_backward_data(const ConvShape& s, const Tensor& weight, const Tensor& dy, Tensor& dx) {
  const std::vector<real> u = transformed_weights(s.in_channels, s.out_channels, [&](Index i, Index o, Index tap) {
    return weight[(o * s.in_channels + i) * 9 + 8 - tap];
  });
  correlate({s.batch, s.in_height, s.in_width}, s.out_channels, s.in_channels, dy.data(), u, nullptr, true, dx.data());
}

void winograd_conv2d_backward_weight(const ConvShape& s, const Tensor& x, const Tensor& dy, Tensor& dweight) {
  const ConvMicro& micro = conv_micro();
  const Tiles tiles{s.batch, s.in_height, s.in_width};
  const Index in = s.in_channels, out = s.out_channels, width = filled_up(out), out_blocks = width / micro.output_block;
  const Index in_blocks = blocks_of(in, channel_block), place_size = width * in_blocks * channel_block;
  const Layout v_layout{group_tiles * in_blocks * channel_block, in_blocks * channel_block, channel_block};
  const Layout d_layout{group_tiles * width, width, channel_block};
  // At most eight parts, each a run of groups of tiles with a sum of its own; added up in their order at the end.
  const Index groups = blocks_of(tiles.count(), group_tiles);
  const Index parts = std::clamp<Index>(tiles.count() * places * in * out >> 27, 1, std::min<Index>(8, groups));
  const Index part_tiles = blocks_of(groups, parts) * group_tiles;
  std::vector<std::vector<real>> sums(static_cast<std::size_t>(parts));
  parallel_tiles(parts, [&](Index part) {
    std::vector<real>& sum = sums[static_cast<std::size_t>(part)];
    sum.assign(static_cast<std::size_t>(places * place_size), 0);
    real* v = scratch<0>(places * v_layout.place);
    real* d = scratch<1>(places * d_layout.place);
    std::fill_n(d, places * d_layout.place, real(0));  // channels that only fill up stay zero
    const Index end = std::min(tiles.count(), (part + 1) * part_tiles);
    for (Index first = part * part_tiles; first < end; first += group_tiles) {
      const Index last = std::min(first + group_tiles, end);
      transform(x.data(), tiles, in, first, last, 6, 1, winograd_micro().input, v_layout, v);
      transform(dy.data(), tiles, out, first, last, 4, 0, winograd_micro().gradient, d_layout, d);
      for (Index place = 0; place < places; ++place) {
        for (Index o = 0; o < out_blocks; ++o) {
          for (Index i = 0; i < in_blocks; ++i) {
            micro.weight({.x = v + place * v_layout.place + i * channel_block,
                          .x_row_stride = 0,
                          .x_pixel_stride = v_layout.tile,
                          .dy = d + place * d_layout.place + o * micro.output_block,
                          .dy_row_stride = 0,
                          .dy_pixel_stride = d_layout.tile,
                          .rows = 1,
                          .columns = last - first,
                          .dweight = sum.data() + place * place_size +
                                     (o * in_blocks + i) * channel_block * micro.output_block});
          }
        }
      }
    }
  });
  const Index run = std::min(channel_block, micro.output_block);
  real transformed[places * channel_block], taps[9 * channel_block];
  for (Index i = 0; i < in; ++i) {
    for (Index first = 0; first < out; first += channel_block) {
      std::fill(std::begin(transformed), std::end(transformed), real(0));
      for (Index place = 0; place < places; ++place) {
        for (Index c = 0; c < channel_block; c += run) {
          for (const auto& sum : sums) {
            const real* from = sum.data() + place * place_size + weight_place(first + c, i, in_blocks);
            for (Index k = 0; k < run; ++k) transformed[place * channel_block + c + k] += from[k];
          }
        }
      }
      winograd_micro().weight_gradient(transformed, channel_block, taps);
      for (Index c = 0; c < std::min(channel_block, out - first); ++c) {
        for (Index tap = 0; tap < 9; ++tap) dweight[((first + c) * in + i) * 9 + tap] += taps[tap * channel_block + c];
      }
    }
  }
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels
