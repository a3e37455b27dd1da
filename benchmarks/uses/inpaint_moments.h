#pragma once
#include <cmath>
#include <map>

#include "diffusion/evaluation/gaussian_oracle.h"
#include "diffusion/samplers/inpaint.h"
#include "diffusion/samplers/sigmas.h"

/// The mean and the spread of inpainted samples of a correlated Gaussian, and what they should be.
namespace reverie::inline REVERIE_PRECISION {

/// Points (a, b), both with standard deviation 0.5; a is known.
inline CorrelatedGaussian inpainting_data(double correlation = 0.9) {
  return {{0.1, -0.2}, {0.25, 0.25 * correlation, 0.25 * correlation, 0.25}};
}
inline constexpr double known_value = 0.8;

struct InpaintMoments {
  double mean, deviation;  ///< of b
  Index steps;             ///< sampling steps, all repetitions counted
};

inline InpaintMoments exact_moments(double correlation = 0.9) {
  const Index known[] = {0};
  const double values[] = {known_value};
  const CorrelatedGaussian b = inpainting_data(correlation).given(known, values);
  return {b.mean[0], std::sqrt(b.covariance[0]), 0};
}

/// For Gaussian data the denoiser, and so inpainting, is affine in x_T and in each noise. One run on a batch finds all
/// coefficients: its first row has no noise, each other one a single element of x_T or of a draw that is 1. So the
/// moments are exact, not estimates.
inline InpaintMoments inpaint_moments(const Inpainting& how, const char* sampler_name, const OptionValues& parameters,
                                      Index steps, double correlation = 0.9) {
  const Sampler& sampler = find_sampler(sampler_name);
  SamplerOptions options = sampler_options(sampler, parameters);
  options.clip = false;
  const NoiseSchedule chain = make_schedule("linear", 1000);
  const Process process(sampler.chain ? respace(chain, std::to_string(steps)) : chain, MeanType::eps,
                        VarianceType::fixed_small);
  const Index all = inpainting_steps(how, steps), rows = 3 + 2 * (4 * all + 2 * steps);
  const Shape shape{rows, 2};
  const auto only = [&](Index row) {
    Tensor x = Tensor::zeros(shape);
    x[row * 2] = x[(row + 1) * 2 + 1] = 1;
    return x;
  };
  std::map<Index, Index> draws;  // the rows of each draw
  const NoiseSource noise = [&](Index i) {
    return only(draws.try_emplace(i, 3 + 2 * std::ssize(draws)).first->second);
  };
  Inpainting inpainting = how;
  inpainting.known = Tensor::full(shape, known_value);
  inpainting.mask = Tensor::zeros(shape);
  for (Index row = 0; row < rows; ++row) inpainting.mask[2 * row + 1] = 1;
  const Denoiser denoise = inpainting_data(correlation).denoiser();
  const Tensor x = inpaint(sampler,
                           {.process = process,
                            .network = chain_network(process, denoise),
                            .options = options,
                            .noise = noise,
                            .denoise = denoise,
                            .sigmas = sampler.sigma ? make_sigmas(sampler.sigmas, steps) : std::vector<double>{}},
                           only(1), inpainting);
  const double mean = static_cast<double>(x[1]);
  double variance = 0;
  for (Index row = 1; row < rows; ++row) variance += std::pow(static_cast<double>(x[2 * row + 1]) - mean, 2);
  return {mean, std::sqrt(variance), all};
}

}  // namespace reverie::inline REVERIE_PRECISION
