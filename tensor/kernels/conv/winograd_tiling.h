#pragma once
#include <algorithm>
#include <tuple>
#include <vector>

#include "tensor/kernels/packing/blocks.h"
#include "tensor/kernels/simd/winograd_transforms.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"

/// Cuts images into Winograd tiles, groups them, and lays out their transforms (used by winograd.cpp).
namespace reverie::inline REVERIE_PRECISION::kernels::winograd {

/// The elements of a transformed Winograd tile: six points along each axis.
inline constexpr Index elements = 36;

/// A Winograd tile: its image, and the row and column of its first output. few_rows, few_columns: at the edge of the
/// image, it has at most two rows or columns of outputs.
struct WinogradTile {
  Index image, row, column;
  bool few_rows, few_columns;
};

/// Images cut into Winograd tiles of 4x4 outputs, numbered image after image.
struct Tiling {
  Index batch, height, width;
  Index down() const { return blocks_of(height, 4); }
  Index across() const { return blocks_of(width, 4); }
  Index count() const { return batch * down() * across(); }

  /// Returns the Winograd tiles [first, last).
  std::vector<WinogradTile> range(Index first, Index last) const {
    std::vector<WinogradTile> all;
    all.reserve(static_cast<std::size_t>(last - first));
    Index image = first / (down() * across()), row = first / across() % down() * 4, column = first % across() * 4;
    for (Index tile = first; tile < last; ++tile) {  // without a division per tile, which would be slow
      all.push_back({image, row, column, height - row <= 2, width - column <= 2});
      column += 4;
      if (column >= width) column = 0, row += 4;
      if (row >= height) row = 0, ++image;
    }
    return all;
  }

