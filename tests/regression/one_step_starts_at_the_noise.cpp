// A chain respaced to one step kept time step 0, the least noisy one, so that samplers took x_T for data and returned
// noise, and encoding did nothing. Two schedules of one step were the least noisy end of the schedule.
#include "data/point_set.h"
#include "diffusion/evaluation/gaussian_oracle.h"
#include "diffusion/model/sampling.h"
#include "diffusion/networks/table.h"
#include "diffusion/samplers/sigmas.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

namespace {

constexpr double mu = 0.2, s = 0.4;

// The noise levels at which a model was evaluated, and its last output.
struct Log {
  std::vector<double> sigmas;
  Tensor x0;
};

// A model that knows N(mu, s^2) in the plane.
struct Oracle : Formulation {
  Oracle(Process process, Log& log) : Formulation(std::move(process)), log(log) {}
  Var losses(const NetworkFunction&, const Var&, const Var&, std::span<const double>) const override { return {}; }
  Var denoise(const NetworkFunction&, const Var& x, double sigma) const override {
    log.sigmas.push_back(sigma);
    return log.x0 = gaussian_data(mu, s).denoise(x.value(), sigma);
  }
  SigmaRange sigma_range() const override {
    const std::vector<double> all = chain_sigmas(process().schedule);
    return {all.front(), all.back()};
  }
  Log& log;
};

DiffusionModel oracle(const NoiseSchedule& schedule, Log& log) {
  const DataFacts facts{{2}, {}};
  NetworkOptions network;
  network.network = "mlp";
  return {facts, make_network(network, facts, VarianceType::fixed_small, false, 0),
          std::make_unique<Oracle>(Process(schedule, MeanType::x0, VarianceType::fixed_small), log)};
}

struct Drawn {
  Tensor x, x0;        // the samples, and the last output of the denoiser
  double first, last;  // sigmas of the first and the last evaluation
};

Drawn draw(const NoiseSchedule& schedule, const char* sampler, const char* grid, Index steps) {
  Log log;
  const DiffusionModel model = oracle(schedule, log);
  SampleRequest request;
  request.sampler = sampler;
  request.sigmas = grid;
  request.steps = steps;
  request.count = 64;
  request.clip = false;
  const Samples samples = generate(model, request);
  return {samples.x, log.x0, log.sigmas.front(), log.sigmas.back()};
}

bool of_first_order(const Sampler& sampler) {
  const std::string name = sampler.name;
  return name == "ddpm" || name == "ddim" || name.ends_with("euler") || name == "euler_ancestral";
}

std::vector<const char*> grids_of(const Sampler& sampler) {
  if (!sampler.sigma) return {""};
  std::vector<const char*> names{chain_grid};
  for (const SigmaGrid& grid : sigma_grids()) names.push_back(grid.name);
  return names;
}

}  // namespace

TEST_CASE("every sampler on every grid with 1, 2 and 3 steps starts from the noisiest level and ends at the data") {
  const NoiseSchedule schedule = make_schedule("linear", 1000);
  for (const Sampler& sampler : samplers()) {
    for (const char* grid : grids_of(sampler)) {
      const double noisiest = draw(schedule, sampler.name, grid, 40).first;
      CHECK(noisiest > 79.9);
      for (const Index steps : {1, 2, 3}) {
        CAPTURE(std::string(sampler.name));
        CAPTURE(std::string(grid));
        CAPTURE(steps);
        const Drawn drawn = draw(schedule, sampler.name, grid, steps);
        CHECK(drawn.first == Approx(noisiest));
        if (steps > 1 && *grid != 0) {
          const auto lowest = std::string(grid) == chain_grid ? schedule.sqrt_recipm1_alphas_cumprod.front() : 0.05;
          if (std::string(grid) != "flow") CHECK(drawn.last < 1.001 * lowest);
        }
        // All but lms return the denoiser's last output, x_0. (With 2 or 3 steps it may be far from the data if they
        // are of second order: between noise levels so far apart they overshoot.)
        if (std::string(sampler.name) != "lms") CHECK(difference(drawn.x, drawn.x0) < tolerance(1e-9, 1e-4));
        double mean = 0, squares = 0;
        for (const real x : drawn.x.values()) {
          mean += static_cast<double>(x) / static_cast<double>(drawn.x.size());
          squares += std::pow(static_cast<double>(x) - mu, 2) / static_cast<double>(drawn.x.size());
        }
        if (steps == 1) {  // all that one evaluation at the noisiest level knows is the mean
          CHECK(std::abs(mean - mu) < 0.01);
          CHECK(squares < 1e-3);
        } else if (of_first_order(sampler)) {
          CHECK(std::abs(mean - mu) < 0.1);
          CHECK(std::sqrt(squares) < 1.1 * s);  // noise would have sqrt(1 + mu^2)
        }
      }
    }
  }
}

