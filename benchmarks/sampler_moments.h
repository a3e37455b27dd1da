#pragma once
#include <cmath>

#include "diffusion/evaluation/gaussian_oracle.h"
#include "diffusion/samplers/sampler.h"
#include "diffusion/samplers/sigmas.h"

/// The mean and the spread of a sampler's samples of N(mu, s^2), with its noise on.
namespace reverie::inline REVERIE_PRECISION {

/// A sampler with its options; each default is the sampler's own.
struct NoisySampler {
  const char* sampler;
  OptionValues parameters = {};
  const char* solver_type = "";
};

/// Every sampler, with noise wherever it takes noise.
inline std::vector<NoisySampler> noisy_samplers() {
  std::vector<NoisySampler> list;
  for (const Sampler& sampler : samplers()) {
    const auto has = [&](std::string_view name) {
      return std::any_of(sampler.options.begin(), sampler.options.end(),
                         [&](const OptionInfo& option) { return option.name == name && option.value == 0; });
    };
    if (sampler.solver_types.size() < 2)
      list.push_back({sampler.name});
    else
      for (const char* type : sampler.solver_types) list.push_back({sampler.name, {}, type});
    if (has("eta")) list.push_back({sampler.name, {{"eta", 1}}});
    if (has("s_churn")) list.push_back({sampler.name, {{"s_churn", 40}}});
  }
  return list;
}

struct SampleMoments {
  double mean, deviation;
};

/// For Gaussian data the denoiser, and so every sampler, is affine in x_T and in each noise: x = c + a x_T + sum of
/// b_i n_i. One run on a batch finds all coefficients (its first row has neither x_T nor noise, its second has x_T = 1,
/// each other one has a single noise of 1), so the moments are exact: c, and the root of a^2 + the sum of the b_i^2.
inline SampleMoments sample_moments(const NoisySampler& with, double mu, double s, Index steps) {
  const Sampler& sampler = find_sampler(with.sampler);
  SamplerOptions options = sampler_options(sampler, with.parameters, with.solver_type);
  options.clip = false;
  const GaussianMixture data = gaussian_data(mu, s);
  const NoiseSchedule chain = make_schedule("linear", 1000);
  const Process process(sampler.chain ? respace(chain, std::to_string(steps)) : chain, MeanType::eps,
                        VarianceType::fixed_small);
  const Shape shape{2 + 2 * steps, 1};
  Tensor x_T = Tensor::zeros(shape);
  x_T[1] = 1;
  const NoiseSource noise = [&](Index i) {
    Tensor n = Tensor::zeros(shape);
    n[2 + i] = 1;
    return n;
  };
  const std::vector<double> sigmas = sampler.sigma ? make_sigmas(sampler.sigmas, steps) : std::vector<double>{};
  const Tensor x = sampler.sample({.process = process,
                                   .network = chain_network(process, data.denoiser()),
                                   .options = options,
                                   .noise = noise,
                                   .denoise = data.denoiser(),
                                   .sigmas = sigmas},
                                  x_T);
  const double mean = static_cast<double>(x[0]);
  double variance = 0;
  for (Index i = 1; i < x.size(); ++i) variance += std::pow(static_cast<double>(x[i]) - mean, 2);
  return {mean, std::sqrt(variance)};
}

/// "ddim, eta 1"
inline std::string sampler_label(const NoisySampler& with) {
  std::string label = with.sampler;
  for (const auto& [name, value] : with.parameters) label += concat(", ", name, " ", value);
  return *with.solver_type == 0 ? label : label + ", " + with.solver_type;
}

}  // namespace reverie::inline REVERIE_PRECISION
