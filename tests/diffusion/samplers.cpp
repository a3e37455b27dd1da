#include "diffusion/guidance.h"
#include "diffusion/samplers/sampler.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

const Shape shape{3, 2, 2, 1};

// A model that is not linear: a x + b cos(x + t / 1000).
Tensor wave(const Tensor& x, std::span<const double> t) {
  Tensor y = Tensor::uninitialized(x.shape());
  const Index each = x.size() / x.extent(0);
  for (Index i = 0; i < x.size(); ++i) {
    const double value = static_cast<double>(x[i]);
    y[i] = static_cast<real>(0.3 * value + 0.2 * std::cos(value + t[static_cast<std::size_t>(i / each)] / 1000));
  }
  return y;
}

Process short_chain(MeanType mean = MeanType::eps) {
  return {respace(make_schedule("linear", 1000), "12"), mean, VarianceType::fixed_small};
}

}  // namespace

TEST_CASE("every sampler arrives at x_0 if the network knows it, and tells its observer of each step") {
  for (const Sampler& sampler : samplers()) {
    CAPTURE(std::string(sampler.name));
    const Process process = short_chain(MeanType::x0);
    const Tensor x0 = clamp(Var(noise(shape, 1)), -1, 1).value();
    Index steps = 0;
    std::vector<double> asked;
    const Model model = [&](const Tensor&, std::span<const double> t) {
      asked.push_back(t[0]);
      return x0;
    };
    const Sampling sampling{
        process, model, {}, seeded_noise(1, shape, 0), [&](Index step, const Tensor& x, const Tensor& pred_x0) {
          CHECK(step == steps++);
          CHECK(x.shape() == shape);
          CHECK(difference(pred_x0, x0) == 0);
        }};
    CHECK(difference(sampler.sample(sampling, noise(shape, 2)), x0) < tolerance(1e-12, 1e-5));
    CHECK(steps == 12);
    CHECK(asked.front() == 999);
    CHECK(asked.back() == 0);
  }
}

TEST_CASE("every sampler: a sample is the same, to the bit, whatever batch it is drawn in") {
  for (const Sampler& sampler : samplers()) {
    CAPTURE(std::string(sampler.name));
    const Process process = short_chain();
    const auto draw = [&](Index first, Index count) {
      const Shape batch = shape.with(0, count);
      return sampler.sample({process, wave, {true, 0.7}, seeded_noise(5, batch, first)},
                            starting_noise(5, batch, first));
    };
    const Tensor together = draw(0, 3);
    for (Index n = 0; n < 3; ++n) CHECK(difference(draw(n, 1), together.rows(n, n + 1)) == 0);
    CHECK(difference(together.rows(0, 1), together.rows(1, 2)) > 0.01);
  }
}

TEST_CASE("DDIM with eta = 1 is the ancestral sampler with the small fixed variance [Song21] sec. 4.1") {
  const Process process = short_chain();
  const SamplerOptions options{.clip = false, .eta = 1};
  const Sampling sampling{process, wave, options, seeded_noise(7, shape, 0)};
  const Tensor x_T = starting_noise(7, shape, 0);
  CHECK(difference(sample_ddim(sampling, x_T), sample_ancestral(sampling, x_T)) < tolerance(1e-11, 1e-3));
}

TEST_CASE("DDIM with eta = 0 is deterministic, and needs no noise") {
  const Process process = short_chain();
  const Sampling sampling{process, wave, {}, nullptr};
  const Tensor x_T = starting_noise(7, shape, 0);
  CHECK(difference(sample_ddim(sampling, x_T), sample_ddim(sampling, x_T)) == 0);
}

TEST_CASE("DDIM on the exact denoiser of N(mu, s^2) approaches the flow that maps N(0, 1) onto it") {
  const double mu = 0.2, s = 0.4;
  double errors[2];
  for (int fine = 0; fine < 2; ++fine) {
    const Process process(respace(make_schedule("cosine", 1000), fine == 0 ? "ddim100" : "ddim200"), MeanType::x0,
                          VarianceType::fixed_small);
    const std::vector<double> alpha_bars = make_schedule("cosine", 1000).alphas_cumprod;
    const Model exact = [&](const Tensor& x, std::span<const double> t) {
      const double ab = alpha_bars[static_cast<std::size_t>(t[0])];
      return ((s * s * std::sqrt(ab) * Var(x) + (1 - ab) * mu) / (s * s * ab + 1 - ab)).value();
    };
    const Tensor x_T = Tensor::from({2, 1}, {-1.5, 0.8});
    const Tensor got = sample_ddim({process, exact, {.clip = false}, nullptr}, x_T);
    errors[fine] = difference(got, (Var(x_T) * s + mu).value());
  }
  CHECK(errors[0] < 0.02);
  CHECK(errors[1] < 0.6 * errors[0]);  // first order: half the step, half the error
}

TEST_CASE("samplers say what they can't do") {
  CHECK(contains(error_of([] { find_sampler("euler_a"); }), "ddpm, ddim"));
  const Process process(make_schedule("cosine", 20), MeanType::eps, VarianceType::fixed_small);
  const Sampling sampling{process, wave, {.clip = true, .eta = 3}, seeded_noise(7, shape, 0)};
  CHECK_THROWS_AS(sample_ddim(sampling, starting_noise(7, shape, 0)), UsageError);
}

TEST_CASE("classifier-free guidance: one evaluation of both, the variance that of the class, scale 1 no guidance") {
  const Tensor x = noise({2, 3}, 1);
  Index evaluations = 0, rows = 0;
  // class number + 10 for the prediction, class number for the variance
  const ConditionalModel network = [&](const Tensor& x_t, std::span<const double> t, std::span<const Index> labels) {
    ++evaluations;
    rows = x_t.extent(0);
    REQUIRE(labels.size() == t.size());
    REQUIRE(static_cast<Index>(t.size()) == rows);
    Tensor y = Tensor::uninitialized({rows, 6});
    for (Index n = 0; n < rows; ++n) {
      for (Index c = 0; c < 6; ++c)
        y[n * 6 + c] = static_cast<real>(labels[static_cast<std::size_t>(n)] + (c < 3 ? 10 : 0));
    }
    return y;
  };
  const std::vector<double> t{5, 5};
  const auto answer = [&](double scale) {
    return with_guidance(network, {1, 4}, 7, scale, VarianceType::learned)(x, t);
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
  CHECK_THROWS_AS(with_guidance(network, {1}, 7, 2, VarianceType::learned)(x, t), ShapeError);
}
