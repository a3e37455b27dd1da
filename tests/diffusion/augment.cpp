// Synthetic training data: labels, numbers, and what a classifier keeps.
#include "diffusion/uses/augment.h"

#include "data/image_set.h"
#include "data/subset.h"
#include "diffusion/metrics/bootstrap.h"
#include "diffusion/model/config.h"
#include "tensor/parallel.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

// A network that has learned nothing: as v, the model of N(0, 1), with two classes.
DiffusionModel untrained(bool classes = true, std::vector<std::string> names = {"dark", "light"}, Index size = 8) {
  Config config;
  config.model.channel_mult = {1}, config.model.attention_resolutions = {}, config.model.num_res_blocks = 1;
  config.model.class_conditional = classes;
  config.diffusion.prediction = "v";
  config.diffusion.steps = 12;
  return build_model(config, {{size, size, 1}, classes ? std::move(names) : std::vector<std::string>{}});
}

// Images whose mean is below or above that of N(0, 1), listed in another order than the model's classes.
const Classifier& by_brightness() {
  static const auto classifier = [] {
    ImageSet set;
    set.count = 400, set.height = set.width = 8, set.channels = 1;
    set.class_names = {"light", "dark"};
    for (Index i = 0; i < set.count; ++i) {
      set.labels.push_back(i % 2);
      const Tensor x = normal({.seed = 1, .stream = Stream::probe, .step = static_cast<std::uint64_t>(i)}, {64});
      for (const real value : x.values())
        set.images.push_back(to_pixel(value + static_cast<real>(i % 2 == 0 ? 0.1 : -0.1)));
    }
    return train_classifier(set, {.epochs = 8, .batch_size = 32});
  }();
  return *classifier;
}

SynthesisRequest request(Index per_class) {
  SynthesisRequest r{.per_class = per_class};
  r.sampling.sampler = "ddim";
  r.sampling.steps = 4;
  return r;
}

}  // namespace

TEST_CASE("synthetic data: as many samples of each class, a function of the seed, whatever the threads") {
  const DiffusionModel model = untrained();
  set_threads(1);
  const Synthesis a = synthesise(model, request(9));
  set_threads(3);
  const Synthesis b = synthesise(model, request(9));
  set_threads(0);
  CHECK(a.samples.x.shape() == Shape{18, 8, 8, 1});
  CHECK(a.kept == std::vector<Index>{9, 9});
  CHECK(a.drawn == a.kept);
  CHECK(std::count(a.samples.labels.begin(), a.samples.labels.end(), 1) == 9);
  CHECK(a.samples.class_names == model.facts().class_names);
  CHECK(std::ranges::equal(a.samples.x.values(), b.samples.x.values()));
  SynthesisRequest other = request(9);
  other.sampling.seed = 1;
  CHECK(difference(synthesise(model, other).samples.x, a.samples.x) > 0.1);
  other.sampling.label = 1;
  CHECK(synthesise(model, other).samples.labels == std::vector<Index>(9, 1));
}

TEST_CASE("synthetic data: only samples that the classifier recognises are kept, and others are drawn instead") {
  const DiffusionModel model = untrained();
  SynthesisRequest r = request(20);
  r.classifier = &by_brightness();
  r.confidence = 0.6;
  double last = 0;
  const Synthesis kept = synthesise(model, r, [&](double share) {
    last = share;
    return share >= 0;
  });
  CHECK(kept.kept == std::vector<Index>{20, 20});
  for (const Index drawn : kept.drawn) CHECK((drawn > 20 && drawn <= 200));
  CHECK(last == doctest::Approx(1));
  const Recognition found = recognise(by_brightness(), *kept.samples.as_dataset());
  std::vector<std::vector<real>> seen;
  for (Index i = 0; i < 40; ++i) {
    const Index number = 1 - kept.samples.labels[i];  // the classifier lists the classes the other way round
    CHECK(static_cast<double>(found.probabilities[2 * i + number]) >= 0.6);
    const Tensor row = kept.samples.x.rows(i, i + 1);
    seen.emplace_back(row.values().begin(), row.values().end());
  }
  std::sort(seen.begin(), seen.end());
  CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());  // later rounds have other noise

  r.tries = 1;  // too few for all
  const Synthesis few = synthesise(model, r);
  CHECK(few.drawn == std::vector<Index>{20, 20});
  CHECK((few.kept[0] < 20 && few.kept[1] < 20));
  CHECK(few.samples.x.extent(0) == few.kept[0] + few.kept[1]);
  r.per_class = 2, r.confidence = 0.9999999;
  CHECK(contains(error_of([&] { synthesise(model, r); }), "none of the 4 samples drawn"));
  CHECK(contains(error_of([&] { synthesise(model, request(9), [](double) { return false; }); }), "interrupted"));
}

TEST_CASE("synthetic data: what can't be drawn or judged is named") {
  const DiffusionModel model = untrained();
  const auto error = [&](const SynthesisRequest& r, const DiffusionModel& m) {
    return error_of([&] { synthesise(m, r); });
  };
  CHECK(contains(error(request(1), untrained(false)), "model.class_conditional = true"));
  CHECK(contains(error(request(0), model), "0 samples of each class"));
  SynthesisRequest r = request(1);
  r.classifier = &by_brightness();
  CHECK(contains(error(r, untrained(true, {"dark", "grey"})), "missing \"light\""));
  CHECK(contains(error(r, untrained(true, {"dark", "light"}, 16)), "images of shape [8,8,1], the model [16,16,1]"));
  for (const double confidence : {0.0, 1.0, -0.5, 1.5, double(NAN)}) {
    r.confidence = confidence;
    CHECK(contains(error(r, model), "above 0 and below 1"));
  }
  r = request(1), r.tries = 0;
  CHECK(contains(error(r, model), "0 tries"));
  r = request(1), r.sampling.guidance = 2;
  CHECK(contains(error(r, model), "label_dropout"));
  r = request(1), r.sampling.label = 2;
  CHECK(contains(error(r, model), "classes 0 to 1"));
}
