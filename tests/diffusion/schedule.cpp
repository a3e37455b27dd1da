#include "diffusion/process/schedule.h"

#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

TEST_CASE("linear and cosine schedules with T = 1000 have the published constants") {
  const NoiseSchedule linear = make_schedule("linear", 1000), cosine = make_schedule("cosine", 1000);
  CHECK(linear.betas.front() == Approx(1e-4));
  CHECK(linear.betas.back() == Approx(0.02));
  CHECK(linear.alphas_cumprod[999] == Approx(4.03582977e-5).epsilon(1e-8));
  CHECK(linear.alphas_cumprod[499] == Approx(0.0785872).epsilon(1e-6));
  CHECK(linear.posterior_log_variance_clipped[1] == Approx(-9.816725).epsilon(1e-7));
  CHECK(cosine.alphas_cumprod[999] == Approx(2.42876691e-9).epsilon(1e-8));
  CHECK(cosine.alphas_cumprod[499] == Approx(0.493844).epsilon(1e-6));
  CHECK(cosine.posterior_log_variance_clipped[1] == Approx(-10.734083).epsilon(1e-7));
}

TEST_CASE("the sigmoid schedule's alpha_bar is one half in the middle, and 1 - alpha_bar there is its mirror image") {
  const NoiseSchedule schedule = make_schedule("sigmoid", 100);
  for (std::size_t t = 0; t < 98; ++t) {
    CHECK(schedule.alphas_cumprod[t] == Approx(1 - schedule.alphas_cumprod[98 - t]));
  }
  CHECK(schedule.alphas_cumprod[49] == Approx(0.5));
}

TEST_CASE("scaled linear: the square roots of the betas are equidistant") {
  const NoiseSchedule schedule = make_schedule("scaled_linear", 5, {{"beta_start", 0.01}, {"beta_end", 0.09}});
  const double roots[] = {0.1, 0.15, 0.2, 0.25, 0.3};
  for (std::size_t t = 0; t < 5; ++t) CHECK(std::sqrt(schedule.betas[t]) == Approx(roots[t]));
}

TEST_CASE("every schedule: what is derived from the betas fits together") {
  for (const ScheduleKind& kind : schedules()) {
    CAPTURE(std::string(kind.name));
    const NoiseSchedule s = make_schedule(kind.name, 50);
    REQUIRE(s.steps() == 50);
    CHECK(s.original_T == 50);
    CHECK(s.alphas_cumprod_prev[0] == 1);
    CHECK(s.posterior_variance[0] == 0);
    CHECK(s.posterior_log_variance_clipped[0] == s.posterior_log_variance_clipped[1]);
    double variance = 0;  // of x_t given x_0, composed from single steps
    for (std::size_t t = 0; t < 50; ++t) {
      CAPTURE(t);
      const double alpha = 1 - s.betas[t], prev = s.alphas_cumprod_prev[t];
      variance = alpha * variance + s.betas[t];
      CHECK(variance == Approx(1 - s.alphas_cumprod[t]));
      CHECK(s.snr[t] * s.sqrt_recipm1_alphas_cumprod[t] * s.sqrt_recipm1_alphas_cumprod[t] == Approx(1));
      CHECK(s.original_steps[t] == static_cast<Index>(t));
      if (t == 0) continue;
      CHECK(s.alphas_cumprod[t] < prev);
      // Bayes: the product of q(x_t | x_{t-1}) and q(x_{t-1} | x_0), both normal in x_{t-1}
      const double precision = alpha / s.betas[t] + 1 / (1 - prev);
      CHECK(s.posterior_variance[t] == Approx(1 / precision));
      CHECK(s.posterior_mean_coef1[t] == Approx(std::sqrt(prev) / (1 - prev) / precision));
      CHECK(s.posterior_mean_coef2[t] == Approx(std::sqrt(alpha) / s.betas[t] / precision));
    }
  }
}

TEST_CASE("a respaced chain has the same alphas_cumprod at the steps that it keeps, and knows where they were") {
  const NoiseSchedule full = make_schedule("cosine", 300);
  for (const char* sections : {"300", "25", "10,15,20", "ddim50", "1", "7"}) {
    CAPTURE(std::string(sections));
    const NoiseSchedule shorter = respace(full, sections);
    CHECK(shorter.original_T == 300);
    for (std::size_t i = 0; i < shorter.betas.size(); ++i) {
      CHECK(shorter.alphas_cumprod[i] == Approx(full.alphas_cumprod[shorter.original_steps[i]]).epsilon(1e-10));
    }
  }
  const NoiseSchedule twice = respace(respace(full, "ddim100"), "ddim50");
  CHECK(twice.original_steps == spaced_steps(300, "ddim50"));
  CHECK(twice.original_T == 300);
}

TEST_CASE("which steps respacing keeps") {
  CHECK(spaced_steps(10, "4") == std::vector<Index>{0, 3, 6, 9});
  CHECK(spaced_steps(10, "ddim4") == std::vector<Index>{0, 3, 6, 9});
  CHECK(spaced_steps(10, "ddim5") == std::vector<Index>{0, 2, 4, 6, 8});
  CHECK(spaced_steps(10, "1") == std::vector<Index>{9});  // one step starts from the noisiest
  CHECK(spaced_steps(10, "ddim1") == std::vector<Index>{9});
  CHECK(spaced_steps(10, "1,1") == std::vector<Index>{0, 5});
  CHECK(spaced_steps(7, "2,1,2") == std::vector<Index>{0, 2, 3, 5, 6});  // sections of 3, 2, 2
  CHECK(spaced_steps(6, "3") == std::vector<Index>{0, 2, 5});            // 2.5 rounds half to even
  CHECK(spaced_steps(1000, "250").size() == 250);
}

