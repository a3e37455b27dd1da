#include "diffusion/evaluation/gaussian_oracle.h"

#include <numbers>

#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

const GaussianMixture two{{{0.3, {-1}, 0.2}, {0.7, {0.5}, 0.4}}};

double density(const GaussianMixture& data, double x) {
  double sum = 0;
  for (const auto& c : data.components)
    sum += c.weight * std::exp(-std::pow((x - c.mean[0]) / c.s, 2) / 2) / (c.s * std::sqrt(2 * std::numbers::pi));
  return sum;
}

}  // namespace

TEST_CASE("mixture: the denoiser is the mean of x_0 given x, the density the integral over x_0 (by quadrature)") {
  for (const double sigma : {0.1, 0.7, 3.0}) {
    for (const double x : {-1.5, 0.0, 0.8}) {
      double total = 0, first = 0;
      for (double x0 = -4; x0 < 4; x0 += 1e-3) {
        const double joint = density(two, x0) * std::exp(-std::pow((x - x0) / sigma, 2) / 2) /
                             (sigma * std::sqrt(2 * std::numbers::pi)) * 1e-3;
        total += joint;
        first += joint * x0;
      }
      const Tensor at = Tensor::from({1, 1}, {x});
      CHECK(static_cast<double>(two.denoise(at, sigma).item()) == Approx(first / total).epsilon(1e-5));
      CHECK(two.log_density(at, sigma)[0] == Approx(std::log(total)).epsilon(1e-5));
    }
  }
}

TEST_CASE("mixture in the plane: the score is the slope of the log density, and the posterior's means average to D") {
  const GaussianMixture plane{{{0.5, {1, 2}, 0.3}, {0.25, {-1, 0}, 0.1}, {0.25, {0, -1}, 0}}};
  const Tensor x = Tensor::from({2, 2}, {0.3, 0.4, -0.9, 0.2});
  const double h = 1e-3;
  const Tensor score = plane.score(x, 0.8);
  for (Index i = 0; i < 4; ++i) {
    Tensor up = x.clone(), down = x.clone();
    up[i] += static_cast<real>(h), down[i] -= static_cast<real>(h);
    const auto row = static_cast<std::size_t>(i / 2);
    const double slope = (plane.log_density(up, 0.8)[row] - plane.log_density(down, 0.8)[row]) / (2 * h);
    CHECK(static_cast<double>(score[i]) == Approx(slope).epsilon(tolerance(1e-5, 2e-3)));
  }
  const GaussianMixture posterior = plane.posterior(x.values().subspan(0, 2), 0.8);
  double weights = 0, mean = 0;
  for (const auto& c : posterior.components) weights += c.weight, mean += c.weight * c.mean[1];
  CHECK(weights == Approx(1));
  CHECK(mean == Approx(static_cast<double>(plane.denoise(x, 0.8)[1])));
  CHECK(posterior.components[2].s == 0);
}

TEST_CASE("one component: E[x_0 | x] is the line (s^2 x + sigma^2 mu) / (s^2 + sigma^2)") {
  const Tensor x = noise({3, 4}, 1);
  const Tensor want = ((0.25 * Var(x) + 4 * 0.3) / 4.25).value();
  CHECK(difference(gaussian_data(0.3, 0.5).denoiser()(x, 2), want) < tolerance(1e-14, 1e-6));
}

TEST_CASE("the bound with the optimal variances is the data's entropy and what the chain's end lacks of N(0, 1)") {
  for (const char* name : {"linear", "cosine", "log_snr"}) {
    CAPTURE(std::string(name));
    const NoiseSchedule schedule = make_schedule(name, 60);
    const double mu = 0.3, s = 0.5, ab = schedule.alphas_cumprod.back(), end = ab * s * s + 1 - ab;
    std::map<std::string, GaussianBound> bounds;
    for (const GaussianVariance& v : gaussian_variances())
      bounds[v.name] = gaussian_bound(schedule, mu, s, v.variances(schedule, s));
    const double entropy = std::log(2 * std::numbers::pi * std::numbers::e * s * s) / 2;
    CHECK(bounds["optimal"].total == Approx(entropy + (end + ab * mu * mu - 1 - std::log(end)) / 2).epsilon(1e-9));
    CHECK(bounds["fixed_small"].total > bounds["optimal"].total);
    CHECK(bounds["fixed_large"].total > bounds["optimal"].total);
  }
}
