#include "data/resample.h"

#include <algorithm>
#include <cmath>

namespace reverie::inline REVERIE_PRECISION {

std::vector<PixelWeights> area_weights(double begin, double length, Index count) {
  std::vector<PixelWeights> all;
  for (Index i = 0; i < count; ++i) {
    // Rounding may put the first low slightly below 0.
    const double low = std::max(0.0, begin + length * i / count), high = low + length / count;
    const Index first = std::floor(low);
    PixelWeights pixel{first, {}};
    for (Index old = first; old < high - 1e-9; ++old) {
      const double left = std::max(low, double(old)), right = std::min(high, double(old + 1));
      pixel.weights.push_back((right - left) * count / length);
    }
    all.push_back(pixel);
  }
  return all;
}

Picture resample(const Picture& picture, const PixelBox& part, Index height, Index width) {
  const auto rows = area_weights(part.top, part.height, height), columns = area_weights(part.left, part.width, width);
  Picture out(height, width, picture.channels);
  for (Index y = 0; y < height; ++y) {
    for (Index x = 0; x < width; ++x) {
      const PixelWeights &row = rows[y], &column = columns[x];
      for (Index c = 0; c < picture.channels; ++c) {
        double sum = 0;
        for (Index i = 0; i < std::ssize(row.weights); ++i) {
          for (Index j = 0; j < std::ssize(column.weights); ++j) {
            sum += row.weights[i] * column.weights[j] * picture.at(row.first + i, column.first + j)[c];
          }
        }
        out.at(y, x)[c] = std::clamp(std::round(sum), 0.0, 255.0);
      }
    }
  }
  return out;
}

Picture crop_and_resample(const Picture& picture, Index height, Index width) {
  const double old_h = picture.height, old_w = picture.width;
  const double scale = std::min(old_h / height, old_w / width), crop_h = scale * height, crop_w = scale * width;
  return resample(picture, {(old_h - crop_h) / 2, (old_w - crop_w) / 2, crop_h, crop_w}, height, width);
}

}  // namespace reverie::inline REVERIE_PRECISION
