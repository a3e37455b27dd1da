#include "benchmarks/sampler_order.h"
#include "tests/diffusion/helpers.h"

using namespace reverie;

namespace {

const Shape points{5, 1};

Tensor run(const char* name, const OptionValues& parameters, const Denoiser& denoise, std::span<const double> sigmas,
           const Tensor& x, const NoiseSource& noise = nullptr, const std::string& solver_type = "") {
  const Sampler& sampler = find_sampler(name);
  return sampler.sigma(denoise, x, sigmas, sampler_options(sampler, parameters, solver_type), noise, nullptr).value();
}

double mean_of(const Tensor& x) { return static_cast<double>(mean(Var(x)).item()); }
double deviation_of(const Tensor& x) {
  const Var centred = x - mean(Var(x));
  return std::sqrt(static_cast<double>(mean(centred * centred).item()));
}

}  // namespace

TEST_CASE("every deterministic solver has the order that it claims, on exact denoisers") {
  if (sizeof(real) == 4) return;  // float's rounding hides the smallest errors
  for (const Solver& solver : solvers()) {
    for (const GaussianMixture& data : {one_gaussian(), two_gaussians()}) {
      CAPTURE(solver_label(solver));
      CAPTURE(data.components.size());
      const double order = measured_order(solver, data, 128);
      CHECK(order > solver.order - 0.1);
      if (solver.order == 1) CHECK(order < 1.1);
    }
  }
}

