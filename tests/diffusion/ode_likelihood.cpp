#include "diffusion/evaluation/ode_likelihood.h"

#include "tests/diffusion/exact_denoiser.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

const GaussianMixture two_clusters{{{0.3, {-1, 0.5}, 0.4}, {0.7, {0.8, -0.2}, 0.25}}};

OdeOptions precise(Index probes) {
  return {.sigma_min = 0.01, .sigma_max = 2000, .tolerance = tolerance(1e-7, 2e-5), .probes = probes};
}

}  // namespace

TEST_CASE("the exact denoiser of a mixture on a tape is the oracle's") {
  const Tensor x = noise({5, 2});
  for (const double sigma : {0.1, 1.0, 10.0})
    CHECK(difference(exact_denoiser(two_clusters)(x, sigma).value(), two_clusters.denoise(x, sigma)) <
          tolerance(1e-12, 1e-5));
}

TEST_CASE("ODE likelihood of Gaussian data is the known log density, with a single random probe") {
  // J is a multiple of the identity, of which random signs give the trace without any scatter.
  for (const auto& [mu, s] : {std::pair{0.0, 1.0}, std::pair{0.3, 0.5}, std::pair{-0.5, 2.0}}) {
    const GaussianMixture data{{{1, {mu, mu, mu}, s}}};
    const Tensor x = (mu + s * Var(noise({6, 3}))).value();
    const OdeLikelihood got = ode_log_likelihood(exact_denoiser(data), x, precise(1));
    const std::vector<double> want = data.log_density(x, 0.01);
    for (std::size_t n = 0; n < want.size(); ++n) CHECK(std::abs(got.log_density[n] - want[n]) < 2e-3);
    CHECK(got.evaluations > 20);
  }
}

TEST_CASE("ODE likelihood of a mixture is the known log density, with the divergence taken exactly") {
  const Tensor x = noise({8, 2});
  const std::vector<double> got = ode_log_likelihood(exact_denoiser(two_clusters), x, precise(0)).log_density;
  const std::vector<double> want = two_clusters.log_density(x, 0.01);
  for (std::size_t n = 0; n < want.size(); ++n) CHECK(std::abs(got[n] - want[n]) < tolerance(2e-3, 2e-2));
}

TEST_CASE("Hutchinson's estimate scatters around the exact divergence") {
  const Tensor x = noise({4, 2});
  OdeOptions options{.sigma_min = 0.01, .sigma_max = 100, .tolerance = 1e-4, .probes = 0};
  const std::vector<double> exactly = ode_log_likelihood(exact_denoiser(two_clusters), x, options).log_density;
  options.probes = 64;
  const std::vector<double> estimated = ode_log_likelihood(exact_denoiser(two_clusters), x, options).log_density;
  double largest = 0;
  for (std::size_t n = 0; n < exactly.size(); ++n) {
    CHECK(std::abs(estimated[n] - exactly[n]) < 0.5);
    largest = std::max(largest, std::abs(estimated[n] - exactly[n]));
  }
  CHECK(largest > 1e-4);  // it is an estimate
}

TEST_CASE("a tighter tolerance costs evaluations and comes closer") {
  const Tensor x = noise({8, 2});
  const std::vector<double> want = two_clusters.log_density(x, 0.01);
  const auto run = [&](double tolerance) {
    OdeOptions options = precise(0);
    options.tolerance = tolerance;
    return ode_log_likelihood(exact_denoiser(two_clusters), x, options);
  };
  const OdeLikelihood rough = run(1e-2), fine = run(1e-4);
  CHECK(fine.evaluations > rough.evaluations);
  double rough_error = 0, fine_error = 0;
  for (std::size_t n = 0; n < want.size(); ++n) {
    rough_error = std::max(rough_error, std::abs(rough.log_density[n] - want[n]));
    fine_error = std::max(fine_error, std::abs(fine.log_density[n] - want[n]));
  }
  CHECK(fine_error < rough_error);
}

TEST_CASE("ODE likelihood names options that can't be") {
  const OdeOptions options{.sigma_min = 1, .sigma_max = 0.5};
  CHECK(contains(error_of([&] {
                   ode_log_likelihood(exact_denoiser(two_clusters), noise({1, 2}), options);
                 }),
                 "0 < sigma_min < sigma_max"));
}
