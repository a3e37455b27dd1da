// Samplers in the sigma form took any number of steps and ran out of memory; a chain's error spoke of sections.
#include "diffusion/model/config.h"
#include "diffusion/model/sampling.h"
#include "diffusion/samplers/sigmas.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

TEST_CASE("a grid of sigmas takes at most a million steps; a chain, at most those that it has; none less than 0") {
  for (const SigmaGrid& grid : sigma_grids()) {
    CAPTURE(std::string(grid.name));
    for (const Index steps : {Index{1'000'001}, Index{1'000'000'000'000'000'000}}) {
      CHECK(contains(error_of([&] { make_sigmas(grid.name, steps); }), "from 1 to 1000000"));
    }
    CHECK_THROWS_AS(make_sigmas(grid.name, -1), UsageError);
  }
  Config config;
  config.model.network = "mlp";
  config.diffusion.steps = 40;
  const DiffusionModel model = build_model(config, {{2}, {}});
  for (const Sampler& sampler : samplers()) {
    SampleRequest request;
    request.sampler = sampler.name;
    for (const char* grid : {"", "chain"}) {
      if (sampler.chain && *grid != 0) continue;  // it has no sigmas
      request.sigmas = grid;
      CAPTURE(std::string(sampler.name));
      for (const Index steps : {Index{-1}, Index{1'000'000'000'000'000'000}}) {
        request.steps = steps;
        const std::string error = error_of([&] { check_request(model, request); });
        CHECK(contains(error, concat(steps, " steps")));
        CHECK(!contains(error, "section"));
      }
      request.steps = 41;
      const bool chain = sampler.chain || request.sigmas == "chain";
      CHECK(contains(error_of([&] { check_request(model, request); }), chain ? "expects 1 to 40" : "nothing"));
    }
  }
}
