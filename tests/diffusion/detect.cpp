// Detection under the exact model of Gaussian data, where the error of every image is known.
#include "diffusion/uses/detect.h"

#include "data/image_set.h"
#include "diffusion/evaluation/gaussian_oracle.h"
#include "diffusion/formulations/formulation.h"
#include "diffusion/metrics/bootstrap.h"
#include "diffusion/model/config.h"
#include "tensor/parallel.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

constexpr double mu = -0.2, s = 0.1;

// Stands for a network: its output isn't used.
struct NoNetwork : Network {
  NoNetwork() : Network(0) {}
  Var operator()(const Var& x, std::span<const double>, std::span<const Index>, const Mode&) const override {
    return x;
  }
};

// Denoises N(mu, s^2) data exactly; or fails.
struct Exact : Formulation {
  explicit Exact(bool fails)
      : Formulation({make_schedule("linear", 1000), MeanType::v, VarianceType::fixed_small}), fails(fails) {}
  Var losses(const NetworkFunction&, const Var& x0, const Var&, std::span<const double>) const override { return x0; }
  Var denoise(const NetworkFunction& network, const Var& x, double sigma) const override {
    network(x, std::vector<double>(static_cast<std::size_t>(x.extent(0)), sigma));  // to be counted
    return fails ? Var(Tensor::full(x.shape(), NAN)) : Var(gaussian_data(mu, s).denoise(x.value(), sigma));
  }
  SigmaRange sigma_range() const override { return {0.01, 100}; }
  bool fails;
};

DiffusionModel exact_model(bool fails = false) {
  return {{{24, 24, 3}, {}}, std::make_unique<NoNetwork>(), std::make_unique<Exact>(fails)};
}

// One image for each value, constant.
ImageSet constants(const std::vector<double>& values) {
  Tensor x = Tensor::uninitialized({std::ssize(values), 24, 24, 3});
  for (Index i = 0; i < x.size(); ++i) x[i] = static_cast<real>(values[i / (24 * 24 * 3)]);
  return ImageSet::from(x);
}

double alpha_bar_at(double level) {
  return make_schedule("linear", 1000).alphas_cumprod[static_cast<std::size_t>(std::lround(1000 * level)) - 1];
}

double mean_of_row(const Tensor& x, Index n) {
  const Tensor row = x.rows(n, n + 1);
  return mean_of(std::vector<double>(row.values().begin(), row.values().end()));
}

}  // namespace

TEST_CASE("the denoising error of an image c is (sigma^4 (c - mu)^2 + s^4 sigma^2) / (s^2 + sigma^2)^2 in the mean") {
  const std::vector<double> values{mu, 0.3, 0.9};
  const ImageSet images = constants(values);
  for (const double level : {0.1, 0.3, 0.6}) {
    const Detection found = detect(exact_model(), images, {.levels = {level}, .draws = 12, .clip = false});
    CHECK(found.evaluations == 12);
    const double ab = alpha_bar_at(level), v = (1 - ab) / ab, total = s * s + v;  // v = sigma^2
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double c = static_cast<double>(to_real(to_pixel(static_cast<real>(values[i]))));
      CHECK(found.scores[i] ==
            Approx((v * v * (c - mu) * (c - mu) + s * s * s * s * v) / (total * total)).epsilon(0.05));
      CHECK(found.scores[i] == Approx(mean_of_row(found.maps, static_cast<Index>(i))));
    }
    CHECK(found.scores[0] < found.scores[1]);
    CHECK(found.scores[1] < found.scores[2]);
  }
}

TEST_CASE("a partly noised image is healed along the flow: it tends to the mean of healthy data") {
  const double c = static_cast<double>(to_real(to_pixel(static_cast<real>(0.8))));
  double before = c;
  for (const double level : {0.05, 0.2, 0.5, 0.95}) {
    const Detection found =
        detect(exact_model(), constants({c}), {.scores = {"partial"}, .levels = {level}, .steps = 500, .clip = false});
    // The flow maps x_t linearly, from N(sqrt(ab) mu, ab s^2 + 1 - ab) to N(mu, s^2).
    const double ab = alpha_bar_at(level),
                 expected = mu + s * std::sqrt(ab) * (c - mu) / std::sqrt(ab * s * s + 1 - ab);
    const double mean = mean_of_row(found.healed, 0);
    CHECK(std::abs(mean - expected) < 0.02);
    CHECK(mean < before);
    before = mean;
  }
  CHECK(std::abs(before - mu) < 0.02);
}

