#pragma once
#include <algorithm>
#include <tuple>
#include <vector>

#include "tensor/kernels/packing/blocks.h"
#include "tensor/kernels/simd/winograd_transforms.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"

/// How images are cut into the tiles that Winograd's transforms take (conv_winograd.cpp).
namespace reverie::inline REVERIE_PRECISION::kernels::winograd {

/// Of a transform: six points in each direction.
inline constexpr Index places = 36;

/// A tile: its image, and the row and column of its first output. At the edge of an image it may have only one or two
/// rows or columns of outputs.
struct Tile {
  Index image, row, column;
  bool few_rows, few_columns;
};

/// Images cut into tiles of 4x4 outputs, counted through image after image.
struct Tiles {
  Index batch, height, width;
  Index down() const { return blocks_of(height, 4); }
  Index across() const { return blocks_of(width, 4); }
  Index count() const { return batch * down() * across(); }

  /// The tiles [first, last).
  std::vector<Tile> range(Index first, Index last) const {
    std::vector<Tile> all;
    all.reserve(static_cast<std::size_t>(last - first));
    Index image = first / (down() * across()), row = first / across() % down() * 4, column = first % across() * 4;
    for (Index tile = first; tile < last; ++tile) {  // a division for each would take as long as some of its products
      all.push_back({image, row, column, height - row <= 2, width - column <= 2});
      column += 4;
      if (column >= width) column = 0, row += 4;
      if (row >= height) row = 0, ++image;
    }
    return all;
  }

