#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "diffusion/evaluation/gaussian_oracle.h"
#include "diffusion/samplers/sampler.h"
#include "diffusion/samplers/sigmas.h"

/// How fast a sampler's error falls with the number of steps, on data whose denoiser is known exactly.
namespace reverie::inline REVERIE_PRECISION {

/// A deterministic way to sample.
struct Solver {
  const char* sampler;
  OptionValues parameters;
  const char* solver_type;
  double order;  ///< claimed: halving the steps divides the error by 2^order
};
inline std::vector<Solver> solvers() {
  return {{"ddim", {}, "", 1},
          {"pndm", {}, "", 2},
          {"euler", {}, "", 1},
          {"heun", {}, "", 2},
          {"dpm2", {}, "", 2},
          {"lms", {{"order", 2}}, "", 2},
          {"lms", {{"order", 4}}, "", 2},  // its start, of lower order, decides
          {"dpmpp_2m", {}, "", 2},
          {"unipc", {{"order", 2}}, "bh1", 2},
          {"unipc", {{"order", 2}}, "bh2", 2},
          {"unipc", {{"order", 3}}, "bh2", 3},
          {"flow_euler", {}, "", 1},
          {"flow_heun", {}, "", 2},
          {"edm_stochastic", {{"s_churn", 0}}, "", 2},
          {"euler_ancestral", {{"eta", 0}}, "", 1},
          {"dpmpp_2s_ancestral", {{"eta", 0}}, "", 2},
          {"dpmpp_sde", {{"eta", 0}}, "", 2},
          {"dpmpp_2m_sde", {{"eta", 0}}, "midpoint", 2},
          {"dpmpp_2m_sde", {{"eta", 0}}, "heun", 2},
          {"dpmpp_3m_sde", {{"eta", 0}}, "", 2}};  // as lms
}

/// N(0.2, 0.4^2), for which D is linear in x, and a mixture of two, for which it is not.
inline GaussianMixture one_gaussian() { return gaussian_data(0.2, 0.4); }
inline GaussianMixture two_gaussians() { return {{{0.4, {-1.0}, 0.5}, {0.6, {0.8}, 0.4}}}; }

/// Share of the data, noised to sigma, that lies below x.
inline double noisy_cdf(const GaussianMixture& data, double x, double sigma) {
  double below = 0;
  for (const auto& c : data.components)
    below += c.weight * std::erfc((c.mean[0] - x) / std::hypot(c.s, sigma) / std::sqrt(2.0)) / 2;
  return below;
}

/// Where the probability flow takes x from one noise level to another: in one dimension paths can't cross, so that the
/// share of the data below x stays.
inline double exact_flow(const GaussianMixture& data, double x, double from, double to) {
  const double share = noisy_cdf(data, x, from);
  double low = -10 * (1 + to), high = 10 * (1 + to);
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (noisy_cdf(data, middle, to) < share ? low : high) = middle;
  }
  return (low + high) / 2;
}

/// The largest error among some starting points after so many steps, at a noise level above 0 (the step into 0, which
/// every sampler ends with, is of another sort).
inline double sampler_error(const Solver& solver, const GaussianMixture& data, Index steps,
                            Index* evaluations = nullptr) {
  const Sampler& sampler = find_sampler(solver.sampler);
  SamplerOptions options = sampler_options(sampler, solver.parameters, solver.solver_type);
  options.clip = false;
  const std::vector<double> starts{-1.6, -0.7, 0.1, 0.6, 1.4};  // over the noise level there
  const auto count = static_cast<Index>(starts.size());
  Index evaluated = 0;
  const Denoiser denoise = [&](const Var& x, double sigma) {
    ++evaluated;
    return Var(data.denoise(x.value(), sigma));
  };
  Tensor got;
  double from, to;
  if (sampler.sigma) {
    std::vector<double> sigmas = make_sigmas("karras", steps + 1, {{"sigma_min", 0.1}, {"sigma_max", 10}});
    sigmas.pop_back();
    from = sigmas.front(), to = sigmas.back();
    got = sampler
              .sigma(denoise, (from * Var(Tensor::from({count, 1}, starts))).value(), sigmas, options, nullptr, nullptr)
              .value();
  } else {
    std::vector<Index> kept;
    for (Index i = 0; i <= steps; ++i) kept.push_back(256 + i * (1024 / steps));
    const Process process(respace(make_schedule("linear", 1281), kept), MeanType::eps, VarianceType::fixed_small);
    from = process.schedule.sqrt_recipm1_alphas_cumprod.back();
    to = process.schedule.sqrt_recipm1_alphas_cumprod.front();
    const Observer observe = [&](Index step, const Var& x, const Var&) {
      if (step + 1 == steps) got = (std::sqrt(1 + to * to) * x).value();
    };
    sampler.chain(
        {.process = process, .network = chain_network(process, denoise), .options = options, .observe = observe},
        ((from / std::sqrt(1 + from * from)) * Var(Tensor::from({count, 1}, starts))).value());
    --evaluated;  // the step into 0
  }
  if (evaluations != nullptr) *evaluations = evaluated;
  double largest = 0;
  for (Index i = 0; i < count; ++i) {
    const double truth = exact_flow(data, from * starts[i], from, to);
    largest = std::max(largest, std::abs(static_cast<double>(got[i]) - truth));
  }
  return largest;
}

/// The slope of log error against log steps, between n and 2n steps.
inline double measured_order(const Solver& solver, const GaussianMixture& data, Index steps) {
  return std::log2(sampler_error(solver, data, steps) / sampler_error(solver, data, 2 * steps));
}

/// "unipc, order 2, bh1"
inline std::string solver_label(const Solver& solver) {
  std::string label = solver.sampler;
  for (const auto& [name, value] : solver.parameters) label += concat(", ", name, " ", value);
  return *solver.solver_type == 0 ? label : label + ", " + solver.solver_type;
}

}  // namespace reverie::inline REVERIE_PRECISION
