#include <numeric>

#include "diffusion/process/timestep_sampler.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

// Each of 8 steps has seen twice its own loss, t + 1.
LossSecondMoment experienced() {
  LossSecondMoment sampler(8, 2, 0.1);
  for (int round = 0; round < 2; ++round) {
    for (Index t = 0; t < 8; ++t) {
      const double u[] = {sampler.middle(t)}, loss[] = {static_cast<double>(t + 1)};
      sampler.observe(u, loss);
    }
  }
  return sampler;
}

}  // namespace

TEST_CASE(
    "every timestep sampler: times in (0, 1), a function of seed and step, weighted means are those of uniform u") {
  for (const TimestepSamplerKind& kind : timestep_samplers()) {
    CAPTURE(std::string(kind.name));
    const auto sampler = make_timestep_sampler(kind.name, 8, {});
    const LossSecondMoment learned = experienced();
    for (const TimestepSampler* s :
         {static_cast<const TimestepSampler*>(sampler.get()), static_cast<const TimestepSampler*>(&learned)}) {
      double sum = 0, weights = 0;
      for (Index step = 0; step < 200; ++step) {
        const Times times = s->draw(3, step, 100), again = s->draw(3, step, 100);
        REQUIRE(times.u.size() == 100);
        CHECK(times.u == again.u);
        CHECK(times.u != s->draw(4, step, 100).u);
        for (std::size_t i = 0; i < 100; ++i) {
          REQUIRE((times.u[i] > 0 && times.u[i] < 1));
          sum += times.weights[i] * times.u[i] * times.u[i];
          weights += times.weights[i];
        }
      }
      CHECK(sum / 20000 == Approx(1.0 / 3).epsilon(0.02));
      CHECK(weights / 20000 == Approx(1).epsilon(0.02));
    }
  }
}

TEST_CASE("stratified: the times of a batch are 1/N apart") {
  const auto sampler = make_timestep_sampler("stratified", 1000);
  std::vector<double> u = sampler->draw(1, 2, 40).u;
  std::sort(u.begin(), u.end());
  for (std::size_t i = 1; i < 40; ++i) CHECK(u[i] - u[i - 1] == Approx(1.0 / 40));
}

TEST_CASE("loss second moment: uniform until every history is full, then as the root mean squares") {
  LossSecondMoment sampler(4, 2, 0.2);
  const std::vector<double> u = {0.1, 0.3, 0.6, 0.9}, ones = {1, 1, 1, 1}, losses = {3, 4, 0, 2};
  sampler.observe(u, ones);
  for (const double p : sampler.probabilities()) CHECK(p == 0.25);
  sampler.observe(u, losses);
  sampler.observe(u, losses);  // pushes the ones out
  const std::vector<double> p = sampler.probabilities();
  for (std::size_t t = 0; t < 4; ++t) CHECK(p[t] == Approx(0.8 * losses[t] / 9 + 0.05));
  const Times times = sampler.draw(1, 1, 1000);
  std::vector<double> shares(4);
  for (std::size_t i = 0; i < 1000; ++i) {
    const auto t = static_cast<std::size_t>(4 * times.u[i]);
    shares[t] += 1e-3;
    CHECK(times.weights[i] == Approx(1 / (4 * p[t])));
  }
  for (std::size_t t = 0; t < 4; ++t) CHECK(std::abs(shares[t] - p[t]) < 0.05);
}

TEST_CASE("loss second moment: its state makes another one its twin; a foreign state is named") {
  const LossSecondMoment sampler = experienced();
  LossSecondMoment twin(8, 2, 0.1);
  twin.restore(sampler.state(), "here.h5");
  CHECK(twin.probabilities() == sampler.probabilities());
  CHECK(twin.draw(1, 1, 50).u == sampler.draw(1, 1, 50).u);
  LossSecondMoment half(8, 2, 0.1), other(8, 2, 0.1);
  const std::vector<double> u = {0.2, 0.7}, losses = {5, 6};
  half.observe(u, losses);
  other.restore(half.state(), "here.h5");
  other.observe(u, losses), half.observe(u, losses);
  CHECK(difference(other.state().at("losses"), half.state().at("losses")) == 0);
  LossSecondMoment longer(8, 3, 0.1);
  CHECK(contains(error_of([&] { longer.restore(sampler.state(), "here.h5"); }), "here.h5"));
  CHECK(contains(error_of([&] { longer.restore({}, "here.h5"); }), "losses"));
  CHECK_THROWS_AS(make_timestep_sampler("loss_second_moment", 8, {{"history", 0}}), UsageError);
  CHECK_THROWS_AS(make_timestep_sampler("loss_second_moment", 8, {{"history", 1e12}}), UsageError);
  CHECK(contains(error_of([] { make_timestep_sampler("normal", 8); }), "uniform, stratified, loss_second_moment"));
}