  /// The addresses of the pixels of a tile's window: `size` x `size`, beginning `border` above and to the left of the
  /// tile's first output; `outside` stands for those that no image has.
  template <Index size, class Real>
  void window(Real* images, Index channels, const Tile& tile, Index border, Real* outside, Real** pixels) const {
    Real* image = images + tile.image * height * width * channels;
    const Index top = tile.row - border, left = tile.column - border;
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

/// Tiles that go through together. One of few rows or columns does without the places of the last two finite points in
/// that direction (at 14x14, a sixth of all products). In the order of columns, none, rows, both that are few, the
/// tiles that have a place follow one another.
struct Group {
  std::vector<Tile> tiles;
  Index few_columns = 0, whole = 0, few_both = 0;

  Group(const Tiles& all, Index first, Index last) {
    const std::vector<Tile> given = all.range(first, last);
    tiles.reserve(given.size());
    for (const auto& [rows, columns, count] : {std::tuple{false, true, &few_columns},
                                               {false, false, &whole},
                                               {true, false, nullptr},
                                               {true, true, &few_both}}) {
      const Index before = std::ssize(tiles);
      for (const Tile& tile : given) {
        if (tile.few_rows == rows && tile.few_columns == columns) tiles.push_back(tile);
      }
      if (count != nullptr) *count = std::ssize(tiles) - before;
    }
  }

  Index count() const { return std::ssize(tiles); }
  struct Range {
    Index begin, end;
  };
  /// The tiles that have a place.
  Range having(Index place) const {
    const auto far = [](Index point) { return point == 3 || point == 4; };
    const bool far_row = far(place / 6), far_column = far(place % 6);
    return {far_column ? few_columns : 0, far_row ? few_columns + whole : count() - (far_column ? few_both : 0)};
  }
};

/// Of how many tiles a group is: as many as keep `tile_reals` for each of them in half a megabyte of the second-level
/// cache (weights and images want the rest), but at least enough for a weight to be used some dozens of times.
template <class Unit>
Index group_tiles(Index tiles, Index tile_reals) {
  constexpr Index cache_reals = (Index{1} << 19) / static_cast<Index>(sizeof(real)), few = 28, many = 112;
  const Index at_once = conv_micro().in<Unit>().max_pixels;
  const Index least = std::max<Index>(2, few / at_once), most = std::max<Index>(8, many / at_once);
  const Index wanted = std::clamp(cache_reals / tile_reals / at_once, least, most) * at_once;
  return blocks_of(tiles, std::max<Index>(1, (tiles + wanted / 2) / wanted));
}

/// Where the units of a group's transformed tiles lie: columns (tiles, or pairs of them) of `width` units each.
struct TileLayout {
  Index width, place_stride, block_stride;

  /// For products, which sum over all blocks of channels at a place: [places][blocks][columns][width].
  static TileLayout for_products(Index blocks, Index columns, Index width) {
    return {width, padded(blocks * columns * width), columns * width};
  }
  /// For sums over tiles, which take all places of a block of channels: [blocks][places][columns][width].
  static TileLayout for_sums(Index columns, Index width) {
    return {width, padded(columns * width), places * padded(columns * width)};
  }
  Index at(Index place, Index block, Index column) const {
    return place * place_stride + block * block_stride + column * width;
  }

 private:
  // Not the power of two that it often is: places would meet in the same sets of the cache.
  static Index padded(Index size) { return size + channel_block; }
};

/// The windows of tiles, transformed one by one, a block of channels at a time.
template <Index size>
class Window {
 public:
  Window(const real* images, const Tiles& tiles, Index channels, Index border)
      : images_(images), tiles_(tiles), channels_(channels), border_(border), zeros_(scratch_.take(channels)) {
    std::fill_n(zeros_, channels, real(0));
    for (Index k = 0; k < size * size; ++k) rest_pixels_[k] = rest_ + k * channel_block;
  }
  void move_to(const Tile& tile) {
    tile_ = tile;
    tiles_.window<size>(images_, channels_, tile, border_, const_cast<const real*>(zeros_), pixels_);
  }
  template <class Unit>
  void transform(const WinogradMicro::Transforms<Unit>& transforms, Index channel, Unit* to, Index stride) {
    const auto function = transforms.of[tile_.few_rows][tile_.few_columns];
    if (channel + channel_block <= channels_) return function(pixels_, channel, to, stride);
    for (Index k = 0; k < size * size; ++k)
      copy_block(pixels_[k] + channel, channels_ - channel, rest_ + k * channel_block);
    function(rest_pixels_, 0, to, stride);
  }

 private:
  Scratch scratch_;
  const real* images_;
  const Tiles& tiles_;
  Index channels_, border_;
  real* zeros_;
  Tile tile_{};
  const real *pixels_[size * size], *rest_pixels_[size * size];
  real rest_[size * size * channel_block];  // the channels of a window that fill no block
};

/// Tiles whose transforms are a task.
inline constexpr Index transform_tiles = 16;

/// Transforms the windows of a group's tiles.
template <Index size, class Unit>
void transform(const real* images, const Tiles& tiles, Index channels, const Group& group, Index border,
               const WinogradMicro::Transforms<Unit>& transforms, const TileLayout& layout, Unit* out) {
  const Index block = layout.width * unit_numbers<Unit>;
  parallel_for(group.count(), transform_tiles, [&](Index first, Index last) {
    Window<size> window(images, tiles, channels, border);
    for (Index t = first; t < last; ++t) {
      window.move_to(group.tiles[t]);
      for (Index channel = 0; channel < channels; channel += channel_block) {
        Unit* to = out + layout.at(0, channel / block, t) + channel % block / unit_numbers<Unit>;
        window.transform(transforms, channel, to, layout.place_stride);
      }
    }
  });
}

/// The same for sums over tiles, of which units are made.
template <Index size>
void transform_for_sum(const real* images, const Tiles& tiles, Index channels, const Group& group, Index border,
                       const WinogradMicro::Transforms<real>& transforms, const TileLayout& layout, real* out) {
  transform<size>(images, tiles, channels, group, border, transforms, layout, out);
}
template <Index size>
void transform_for_sum(const real* images, const Tiles& tiles, Index channels, const Group& group, Index border,
                       const WinogradMicro::Transforms<real>& transforms, const TileLayout& layout, Bfloat16Pair* out) {
  const Index pairs = sum_columns<Bfloat16Pair>(group.count());
  parallel_for(pairs, transform_tiles / 2, [&](Index first, Index last) {
    Window<size> windows[2] = {{images, tiles, channels, border}, {images, tiles, channels, border}};
    real two[2][places * channel_block];
    for (Index pair = first; pair < last; ++pair) {
      bool exists[2];
      for (const Index k : {0, 1}) {
        exists[k] = 2 * pair + k < group.count();
        const Tile tile = exists[k] ? group.tiles[2 * pair + k] : Tile{};
        if (exists[k]) windows[k].move_to(tile);
        if (!exists[k] || tile.few_rows || tile.few_columns)  // an OuterSum may read places that a tile lacks
          std::fill(std::begin(two[k]), std::end(two[k]), real(0));
      }
      for (Index channel = 0; channel < channels; channel += channel_block) {
        for (const Index k : {0, 1}) {
          if (exists[k]) windows[k].transform(transforms, channel, two[k], channel_block);
        }
        Bfloat16Pair* to = out + layout.at(0, channel / layout.width, pair) + channel % layout.width;
        conv_micro().bfloat16().round_two(two[0], two[1], places, channel_block, channel_block, to,
                                          layout.place_stride);
      }
    }
  });
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels::winograd