TEST_CASE(
    "every schedule of 1, 2 and 3 time steps ends where a longer one ends; respaced to one step, it keeps the end") {
  for (const ScheduleKind& kind : schedules()) {
    CAPTURE(std::string(kind.name));
    if (error_of([&] { make_schedule(kind.name, 3); }) != "nothing") continue;  // those that need 21
    for (const Index T : {1, 2, 3}) {
      CAPTURE(T);
      const NoiseSchedule schedule = make_schedule(kind.name, T);
      if (std::string(kind.name) == "log_snr") CHECK(std::log(schedule.snr.back()) == Approx(-5));
      if (std::string(kind.name) == "scaled_linear") CHECK(schedule.betas.back() == Approx(0.012));
      if (std::string(kind.name) != "scaled_linear") CHECK(schedule.alphas_cumprod.back() < 0.01);
      for (const char* one : {"1", "ddim1"}) CHECK(respace(schedule, one).original_steps == std::vector<Index>{T - 1});
      for (const auto* list : {&schedule.posterior_mean_coef1, &schedule.posterior_mean_coef2,
                               &schedule.posterior_variance, &schedule.posterior_log_variance_clipped}) {
        CHECK(std::all_of(list->begin(), list->end(), [](double value) { return std::isfinite(value); }));
      }
      for (const char* sampler : {"ddpm", "ddim", "pndm", "heun"}) {
        CAPTURE(std::string(sampler));
        const Drawn drawn = draw(schedule, sampler, sampler == std::string("heun") ? "chain" : "", 0);
        CHECK(drawn.first == Approx(schedule.sqrt_recipm1_alphas_cumprod.back()));
        CHECK(drawn.last == Approx(schedule.sqrt_recipm1_alphas_cumprod.front()));
        CHECK(difference(drawn.x, drawn.x0) < tolerance(1e-9, 1e-4));
      }
    }
  }
}

TEST_CASE("a chain that ends in pure noise, respaced to one step, returns what the network says there") {
  const NoiseSchedule schedule = with_zero_terminal_snr(make_schedule("cosine", 100));
  for (const char* sampler : {"ddpm", "ddim", "pndm"}) {
    const Drawn drawn = draw(schedule, sampler, "", 1);
    CHECK(drawn.first > 1e4);
    CHECK(difference(drawn.x, Tensor::full(drawn.x.shape(), real(mu))) < 1e-3);
  }
}

TEST_CASE("encoding in one step, which has nothing to integrate over, is refused; in two it reaches the noise") {
  Log log;
  const DiffusionModel model = oracle(make_schedule("linear", 1000), log);
  SampleRequest request;
  request.count = 4;
  request.clip = false;
  request.steps = 1;
  const Tensor x0 = (mu + s * Var(noise({4, 2}))).value();
  CHECK(contains(error_of([&] { encode(model, x0, request); }), "expects at least 2"));
  request.steps = 2;
  CHECK(difference(encode(model, x0, request), x0) > 0.3);
  const DiffusionModel single = oracle(make_schedule("cosine", 1), log);
  request.steps = 0;
  CHECK_THROWS_AS(encode(single, x0, request), UsageError);
}
