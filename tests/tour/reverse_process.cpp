// The numbers of docs/tour/03-reverse-process.md.
#include <doctest/doctest.h>

#include <cmath>

#include "diffusion/process/process.h"
#include "tests/tour/page.h"

using namespace reverie;

namespace {

const Page& page() {
  static const Page page("03-reverse-process.md");
  return page;
}

}  // namespace

TEST_CASE("tour, reverse process: one peak for a small step, two for a large one") {
  const NoiseSchedule chain = make_schedule("linear", 1000);
  for (const Index to : {258, 199, 109, 39}) {
    const NoiseSchedule step = respace(chain, std::vector<Index>{to, 259});
    const double m = step.posterior_mean_coef1[1], deviation = std::sqrt(step.posterior_variance[1]);
    page().says("\n| " + std::to_string(to) + " | {} | {} | {}", {m, deviation, m > deviation ? 2.0 : 1.0});
  }
}

TEST_CASE("tour, reverse process: the posterior by hand") {
  const NoiseSchedule two({0.36, 0.64});
  const double variance = two.posterior_variance[1], alpha = 1 - two.betas[1];
  page().says("$\\beta_1 = {}$, $\\beta_2 = {}$, and went from $x_0 = 1$ to $x_2 = {}$ by way of $x_1 = {}$",
              {0.36, 0.64, -0.14, 1.1});
  page().says("Precision: $0.36 / 0.64 + 1 / 0.36 = {}$, so the variance is $\\tilde\\beta_2 = {}$",
              {alpha / two.betas[1] + 1 / (1 - two.alphas_cumprod[0]), variance});
  page().says("$0.36 \\cdot 0.64 / {} = {}$", {1 - two.alphas_cumprod[1], variance});
  const Process process(two, MeanType::x0, VarianceType::fixed_small);
  const Gaussian q = process.posterior(Tensor::from({1, 1}, {1}), Tensor::from({1, 1}, {-0.14}), std::vector<Index>{1});
  const double mean = static_cast<double>(q.mean.item());
  page().says("Mean: ${} \\cdot 1 + {} \\cdot (-0.14) = {}$",
              {two.posterior_mean_coef1[1], two.posterior_mean_coef2[1], mean});
  page().says("$(1.10 - {}) / {} = {}$ standard deviations",
              {mean, std::sqrt(variance), (1.1 - mean) / std::sqrt(variance)});
}

TEST_CASE("tour, reverse process: the two variances are nearly equal on a long chain") {
  const NoiseSchedule chain = make_schedule("linear", 1000);
  const auto ratio = [&](std::size_t t) { return chain.posterior_variance[t] / chain.betas[t]; };
  page().says("at $t = 500$ of 1,000 the two differ by a factor of {}. At $t = 1$ it is {}", {ratio(500), ratio(1)});
}