TEST_CASE("solvers that are one another in a limit") {
  const Denoiser denoise = two_gaussians().denoiser();
  const std::vector<double> sigmas = make_sigmas("karras", 12);
  const Tensor x = (80 * Var(noise(points))).value();
  const auto same = [&](const Tensor& a, const Tensor& b) { return difference(a, b) < tolerance(1e-11, 2e-4); };
  const Tensor euler = run("euler", {}, denoise, sigmas, x);
  CHECK(same(run("euler_ancestral", {{"eta", 0}}, denoise, sigmas, x), euler));
  CHECK(same(run("lms", {{"order", 1}}, denoise, sigmas, x), euler));
  CHECK(same(run("flow_euler", {}, denoise, sigmas, x), euler));
  CHECK(same(run("edm_stochastic", {{"s_churn", 0}}, denoise, sigmas, x), run("heun", {}, denoise, sigmas, x)));
  CHECK(same(run("dpmpp_2m_sde", {{"eta", 0}}, denoise, sigmas, x, nullptr, "midpoint"),
             run("dpmpp_2m", {}, denoise, sigmas, x)));
  CHECK(same(run("dpmpp_sde", {{"eta", 0}}, denoise, sigmas, x),
             run("dpmpp_2s_ancestral", {{"eta", 0}}, denoise, sigmas, x)));
  CHECK_FALSE(same(run("heun", {}, denoise, sigmas, x), euler));

  // A single step has no history: Euler.
  for (const char* name : {"lms", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m_sde"}) {
    const std::vector<double> one_step = {5, 0.5};
    const OptionValues none = std::string(name).ends_with("sde") ? OptionValues{{"eta", 0}} : OptionValues{};
    CHECK(same(run(name, none, denoise, one_step, x), run("euler", {}, denoise, one_step, x)));
  }
}

TEST_CASE("DDIM and Euler in the sigma form are the same steps") {
  const Process process(respace(make_schedule("linear", 1000), "20"), MeanType::v, VarianceType::fixed_small);
  const Denoiser denoise = two_gaussians().denoiser();
  const Sampling sampling{
      .process = process, .network = chain_network(process, denoise), .options = {.clip = false}, .denoise = denoise};
  const Tensor x_T = noise(points, 1);
  CHECK(difference(find_sampler("ddim").sample(sampling, x_T), find_sampler("euler").sample(sampling, x_T)) <
        tolerance(1e-10, 1e-3));
}

TEST_CASE("the ancestral sampler is ancestral Euler in the sigma form, eta = 1") {
  const Process process(respace(make_schedule("linear", 1000), "20"), MeanType::x0, VarianceType::fixed_small);
  const Denoiser denoise = two_gaussians().denoiser();
  const auto draw = [&](const char* name) {
    SamplerOptions options = sampler_options(find_sampler(name), {});
    options.clip = false;
    return find_sampler(name).sample({.process = process,
                                      .network = chain_network(process, denoise),
                                      .options = options,
                                      .noise = seeded_noise(3, points, 0),
                                      .denoise = denoise},
                                     noise(points, 1));
  };
  CHECK(difference(draw("ddpm"), draw("euler_ancestral")) < tolerance(1e-10, 1e-3));
}

TEST_CASE("a model is the same, to the samplers, in the chain's form and in the sigma form") {
  const NoiseSchedule schedule = make_schedule("cosine", 100);
  const Denoiser denoise = two_gaussians().denoiser();
  const Tensor x = noise(points, 2);
  const SigmaScale scale(schedule);
  for (const MeanKind& kind : mean_kinds()) {
    CAPTURE(std::string(kind.name));
    const Process process(schedule, kind.type, VarianceType::fixed_small);
    const Denoiser back = chain_denoiser(process, chain_network(process, denoise));
    for (const double sigma : {0.05, 0.7, 9.0}) {
      CHECK(scale.sigma(scale.step(sigma)) == doctest::Approx(sigma));
      CHECK(difference(back(x, sigma), denoise(x, sigma)) < tolerance(1e-10, 1e-4));
    }
  }
  CHECK(scale.step(schedule.sqrt_recipm1_alphas_cumprod[37]) == 37);
  CHECK(scale.step(1e-9) == 0);
  CHECK(scale.step(1e9) == 99);
}

TEST_CASE("stochastic samplers of a Gaussian have its mean and variance") {
  const GaussianMixture data = one_gaussian();
  const Shape many{4000, 1};
  const std::vector<double> sigmas = make_sigmas("karras", 200);
  const Tensor x = (80 * Var(noise(many, 3))).value();
  for (const char* name :
       {"edm_stochastic", "euler_ancestral", "dpmpp_2s_ancestral", "dpmpp_sde", "dpmpp_2m_sde", "dpmpp_3m_sde"}) {
    CAPTURE(std::string(name));
    const Tensor got = run(name, {}, data.denoiser(), sigmas, x, seeded_noise(11, many, 0));
    // 4000 samples: standard errors 0.0063 and 0.0045
    CHECK(std::abs(mean_of(got) - 0.2) < 0.025);
    CHECK(std::abs(deviation_of(got) - 0.4) < 0.025);
    CHECK(difference(got, run("heun", {}, data.denoiser(), sigmas, x)) > 0.01);
  }
}

TEST_CASE("noise is what eta and churn say: none is asked for without them") {
  const Denoiser denoise = one_gaussian().denoiser();
  const std::vector<double> sigmas = make_sigmas("karras", 6);
  const Tensor x = (80 * Var(noise(points))).value();
  for (const Sampler& sampler : samplers()) {
    if (!sampler.sigma) continue;
    CAPTURE(std::string(sampler.name));
    CHECK_NOTHROW(sampler.sigma(denoise, x, sigmas, {}, nullptr, nullptr));
  }
}

TEST_CASE("no sampler makes a NaN of extreme noise levels, in either precision") {
  const Denoiser denoise = two_gaussians().denoiser();
  const std::vector<double> far_apart = {1e5, 3e4, 2.9999e4, 20, 1, 0.9999999, 1e-3, 1e-5, 0};
  const Tensor x = (1e5 * Var(noise(points))).value();
  for (const Sampler& sampler : samplers()) {
    if (!sampler.sigma) continue;
    for (const double eta : {0.0, 1.0, 1.5}) {
      CAPTURE(std::string(sampler.name));
      CAPTURE(eta);
      SamplerOptions options = sampler_options(sampler, {});
      options.eta = eta;
      const Tensor got = sampler.sigma(denoise, x, far_apart, options, seeded_noise(1, points, 0), nullptr).value();
      for (const real value : got.values()) CHECK(std::isfinite(value));
    }
  }
}