  /// Writes the addresses of the pixels of a tile's window: `size` x `size`, starting `border` above and to the left of
  /// the tile's first output; `outside` for pixels outside of the image.
  template <Index size, class Real>
  void window(Real* images, Index channels, const WinogradTile& tile, Index border, Real* outside,
              Real** pixels) const {
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

/// The Winograd tiles that are processed together. A tile with few rows (columns) needs no transform elements of the
/// last two finite points along that axis, which saves a sixth of all products at 14x14. The tiles are sorted by what
/// is few: columns, nothing, rows, both. So the tiles that have an element are consecutive.
struct TileGroup {
  std::vector<WinogradTile> tiles;
  Index few_columns = 0, whole = 0, few_both = 0;

  TileGroup(const Tiling& all, Index first, Index last) {
    const std::vector<WinogradTile> given = all.range(first, last);
    tiles.reserve(given.size());
    for (const auto& [rows, columns, count] : {std::tuple{false, true, &few_columns},
                                               {false, false, &whole},
                                               {true, false, nullptr},
                                               {true, true, &few_both}}) {
      const Index before = std::ssize(tiles);
      for (const WinogradTile& tile : given) {
        if (tile.few_rows == rows && tile.few_columns == columns) tiles.push_back(tile);
      }
      if (count != nullptr) *count = std::ssize(tiles) - before;
    }
  }

  Index count() const { return std::ssize(tiles); }
  struct Range {
    Index begin, end;
  };
  /// The tiles whose transforms have this element.
  Range tiles_with(Index element) const {
    const auto far = [](Index point) { return point == 3 || point == 4; };
    const bool far_row = far(element / 6), far_column = far(element % 6);
    return {far_column ? few_columns : 0, far_row ? few_columns + whole : count() - (far_column ? few_both : 0)};
  }
};

/// The number of Winograd tiles per group. A group's `reals_per_tile` per tile should fit in half a megabyte of the
/// second-level cache, and leave the rest to weights and images; but each weight should be used some dozens of times.
template <class Operand>
Index tiles_per_group(Index tiles, Index reals_per_tile) {
  constexpr Index cache_reals = (Index{1} << 19) / static_cast<Index>(sizeof(real)), few = 28, many = 112;
  const Index pixels = microkernel().of<Operand>().max_pixels;  // of a register tile
  const Index least = std::max<Index>(2, few / pixels), most = std::max<Index>(8, many / pixels);
  const Index target = std::clamp(cache_reals / reals_per_tile / pixels, least, most) * pixels;
  return blocks_of(tiles, std::max<Index>(1, (tiles + target / 2) / target));
}

/// The layout of a group's transformed tiles: columns (tiles, or pairs of tiles) of `width` operands each.
struct TileLayout {
  Index width, element_stride, block_stride;

  /// For products, which sum over all blocks of channels of an element: [elements][blocks][columns][width].
  static TileLayout for_products(Index blocks, Index columns, Index width) {
    return {width, padded(blocks * columns * width), columns * width};
  }
  /// For sums over tiles, which need all elements of a block of channels: [blocks][elements][columns][width].
  static TileLayout for_sums(Index columns, Index width) {
    return {width, padded(columns * width), elements * padded(columns * width)};
  }
  Index at(Index element, Index block, Index column) const {
    return element * element_stride + block * block_stride + column * width;
  }

 private:
  // At a stride that is a power of two, all elements would fall into the same sets of the cache.
  static Index padded(Index size) { return size + channel_block; }
};

/// Transforms the window of one Winograd tile at a time, a block of channels at a time.
template <Index size>
class Window {
 public:
  Window(const real* images, const Tiling& tiles, Index channels, Index border)
      : images_(images), tiles_(tiles), channels_(channels), border_(border), zeros_(scratch_.take(channels)) {
    std::fill_n(zeros_, channels, real(0));
    for (Index k = 0; k < size * size; ++k) window_pixels_[k] = window_ + k * channel_block;
  }
  void move_to(const WinogradTile& tile) {
    tile_ = tile;
    tiles_.window<size>(images_, channels_, tile, border_, const_cast<const real*>(zeros_), pixels_);
  }
  template <class Operand>
  void transform(const WinogradTransforms::TileTransform<Operand>& transforms, Index channel, Operand* to,
                 Index stride) {
    const auto function = transforms.of[tile_.few_rows][tile_.few_columns];
    if (channel + channel_block <= channels_) return function(pixels_, channel, to, stride);
    for (Index k = 0; k < size * size; ++k)
      copy_block(pixels_[k] + channel, channels_ - channel, window_ + k * channel_block);
    function(window_pixels_, 0, to, stride);
  }

 private:
  Scratch scratch_;
  const real* images_;
  const Tiling& tiles_;
  Index channels_, border_;
  real* zeros_;
  WinogradTile tile_{};
  const real *pixels_[size * size], *window_pixels_[size * size];
  real window_[size * size * channel_block];  // the last channels, padded to a block
};

/// Tiles that a task transforms.
inline constexpr Index tiles_per_task = 16;

/// Transforms the windows of a group's tiles.
template <Index size, class Operand>
void transform(const real* images, const Tiling& tiles, Index channels, const TileGroup& group, Index border,
               const WinogradTransforms::TileTransform<Operand>& transforms, const TileLayout& layout, Operand* out) {
  const Index block = layout.width * operand_numbers<Operand>;
  parallel_for(group.count(), tiles_per_task, [&](Index first, Index last) {
    Window<size> window(images, tiles, channels, border);
    for (Index t = first; t < last; ++t) {
      window.move_to(group.tiles[t]);
      for (Index channel = 0; channel < channels; channel += channel_block) {
        Operand* to = out + layout.at(0, channel / block, t) + channel % block / operand_numbers<Operand>;
        window.transform(transforms, channel, to, layout.element_stride);
      }
    }
  });
}

/// The same for sums over tiles: in bfloat16, a pair is two tiles.
template <Index size>
void transform_for_sum(const real* images, const Tiling& tiles, Index channels, const TileGroup& group, Index border,
                       const WinogradTransforms::TileTransform<real>& transforms, const TileLayout& layout, real* out) {
  transform<size>(images, tiles, channels, group, border, transforms, layout, out);
}
template <Index size>
void transform_for_sum(const real* images, const Tiling& tiles, Index channels, const TileGroup& group, Index border,
                       const WinogradTransforms::TileTransform<real>& transforms, const TileLayout& layout,
                       Bfloat16Pair* out) {
  const Index pairs = sum_columns<Bfloat16Pair>(group.count());
  parallel_for(pairs, tiles_per_task / 2, [&](Index first, Index last) {
    Window<size> windows[2] = {{images, tiles, channels, border}, {images, tiles, channels, border}};
    real two[2][elements * channel_block];
    for (Index pair = first; pair < last; ++pair) {
      bool exists[2];
      for (const Index k : {0, 1}) {
        exists[k] = 2 * pair + k < group.count();
        const WinogradTile tile = exists[k] ? group.tiles[2 * pair + k] : WinogradTile{};
        if (exists[k]) windows[k].move_to(tile);
        if (!exists[k] || tile.few_rows || tile.few_columns)  // an OuterSum may read elements that the tile lacks
          std::fill(std::begin(two[k]), std::end(two[k]), real(0));
      }
      for (Index channel = 0; channel < channels; channel += channel_block) {
        for (const Index k : {0, 1}) {
          if (exists[k]) windows[k].transform(transforms, channel, two[k], channel_block);
        }
        Bfloat16Pair* to = out + layout.at(0, channel / layout.width, pair) + channel % layout.width;
        microkernel().bfloat16().round_two(two[0], two[1], elements, channel_block, channel_block, to,
                                           layout.element_stride);
      }
    }
  });
}

}  // namespace reverie::inline REVERIE_PRECISION::kernels::winograd
