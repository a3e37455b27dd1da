#include "data/toy.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/helpers.h"

using namespace reverie;

TEST_CASE("toy distributions have means 0 and variances with mean 1") {
  constexpr Index n = 40'000;
  for (const ToyDistribution& distribution : toy_distributions()) {
    CAPTURE(distribution.name);
    const PointSet set = toy(distribution.name, n, 11);
    double sum[2] = {}, squares = 0;
    for (Index i = 0; i < 2 * n; ++i) {
      sum[i % 2] += set.points[i];
      squares += double{set.points[i]} * set.points[i];
    }
    CHECK(std::abs(sum[0] / n) < 0.03);  // six standard errors of 1 / sqrt(n) = 0.005
    CHECK(std::abs(sum[1] / n) < 0.03);
    CHECK(squares / (2 * n) == doctest::Approx(1).epsilon(0.02));
  }
}

TEST_CASE("toy: a point depends on the seed and its index alone") {
  for (const ToyDistribution& distribution : toy_distributions()) {
    const PointSet few = toy(distribution.name, 10, 3), many = toy(distribution.name, 20, 3),
                   other = toy(distribution.name, 10, 4);
    for (Index i = 0; i < 20; ++i) CHECK(few.points[i] == many.points[i]);
    CHECK(few.points[0] != other.points[0]);
    CHECK(few.points[0] != few.points[2]);
  }
}

TEST_CASE("toy: labels are the clusters") {
  const PointSet set = toy("eight_gaussians", 1000, 1);
  CHECK(set.class_names.size() == 8);
  for (Index i = 0; i < 1000; ++i) {
    const double angle = std::acos(-1.0) / 4 * set.labels[i];
    const double x = set.points[2 * i] - std::sqrt(1.98) * std::cos(angle),
                 y = set.points[2 * i + 1] - std::sqrt(1.98) * std::sin(angle);
    CHECK(std::hypot(x, y) < 0.5);  // five standard deviations of 0.1
  }
  CHECK(toy("swiss_roll", 10, 1).labels.empty());
}

TEST_CASE("toy: half of the checkerboard is empty") {
  const PointSet set = toy("checkerboard", 5000, 1);
  for (Index i = 0; i < 5000; ++i) {
    const auto square = [&](real value) { return Index(std::floor(value / std::sqrt(0.75))) + 2; };
    CHECK((square(set.points[2 * i]) + square(set.points[2 * i + 1])) % 2 == 0);
  }
}

TEST_CASE("toy: a point set is saved and loaded") {
  const TemporaryFolder folder;
  const PointSet set = toy("two_moons", 100, 5);
  set.save(folder / "moons.h5");
  const auto back = load_dataset(folder / "moons.h5", 40);
  CHECK(back->size() == 40);
  CHECK(back->sample_shape() == Shape{2});
  CHECK(back->class_names == std::vector<std::string>{"upper", "lower"});
  CHECK(back->labels.size() == 40);
  const std::vector<Index> indices{39, 1};
  const Tensor batch = back->batch(indices);
  CHECK(batch[0] == set.points[78]);
  CHECK(batch[3] == set.points[3]);
}

TEST_CASE("toy: the error for an unknown name lists the valid ones") {
  const std::string error = error_of([] { toy("three_moons", 5, 1); });
  CHECK(contains(error, "`three_moons`"));
  CHECK(contains(error, "two_moons, swiss_roll, eight_gaussians, checkerboard"));
  CHECK_THROWS_AS(toy("two_moons", 0, 1), UsageError);
}
