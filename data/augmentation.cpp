#include "data/augmentation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/parallel.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

void mirror(Tensor& image) {
  const Index height = image.extent(1), width = image.extent(2), channels = image.extent(3);
  for (Index y = 0; y < height; ++y) {
    real* row = image.data() + y * width * channels;
    for (Index left = 0, right = width - 1; left < right; ++left, --right) {
      std::swap_ranges(row + left * channels, row + (left + 1) * channels, row + right * channels);
    }
  }
}

// Two neighbouring rows or columns, and the weight of the second.
struct Neighbours {
  Index first, second;
  real weight;
};

Neighbours neighbours(double position, Index extent) {
  const double inside = std::clamp(position, 0.0, static_cast<double>(extent - 1));
  const auto first = static_cast<Index>(inside);
  return {first, std::min(first + 1, extent - 1), static_cast<real>(inside - static_cast<double>(first))};
}

// Each pixel takes the value at the place that moves to it.
void move(Tensor& image, const ImageChange& change) {
  const Index height = image.extent(1), width = image.extent(2), channels = image.extent(3);
  const Tensor before = image.clone();
  const double angle = change.degrees * std::numbers::pi / 180, cosine = std::cos(angle), sine = std::sin(angle);
  const double middle_x = static_cast<double>(width - 1) / 2, middle_y = static_cast<double>(height - 1) / 2;
  real* out = image.data();
  for (Index y = 0; y < height; ++y) {
    for (Index x = 0; x < width; ++x) {
      const double from_x = static_cast<double>(x - change.right) - middle_x,
                   from_y = static_cast<double>(y - change.down) - middle_y;
      const Neighbours columns = neighbours(middle_x + cosine * from_x - sine * from_y, width),
                       rows = neighbours(middle_y + sine * from_x + cosine * from_y, height);
      const auto at = [&](Index row, Index column) { return before.data() + (row * width + column) * channels; };
      const real *above_left = at(rows.first, columns.first), *above_right = at(rows.first, columns.second),
                 *below_left = at(rows.second, columns.first), *below_right = at(rows.second, columns.second);
      for (Index c = 0; c < channels; ++c) {
        const real above = (1 - columns.weight) * above_left[c] + columns.weight * above_right[c],
                   below = (1 - columns.weight) * below_left[c] + columns.weight * below_right[c];
        *out++ = (1 - rows.weight) * above + rows.weight * below;
      }
    }
  }
}

}  // namespace

void check_augmentation(const Augmentation& a, const Shape& sample, const std::string& where) {
  if (a == Augmentation{}) return;
  if (sample.rank() != 3)
    throw UsageError(where, ": only images can be flipped, shifted, rotated or made brighter, not points");
  if (a.shift < 0 || a.shift >= std::min(sample[0], sample[1])) {
    throw UsageError(where, ": a shift of ", a.shift, " pixels; expects less than the sides of the images, ", sample[0],
                     "x", sample[1]);
  }
  if (!(a.rotation >= 0 && a.rotation <= 180))
    throw UsageError(where, ": a rotation by ", a.rotation, " degrees; expects 0 to 180");
  if (!(a.brightness >= 0 && a.brightness <= 2))
    throw UsageError(where, ": brightness changed by ", a.brightness, "; expects 0 to 2, as values lie in [-1, 1]");
}

std::string in_words(const Augmentation& a) {
  return concat(a.flip ? ", flipped" : "", a.shift > 0 ? concat(", shifted by up to ", a.shift, " pixels") : "",
                a.rotation > 0 ? concat(", rotated by up to ", a.rotation, " degrees") : "",
                a.brightness > 0 ? concat(", brightness changed by up to ", a.brightness) : "");
}

ImageChange draw_change(const Augmentation& a, const RandomKey& key, Index sample) {
  const RandomKey own = key.with_sample(sample).with_channel(1);  // flips have drawn from channel 0 since before
  const auto between = [&](double most, Index element) { return most * (2 * uniform(own, element) - 1); };
  const auto pixels = [&](Index element) { return uniform_index(own, 2 * a.shift + 1, element) - a.shift; };
  return {.flip = a.flip && uniform(key, sample) < 0.5,
          .right = pixels(0),
          .down = pixels(1),
          .degrees = between(a.rotation, 4),
          .brightness = between(a.brightness, 5)};
}

void change_image(Tensor image, const ImageChange& change) {
  if (change.flip) mirror(image);
  if (change.right != 0 || change.down != 0 || change.degrees != 0) move(image, change);
  if (change.brightness != 0) {
    for (real& value : image.values()) value = std::clamp<real>(value + static_cast<real>(change.brightness), -1, 1);
  }
}

void augment(Tensor& images, const Augmentation& augmentation, const RandomKey& key) {
  if (augmentation == Augmentation{}) return;
  parallel_for(images.extent(0), 8, [&](Index first, Index last) {
    for (Index i = first; i < last; ++i) change_image(images.rows(i, i + 1), draw_change(augmentation, key, i));
  });
}

}  // namespace reverie::inline REVERIE_PRECISION
