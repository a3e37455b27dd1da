#include "diffusion/evaluation/evaluation.h"

#include <numbers>
#include <numeric>

#include "data/image_set.h"
#include "data/toy.h"
#include "diffusion/model/config.h"
#include "tensor/parallel.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

// Random images in two classes.
ImageSet images(Index count, Index size = 4) {
  ImageSet set;
  set.count = count, set.height = set.width = size, set.channels = 1;
  set.class_names = {"a", "b"};
  for (Index i = 0; i < count; ++i) {
    set.labels.push_back(i % 2);
    const RandomKey key = RandomKey{.seed = 5, .stream = Stream::probe}.with_sample(i);
    for (Index p = 0; p < size * size; ++p) set.images.push_back(static_cast<std::uint8_t>(uniform_index(key, 256, p)));
  }
  return set;
}

// A network that hasn't learned anything says 0. As v that means x_0 = x / (1 + sigma^2), which is exact for data
// that is N(0, 1): the model of a standard normal distribution.
Config standard_normal(const char* network) {
  Config c;
  c.data.train = "none";
  c.model.network = network;
  c.model.channel_mult = {1};
  c.model.num_res_blocks = 1;
  c.model.attention_resolutions = {};
  c.model.hidden = 16, c.model.depth = 1;
  c.diffusion.schedule = "cosine";
  c.diffusion.prediction = "v";
  c.diffusion.steps = 60;
  return c;
}

double sum_of(const std::vector<MeanWithError>& terms) {
  return std::accumulate(terms.begin(), terms.end(), 0.0,
                         [](double sum, const MeanWithError& term) { return sum + term.value; });
}

}  // namespace

TEST_CASE("the bound's ledger adds up: prior, each L_t and the decoder; the table has a line for each") {
  const ImageSet set = images(11);
  const DiffusionModel model = build_model(standard_normal("unet"), {set.sample_shape(), {}});
  const BoundEvaluation bound = evaluate_bound(model, set, 11, 0, true);
  CHECK(bound.count == 11);
  CHECK(bound.total.value == Approx(bound.prior.value + sum_of(bound.vb)).epsilon(1e-5));
  CHECK(bound.total.value == Approx(bound.prior.value + bound.middle.value + bound.decoder.value).epsilon(1e-5));
  CHECK(bound.decoder.value == bound.vb[0].value);
  // Estimated at all time steps, the terms are the same; at some, nearly so.
  const BoundLedger all = bound_ledger(model, set, 11, 1000, true), some = bound_ledger(model, set, 11, 25, true);
  CHECK(all.t.size() == 60);
  for (Index t = 0; t < 60; ++t) CHECK(all.bits[t] == Approx(bound.vb[t].value).epsilon(1e-4));
  CHECK(all.total == Approx(bound.total.value).epsilon(1e-4));
  CHECK(some.t.front() == 0);
  CHECK(some.t.back() == 59);
  CHECK(some.t.size() < 26);
  CHECK(some.total == Approx(bound.total.value).epsilon(0.05));
  CHECK(contains(error_of([&] { bound_ledger(model, set, 0, 25, true); }), "at least 1"));
  for (const MeanWithError& term : bound.vb) CHECK(term.error > 0);

  const std::string csv = step_table(bound);
  CHECK(csv.starts_with("t,vb,vb_error,mse,mse_error,x0_mse,x0_mse_error\n0,"));
  std::istringstream lines(csv);
  std::string line;
  std::getline(lines, line);
  double sum = 0;
  for (Index t = 0; t <= 60; ++t) {
    REQUIRE(std::getline(lines, line));
    CHECK(std::stoll(line) == t);
    CHECK(std::count(line.begin(), line.end(), ',') == 6);
    sum += std::stod(line.substr(line.find(',') + 1));
  }
  CHECK(!std::getline(lines, line));
  CHECK(sum == Approx(bound.total.value).epsilon(1e-5));
}

TEST_CASE("the standard error of two samples is half their difference, of one zero") {
  const ImageSet set = images(2);
  const DiffusionModel model = build_model(standard_normal("unet"), {set.sample_shape(), {}});
  const BoundEvaluation one = evaluate_bound(model, set, 1, 0, true), two = evaluate_bound(model, set, 2, 0, true);
  CHECK(one.total.error == 0);
  CHECK(two.total.error == Approx(std::abs(one.total.value - two.total.value)).epsilon(1e-4));
  CHECK(two.vb[30].error == Approx(std::abs(one.vb[30].value - two.vb[30].value)).epsilon(1e-3));
}

