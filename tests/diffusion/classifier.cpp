#include "diffusion/evaluation/classifier.h"

#include "data/image_set.h"
#include "data/toy.h"
#include "diffusion/metrics/bootstrap.h"
#include "diffusion/model/config.h"
#include "tensor/parallel.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

// Noise with a bright left half, or a bright right half.
ImageSet halves(Index count, std::uint64_t seed, Index size = 8) {
  ImageSet set;
  set.name = "halves";
  set.count = count, set.height = set.width = size, set.channels = 1;
  set.class_names = {"left", "right"};
  for (Index i = 0; i < count; ++i) {
    set.labels.push_back(i % 2);
    const RandomKey key = RandomKey{.seed = seed, .stream = Stream::probe}.with_sample(i);
    for (Index p = 0; p < size * size; ++p) {
      const bool bright = (p % size < size / 2) == (i % 2 == 0);
      set.images.push_back(static_cast<std::uint8_t>((bright ? 127 : 0) + uniform_index(key, 128, p)));
    }
  }
  return set;
}

double accuracy(const Classifier& classifier, const ImageSet& set, double sigma = 0) {
  return mean_of(hits(recognise(classifier, set, sigma).classes, set.labels));
}

const Classifier& noisy_one() {
  static const auto classifier = train_classifier(halves(256, 1), {.noisy = true, .epochs = 8, .batch_size = 32});
  return *classifier;
}

struct File {
  TemporaryFolder folder;
  std::string path = folder / "classifier.h5";
};

}  // namespace

TEST_CASE("a classifier learns what tells its classes apart, and a noisy one knows it under noise") {
  const auto clean = train_classifier(halves(256, 1), {.epochs = 4, .batch_size = 32});
  const ImageSet fresh = halves(200, 2);
  CHECK(accuracy(*clean, fresh) > 0.98);
  CHECK(accuracy(noisy_one(), fresh) > 0.98);
  CHECK(accuracy(noisy_one(), fresh, 1) > 0.9);
  CHECK(accuracy(noisy_one(), fresh, 30) < 0.7);  // nothing is left to see
  CHECK(contains(clean->source, "4 epochs of 256 images of halves"));
}

TEST_CASE("a classifier is trained for a number of steps, on images changed at random, and says so") {
  const ImageSet set = halves(64, 1);
  const auto trained = [&](const ClassifierTraining& options) { return train_classifier(set, options); };
  const auto same = [](const Classifier& a, const Classifier& b) {
    const ImageSet fresh = halves(20, 2);
    const Recognition x = recognise(a, fresh), y = recognise(b, fresh);
    return std::ranges::equal(x.features.values(), y.features.values());
  };
  const auto by_epochs = trained({.epochs = 3, .batch_size = 32}), by_steps = trained({.steps = 6, .batch_size = 32});
  CHECK(same(*by_epochs, *by_steps));
  CHECK(contains(by_steps->source, "6 steps on 64 images of halves, seed 0"));
  const auto changed = trained({.steps = 6, .augmentation = {.shift = 1, .rotation = 5}, .batch_size = 32});
  CHECK(!same(*by_steps, *changed));
  CHECK(contains(changed->source, "halves, shifted by up to 1 pixels, rotated by up to 5 degrees, seed 0"));
  CHECK(contains(error_of([&] { trained({.steps = -1}); }), "-1 training steps"));
  CHECK(contains(error_of([&] { trained({.augmentation = {.shift = 8}}); }), "8x8"));
}

TEST_CASE("the probabilities of classes add up to 1, and the most likely class has the largest") {
  const ImageSet set = halves(40, 3);
  const Recognition found = recognise(noisy_one(), set);
  REQUIRE(found.probabilities.shape() == Shape{40, 2});
  for (Index i = 0; i < 40; ++i) {
    const auto p = [&](Index c) { return static_cast<double>(found.probabilities[2 * i + c]); };
    CHECK(p(0) + p(1) == doctest::Approx(1));
    CHECK(p(found.classes[i]) >= 0.5);
  }
}

TEST_CASE("training a classifier has the same bits for any number of threads") {
  const ImageSet set = halves(64, 1);
  const auto trained = [&](int threads) {
    set_threads(threads);
    const auto classifier = train_classifier(set, {.noisy = true, .epochs = 1});
    set_threads(0);
    return recognise(*classifier, set).features;
  };
  const Tensor one = trained(1), three = trained(3);
  CHECK(std::equal(one.values().begin(), one.values().end(), three.values().begin()));
}

