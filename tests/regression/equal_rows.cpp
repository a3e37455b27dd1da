// Measures failed where rows are equal: a set of icons with many copies of each had neither precision nor recall
// against itself, exact copies of training images were not found because the test set held training images too, and the
// Frechet distance was negative.
#include <cmath>
#include <limits>

#include "data/image_set.h"
#include "data/toy.h"
#include "diffusion/evaluation/comparison.h"
#include "diffusion/metrics/frechet.h"
#include "diffusion/metrics/kernel_distance.h"
#include "diffusion/metrics/prdc.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

// Every row of x, `copies` times.
Tensor repeated(const Tensor& x, Index copies) {
  Tensor result = Tensor::uninitialized({copies * x.extent(0), x.extent(1)});
  for (Index i = 0; i < result.extent(0); ++i)
    result.rows(i, i + 1).copy_from(x.rows(i % x.extent(0), i % x.extent(0) + 1));
  return result;
}

const Measure& measure(const Comparison& comparison, const std::string& name) {
  for (const Measure& m : comparison.measures)
    if (m.name == name) return m;
  FAIL("no measure called ", name);
  throw;
}

}  // namespace

TEST_CASE("8 rows with 20 copies of each cover themselves; half of them are recalled by the other half") {
  const Tensor icons = repeated(noise({8, 4}), 20);
  const Prdc itself = prdc(icons, icons, 5);
  for (const auto* share : {&itself.precision, &itself.recall, &itself.coverage}) CHECK(mean_of(*share) == 1);
  CHECK(mean_of(itself.density) == 4);  // each is in the balls of its 20 copies, and k = 5 are expected
  const Prdc half = prdc(icons, repeated(noise({8, 4}).rows(0, 4), 40), 5);
  CHECK(mean_of(half.precision) == 1);
  CHECK(mean_of(half.recall) == 0.5);
  CHECK(mean_of(half.coverage) == 0.5);
}

TEST_CASE("equal images have equal features, wherever they are in a set of any size") {
  ImageSet icons = ImageSet::from(noise({3, 8, 8, 1}));
  icons.labels = {0, 1, 1}, icons.class_names = {"a", "b"};
  const Classifier classifier(facts_of(icons), false, 1);
  for (const Index copies : {6, 7, 11}) {
    ImageSet set = icons;
    set.count = 3 * copies;
    for (Index i = 1; i < copies; ++i) {
      set.images.insert(set.images.end(), icons.images.begin(), icons.images.end());
      set.labels.insert(set.labels.end(), icons.labels.begin(), icons.labels.end());
    }
    const Tensor features = recognise(classifier, set).features;
    for (Index i = 3; i < set.count; ++i)
      CHECK(difference(features.rows(i, i + 1), features.rows(i % 3, i % 3 + 1)) == 0);
    const Judge judge(set, &classifier);
    const FeatureSet seen = judge.look_at(set, all_samples);
    const Comparison itself = compare(judge, seen, seen, &set, {.replicates = 20});
    for (const char* name : {"precision", "recall", "coverage"}) CHECK(measure(itself, name).samples.value == 1);
    CHECK(itself.memorisation->sample_copies == set.count);
    CHECK(itself.memorisation->held_out_copies == set.count);
    for (const Measure& m : itself.measures) {
      CHECK(std::isfinite(m.samples.interval.low));
      CHECK(std::isfinite(m.samples.interval.high));
    }
  }
}

TEST_CASE("copies of training data are found although some of the held-out data are in the training set") {
  const PointSet training = toy("two_moons", 200, 1);
  PointSet held_out = toy("two_moons", 200, 2), copies = toy("two_moons", 100, 1);
  held_out.points.rows(0, 3).copy_from(training.points.rows(0, 3));
  const Judge judge(held_out, nullptr);
  const FeatureSet data = judge.look_at(held_out, 200);
  const Comparison all = compare(judge, judge.look_at(copies, 100), data, &training, {.replicates = 20});
  CHECK(measure(all, "nearly copied").samples.value == 1);
  CHECK(all.memorisation->sample_copies == 100);
  CHECK(all.memorisation->held_out_copies == 3);
  CHECK(all.memorisation->held_out.size() == 197);
  CHECK(all.memorisation->expected == doctest::Approx(2. / 198));
  CHECK(all.memorisation->threshold > 0);
  CHECK(all.memorisation->held_out_median > 0);
  const Comparison fresh =
      compare(judge, judge.look_at(toy("two_moons", 100, 3), 100), data, &training, {.replicates = 20});
  CHECK(fresh.memorisation->sample_copies == 0);
  CHECK(measure(fresh, "nearly copied").samples.value < 0.1);
}

TEST_CASE("the Frechet distance is never below 0: equal rows, fewer rows than features, constant features") {
  for (std::uint32_t i = 0; i < 40; ++i) {
    const Tensor x = repeated(noise({2 + i % 7, 16}, i), 3);
    const double distance = frechet_distance(x, x);
    CHECK(distance >= 0);
    CHECK(distance < 1e-5);
  }
  const Tensor constant = Tensor::full({5, 3}, 2), other = Tensor::full({5, 3}, 4);
  CHECK(frechet_distance(constant, constant) == 0);
  CHECK(frechet_distance(constant, other) == 12);
  Moments broken = moments(constant);
  broken.mean[0] = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isnan(frechet_distance(broken, moments(other))));  // not hidden
}

TEST_CASE("a resample of one and the same row has a kernel distance") {
  const KernelDistance distance(noise({6, 3}), noise({6, 3}, 1));
  const std::vector<double> one_row{0, 0, 6, 0, 0, 0}, all(6, 1);
  CHECK(std::isfinite(distance.estimate(one_row, all)));
  CHECK(std::isfinite(distance.estimate(all, one_row)));
}

TEST_CASE("classes of equal points are modes: points at the centre belong to them, others do not") {
  const Tensor points = Tensor::from({6, 2}, {1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4});
  const Clusters c = clusters(points, std::vector<Index>{0, 0, 0, 1, 1, 1}, 2);
  CHECK(c.deviations == std::vector<double>{0, 0});
  const Tensor queries = Tensor::from({3, 2}, {1, 2, 3, 4, 2, 3});
  CHECK(nearest_modes(queries, c) == std::vector<Index>{0, 1, -1});
}
