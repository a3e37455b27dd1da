// A NaN or an infinity of the network went through a sampler: clamped to 1 or -1, or as NaN to the last step.
#include "diffusion/samplers/sampler.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

TEST_CASE("every sampler names the step in which a NaN or an infinity first appears, clamped or not") {
  const Process process(make_schedule("cosine", 10), MeanType::v, VarianceType::fixed_small);
  for (const Sampler& sampler : samplers()) {
    for (const double value : {double(NAN), double(INFINITY), -double(INFINITY)}) {
      for (const bool clip : {true, false}) {
        CAPTURE(std::string(sampler.name));
        CAPTURE(value);
        const NetworkFunction breaks = [&](const Var& x, std::span<const double> t) {
          Tensor v = Tensor::zeros(x.shape());
          if (t[0] < 6.5) v[1] = static_cast<real>(value);  // in sampling step 4, or at the end of step 3
          return Var(v);
        };
        SamplerOptions options = sampler_options(sampler, {});
        options.clip = clip;
        const std::string error = error_of([&] {
          sampler.sample(
              {.process = process, .network = breaks, .options = options, .noise = seeded_noise(1, {2, 2}, 0)},
              noise({2, 2}));
        });
        CHECK(contains(error, concat("sampler ", sampler.name, ": in sampling step ")));
        CHECK((contains(error, "step 4 ") || contains(error, "step 3 ")));
        CHECK(contains(error, "has to be finite"));
      }
    }
  }
}

TEST_CASE("encoding does, too; and a start that isn't finite is seen in the first step") {
  const Process process(make_schedule("cosine", 10), MeanType::v, VarianceType::fixed_small);
  const NetworkFunction breaks = [&](const Var& x, std::span<const double> t) {
    return Var(Tensor::full(x.shape(), static_cast<real>(t[0] > 2.5 ? NAN : 0)));
  };
  const Sampling sampling{.process = process, .network = breaks};
  CHECK(contains(error_of([&] { ddim_reverse(sampling, noise({2, 2})); }), "in sampling step 4"));
  const Sampling linear{.process = process,
                        .network = [](const Var& x, std::span<const double>) { return 0.1 * x; },
                        .options = {.clip = false}};
  Tensor start = noise({2, 2});
  start[3] = static_cast<real>(NAN);
  CHECK(contains(error_of([&] { find_sampler("ddim").sample(linear, start); }), "in sampling step 1 "));
}
