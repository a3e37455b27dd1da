#include "diffusion/samplers/guidance.h"

#include "diffusion/evaluation/gaussian_oracle.h"
#include "diffusion/samplers/sampler.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

TEST_CASE("classifier-free guidance: one evaluation of both, the variance that of the class, scale 1 no guidance") {
  const Tensor x = noise({2, 3}, 1);
  Index evaluations = 0, rows = 0;
  // class number + 10 for the prediction, class number for the variance
  const ConditionalNetwork network = [&](const Var& x_t, std::span<const double> t, std::span<const Index> labels) {
    ++evaluations;
    rows = x_t.extent(0);
    REQUIRE(labels.size() == t.size());
    REQUIRE(static_cast<Index>(t.size()) == rows);
    Tensor y = Tensor::uninitialized({rows, 6});
    for (Index n = 0; n < rows; ++n) {
      for (Index c = 0; c < 6; ++c) y[n * 6 + c] = static_cast<real>(labels[n] + (c < 3 ? 10 : 0));
    }
    return Var(y);
  };
  const std::vector<double> t{5, 5};
  const auto answer = [&](double scale) {
    return with_guidance(network, {1, 4}, {7, 7}, scale, VarianceType::learned)(x, t).value();
  };
  const Tensor guided = answer(3);
  CHECK(evaluations == 1);
  CHECK(rows == 4);
  CHECK(guided.shape() == Shape{2, 6});
  CHECK(guided[0] == 17 + 3 * (11 - 17));
  CHECK(guided[6] == 17 + 3 * (14 - 17));
  CHECK(guided[3] == 1);
  CHECK(guided[9] == 4);
  CHECK(answer(1)[0] == 11);
  CHECK(rows == 2);
  CHECK(answer(0)[0] == 17);
  CHECK_THROWS_AS(with_guidance(network, {1}, {7}, 2, VarianceType::learned)(x, t), ShapeError);
  CHECK_THROWS_AS(with_guidance(network, {1, 4}, {7}, 2, VarianceType::learned), ShapeError);
}

TEST_CASE("rescaled guidance has the contrast of the conditional answer; 0 leaves it alone [Lin23] eqs. 15, 16") {
  const Tensor cond = noise({2, 4, 4, 1}, 1), uncond = noise({2, 4, 4, 1}, 2);
  const auto deviation = [](const Tensor& x, Index n) {
    const Var sample = x.rows(n, n + 1);
    const Var centred = sample - mean(sample);
    return std::sqrt(static_cast<double>(mean(centred * centred).item()));
  };
  const Tensor plain = classifier_free_guidance(cond, uncond, 4).value();
  const Tensor whole = classifier_free_guidance(cond, uncond, 4, 1).value();
  const Tensor half = classifier_free_guidance(cond, uncond, 4, 0.5).value();
  for (Index n = 0; n < 2; ++n) {
    CHECK(deviation(plain, n) > 2 * deviation(cond, n));
    CHECK(deviation(whole, n) == doctest::Approx(deviation(cond, n)).epsilon(tolerance(1e-12, 1e-5)));
  }
  CHECK(difference(classifier_free_guidance(cond, uncond, 4, 0).value(), plain) == 0);
  CHECK(difference(half, ((Var(plain) + whole) / 2).value()) < tolerance(1e-12, 1e-5));
  CHECK(difference(classifier_free_guidance(cond, uncond, 1, 1).value(), cond) < tolerance(1e-12, 1e-5));
}

TEST_CASE("dynamic thresholding: by each sample's quantile, and nothing within [-1, 1] [Saharia22] sec. 2.3") {
  const Tensor x = Tensor::from({2, 5}, {0, -1, 2, -3, 4, 0.1, -0.2, 0.3, -0.4, 0.5});
  const Tensor got = dynamic_threshold(x, 0.75);  // of 0, 1, 2, 3, 4: 3
  CHECK(difference(got, Tensor::from({2, 5}, {0, -1.0 / 3, 2.0 / 3, -1, 1, 0.1, -0.2, 0.3, -0.4, 0.5})) < 1e-6);
  CHECK(difference(dynamic_threshold(x, 1).rows(0, 1), (Var(x.rows(0, 1)) / 4).value()) < 1e-6);
}

TEST_CASE("every sampler heeds clamping and dynamic thresholding") {
  const Process process(respace(make_schedule("linear", 1000), "10"), MeanType::x0, VarianceType::fixed_small);
  const NetworkFunction far = [](const Var& x, std::span<const double>) {
    Tensor output = Tensor::full(x.shape(), 3);
    output[0] = 1.5;
    return Var(output);
  };
  for (const Sampler& sampler : samplers()) {
    CAPTURE(std::string(sampler.name));
    const auto end = [&](SamplerOptions options) {
      return sampler.sample({.process = process, .network = far, .options = options}, Tensor::zeros({1, 4}));
    };
    if (std::string(sampler.name) == "ddpm") continue;  // wants noise
    CHECK(static_cast<double>(end({.clip = true})[0]) == doctest::Approx(1).epsilon(1e-4));
    CHECK(static_cast<double>(end({.clip = false})[0]) == doctest::Approx(1.5).epsilon(1e-4));
    CHECK(static_cast<double>(end({.clip = true, .dynamic_threshold = 1})[0]) == doctest::Approx(0.5).epsilon(1e-4));
  }
}

TEST_CASE("classifier guidance with the true gradient samples the class [Dhariwal21] sec. 4") {
  // Two classes N(-0.6, 0.2^2) and N(0.6, 0.2^2), equally likely. The model knows both together, the classifier
  // d log p(class 1 | x) / dx = score of class 1 - score of both.
  const GaussianMixture both{{{0.5, {-0.6}, 0.2}, {0.5, {0.6}, 0.2}}}, one = gaussian_data(0.6, 0.2);
  const NoiseSchedule schedule = make_schedule("linear", 1000);
  const Process process(respace(schedule, "200"), MeanType::eps, VarianceType::fixed_small);
  const ClassifierGradient gradient = [&](const Var& x_t, std::span<const double> t) {
    const double sigma = SigmaScale(schedule).sigma(t[0]), scale = std::sqrt(1 + sigma * sigma);
    const Tensor x = (scale * x_t).value();
    return scale * (Var(one.score(x, sigma)) - both.score(x, sigma));
  };
  const Shape shape{400, 1};
  for (const Sampler& sampler : samplers()) {
    CAPTURE(std::string(sampler.name));
    SamplerOptions options = sampler_options(sampler, {});
    options.clip = false;
    const Tensor x = sampler.sample({.process = process,
                                     .network = chain_network(process, both.denoiser()),
                                     .options = options,
                                     .noise = seeded_noise(3, shape, 0),
                                     .classifier = gradient},
                                    starting_noise(3, shape, 0));
    const Var centred = x - mean(Var(x));
    CHECK(std::abs(static_cast<double>(mean(Var(x)).item()) - 0.6) < 0.05);
    CHECK(std::abs(std::sqrt(static_cast<double>(mean(centred * centred).item())) - 0.2) < 0.05);
  }
}