TEST_CASE("every score ranks an outlier above healthy images, with either noise") {
  const ImageSet images = constants({mu - 0.1, mu, 0.9});
  for (const AnomalyScore& score : anomaly_scores()) {
    for (const char* noise : {"gaussian", "simplex"}) {
      if (score.levels.empty() && std::string(noise) == "simplex") continue;  // the bound is for normal noise
      CAPTURE(score.name);
      const Detection found = detect(exact_model(), images, {.scores = {score.name}, .noise = noise, .steps = 20});
      CHECK(found.scores[2] > found.scores[0]);
      CHECK(found.scores[2] > found.scores[1]);
      CHECK(found.maps.defined() == !score.levels.empty());
      CHECK(found.evaluations == (score.levels.empty() ? 20 : 5));
    }
  }
}

TEST_CASE("scores of several kinds are standardised: mean 0 and deviation 1 over the healthy rows, maps alike") {
  const ImageSet images = constants({mu, mu + 0.1, mu - 0.1, mu + 0.2, 0.9});
  const DetectOptions options{.scores = {"denoising", "bound", "partial"}, .levels = {0.3, 0.4}, .steps = 10};
  const DiffusionModel model = exact_model();
  const Detection raw = detect(model, images, options);
  CHECK(raw.scores.empty());  // their units differ
  CHECK(!raw.maps.defined());
  CHECK(raw.names ==
        std::vector<std::string>{"denoising at 0.3", "denoising at 0.4", "bound", "partial at 0.3", "partial at 0.4"});
  const std::vector<Index> rows{0, 1, 2, 3};
  const auto standards = standards_of(raw, rows);
  for (std::size_t k = 0; k < 5; ++k) {
    double sum = 0, squares = 0;
    for (const Index i : rows) {
      const double z = (raw.values[k][i] - standards[k].mean) / standards[k].deviation;
      sum += z, squares += z * z;
    }
    CHECK(sum == Approx(0).epsilon(1e-6));
    CHECK(squares == Approx(3));
  }
  const Detection found = detect(model, images, options, standards);
  CHECK(found.scores == standardised_scores(raw, standards));
  CHECK(found.scores[4] > 2);
  const Detection one = detect(model, images, {.levels = {0.3}}, std::vector{standards[0]});
  CHECK(mean_of_row(one.maps, 4) == Approx(one.scores[4]).epsilon(1e-3));  // mean pooling
  CHECK(contains(error_of([&] { standards_of(raw, std::vector<Index>{1}); }), "expects two"));
  const std::vector<Index> twice{1, 1};
  CHECK(contains(error_of([&] { standards_of(raw, twice); }), "denoising at 0.3"));
}

TEST_CASE("pooling and smoothing: the mean stays, the largest value falls; the centre counts more than the edge") {
  ImageSet images = constants({mu, mu});
  for (Index y = 0; y < 24; ++y) {
    for (Index x = 0; x < 24; ++x) {
      const bool centre = std::abs(y - 12) < 3 && std::abs(x - 12) < 3, edge = y < 5 && x < 5;
      for (Index c = 0; c < 3; ++c) {
        if (centre) images.images[((0 * 24 + y) * 24 + x) * 3 + c] = 255;
        if (edge) images.images[((1 * 24 + y) * 24 + x) * 3 + c] = 255;
      }
    }
  }
  const auto found = [&](const std::string& pooling, double smoothing) {
    return detect(exact_model(), images, {.levels = {0.5}, .pooling = pooling, .smoothing = smoothing});
  };
  CHECK(found("mean", 0).scores[0] == Approx(found("mean", 0).scores[1]).epsilon(0.02));
  CHECK(found("centre", 0).scores[0] > 3 * found("centre", 0).scores[1]);
  CHECK(found("mean", 1).scores[0] == Approx(found("mean", 0).scores[0]).epsilon(0.01));
  const double largest = found("max", 0).scores[0];
  CHECK(found("max", 1).scores[0] < largest);
  const Tensor maps = found("max", 0).maps;
  CHECK(largest == static_cast<double>(*std::max_element(maps.values().begin(), maps.values().begin() + 24 * 24)));
}

