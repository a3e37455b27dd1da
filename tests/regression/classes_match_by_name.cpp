// Labels of two sets were compared as numbers: with the same classes in another order, the accuracy of a classifier was
// 0.2% without a word, and a validation set that lacked a class was refused without saying which.
#include <algorithm>

#include "data/classes.h"
#include "data/image_set.h"
#include "data/toy.h"
#include "diffusion/evaluation/comparison.h"
#include "diffusion/evaluation/evaluation.h"
#include "tests/diffusion/configured_trainer.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using Names = std::vector<std::string>;

namespace {

std::string mismatch(const Names& names, const Names& expected) {
  return error_of([&] { match_classes(names, "a.h5", expected, "the model"); });
}

// The same samples, with the classes listed from last to first.
template <class Set>
Set relisted(Set set) {
  std::reverse(set.class_names.begin(), set.class_names.end());
  for (Index& label : set.labels) label = std::ssize(set.class_names) - 1 - label;
  return set;
}

// Images of noise around 60, 120 and 180.
ImageSet greys(Index count, std::uint64_t seed) {
  ImageSet set;
  set.count = count, set.height = set.width = 8, set.channels = 1;
  set.class_names = {"dark", "grey", "light"};
  for (Index i = 0; i < count; ++i) {
    set.labels.push_back(i % 3);
    const RandomKey key = RandomKey{.seed = seed, .stream = Stream::probe}.with_sample(i);
    for (Index p = 0; p < 64; ++p)
      set.images.push_back(static_cast<std::uint8_t>(60 * (1 + i % 3) - 20 + uniform_index(key, 41, p)));
  }
  return set;
}

Config conditional() {
  Config config;
  config.data.train = "toy";
  config.model.network = "mlp", config.model.hidden = 8, config.model.depth = 1;
  config.model.class_conditional = true;
  config.train.batch_size = 8, config.train.learning_rate.warmup_steps = 0;
  config.diffusion.steps = 10;
  return config;
}

const Measure& measure(const Comparison& comparison, const std::string& name) {
  return *std::find_if(comparison.measures.begin(), comparison.measures.end(),
                       [&](const Measure& m) { return m.name == name; });
}

}  // namespace

TEST_CASE("classes match by name; an error lists those that are missing or unexpected") {
  CHECK(match_classes({"a", "b"}, "", {"a", "b"}, "") == std::vector<Index>{0, 1});
  CHECK(match_classes({"b", "c", "a"}, "", {"a", "b", "c"}, "") == std::vector<Index>{1, 2, 0});
  CHECK(match_classes({"0", "1", "10", "2"}, "", {"0", "1", "2", "10"}, "") == std::vector<Index>{0, 1, 3, 2});
  CHECK(mismatch({"a", "b"}, {"a", "b", "c"}) == "a.h5: has 2 classes, the model has 3; missing \"c\"");
  CHECK(mismatch({"a", "b", "d"}, {"a", "b"}) == "a.h5: has 3 classes, the model has 2; unexpected \"d\"");
  CHECK(mismatch({"x", "b"}, {"a", "b"}) == "a.h5: has 2 classes, the model has 2; missing \"a\"; unexpected \"x\"");
  CHECK(contains(mismatch({"a", "a", "b"}, {"b", "a", "a"}), "two classes are called \"a\""));
  Names many;
  for (int i = 0; i < 100; ++i) many.push_back(concat("c", i));
  CHECK(contains(mismatch({"c0"}, many), "\"c10\" and 89 more"));
}

TEST_CASE("where one side has no names, the number of classes is compared") {
  CHECK(match_classes({"0", "1"}, "", {"cat", "dog"}, "") == std::vector<Index>{0, 1});
  CHECK(match_classes({"cat", "dog"}, "", {"0", "1"}, "") == std::vector<Index>{0, 1});
  CHECK(contains(mismatch({"0", "1", "2"}, {"cat", "dog"}), "has 3 classes, the model has 2"));
  CHECK(contains(mismatch({"0", "1"}, {"0", "1", "2"}), "missing \"2\""));
  CHECK(contains(mismatch({"1", "2"}, {"0", "1"}), "missing \"0\"; unexpected \"2\""));  // names, though of digits
}

