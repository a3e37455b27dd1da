// Random changes of images: identities, exact moves, and their distribution.
#include "data/augmentation.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "data/image_set.h"
#include "data/loader.h"
#include "tensor/parallel.h"
#include "tests/helpers.h"

using namespace reverie;

namespace {

Tensor image_of(const Shape& shape) {
  Tensor image = Tensor::uninitialized(shape);
  fill_uniform({.seed = 3, .stream = Stream::probe}, -1, 1, image.values());
  return image;
}

Tensor changed(const Tensor& image, const ImageChange& change) {
  Tensor copy = image.clone();
  change_image(copy, change);
  return copy;
}

bool same(const Tensor& a, const Tensor& b) { return std::ranges::equal(a.values(), b.values()); }

double largest_difference(const Tensor& a, const Tensor& b) {
  double largest = 0;
  for (Index i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return largest;
}

double mean(const Tensor& x) {
  double sum = 0;
  for (const real value : x.values()) sum += static_cast<double>(value);
  return sum / static_cast<double>(x.size());
}

real pixel(const Tensor& image, Index y, Index x, Index c) {
  return image[(y * image.extent(2) + x) * image.extent(3) + c];
}

}  // namespace

TEST_CASE("augmentation: no change is the identity, a rotation by 0 too; two flips are none") {
  for (const Shape& shape : {Shape{1, 5, 8, 3}, Shape{1, 1, 1, 1}, Shape{1, 6, 6, 1}}) {
    const Tensor image = image_of(shape);
    CHECK(same(changed(image, {}), image));
    CHECK(same(changed(changed(image, {.flip = true}), {.flip = true}), image));
    CHECK(same(changed(changed(image, {.right = 0, .degrees = 1e-300}), {}), image));
  }
  const Tensor image = image_of({1, 5, 8, 3}), flipped = changed(image, {.flip = true});
  CHECK(pixel(flipped, 2, 1, 2) == pixel(image, 2, 6, 2));
}

TEST_CASE("augmentation: a shift moves pixels exactly; the border's value comes in") {
  const Tensor image = image_of({1, 6, 7, 2}), moved = changed(image, {.right = 2, .down = -1});
  for (Index y = 0; y < 6; ++y) {
    for (Index x = 0; x < 7; ++x) {
      for (Index c = 0; c < 2; ++c)
        CHECK(pixel(moved, y, x, c) == pixel(image, std::min<Index>(y + 1, 5), std::max<Index>(x - 2, 0), c));
    }
  }
}

TEST_CASE("augmentation: rotations by 90 degrees go counterclockwise, four are none; small ones turn back") {
  const Tensor image = image_of({1, 7, 7, 2}), quarter = changed(image, {.degrees = 90});
  for (Index i = 0; i < 7; ++i)
    CHECK(pixel(quarter, 6 - i, 3, 1) == doctest::Approx(static_cast<double>(pixel(image, 3, i, 1))).epsilon(1e-5));
  Tensor back = quarter;
  for (int i = 0; i < 3; ++i) back = changed(back, {.degrees = 90});
  CHECK(largest_difference(back, image) < 1e-5);
  CHECK(largest_difference(changed(image, {.degrees = 180}), image) > 0.5);

  Tensor ramp = Tensor::uninitialized({1, 9, 9, 1});  // bilinear interpolation is exact on a plane
  for (Index i = 0; i < 81; ++i) ramp[i] = static_cast<real>(i % 9 - 4) / 8;
  const Tensor turned = changed(ramp, {.degrees = 30});
  for (Index y = 3; y < 6; ++y) {
    for (Index x = 3; x < 6; ++x) {
      const double expected = (std::sqrt(3.0) / 2 * static_cast<double>(x - 4) - 0.5 * static_cast<double>(y - 4)) / 8;
      CHECK(std::abs(static_cast<double>(pixel(turned, y, x, 0)) - expected) < 1e-6);
    }
  }
}

TEST_CASE("augmentation: brightness moves the mean and stays in [-1, 1]") {
  Tensor image = image_of({1, 8, 8, 1});
  for (real& value : image.values()) value /= 2;
  CHECK(mean(changed(image, {.brightness = 0.25})) == doctest::Approx(mean(image) + 0.25));
  CHECK(mean(changed(image, {.brightness = -0.25})) == doctest::Approx(mean(image) - 0.25));
  CHECK(mean(changed(image, {.brightness = 2})) == 1);
}

TEST_CASE("augmentation: changes are drawn from the whole range, each image its own, and no two of them agree") {
  const Augmentation all{.flip = true, .shift = 2, .rotation = 10, .brightness = 0.5};
  std::set<Index> right, down;
  int flips = 0, agree = 0;
  double degrees = 0, brightness = 0;
  const Index n = 2000;
  for (Index i = 0; i < n; ++i) {
    const ImageChange change = draw_change(all, {.seed = 7, .stream = Stream::augment, .step = 4}, i);
    right.insert(change.right), down.insert(change.down);
    flips += change.flip;
    degrees = std::max(degrees, std::abs(change.degrees)),
    brightness = std::max(brightness, std::abs(change.brightness));
    agree += (change.degrees > 0) == (change.brightness > 0) && (change.degrees > 0) == (change.right > 0);
  }
  CHECK(right == std::set<Index>{-2, -1, 0, 1, 2});
  CHECK(down == right);
  CHECK(std::abs(flips - 1000) < 90);  // 4 standard deviations
  CHECK(std::abs(agree - 500) < 90);   // of three independent signs, a quarter of the triples
  CHECK((degrees > 9.9 && degrees <= 10));
  CHECK((brightness > 0.49 && brightness <= 0.5));
}

TEST_CASE("loader: augmented batches are a function of seed and step, whatever the threads; flips keep their images") {
  ImageSet set;
  set.count = 40, set.height = 9, set.width = 8, set.channels = 3;
  for (Index i = 0; i < 40 * 9 * 8 * 3; ++i) set.images.push_back(static_cast<std::uint8_t>(i * 37));
  const Augmentation all{.flip = true, .shift = 2, .rotation = 10, .brightness = 0.2};
  const Loader loader(set, 30, 5, all), again(set, 30, 5, all), plain(set, 30, 5), flips(set, 30, 5, {.flip = true});
  set_threads(1);
  loader.batch(8);
  const Tensor one = loader.batch(9).x0;
  set_threads(3);
  CHECK(same(again.batch(9).x0, one));
  set_threads(0);
  CHECK(!same(loader.batch(10).x0, one));
  CHECK(loader.batch(9).indices == plain.batch(9).indices);
  for (Index i = 0; i < 30; ++i) {  // the other changes don't change which images are flipped
    const RandomKey key{.seed = 5, .stream = Stream::augment, .step = 9};
    Tensor image = plain.batch(9).x0.rows(i, i + 1);
    ImageChange change = draw_change(all, key, i);
    CHECK(same(changed(image, change), one.rows(i, i + 1)));
    CHECK(same(changed(image, {.flip = change.flip}), flips.batch(9).x0.rows(i, i + 1)));
  }
}

TEST_CASE("augmentation: values out of range and points are refused") {
  const auto error = [](const Augmentation& a, const Shape& sample) {
    return error_of([&] { check_augmentation(a, sample, "here"); });
  };
  CHECK(error({}, {2}) == "nothing");
  CHECK(contains(error({.shift = 1}, {2}), "here: only images"));
  CHECK(contains(error({.shift = 8}, {8, 9, 1}), "shift of 8 pixels; expects less than the sides of the images, 8x9"));
  CHECK(contains(error({.shift = -1}, {8, 9, 1}), "shift of -1"));
  CHECK(contains(error({.rotation = 181}, {8, 8, 1}), "0 to 180"));
  CHECK(contains(error({.rotation = NAN}, {8, 8, 1}), "0 to 180"));
  CHECK(contains(error({.brightness = -0.5}, {8, 8, 1}), "0 to 2"));
}
