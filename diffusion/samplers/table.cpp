#include "diffusion/tables/table.h"

#include <algorithm>
#include <cmath>

#include "diffusion/samplers/common.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Options by name, with the members that hold their values.
constexpr OptionInfo eta_0{"eta", 0, "0 is deterministic, 1 as noisy as the reverse SDE"};
constexpr OptionInfo eta_1{"eta", 1, eta_0.meaning};
constexpr OptionInfo s_churn{"s_churn", 0, "noise put in before each step, over all steps"};
constexpr OptionInfo s_tmin{"s_tmin", 0, "churn where sigma is at least this"};
constexpr OptionInfo s_tmax{"s_tmax", 1e9, "churn where sigma is at most this"};
constexpr OptionInfo s_noise{"s_noise", 1, "factor on all noise put in"};
constexpr OptionInfo order_2{"order", 2, "of a multistep method"};
constexpr OptionInfo order_4{"order", 4, order_2.meaning};

// [Karras22] table 5 uses 40 for ImageNet; below a hundred sampling steps the limit in `churn` applies.
constexpr OptionInfo edm_s_churn{"s_churn", 40, s_churn.meaning};
constexpr OptionInfo edm_s_tmin{"s_tmin", 0.05, s_tmin.meaning};
constexpr OptionInfo edm_s_tmax{"s_tmax", 50, s_tmax.meaning};
constexpr OptionInfo edm_s_noise{"s_noise", 1.003, s_noise.meaning};

struct NumberOption {
  const char* name;
  double low, high;
  void (*set)(SamplerOptions&, double);
};
constexpr double any = INFINITY, most = 100;  // more noise than that buries every image
constexpr NumberOption numbers[] = {
    {"eta", 0, most, [](SamplerOptions& o, double value) { o.eta = value; }},
    {"s_churn", 0, any, [](SamplerOptions& o, double value) { o.s_churn = value; }},
    {"s_tmin", 0, any, [](SamplerOptions& o, double value) { o.s_tmin = value; }},
    {"s_tmax", 0, any, [](SamplerOptions& o, double value) { o.s_tmax = value; }},
    {"s_noise", 0, most, [](SamplerOptions& o, double value) { o.s_noise = value; }},
    {"order", 1, 6, [](SamplerOptions& o, double value) { o.order = std::lround(value); }},
};

}  // namespace

std::span<const Sampler> samplers() {
  static const std::vector<Sampler> table = {
      {.name = "ddpm",
       .summary = "ancestral: a draw from each p(x_{t-1} | x_t) in turn [Ho20]",
       .chain = sample_ancestral},
      {.name = "ddim", .summary = "implicit: good with few steps [Song21]", .options = {eta_0}, .chain = sample_ddim},
      {.name = "pndm", .summary = "DDIM's step with eps extrapolated from the last four [Liu22]", .chain = sample_pndm},
      {.name = "euler",
       .summary = "along the slope at each step's start",
       .options = {s_churn, s_tmin, s_tmax, s_noise},
       .sigma = sample_euler},
      {.name = "heun",
       .summary = "the mean of the slopes at both ends of each step [Karras22]",
       .options = {s_churn, s_tmin, s_tmax, s_noise},
       .sigma = sample_heun},
      {.name = "dpm2",
       .summary = "the slope at the middle of each step [Lu22a]",
       .options = {s_churn, s_tmin, s_tmax, s_noise},
       .sigma = sample_dpm2},
      {.name = "lms", .summary = "a polynomial through the last slopes", .options = {order_4}, .sigma = sample_lms},
      {.name = "dpmpp_2m", .summary = "DPM-Solver++ from the last two outputs [Lu22]", .sigma = sample_dpmpp_2m},
      {.name = "unipc",
       .summary = "predictor and corrector in one [Zhao23]",
       .options = {order_2},
       .solver_types = {"bh2", "bh1"},
       .sigma = sample_unipc},
      {.name = "flow_euler",
       .summary = "Euler along straight lines from noise to data [Liu23]",
       .sigma = sample_flow_euler,
       .sigmas = "flow"},
      {.name = "flow_heun",
       .summary = "Heun along straight lines from noise to data [Liu23]",
       .sigma = sample_flow_heun,
       .sigmas = "flow"},
      {.name = "edm_stochastic",
       .summary = "heun with noise put in before each step [Karras22]",
       .options = {edm_s_churn, edm_s_tmin, edm_s_tmax, edm_s_noise},
       .sigma = sample_heun},
      {.name = "euler_ancestral",
       .summary = "euler to below each level, then up with fresh noise",
       .options = {eta_1, s_noise},
       .sigma = sample_euler_ancestral},
      {.name = "dpmpp_2s_ancestral",
       .summary = "DPM-Solver++ by single steps, with fresh noise [Lu22]",
       .options = {eta_1, s_noise},
       .sigma = sample_dpmpp_2s_ancestral},
      {.name = "dpmpp_sde",
       .summary = "DPM-Solver++ by single steps for the SDE [Lu22]",
       .options = {eta_1, s_noise},
       .sigma = sample_dpmpp_sde},
      {.name = "dpmpp_2m_sde",
       .summary = "DPM-Solver++ from the last two outputs for the SDE [Lu22]",
       .options = {eta_1, s_noise},
       .solver_types = {"midpoint", "heun"},
       .sigma = sample_dpmpp_2m_sde},
      {.name = "dpmpp_3m_sde",
       .summary = "DPM-Solver++ from the last three outputs for the SDE [Lu22]",
       .options = {eta_1, s_noise},
       .sigma = sample_dpmpp_3m_sde},
  };
  return table;
}

