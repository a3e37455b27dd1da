#include "diffusion/samplers/inpaint.h"

#include <utility>

#include "benchmarks/uses/inpaint_moments.h"
#include "diffusion/model/config.h"
#include "tensor/parallel.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;
using doctest::Approx;

TEST_CASE("a correlated Gaussian: what is known moves the mean of the rest and narrows it; alone it denoises as ever") {
  const CorrelatedGaussian data{{1, 2, 3}, {4, 1, 0.5, 1, 2, -0.3, 0.5, -0.3, 1}};
  const Index known[] = {1};
  const double values[] = {3};
  const CorrelatedGaussian rest = data.given(known, values);
  CHECK(rest.mean[0] == Approx(1 + 1.0 / 2 * (3 - 2)));
  CHECK(rest.mean[1] == Approx(3 - 0.3 / 2 * (3 - 2)));
  CHECK(rest.covariance[0] == Approx(4 - 1.0 / 2));
  CHECK(rest.covariance[1] == Approx(0.5 + 0.3 / 2));
  CHECK(rest.covariance[3] == Approx(1 - 0.3 * 0.3 / 2));
  const Index both[] = {0, 2};
  const double two[] = {1, 3};
  CHECK(data.given(both, two).mean[0] == Approx(2));  // both at their means
  const Tensor x = noise({5, 2});
  const CorrelatedGaussian independent{{0.3, 0.3}, {0.25, 0, 0, 0.25}};
  CHECK(difference(independent.denoiser()(x, 0.7), gaussian_data(0.3, 0.5).denoiser()(x, 0.7)) <
        tolerance(1e-12, 1e-6));
}

TEST_CASE("a sampler that stops between two sampling steps and goes on draws what it draws in one go") {
  const Denoiser denoise = inpainting_data().denoiser();
  const Process process(make_schedule("cosine", 12), MeanType::eps, VarianceType::fixed_small);
  for (const char* name : {"ddpm", "ddim", "euler", "heun", "dpm2", "flow_euler", "flow_heun"}) {
    CAPTURE(std::string(name));
    const Sampler& sampler = find_sampler(name);
    std::vector<Index> steps;
    Sampling sampling{.process = process,
                      .network = chain_network(process, denoise),
                      .options = sampler_options(sampler, {}),
                      .noise = seeded_noise(3, {4, 2}, 0),
                      .observe = [&](Index step, const Var&, const Var&) { steps.push_back(step); },
                      .denoise = denoise};
    sampling.options.clip = false;
    const Tensor x_T = noise({4, 2}), whole = sampler.sample(sampling, x_T);
    const std::vector<Index> in_one_go = std::exchange(steps, {});
    Tensor x = x_T;
    for (const auto& [first, last] : {std::pair<Index, Index>{0, 5}, {5, 6}, {6, 0}}) {
      sampling.first = first, sampling.last = last;
      x = sampler.sample(sampling, x);
    }
    CHECK(difference(x, whole) < tolerance(1e-12, 1e-5));
    CHECK(steps == in_one_go);
  }
}

TEST_CASE("every sampler and method keeps what is known to the bit, and gives the rest finite values") {
  const Denoiser denoise = inpainting_data().denoiser();
  const Process process(make_schedule("cosine", 12), MeanType::eps, VarianceType::fixed_small);
  Inpainting how{.known = noise({3, 2}, 7), .mask = Tensor::from({3, 2}, {0, 1, 1, 0, 0, 0}), .draws = 2, .length = 5};
  for (const Sampler& sampler : samplers()) {
    for (const InpaintMethod& method : inpaint_methods()) {
      CAPTURE(std::string(sampler.name));
      CAPTURE(std::string(method.name));
      how.method = method.name;
      Index steps = 0;
      const Tensor x = inpaint(sampler,
                               {.process = process,
                                .network = chain_network(process, denoise),
                                .options = sampler_options(sampler, {}),
                                .noise = seeded_noise(3, {3, 2}, 0),
                                .observe = [&](Index, const Var&, const Var&) { ++steps; },
                                .denoise = denoise},
                               noise({3, 2}), how);
      CHECK(steps == (method.repeats ? 5 + 2 * 7 : 12));
      CHECK(steps == inpainting_steps(how, 12));
      for (const Index i : {0, 3, 4, 5}) CHECK(x[i] == how.known[i]);
      for (const Index i : {1, 2}) CHECK((std::isfinite(x[i]) && x[i] != how.known[i]));
    }
  }
}