TEST_CASE("a schedule that can't be says so") {
  CHECK(contains(error_of([] { make_schedule("linear", 20); }), "at least 21"));
  CHECK(error_of([] { make_schedule("linear", 21); }) == "nothing");
  CHECK_THROWS_AS(make_schedule("linear", 20), UsageError);
  CHECK(contains(error_of([] { make_schedule("linaer", 100); }), "linear, cosine, sigmoid, scaled_linear"));
  CHECK(contains(error_of([] { make_schedule("sigmoid", 100, {{"strat", -3}}); }), "start, end, tau"));
  CHECK_THROWS_AS(make_schedule("cosine", 100, {{"tau", 1}}), UsageError);
  CHECK_THROWS_AS(make_schedule("cosine", 0), UsageError);
  CHECK_THROWS_AS(NoiseSchedule({0.1, 1.0, 0.1}), Error);
  CHECK_THROWS_AS(NoiseSchedule({0.1, 0.0}), Error);
  CHECK_THROWS_AS(NoiseSchedule({}), Error);
}

TEST_CASE("a respacing that can't be says so, and names what can") {
  CHECK(contains(error_of([] { spaced_steps(1000, "ddim37"); }), "ddim36 and ddim38"));
  for (const char* sections : {"ddim60", "ddim75", "ddim150", "ddim1001", "1001", "0", "", ",", "5,", "-5", "2.5",
                               "ddim", "x", "ddim5,5", "500,501"}) {
    CAPTURE(std::string(sections));
    CHECK_THROWS_AS(spaced_steps(1000, sections), UsageError);
  }
  const NoiseSchedule schedule = make_schedule("cosine", 10);
  CHECK_THROWS_AS(respace(schedule, std::vector<Index>{0, 5, 5}), Error);
  CHECK_THROWS_AS(respace(schedule, std::vector<Index>{0, 10}), Error);
}

TEST_CASE("quadratic: square roots of the betas are equidistant between linear's ends; constant: their mean") {
  const NoiseSchedule linear = make_schedule("linear", 500), quadratic = make_schedule("quadratic", 500),
                      constant = make_schedule("constant", 500);
  CHECK(quadratic.betas.front() == Approx(linear.betas.front()));
  CHECK(quadratic.betas.back() == Approx(linear.betas.back()));
  for (std::size_t t = 2; t < 500; ++t) {
    const auto root = [&](std::size_t i) { return std::sqrt(quadratic.betas[i]); };
    CHECK(root(t) - root(t - 1) == Approx(root(1) - root(0)));
    CHECK(constant.betas[t] == Approx((linear.betas[0] + linear.betas[499]) / 2));
  }
  CHECK(std::log(constant.alphas_cumprod.back()) == Approx(std::log(linear.alphas_cumprod.back())).epsilon(0.02));
}

TEST_CASE("sigmoid_beta: the betas mirror one another about their mean; published ends at 1 / (1 + e^6)") {
  const NoiseSchedule schedule = make_schedule("sigmoid_beta", 1000);
  for (std::size_t t = 0; t < 500; ++t) CHECK(schedule.betas[t] + schedule.betas[999 - t] == Approx(0.0201));
  CHECK(schedule.betas[0] == Approx(1e-4 + 0.0199 / (1 + std::exp(6))));
}

TEST_CASE("log_snr: the logarithm of the signal-to-noise ratio falls on a line between its ends") {
  const NoiseSchedule schedule = make_schedule("log_snr", 200, {{"log_snr_max", 10}, {"log_snr_min", -6}});
  for (std::size_t t = 0; t < 200; ++t)
    CHECK(std::log(schedule.snr[t]) == Approx(10 - 16.0 * static_cast<double>(t) / 199).epsilon(1e-8));
}

TEST_CASE("zero-terminal SNR, for every schedule: nothing left at the end, the first step as it was [Lin23]") {
  for (const ScheduleKind& kind : schedules()) {
    CAPTURE(std::string(kind.name));
    const NoiseSchedule was = make_schedule(kind.name, 40), is = with_zero_terminal_snr(was);
    CHECK(is.alphas_cumprod.back() == 0);
    CHECK(is.betas.back() == 1);
    CHECK(is.snr.back() == 0);
    CHECK(is.alphas_cumprod.front() == Approx(was.alphas_cumprod.front()));
    for (std::size_t t = 1; t + 1 < 40; ++t) {  // sqrt(alpha_bar) is stretched, not bent
      const auto root = [](const NoiseSchedule& s, std::size_t i) { return std::sqrt(s.alphas_cumprod[i]); };
      const double shift = (root(was, 0) - root(was, t)) / (root(was, 0) - root(was, 39));
      CHECK((root(is, 0) - root(is, t)) / root(is, 0) == Approx(shift));
    }
    const Process process(is, MeanType::v, VarianceType::fixed_small);
    const Tensor x = noise({2, 3}, 1), v = noise({2, 3}, 2);
    const PMeanVariance p = process.p_mean_variance(x, all_at(2, 39), v, false);
    CHECK(difference(p.pred_x0.value(), (-1 * Var(v)).value()) == 0);  // x_T tells nothing: all comes from the network
    CHECK_THROWS_AS(Process(is, MeanType::eps, VarianceType::fixed_small), UsageError);
  }
  CHECK_THROWS_AS(with_zero_terminal_snr(make_schedule("cosine", 1)), UsageError);
}