TEST_CASE("the gradient of log p(class | x_t) is that of differences, of each image for itself") {
  const Classifier& classifier = noisy_one();
  const Tensor x = noise({3, 8, 8, 1}), direction = noise({3, 8, 8, 1}, 1);
  const std::vector<double> sigmas{0.1, 1, 5};
  const std::vector<Index> labels{0, 1, 1};
  const Tensor gradient = classifier.log_probability_gradient(x, sigmas, labels);
  const double h = tolerance(1e-5, 1e-2);
  const auto log_p = [&](double step) {
    const Var logits = classifier.logits(classifier.features((x + step * Var(direction)).value(), sigmas));
    std::vector<double> result;
    for (Index n = 0; n < 3; ++n) {
      const Var row = log_softmax(slice(logits, 0, n, n + 1), 1);
      result.push_back(static_cast<double>(row.value()[labels[n]]));
    }
    return result;
  };
  const std::vector<double> above = log_p(h), below = log_p(-h);
  for (Index n = 0; n < 3; ++n) {
    double along = 0;
    for (Index i = n * 64; i < (n + 1) * 64; ++i)
      along += static_cast<double>(gradient[i]) * static_cast<double>(direction[i]);
    const auto at = static_cast<std::size_t>(n);
    CHECK(std::abs(along - (above[at] - below[at]) / (2 * h)) < tolerance(1e-6, 2e-2) * (1 + std::abs(along)));
  }
}

TEST_CASE("a classifier's file gives the same classifier back; another file is named") {
  const File file;
  write_classifier(file.path, noisy_one());
  CHECK(is_classifier(file.path));
  const auto again = read_classifier(file.path);
  CHECK(again->noisy);
  CHECK(again->source == noisy_one().source);
  CHECK(again->data.class_names == noisy_one().data.class_names);
  const ImageSet set = halves(10, 2);
  const Tensor a = recognise(*again, set).features, b = recognise(noisy_one(), set).features;
  CHECK(std::equal(a.values().begin(), a.values().end(), b.values().begin()));
  set.save(file.path);
  CHECK(contains(error_of([&] { read_classifier(file.path); }), "is not a classifier"));
  CHECK(contains(error_of([&] { read_classifier("nowhere.h5"); }), "nowhere.h5"));
}

TEST_CASE("what a classifier can't learn or guide is named") {
  ImageSet unlabelled = halves(10, 1);
  unlabelled.labels.clear(), unlabelled.class_names.clear();
  CHECK(contains(error_of([&] { train_classifier(unlabelled, {}); }), "expects labels of at least two"));
  CHECK(contains(error_of([&] { train_classifier(halves(10, 1, 4), {}); }), "at least 8x8"));
  CHECK(contains(error_of([&] { train_classifier(toy("two_moons", 10, 1), {}); }), "at least 8x8"));
  CHECK(contains(error_of([&] { train_classifier(halves(10, 1), {.epochs = 0}); }), "at least 1"));
  CHECK(contains(error_of([&] { recognise(noisy_one(), halves(4, 1, 16)); }), "[8,8,1]"));

  Config config;
  config.model.channel_mult = {1}, config.model.attention_resolutions = {};
  const DiffusionModel model = build_model(config, {{8, 8, 1}, {}}), larger = build_model(config, {{16, 16, 1}, {}});
  const auto clean = train_classifier(halves(32, 1), {.epochs = 1});
  CHECK(contains(error_of([&] { guidance_by(*clean, model, 1); }), "reverie classifier --noisy"));
  CHECK(contains(error_of([&] { guidance_by(noisy_one(), larger, 1); }), "[16,16,1]"));
}

TEST_CASE("guided by a classifier, a model without classes makes the classes in turn, or the one asked for") {
  // A network that has learned nothing: as v, the model of N(0, 1), whose samples the classifier pulls apart.
  Config config;
  config.model.channel_mult = {1}, config.model.attention_resolutions = {}, config.model.num_res_blocks = 1;
  config.diffusion.prediction = "v";
  config.diffusion.steps = 12;
  const DiffusionModel model = build_model(config, {{8, 8, 1}, {}});
  SampleRequest request = default_request(config);
  request.count = 16;
  CHECK(generate(model, request).labels.empty());
  for (const char* sampler : {"ddpm", "ddim", "dpmpp_2m"}) {
    CAPTURE(sampler);
    request.sampler = sampler;
    request.classifier = guidance_by(noisy_one(), model, 8);
    const Samples samples = generate(model, request);
    CHECK(samples.class_names == noisy_one().data.class_names);
    CHECK(samples.labels[0] == 0);
    CHECK(samples.labels[1] == 1);
    const auto set = samples.as_dataset();
    CHECK(mean_of(hits(recognise(noisy_one(), *set).classes, samples.labels)) > 0.9);
  }
  for (const char* formulation : {"continuous", "edm", "flow"}) {
    CAPTURE(formulation);
    config.diffusion.formulation = formulation;
    const DiffusionModel other = build_model(config, {{8, 8, 1}, {}});
    SampleRequest same = request;
    same.sampler = "heun";
    same.steps = 12;
    same.classifier = guidance_by(noisy_one(), other, 8);
    const Samples samples = generate(other, same);
    CHECK(mean_of(hits(recognise(noisy_one(), *samples.as_dataset()).classes, samples.labels)) > 0.9);
  }
  request.classifier.scale = 0;
  const Samples unguided = generate(model, request);
  CHECK(mean_of(hits(recognise(noisy_one(), *unguided.as_dataset()).classes, unguided.labels)) < 0.8);
  request.label = 1;
  CHECK(generate(model, request).labels == std::vector<Index>(16, 1));
  request.label = 2;
  CHECK(contains(error_of([&] { generate(model, request); }), "classes 0 to 1"));
}
