#include "data/grid.h"

#include <algorithm>
#include <cmath>

#include "data/image_set.h"
#include "tensor/finite.h"

namespace reverie::inline REVERIE_PRECISION {

namespace {

constexpr Index border = 4;
constexpr std::uint8_t grey = 96;
Index readable_scale(Index height) {
  constexpr Index readable = 100;
  return std::max<Index>(1, (readable + height / 2) / height);
}

}  // namespace

Index grid_cell(Index height, Index width) {
  const Index scale = readable_scale(height);
  return (scale * height + border) * (scale * width + border);
}

Picture grid(const Tensor& images, Index columns, Index scale) {
  if (images.rank() != 4 || images.size() == 0 || (images.extent(3) != 1 && images.extent(3) != 3)) {
    throw ShapeError("grid: expects [n,H,W,1] or [n,H,W,3], got ", images.shape());
  }
  require_finite("grid", images);
  const Index n = images.extent(0), height = images.extent(1), width = images.extent(2), channels = images.extent(3);
  if (columns <= 0) columns = std::ceil(std::sqrt(double(n)));
  columns = std::min(columns, n);
  if (scale <= 0) scale = readable_scale(height);
  const Index rows = (n + columns - 1) / columns, cell_height = scale * height + border,
              cell_width = scale * width + border;
  Picture picture(rows * cell_height + border, columns * cell_width + border, channels, grey);
  for (Index i = 0; i < n; ++i) {
    const Index top = i / columns * cell_height + border, left = i % columns * cell_width + border;
    for (Index y = 0; y < scale * height; ++y) {
      for (Index x = 0; x < scale * width; ++x) {
        const Index pixel = ((i * height + y / scale) * width + x / scale) * channels;
        std::transform(images.data() + pixel, images.data() + pixel + channels, picture.at(top + y, left + x),
                       to_pixel);
      }
    }
  }
  return picture;
}

Picture beside(std::span<const Picture> pictures) {
  if (pictures.empty()) throw ShapeError("beside: there are no pictures");
  const Picture& first = pictures.front();
  const Index cell = first.width + border;
  Picture all(first.height + 2 * border, std::ssize(pictures) * cell + border, first.channels, grey);
  for (Index i = 0; i < std::ssize(pictures); ++i) {
    const Picture& picture = pictures[i];
    if (picture.height != first.height || picture.width != first.width || picture.channels != first.channels)
      throw ShapeError("beside: the pictures differ in size");
    for (Index y = 0; y < first.height; ++y)
      std::copy_n(picture.at(y, 0), first.width * first.channels, all.at(border + y, border + i * cell));
  }
  return all;
}

}  // namespace reverie::inline REVERIE_PRECISION