TEST_CASE("inpainting of a Gaussian against the conditional Gaussian") {
  // The moments are exact, so the tolerances hold the methods' own errors, in units of the exact spread. At high noise
  // the known part says little about itself, so x goes the way of the unconditional mean; masked never comes back,
  // while repaint does so in part: its error falls with the number of repetitions, not to 0.
  const InpaintMoments exact = exact_moments();
  CHECK(exact.mean == Approx(-0.2 + 0.9 * (known_value - 0.1)));
  CHECK(exact.deviation == Approx(0.5 * std::sqrt(1 - 0.81)));
  struct Errors {
    double mean, spread;
  };
  const auto errors = [](const Inpainting& how, const char* sampler, double correlation = 0.9) {
    const InpaintMoments got = inpaint_moments(how, sampler, {}, 50, correlation), want = exact_moments(correlation);
    return Errors{std::abs(got.mean - want.mean) / want.deviation, std::abs(got.deviation / want.deviation - 1)};
  };
  for (const char* sampler : {"ddim", "ddpm", "dpmpp_2m_sde"}) {
    CAPTURE(std::string(sampler));
    const Errors masked = errors({.method = "masked"}, sampler), once = errors({.draws = 1}, sampler),
                 thrice = errors({.draws = 3}, sampler), ten = errors({.draws = 10}, sampler);
    CHECK(masked.mean > 0.7);
    CHECK(masked.spread > 0.3);
    CHECK(once.mean > 0.7);
    CHECK(thrice.mean < 0.75 * once.mean);
    CHECK(ten.mean < 0.8 * thrice.mean);
    CHECK(ten.mean < 0.45);
    CHECK(ten.spread < 0.15);
    for (const char* method : {"masked", "repaint"}) {  // a known part that says nothing changes nothing
      const Errors independent = errors({.method = method, .draws = 3}, sampler, 0);
      CHECK(independent.mean < 0.02);
      CHECK(independent.spread < 0.2);  // that of the sampler
    }
  }
}

TEST_CASE("a model's inpainting doesn't depend on threads, reports all of its steps, and needs a mask that fits") {
  Config config;
  config.model.network = "mlp";
  config.model.hidden = 16, config.model.depth = 1;
  config.diffusion.prediction = "v";
  config.sample.clip = false;
  const DiffusionModel model = build_model(config, {{2}, {}});  // N(0, 1) data: a network that says 0
  SampleRequest request = default_request(config);
  request.count = 600, request.steps = 10;
  request.inpaint.known = Tensor::full({600, 2}, 3);
  request.inpaint.mask = Tensor::zeros({600, 2});
  for (Index i = 0; i < 600; ++i) request.inpaint.mask[2 * i] = 1;
  request.inpaint.draws = 3;
  double last = 0;
  const Tensor x = generate(model, request, [&](double share) {
                     CHECK(share > last);
                     last = share;
                     return true;
                   }).x;
  CHECK(last == 1);
  set_threads(1);
  const Tensor alone = generate(model, request).x;
  set_threads(0);
  CHECK(std::equal(x.values().begin(), x.values().end(), alone.values().begin()));
  double squares = 0;
  for (Index i = 0; i < 600; ++i) {
    CHECK(x[2 * i + 1] == 3);
    squares += std::pow(static_cast<double>(x[2 * i]), 2) / 600;
  }
  CHECK(squares == Approx(1).epsilon(0.25));  // the known element says nothing about the other; 4 standard errors

  const auto error = [&](auto change) {
    SampleRequest other = request;
    change(other.inpaint);
    return error_of([&] { generate(model, other); });
  };
  CHECK(contains(error([](Inpainting& i) { i.method = "paint"; }), "repaint, masked"));
  CHECK(contains(error([](Inpainting& i) { i.draws = 0; }), "1 to 10000"));
  CHECK(contains(error([](Inpainting& i) { i.length = 11; }), "expects 1 to 10"));
  CHECK(contains(error([](Inpainting& i) { i.mask = Tensor::zeros({600, 3}); }), "[600,3]"));
  CHECK(contains(error([](Inpainting& i) { i.mask = {}; }), "mask"));
  CHECK(contains(error([](Inpainting& i) { i.mask = Tensor::full({600, 2}, 0.5); }), "other than 0 and 1"));
  CHECK(contains(error([](Inpainting& i) { i.known = i.mask = Tensor::zeros({5, 2}); }), "[5,2]"));
  request.strength = 0.5;
  request.start = request.inpaint.known;
  CHECK(contains(error_of([&] { generate(model, request); }), "strength"));
}