TEST_CASE("the decoder's term by the tanh form and by the exact CDF: beside one another, near but not the same") {
  const ImageSet set = images(8);
  const DiffusionModel model = build_model(standard_normal("unet"), {set.sample_shape(), {}});
  const BoundEvaluation bound = evaluate_bound(model, set, 8, 0, true);
  CHECK(bound.exact_decoder.value != bound.decoder.value);
  CHECK(bound.exact_decoder.value == Approx(bound.decoder.value).epsilon(0.05));
}

TEST_CASE("ODE likelihood of the model that is N(0, 1): the known density of points, and of images with labels") {
  const PointSet points = toy("two_moons", 300, 3);
  const DiffusionModel plane = build_model(standard_normal("mlp"), {{2}, {}});
  const LikelihoodEvaluation of_points = evaluate_likelihood(plane, points, 300, {.tolerance = 1e-5, .probes = 0});
  const double sigma = plane.formulation().sigma_range().min, variance = 1 + sigma * sigma;
  double want = 0;
  for (const real x : points.points.values()) want -= static_cast<double>(x) * static_cast<double>(x) / variance / 2;
  want = want / 300 - std::log(2 * std::numbers::pi * variance);
  CHECK(of_points.nats.value == Approx(want).epsilon(2e-3));
  CHECK(of_points.bits.value == Approx(-want / 2 / std::numbers::ln2).epsilon(2e-3));
  CHECK(of_points.nats.error > 0);
  CHECK(of_points.evaluations > 10);

  // -log2 P per pixel: the mean over the bin (width w) of x^2 is that of its middle and w^2 / 12.
  Config by_class = standard_normal("unet");
  by_class.model.class_conditional = true;
  const ImageSet set = images(20);
  const DiffusionModel model = build_model(by_class, {set.sample_shape(), set.class_names});
  const LikelihoodEvaluation of_images = evaluate_likelihood(model, set, 20, {.tolerance = 1e-5, .probes = 1});
  const double w = 2.0 / 255, s = model.formulation().sigma_range().min, v = 1 + s * s;
  double bits = std::log2(2 * std::numbers::pi * v) / 2 - std::log2(w);
  for (const std::uint8_t pixel : set.images)
    bits += (std::pow(pixel / 127.5 - 1, 2) + w * w / 12) / v / 2 / std::numbers::ln2 /
            static_cast<double>(set.images.size());
  CHECK(of_images.bits.value == Approx(bits).epsilon(2e-3));
  CHECK(of_images.count == 20);
}

TEST_CASE("evaluations have the same bits for any number of threads") {
  const ImageSet set = images(20);
  const DiffusionModel model = build_model(standard_normal("unet"), {set.sample_shape(), {}});
  const OdeOptions rough{.tolerance = 1e-2};
  const double bound = evaluate_bound(model, set, 20, 1, true).total.value;
  const double nats = evaluate_likelihood(model, set, 20, rough).nats.value;
  set_threads(3);
  CHECK(evaluate_bound(model, set, 20, 1, true).total.value == bound);
  CHECK(evaluate_likelihood(model, set, 20, rough).nats.value == nats);
  set_threads(0);
}

TEST_CASE("what can't be evaluated is named, and work stops where progress says so") {
  const ImageSet set = images(4);
  const PointSet points = toy("two_moons", 10, 3);
  const DiffusionModel model = build_model(standard_normal("unet"), {set.sample_shape(), {}}),
                       plane = build_model(standard_normal("mlp"), {{2}, {}});
  CHECK(contains(error_of([&] { evaluate_bound(plane, points, 4, 0, true); }), "8-bit values"));
  CHECK(contains(error_of([&] { evaluate_bound(model, points, 4, 0, true); }), "[2]"));
  CHECK(contains(error_of([&] { evaluate_likelihood(model, points, 4, {}); }), "[2]"));
  CHECK(contains(error_of([&] { evaluate_bound(model, set, 0, 0, true); }), "at least 1"));
  CHECK(
      contains(error_of([&] { evaluate_bound(model, set, 4, 0, true, [](double) { return false; }); }), "interrupted"));
  CHECK(
      contains(error_of([&] { evaluate_likelihood(model, set, 4, {}, [](double) { return false; }); }), "interrupted"));
}