TEST_CASE("detection is the same for any number of threads and any other images, and reports its progress") {
  std::vector<double> values;
  for (int i = 0; i < 40; ++i) values.push_back(-0.9 + 0.04 * i);
  const ImageSet images = constants(values);
  const DetectOptions options{.scores = {"denoising", "partial"}, .levels = {0.3}, .steps = 10};
  const std::vector<Standard> none(2);
  double last = 0;
  const Detection a = detect(exact_model(), images, options, none, [&](double share) {
    CHECK(share >= last);
    last = share;
    return true;
  });
  CHECK(last == 1);
  set_threads(3);
  const Detection b = detect(exact_model(), images, options, none);
  set_threads(0);
  CHECK(a.scores == b.scores);
  CHECK(std::equal(a.maps.values().begin(), a.maps.values().end(), b.maps.values().begin()));
  const Detection alone = detect(exact_model(), constants({values[37]}), options, none);
  CHECK(alone.scores[0] == Approx(a.scores[37]));
  CHECK(contains(error_of([&] { detect(exact_model(), images, options, none, [](double) { return false; }); }),
                 "interrupted"));
}

TEST_CASE("a model with classes is evaluated without them, if it learned that") {
  Config config;
  config.model.network = "unet";
  config.model.channels = 32, config.model.channel_mult = {1}, config.model.num_res_blocks = 1;
  config.model.attention_resolutions = {};
  config.model.class_conditional = true;
  config.train.label_dropout = 0.1;
  const DataFacts facts{{24, 24, 3}, {"a", "b"}};
  const DiffusionModel model = build_model(config, facts);
  const ImageSet images = constants({0, 0.5});
  const std::vector<Standard> none(2);
  const Detection found =
      detect(model, images, {.scores = {"denoising", "partial"}, .levels = {0.3}, .steps = 10}, none);
  CHECK(found.scores.size() == 2);
  config.train.label_dropout = 0;
  CHECK(contains(error_of([&] { detect(build_model(config, facts), images, {}); }), "label_dropout"));
}

TEST_CASE("detection names options and images that can't be") {
  const DiffusionModel model = exact_model();
  const ImageSet images = constants({0});
  const auto message = [&](const DetectOptions& options) { return error_of([&] { detect(model, images, options); }); };
  CHECK(contains(message({.scores = {"magic"}}), "denoising, partial, bound"));
  CHECK(contains(message({.scores = {}}), "no score"));
  CHECK(contains(message({.scores = {"bound", "bound"}}), "twice"));
  CHECK(contains(message({.levels = {0}}), "level 0 "));
  CHECK(contains(message({.levels = {1}}), "level 1 "));
  CHECK(contains(message({.draws = 0}), "0 draws"));
  CHECK(contains(message({.noise = "pink"}), "gaussian, simplex"));
  CHECK(contains(message({.scores = {"bound"}, .noise = "simplex"}), "normal noise only"));
  CHECK(contains(message({.pooling = "sum"}), "mean, centre, max"));
  CHECK(contains(message({.smoothing = -1}), "-1 pixels"));
  CHECK(contains(message({.steps = 1001}), "1001 steps of a chain of 1000"));
  const ImageSet small = ImageSet::from(Tensor::zeros({2, 8, 8, 1}));
  CHECK(contains(error_of([&] { detect(model, small, {}); }), "[8,8,1]"));
  CHECK(contains(error_of([&] { detect(exact_model(true), images, {}); }), "of image 0 is nan"));
}
