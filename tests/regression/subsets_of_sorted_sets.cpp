// Where only some samples of a set were used, they were its first ones, and sets are often sorted by class: held-out
// data had the brightness of its darkest class, and a set compared with itself had one class of two.
#include <algorithm>

#include "data/image_set.h"
#include "data/subset.h"
#include "data/toy.h"
#include "diffusion/evaluation/comparison.h"
#include "diffusion/evaluation/evaluation.h"
#include "diffusion/training/lint.h"
#include "tests/diffusion/configured_trainer.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

// Points of the eight Gaussians, sorted by class; only the first `classes` of them.
PointSet sorted(Index count, Index classes = 8) {
  PointSet set = toy("eight_gaussians", count, 1);
  std::vector<Index> order;
  for (Index k = 0; k < classes; ++k) {
    for (Index i = 0; i < count; ++i)
      if (set.labels[i] == k) order.push_back(i);
  }
  PointSet result;
  result.points = set.batch(order);
  result.class_names = set.class_names;
  for (const Index i : order) result.labels.push_back(set.labels[i]);
  return result;
}

Config small() {
  Config config;
  config.data.train = "toy:eight_gaussians";
  config.model.network = "mlp", config.model.hidden = 8, config.model.depth = 1;
  config.train.batch_size = 4, config.train.validation_count = 60;
  config.diffusion.steps = 10, config.diffusion.schedule = "cosine";
  config.sample.clip = false;
  return config;
}

}  // namespace

TEST_CASE("a subset holds about its share of each class; a smaller one is the beginning of a larger one") {
  const PointSet set = sorted(4000);
  const Subset some(set, 800), fewer(set, 300);
  CHECK(std::ssize(some.labels) == 800);
  for (Index k = 0; k < 8; ++k) CHECK(std::count(some.labels.begin(), some.labels.end(), k) > 60);
  CHECK(std::equal(fewer.rows().begin(), fewer.rows().end(), some.rows().begin()));
  std::vector<Index> rows = some.rows();
  std::sort(rows.begin(), rows.end());
  CHECK(std::adjacent_find(rows.begin(), rows.end()) == rows.end());
  CHECK(difference(samples_of(some), set.batch(some.rows())) == 0);
  CHECK(difference(samples_of(some, 5, 7), set.batch(std::span(some.rows()).subspan(5, 2))) == 0);
  for (const Index i : {0, 400, 799}) CHECK(some.labels[i] == set.labels[some.rows()[i]]);
}

TEST_CASE("a subset of at least the set's size is the set in its own order; one of no samples is an error") {
  const PointSet set = sorted(50);
  for (const Index count : {Index{50}, all_samples}) {
    CHECK(difference(samples_of(Subset(set, count)), set.points) == 0);
    CHECK(Subset(set, count).labels == set.labels);
  }
  CHECK(contains(error_of([&] { Subset(set, 0); }), "0 samples"));
}

TEST_CASE("validation, bound and likelihood use more than the first class of a sorted set") {
  const PointSet all = sorted(800), first_class = sorted(800, 1);
  REQUIRE(first_class.size() > 60);
  ConfiguredTrainer trainer(small(), all);
  for (int i = 0; i < 20; ++i) trainer.step();
  CHECK(trainer.validation_loss(all) != trainer.validation_loss(first_class));
  const auto nats = [&](const PointSet& set) {
    return evaluate_likelihood(trainer.model(), set, 60, {.tolerance = 0.1, .probes = 0}).nats.value;
  };
  CHECK(nats(all) != nats(first_class));

  ImageSet images;  // half black, half white
  images.count = 200, images.height = images.width = 4, images.channels = 1;
  for (Index i = 0; i < 200; ++i) images.images.insert(images.images.end(), 16, i < 100 ? 0 : 255);
  Config of_images = small();
  of_images.model.network = "unet", of_images.model.channel_mult = {1}, of_images.model.num_res_blocks = 1;
  of_images.model.attention_resolutions = {};
  const DiffusionModel model = build_model(of_images, {{4, 4, 1}, {}});
  CHECK(evaluate_bound(model, images, 50, 0, true).total.error > 0);
  CHECK(mean_of(brightness(samples_of(Subset(images, 50)))) == doctest::Approx(0.5).epsilon(0.4));
}

TEST_CASE("a part of a sorted set has all its modes, and so has a part of the training set in its place") {
  const PointSet data = sorted(4000);
  const Judge judge(data, nullptr);
  const FeatureSet part = judge.look_at(data, 200);
  const Comparison itself = compare(judge, part, judge.look_at(data, 200), &data, {.replicates = 5});
  for (const Measure& m : itself.measures) {
    if (m.name != "modes found") continue;
    CHECK(m.samples.value == 8);
    CHECK(*m.training == 8);
  }
  const Index row = itself.memorisation->nearest_sample;  // in the set, not in the part of it
  CHECK(std::find(part.rows.begin(), part.rows.end(), row) != part.rows.end());
}

TEST_CASE("the range of values is not that of the first thousand samples") {
  PointSet set;
  set.points = Tensor::zeros({3000, 2});
  for (Index i = 2000; i < 6000; ++i) set.points[i] = 5;
  Config config = small();
  config.sample.clip = true;
  bool warned = false;
  for (const std::string& warning : lint(config, set)) warned |= contains(warning, "from 0 to 5");
  CHECK(warned);
}