TEST_CASE("training, validation, likelihood: the same bits for the same classes in another order") {
  const PointSet moons = toy("two_moons", 60, 1), other = relisted(moons);
  REQUIRE(other.labels[0] != moons.labels[0]);
  ConfiguredTrainer trainer(conditional(), moons);
  Trainer again(build_model(conditional(), facts_of(moons)), other, conditional().train);
  for (int i = 0; i < 5; ++i) CHECK(trainer.step().loss == again.step().loss);
  CHECK(trainer.validation_loss(moons) == again.validation_loss(other));
  const auto nats = [&](const PointSet& set) {
    return evaluate_likelihood(trainer.model(), set, 20, {.tolerance = 0.1, .probes = 0}).nats.value;
  };
  CHECK(nats(moons) == nats(other));

  const PointSet eight = toy("eight_gaussians", 60, 1), spiral = toy("swiss_roll", 60, 1);
  CHECK(contains(error_of([&] { trainer.validation_loss(eight); }), "missing \"upper\", \"lower\"; unexpected \"0\""));
  CHECK(contains(error_of([&] { require_fits(trainer.model(), spiral, "s.h5"); }), "s.h5: has no labels"));
  CHECK(contains(error_of([&] { Trainer(build_model(conditional(), facts_of(moons)), eight, conditional().train); }),
                 "training: the data: has 8 classes"));
}

TEST_CASE("a run is resumed only with its own classes, in the order of its embeddings") {
  const PointSet moons = toy("two_moons", 60, 1);
  const Checkpoint saved = ConfiguredTrainer(conditional(), moons).checkpoint();
  PointSet renamed = moons;
  renamed.class_names[1] = "left";
  CHECK(contains(error_of([&] { ConfiguredTrainer(conditional(), renamed, saved, "c.h5"); }),
                 "missing \"lower\"; unexpected \"left\""));
  CHECK(contains(error_of([&] { ConfiguredTrainer(conditional(), relisted(moons), saved, "c.h5"); }), "another order"));
}

TEST_CASE("a classifier and the sets that it judges: labels are matched by name, other classes are named") {
  const ImageSet train = greys(150, 1), data = greys(90, 2), fresh = greys(60, 3);
  const auto classifier = train_classifier(train, {.epochs = 6, .batch_size = 30});
  const Judge judge(relisted(data), classifier.get());
  const FeatureSet real = judge.look_at(relisted(data), all_samples);
  const ImageSet training = relisted(train);
  const Comparison result = compare(judge, judge.look_at(relisted(fresh), 60), real, &training, {.replicates = 5});
  CHECK(measure(result, "class accuracy").samples.value > 0.95);
  CHECK(*measure(result, "class accuracy").training > 0.95);
  CHECK(mean_of(hits(recognise(*classifier, training).classes,
                     labels_among(training, "", classifier->data.class_names, ""))) > 0.95);

  ImageSet other = fresh;
  other.class_names[0] = "black";
  const std::string wrong = "missing \"dark\"; unexpected \"black\"";
  CHECK(contains(error_of([&] { judge.look_at(other, 60, "s.h5"); }),
                 "s.h5: has 3 classes, the classifier has 3; " + wrong));
  CHECK(contains(error_of([&] { Judge(other, classifier.get()); }), wrong));
  CHECK(contains(error_of([&] { compare(judge, real, real, &other); }), wrong));
}

TEST_CASE("a classifier guides each sample to the class of that name") {
  const PointSet moons = toy("two_moons", 20, 1);
  const DiffusionModel model = build_model(conditional(), facts_of(moons));
  std::vector<Index> towards;
  SampleRequest request;
  request.count = 2;
  request.classifier = {.gradient = [&](const Var& x, std::span<const double>, std::span<const Index> labels) -> Var {
                          towards.assign(labels.begin(), labels.end());
                          return Var(Tensor::zeros(x.shape()));
                        },
                        .class_names = {"lower", "upper"}};
  CHECK(generate(model, request).labels == std::vector<Index>{0, 1});
  CHECK(towards == std::vector<Index>{1, 0});
  request.classifier.class_names = {"lower", "left"};
  CHECK(contains(error_of([&] { generate(model, request); }), "missing \"left\"; unexpected \"upper\""));
}
