#include "data/loader.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "data/image_set.h"
#include "data/toy.h"

using namespace reverie;

namespace {

// Image i is one row of four pixels i, i+1, i+2, i+3.
ImageSet ramps(Index count) {
  ImageSet set;
  set.count = count;
  set.height = set.channels = 1;
  set.width = 4;
  for (Index i = 0; i < count; ++i) {
    for (Index x = 0; x < 4; ++x) set.images.push_back(i + x);
    set.labels.push_back(i % 3);
  }
  set.class_names = {"0", "1", "2"};
  return set;
}

// A dataset without a file: sample i is the point (i, i^2), computed when a batch needs it.
struct Parabola : Dataset {
  Index size() const override { return 10; }
  Shape sample_shape() const override { return {2}; }
  Tensor batch(std::span<const Index> indices) const override {
    Tensor points = Tensor::uninitialized({std::ssize(indices), 2});
    for (Index i = 0; i < points.extent(0); ++i) {
      const real x = indices[i];
      points[2 * i] = x;
      points[2 * i + 1] = x * x;
    }
    return points;
  }
};

}  // namespace

TEST_CASE("loader: deals a dataset made on the fly, with labels if it has them") {
  Parabola set;
  const auto batch = Loader(set, 25, 3).batch(1);
  CHECK(batch.x0.shape() == Shape{25, 2});
  CHECK(batch.labels.empty());
  for (Index i = 0; i < 25; ++i) {
    const real x = batch.indices[i];
    CHECK(batch.x0[2 * i] == x);
    CHECK(batch.x0[2 * i + 1] == x * x);
  }
  set.class_names = {"even", "odd"};
  for (Index i = 0; i < set.size(); ++i) set.labels.push_back(i % 2);
  const auto labelled = Loader(set, 25, 3).batch(1);
  CHECK(labelled.indices == batch.indices);
  for (Index i = 0; i < 25; ++i) CHECK(labelled.labels[i] == labelled.indices[i] % 2);
}

TEST_CASE("loader: expects samples, and one label for each if there are any") {
  Parabola set;
  set.labels = {0, 0, 0};
  CHECK_THROWS_WITH_AS(Loader(set, 2, 1), "loader: the dataset has 3 labels for 10 samples", UsageError);
  CHECK_THROWS_WITH_AS(Loader(ramps(0), 2, 1), "loader: the dataset has no samples", UsageError);
}

TEST_CASE("loader: each epoch deals every sample once, across batches, in a new order") {
  const ImageSet set = ramps(10);
  Loader loader(set, 4, 7);
  std::vector<Index> dealt;
  for (Index step = 0; step < 5; ++step) {
    for (const Index index : loader.batch(step).indices) dealt.push_back(index);
  }
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::vector<Index> sorted(dealt.begin() + 10 * epoch, dealt.begin() + 10 * (epoch + 1));
    std::sort(sorted.begin(), sorted.end());
    for (Index i = 0; i < 10; ++i) CHECK(sorted[i] == i);
  }
  CHECK_FALSE(std::equal(dealt.begin(), dealt.begin() + 10, dealt.begin() + 10));
  CHECK(loader.epoch(5) == 2);
}

TEST_CASE("loader: a batch may hold several epochs") {
  const ImageSet set = ramps(3);
  const auto batch = Loader(set, 8, 1).batch(0);
  for (Index i = 0; i < 3; ++i) CHECK(std::count(batch.indices.begin(), batch.indices.begin() + 6, i) == 2);
}

TEST_CASE("loader: the batch of a training step is a function of seed and step, with matching samples and labels") {
  const ImageSet set = ramps(50);
  const Loader first(set, 6, 3), again(set, 6, 3), other(set, 6, 4);
  first.batch(1);
  const auto batch = first.batch(20);
  CHECK(batch.indices == again.batch(20).indices);
  CHECK(batch.indices != other.batch(20).indices);
  CHECK(batch.x0.shape() == Shape{6, 1, 4, 1});
  for (Index i = 0; i < 6; ++i) {
    const Index index = batch.indices[i];
    CHECK(batch.labels[i] == index % 3);
    CHECK(to_pixel(batch.x0[4 * i]) == index);
  }
}

TEST_CASE("loader: flips about half of the images and leaves the others unchanged") {
  const ImageSet set = ramps(50);
  const Loader loader(set, 1000, 5, {.flip = true});
  const auto batch = loader.batch(2);
  int mirrored = 0;
  for (Index i = 0; i < 1000; ++i) {
    const Index index = batch.indices[i], left = to_pixel(batch.x0[4 * i]);
    const bool flipped = left == index + 3;
    mirrored += flipped;
    for (Index x = 0; x < 4; ++x) CHECK(to_pixel(batch.x0[4 * i + x]) == (flipped ? index + 3 - x : index + x));
  }
  CHECK(mirrored > 437);  // 500 +- 4 standard deviations of 15.8
  CHECK(mirrored < 563);
}

TEST_CASE("loader: refuses empty batches and flipped points") {
  const ImageSet set = ramps(3);
  const PointSet points = toy("two_moons", 5, 1);
  CHECK_THROWS_AS(Loader(set, 0, 1), UsageError);
  CHECK_THROWS_AS(Loader(points, 2, 1, {.flip = true}), UsageError);
  CHECK(Loader(points, 2, 1).batch(0).x0.shape() == Shape{2, 2});
}
