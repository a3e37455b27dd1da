#include "diffusion/process/process.h"

#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

const Shape images{4, 2, 3, 2}, points{4, 2};
const std::vector<Index> steps{0, 1, 20, 39};

Process process_of(MeanType mean, VarianceType variance) { return {make_schedule("cosine", 40), mean, variance}; }

}  // namespace

TEST_CASE("every prediction: what the network should say leads back to x_0, and that to the noise") {
  for (const MeanKind& kind : mean_kinds()) {
    for (const Shape& shape : {images, points}) {
      CAPTURE(std::string(kind.name));
      const Process process = process_of(kind.type, VarianceType::fixed_small);
      const Tensor x0 = noise(shape, 1), eps = noise(shape, 2);
      const Var x_t = process.q_sample(x0, steps, eps);
      const Var pred = process.pred_x0(x_t, steps, process.target(x0, steps, eps));
      CHECK(difference(pred.value(), x0) < tolerance(1e-10, 5e-3));  // eps: 1 / sqrt(alpha_bar) is 1e3 at the end
      CHECK(difference(process.eps_from_x0(x_t, steps, x0).value(), eps) < tolerance(1e-13, 1e-5));
    }
  }
}

TEST_CASE("the three predictions, converted, give the same x_0 and the same step down") {
  const Tensor x_t = noise(images, 1), x0 = noise(images, 2);
  const Process by_x0 = process_of(MeanType::x0, VarianceType::fixed_large);
  const Var eps = by_x0.eps_from_x0(x_t, steps, x0);
  const PMeanVariance want = by_x0.p_mean_variance(x_t, steps, Var(x0), true);
  for (const MeanKind& kind : mean_kinds()) {
    CAPTURE(std::string(kind.name));
    const Process process = process_of(kind.type, VarianceType::fixed_large);
    const PMeanVariance p = process.p_mean_variance(x_t, steps, process.target(x0, steps, eps), true);
    CHECK(difference(p.pred_x0.value(), want.pred_x0.value()) < tolerance(1e-10, 5e-3));
    CHECK(difference(p.mean.value(), want.mean.value()) < tolerance(1e-10, 5e-3));
    CHECK(difference(p.variance.value(), want.variance.value()) == 0);
  }
}

TEST_CASE("with the true x_0 p is the posterior of q, and fixed_small has its variance") {
  const Process process = process_of(MeanType::x0, VarianceType::fixed_small);
  const Tensor x0 = noise(images, 1), x_t = noise(images, 2);
  const Gaussian q = process.posterior(x0, x_t, steps);
  const PMeanVariance p = process.p_mean_variance(x_t, steps, Var(x0), false);
  CHECK(difference(p.mean.value(), q.mean.value()) == 0);
  CHECK(difference(p.variance.value(), q.variance.value()) == 0);
  CHECK(difference(p.log_variance.value(), q.log_variance.value()) == 0);
}

TEST_CASE("learned_range: -1 is the small variance, 1 is beta, and halfway the geometric mean") {
  const Process range = process_of(MeanType::x0, VarianceType::learned_range);
  const NoiseSchedule& s = range.schedule;
  const Tensor x = noise(points, 1);
  for (const double v : {-1.0, 0.0, 1.0}) {
    const Var output = concat({Var(x), Var(Tensor::full(points, static_cast<real>(v)))}, -1);
    const PMeanVariance p = range.p_mean_variance(x, steps, output, false);
    for (Index n = 0; n < 4; ++n) {
      const auto t = static_cast<std::size_t>(steps[n]);
      const double want = (1 - v) / 2 * s.posterior_log_variance_clipped[t] + (1 + v) / 2 * std::log(s.betas[t]);
      CHECK(static_cast<double>(p.log_variance.value()[2 * n]) == doctest::Approx(want).epsilon(1e-6));
      CHECK(static_cast<double>(p.variance.value()[2 * n + 1]) == doctest::Approx(std::exp(want)).epsilon(1e-5));
    }
  }
}

TEST_CASE("fixed_large is beta, with the posterior variance of step 1 at t = 0") {
  const Process process = process_of(MeanType::x0, VarianceType::fixed_large);
  const Tensor x = noise(points);
  const Tensor variance = process.p_mean_variance(x, steps, Var(x), false).variance.value();
  CHECK(variance[0] == static_cast<real>(process.schedule.posterior_variance[1]));
  for (std::size_t n = 1; n < 4; ++n) {
    CHECK(variance[static_cast<Index>(2 * n)] == static_cast<real>(process.schedule.betas[steps[n]]));
  }
}

TEST_CASE("clipping holds pred_x0 in [-1, 1]") {
  const Process process = process_of(MeanType::eps, VarianceType::fixed_small);
  const PMeanVariance p = process.p_mean_variance(noise(images, 1), steps, Var(noise(images, 2)), true);
  for (const real x : p.pred_x0.value().values()) CHECK(std::abs(x) <= 1);
}

TEST_CASE("the prior term is the KL of the chain's end, and nothing is left of x_0 in a long chain") {
  const Tensor x0 = Tensor::full({1, 2}, 3);
  const Process process(NoiseSchedule({0.5, 0.5}), MeanType::eps, VarianceType::fixed_small);
  const double nats = (0.75 - 1 - std::log(0.75) + 0.25 * 9) / 2;  // alpha_bar = 1/4
  CHECK(static_cast<double>(process.prior_kl(x0).value()[0]) == doctest::Approx(nats / std::log(2)).epsilon(1e-6));
  const Process longer(make_schedule("cosine", 1000), MeanType::eps, VarianceType::fixed_small);
  CHECK(static_cast<double>(longer.prior_kl(x0).value()[0]) < 1e-7);
}

TEST_CASE("the network sees the original steps") {
  const Process process(respace(make_schedule("linear", 1000), "ddim10"), MeanType::eps, VarianceType::fixed_small);
  CHECK(process.original_steps(std::vector<Index>{0, 3, 9}) == std::vector<double>{0, 300, 900});
}

TEST_CASE("inputs that don't fit the process are told so") {
  const Process process = process_of(MeanType::eps, VarianceType::learned_range);
  const Tensor x = noise(points);
  CHECK(contains(error_of([&] { process.p_mean_variance(x, steps, Var(x), false); }),
                 "expects [4,4] (variance learned_range)"));
  CHECK_THROWS_AS(process.q_sample(x, all_at(3, 0), x), ShapeError);
  CHECK_THROWS_AS(process.q_sample(x, all_at(4, 40), x), Error);
  CHECK_THROWS_AS(process.q_sample(x, all_at(4, -1), x), Error);
  CHECK_THROWS_AS(process.q_sample(x, all_at(4, 0), noise({4, 1})), ShapeError);
  CHECK(contains(error_of([] { mean_type("epsilon"); }), "eps, x0, v"));
  CHECK(contains(error_of([] { variance_type("fixed"); }), "fixed_small, fixed_large, learned, learned_range"));
  CHECK_THROWS_AS(Process(NoiseSchedule({0.5, 1.0}), MeanType::eps, VarianceType::fixed_small), UsageError);
  CHECK(error_of([] { Process(NoiseSchedule({0.5, 1.0}), MeanType::v, VarianceType::fixed_small); }) == "nothing");
}
