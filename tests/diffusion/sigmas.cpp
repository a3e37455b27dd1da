#include "diffusion/samplers/sigmas.h"

#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

TEST_CASE("Karras sigmas with the paper's parameters, n = 18, have the published values") {
  const std::vector<double> sigmas = make_sigmas("karras", 18);
  REQUIRE(sigmas.size() == 19);
  const double first[] = {80, 57.586, 40.786, 28.375, 19.352};
  for (std::size_t i = 0; i < 5; ++i) CHECK(sigmas[i] == Approx(first[i]).epsilon(5e-5));
  CHECK(sigmas[16] == Approx(0.007528).epsilon(1e-4));
  CHECK(sigmas[17] == Approx(0.002));
  CHECK(sigmas[18] == 0);
}

TEST_CASE("every sigma grid descends from its largest to its smallest value, then to 0") {
  for (const SigmaGrid& grid : sigma_grids()) {
    CAPTURE(std::string(grid.name));
    for (const Index n : {1, 2, 7, 50}) {
      const std::vector<double> sigmas = make_sigmas(grid.name, n);
      CHECK(std::ssize(sigmas) == n + 1);
      CHECK(std::is_sorted(sigmas.rbegin(), sigmas.rend()));
      CHECK(sigmas.back() == 0);
      CHECK(sigmas[0] == Approx(make_sigmas(grid.name, 50)[0]));
    }
  }
}

TEST_CASE(
    "exponential: equal ratios; polyexponential with power 1 is the same; vp begins at sqrt(e^(19.9/2 + 0.1) - 1)") {
  const std::vector<double> sigmas = make_sigmas("exponential", 9), poly = make_sigmas("polyexponential", 9);
  for (std::size_t i = 1; i < 9; ++i) CHECK(sigmas[i] / sigmas[i - 1] == Approx(sigmas[1] / sigmas[0]));
  for (std::size_t i = 0; i < 9; ++i) CHECK(poly[i] == Approx(sigmas[i]));
  CHECK(make_sigmas("vp", 5)[0] == Approx(std::sqrt(std::exp(10.05) - 1)));
}

TEST_CASE("a sigma grid that can't be says so") {
  CHECK(contains(error_of([] { make_sigmas("karass", 5); }), "karras, exponential, polyexponential, vp"));
  CHECK(contains(error_of([] { make_sigmas("karras", 0); }), "from 1 to 1000000"));
  CHECK(contains(error_of([] { make_sigmas("exponential", 5, {{"rho", 3}}); }), "sigma_min, sigma_max"));
  CHECK(contains(error_of([] { make_sigmas("karras", 5, {{"sigma_min", 3}, {"sigma_max", 1}}); }), "descend"));
  CHECK_THROWS_AS(make_sigmas("exponential", 5, {{"sigma_min", 0}}), UsageError);
}
