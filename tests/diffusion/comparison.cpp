#include "diffusion/evaluation/comparison.h"

#include "data/image_set.h"
#include "data/toy.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

const Measure& measure(const Comparison& comparison, const std::string& name) {
  for (const Measure& m : comparison.measures)
    if (m.name == name) return m;
  FAIL("no measure called ", name);
  throw;
}

double value(const Comparison& comparison, const std::string& name) { return measure(comparison, name).samples.value; }

// Images of 8x8 in classes of their own brightness: noise of 40 around 60, 120 and 180.
ImageSet greys(Index count, std::uint64_t seed, Index classes = 3) {
  ImageSet set;
  set.count = count, set.height = set.width = 8, set.channels = 1;
  set.class_names = {"dark", "grey", "light"};
  for (Index i = 0; i < count; ++i) {
    set.labels.push_back(i % classes);
    const RandomKey key = RandomKey{.seed = seed, .stream = Stream::probe}.with_sample(i);
    for (Index p = 0; p < 64; ++p)
      set.images.push_back(static_cast<std::uint8_t>(60 * (1 + i % classes) - 20 + uniform_index(key, 41, p)));
  }
  return set;
}

const Classifier& classifier() {
  static const auto trained = train_classifier(greys(300, 1), {.epochs = 6, .batch_size = 30});
  return *trained;
}

PointSet only(const PointSet& set, Index classes) {
  std::vector<Index> kept;
  PointSet result;
  for (Index i = 0; i < set.size(); ++i) {
    if (set.labels[i] >= classes) continue;
    kept.push_back(i);
    result.labels.push_back(set.labels[i]);
  }
  result.points = set.batch(kept);
  result.class_names = set.class_names;
  return result;
}

}  // namespace

TEST_CASE("new points of the eight Gaussians are as good as training points; a collapse to three shows everywhere") {
  const PointSet data = toy("eight_gaussians", 1000, 1), training = toy("eight_gaussians", 2000, 0),
                 fresh = toy("eight_gaussians", 800, 2), collapsed = only(toy("eight_gaussians", 2100, 2), 3);
  const Judge judge(data, nullptr);
  const FeatureSet real = judge.look_at(data, all_samples);
  const Comparison good = compare(judge, judge.look_at(fresh, 800), real, &training, {.replicates = 50});
  CHECK(value(good, "modes found") == 8);
  CHECK(*measure(good, "modes found").training == 8);
  CHECK(value(good, "Frechet distance") < 0.02);
  CHECK(std::abs(value(good, "kernel distance")) < 0.2);
  CHECK(value(good, "precision") > 0.9);
  CHECK(value(good, "recall") > 0.9);
  CHECK(value(good, "coverage") > 0.9);
  CHECK(value(good, "class accuracy") > 0.995);  // 0.03% lie more than four deviations away
  CHECK(value(good, "nearly copied") < 0.05);

  const Comparison bad = compare(judge, judge.look_at(collapsed, 800), real, nullptr, {.replicates = 50});
  CHECK(value(bad, "modes found") == 3);
  CHECK(measure(bad, "modes found").meaning == "of 8; data: 8");
  CHECK(value(bad, "precision") > 0.9);
  CHECK(value(bad, "recall") == Approx(3. / 8).epsilon(0.15));
  CHECK(value(bad, "coverage") == Approx(3. / 8).epsilon(0.15));
  CHECK(value(bad, "Frechet distance") > 0.5);
  CHECK(value(bad, "kernel distance") > 0.5);
  CHECK(bad.in_classes[7] == 0);
  CHECK(!bad.memorisation);
  CHECK(!measure(bad, "recall").training);
}

TEST_CASE("points lost between the modes are told") {
  const PointSet data = toy("eight_gaussians", 500, 1);
  PointSet centre;
  centre.points = (0.01 * Var(noise({20, 2}))).value();
  const Judge judge(data, nullptr);
  const Comparison lost =
      compare(judge, judge.look_at(centre, 20), judge.look_at(data, 500), nullptr, {.replicates = 20});
  CHECK(value(lost, "modes found") == 0);
  CHECK(value(lost, "share in modes") == 0);
  CHECK(value(lost, "precision") == 0);
}

TEST_CASE("images by a classifier's features: accuracy, classes found, brightness, copies") {
  const ImageSet data = greys(300, 2), training = greys(300, 1), fresh = greys(90, 3), two = greys(90, 3, 2);
  const Judge judge(data, &classifier());
  const FeatureSet real = judge.look_at(data, all_samples);
  const Comparison good = compare(judge, judge.look_at(fresh, 90), real, &training, {.replicates = 50});
  CHECK(value(good, "class accuracy") > 0.97);
  CHECK(value(good, "classes found") == 3);
  CHECK(value(good, "mean brightness") == Approx(120. / 255).epsilon(0.01));
  CHECK(contains(measure(good, "mean brightness").meaning, "0.47"));
  CHECK(good.in_classes == std::vector<Index>{30, 30, 30});
  CHECK(value(good, "nearly copied") < 0.1);
  CHECK(measure(good, "Frechet distance").samples.interval.low <= value(good, "Frechet distance"));
  CHECK(measure(good, "Frechet distance").samples.interval.high >= value(good, "Frechet distance"));

  const Comparison collapsed = compare(judge, judge.look_at(two, 90), real, nullptr, {.replicates = 50});
  CHECK(value(collapsed, "classes found") == 2);
  CHECK(value(collapsed, "recall") < 0.8);
  CHECK(value(collapsed, "Frechet distance") > 3 * value(good, "Frechet distance"));

  const Comparison copies = compare(judge, judge.look_at(training, 90), real, &training, {.replicates = 50});
  CHECK(value(copies, "nearly copied") == 1);
  CHECK(copies.memorisation->nearest == 0);
  CHECK(value(copies, "Frechet distance") == *measure(copies, "Frechet distance").training);

  // Judged by the very images that were trained on, nothing can be said of copies.
  const Comparison same =
      compare(judge, judge.look_at(fresh, 90), judge.look_at(training, 300), &training, {.replicates = 5});
  CHECK(same.memorisation->held_out.empty());
  CHECK(same.measures.back().name == "mean brightness");
}

TEST_CASE("comparisons that can't be are named") {
  const ImageSet data = greys(20, 2);
  const PointSet points = toy("two_moons", 20, 1);
  CHECK(contains(error_of([&] { Judge(data, nullptr); }), "`reverie classifier` trains one"));
  CHECK(contains(error_of([&] { Judge(data, &classifier()).look_at(points, 5); }), "[2]"));
  const Judge judge(points, nullptr);
  CHECK(contains(error_of([&] { judge.look_at(points, 5); }), "has 5 samples; comparing sets requires at least 6"));
}

TEST_CASE("brightness is what is shown: clamped, 0 black, 1 white") {
  CHECK(brightness(Tensor::from({2, 1, 2, 1}, {-3, 1, 0, 7})) == std::vector<double>{0.5, 0.75});
}