const Sampler& find_sampler(const std::string& name) { return find_line("sampler", samplers(), name); }

SamplerOptions sampler_options(const Sampler& sampler, const OptionValues& given, const std::string& solver_type) {
  const std::string who = concat("sampler ", sampler.name);
  SamplerOptions options;
  for (const auto& [name, value] : complete(who, sampler.options, given)) {
    const NumberOption& number = find_line<NumberOption>("option", numbers, name);
    if (!(value >= number.low && value <= number.high)) {
      throw UsageError(who, ": ", name, " is ", value, "; it must be from ", number.low, " to ", number.high);
    }
    if (name == "order" && value != std::round(value)) {
      throw UsageError(who, ": order is ", value, "; it must be a whole number from ", number.low, " to ", number.high);
    }
    number.set(options, value);
  }
  options.solver_type = solver_type;
  if (solver_type.empty()) {
    if (!sampler.solver_types.empty()) options.solver_type = sampler.solver_types.front();
  } else {
    std::string known;
    for (const char* type : sampler.solver_types) known += (known.empty() ? "" : ", ") + std::string(type);
    if (std::find(sampler.solver_types.begin(), sampler.solver_types.end(), solver_type) ==
        sampler.solver_types.end()) {
      throw UsageError(who, ": solver type \"", solver_type, "\" is unknown; ",
                       known.empty() ? "it has none" : "there are: " + known);
    }
  }
  return options;
}

std::vector<double> chain_grid_sigmas(const NoiseSchedule& schedule) {
  std::vector<double> sigmas = chain_sigmas(schedule);
  std::reverse(sigmas.begin(), sigmas.end());
  sigmas.push_back(0);
  return sigmas;
}

Tensor Sampler::sample(const Sampling& unchecked, const Tensor& x_T) const {
  const Sampling sampling = with_finite_checks(unchecked, name);
  if (chain) return chain(sampling, x_T).value();
  const std::vector<double> grid =
      sampling.sigmas.empty() ? chain_grid_sigmas(sampling.process.schedule) : sampling.sigmas;
  const auto to_sigma_form = [](double sigma) { return std::sqrt(1 + sigma * sigma); };
  const Denoiser denoise = sampling_denoiser(sampling);
  const Index all = std::ssize(grid) - 1;
  if (sampling.first == 0 && sampling.last == 0) {
    return sigma(denoise, to_sigma_form(grid[0]) * Var(x_T), grid, sampling.options, sampling.noise, sampling.observe)
        .value();
  }
  const Index last = sampling.last > 0 ? sampling.last : all, steps = last - sampling.first;
  const auto sigmas =
      std::span(grid).subspan(static_cast<std::size_t>(sampling.first), static_cast<std::size_t>(steps + 1));
  SamplerOptions options = sampling.options;
  options.s_churn *= static_cast<double>(steps) / static_cast<double>(all);  // it is shared out over the steps
  const Observer observe = [&](Index i, const Var& x, const Var& x0) { sampling.observe(sampling.first + i, x, x0); };
  const Var x = sigma(denoise, to_sigma_form(sigmas.front()) * Var(x_T), sigmas, options, sampling.noise, observe);
  return (x / to_sigma_form(sigmas.back())).value();
}

Tensor starting_noise(std::uint64_t seed, const Shape& shape, Index first_sample, const Noise& noise) {
  return noise.rows({seed, Stream::sample_start}, shape, first_sample);
}

NoiseSource seeded_noise(std::uint64_t seed, const Shape& shape, Index first_sample, const Noise& noise) {
  return [=](Index i) {
    return noise.rows({seed, Stream::sample_noise, static_cast<std::uint64_t>(i)}, shape, first_sample);
  };
}

}  // namespace reverie::inline REVERIE_PRECISION
