#include "diffusion/samplers/sampler.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

const Shape shape{3, 2, 2, 1};

// A model that is not linear: a x + b cos(x + t / 1000).
Var wave(const Var& on, std::span<const double> t) {
  const Tensor& x = on.value();
  Tensor y = Tensor::uninitialized(x.shape());
  const Index each = x.size() / x.extent(0);
  for (Index i = 0; i < x.size(); ++i) {
    const double value = static_cast<double>(x[i]);
    y[i] = static_cast<real>(0.3 * value + 0.2 * std::cos(value + t[i / each] / 1000));
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
    const NetworkFunction model = [&](const Var&, std::span<const double> t) {
      asked.push_back(t[0]);
      return Var(x0);
    };
    const Sampling sampling{
        process, model, {}, seeded_noise(1, shape, 0), [&](Index step, const Var& x, const Var& pred_x0) {
          CHECK(step == steps++);
          CHECK(x.shape() == shape);
          CHECK(difference(pred_x0, x0) == 0);
        }};
    CHECK(difference(sampler.sample(sampling, noise(shape, 2)), x0) < tolerance(1e-12, 1e-4));
    CHECK(steps == 12);
    CHECK(asked.front() == doctest::Approx(999));
    CHECK(asked.back() == 0);
  }
}

TEST_CASE("every sampler: a sample is the same, to the bit, whatever batch it is drawn in") {
  for (const Sampler& sampler : samplers()) {
    CAPTURE(std::string(sampler.name));
    const Process process = short_chain();
    const auto draw = [&](Index first, Index count) {
      const Shape batch = shape.with(0, count);
      return sampler.sample({process, wave, sampler_options(sampler, {}), seeded_noise(5, batch, first)},
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
    const NetworkFunction exact = [&](const Var& x, std::span<const double> t) {
      const double ab = alpha_bars[t[0]];
      return (s * s * std::sqrt(ab) * x + (1 - ab) * mu) / (s * s * ab + 1 - ab);
    };
    const Tensor x_T = Tensor::from({2, 1}, {-1.5, 0.8});
    const Var got = sample_ddim({process, exact, {.clip = false}, nullptr}, x_T);
    errors[fine] = difference(got, (Var(x_T) * s + mu).value());
  }
  CHECK(errors[0] < 0.02);
  CHECK(errors[1] < 0.6 * errors[0]);  // first order: half the step, half the error
}

TEST_CASE("samplers say what they can't do") {
  CHECK(contains(error_of([] { find_sampler("euler_a"); }), "ddpm, ddim, pndm, euler"));
  const Process process(make_schedule("cosine", 20), MeanType::eps, VarianceType::fixed_small);
  const Sampling sampling{process, wave, {.clip = true, .eta = 3}, seeded_noise(7, shape, 0)};
  CHECK_THROWS_AS(sample_ddim(sampling, starting_noise(7, shape, 0)), UsageError);
  CHECK(contains(error_of([] { sampler_options(find_sampler("ddpm"), {{"eta", 1}}); }), "ddpm has no options"));
  CHECK(contains(error_of([] { sampler_options(find_sampler("heun"), {{"eta", 1}}); }), "s_churn"));
  CHECK(contains(error_of([] { sampler_options(find_sampler("lms"), {{"order", 0}}); }), "order is 0"));
  CHECK(contains(error_of([] { sampler_options(find_sampler("unipc"), {}, "bh3"); }), "bh2, bh1"));
  CHECK(contains(error_of([] { sampler_options(find_sampler("heun"), {}, "bh2"); }), "it has none"));
}

TEST_CASE("DDIM backwards and then forwards comes back the nearer, the smaller the steps [Song21] sec. 4.3") {
  const Tensor x0 = noise({4, 1}, 3);
  const auto way = [&](const char* sections) {
    const Process process(respace(make_schedule("linear", 1000), sections), MeanType::eps, VarianceType::fixed_small);
    const Sampling sampling{.process = process, .network = wave, .options = {.clip = false}};
    return difference(sample_ddim(sampling, ddim_reverse(sampling, x0)), x0);
  };
  const double coarse = way("100"), fine = way("400");
  CHECK(fine < 0.35 * coarse);
  CHECK(fine < 0.05);
}

TEST_CASE("a chain that ends in pure noise: every sampler uses what the network says of x_0 there [Lin23]") {
  const Process process(with_zero_terminal_snr(make_schedule("cosine", 50)), MeanType::v, VarianceType::fixed_small);
  const Tensor mean = noise(shape, 4);
  const NetworkFunction knows = [&](const Var& x_t, std::span<const double> t) {  // v for a known x_0
    const std::vector<Index> all = all_at(x_t.extent(0), static_cast<Index>(std::lround(t[0])));
    const Var eps = process.eps_from_x0(x_t, all, mean);
    return process.target(mean, all, eps);
  };
  for (const char* name : {"ddpm", "ddim", "pndm"}) {
    CAPTURE(std::string(name));
    const Tensor got = find_sampler(name).sample(
        {.process = process, .network = knows, .options = {.clip = false}, .noise = seeded_noise(1, shape, 0)},
        noise(shape, 5));
    CHECK(difference(got, mean) < tolerance(1e-9, 1e-2));
  }
}
