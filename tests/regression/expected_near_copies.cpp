// "nearly copied" was said to be 0.01 for a model that copies nothing; with few held-out images it is several times as
// much, because their smallest distance is no longer the 1% quantile.
#include <numeric>

#include "data/toy.h"
#include "diffusion/evaluation/comparison.h"
#include "diffusion/metrics/memorisation.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

TEST_CASE("the share of new samples that count as nearly copied is the one expected for n held-out ones") {
  constexpr Index trials = 400, samples = 50;
  const Tensor training = noise({40, 2});
  for (const auto& [n, expected] :
       {std::pair<Index, double>{1, 1. / 2}, {20, 1. / 21}, {99, 1. / 100}, {100, 2. / 101}, {250, 3. / 251}}) {
    double sum = 0, squares = 0;
    for (Index i = 0; i < trials; ++i) {
      const auto channel = static_cast<std::uint32_t>(2 * i + 1);
      const Memorisation m = memorisation(noise({samples, 2}, channel), noise({n, 2}, channel + 1), training);
      REQUIRE(m.expected == doctest::Approx(expected));
      sum += m.nearly_copied;
      squares += m.nearly_copied * m.nearly_copied;
    }
    const double mean = sum / trials, error = std::sqrt((squares / trials - mean * mean) / trials);
    CAPTURE(n);
    CHECK(std::abs(mean - expected) < 3.5 * error);
  }
}

TEST_CASE("a comparison prints the expected share, and its interval holds it about 95 times in 100") {
  const PointSet training = toy("swiss_roll", 300, 1), all = toy("swiss_roll", 40'000, 2);
  const Judge judge(training, nullptr);
  int held = 0;
  constexpr int trials = 100;
  for (int i = 0; i < trials; ++i) {
    PointSet samples, data;
    samples.points = all.points.rows(400 * i, 400 * i + 200),
    data.points = all.points.rows(400 * i + 200, 400 * i + 400);
    const Memorisation m = memorisation(samples.points, data.points, training.points);
    const auto pick = [](const std::vector<double>& values, Index replicate, Index set) {
      std::vector<double> picked;
      for (const Index row : resample(std::ssize(values), 7, replicate, set)) picked.push_back(values[row]);
      return picked;
    };
    const Interval interval = bootstrap_interval(m.nearly_copied, 100, [&](Index replicate) {
      return share_nearly_copied(pick(m.samples, replicate, 0), pick(m.held_out, replicate, 1));
    });
    held += interval.low <= m.expected && m.expected <= interval.high;
  }
  CHECK(held >= 85);

  PointSet samples, data;
  samples.points = all.points.rows(0, 50), data.points = all.points.rows(50, 70);
  const Comparison few =
      compare(judge, judge.look_at(samples, 50), judge.look_at(data, 20), &training, {.replicates = 5});
  CHECK(few.measures.back().meaning == "0.048 if nothing is");
}
