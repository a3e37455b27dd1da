#include "diffusion/formulations/continuous.h"

#include <algorithm>
#include <cmath>

#include "diffusion/formulations/losses.h"

namespace reverie::inline REVERIE_PRECISION {

// [Kingma21] eq. 3
double LogSnrLine::alpha_bar(double u) const { return 1 / (1 + std::exp(-(max + u * (min - max)))); }
double LogSnrLine::sigma(double u) const { return std::exp(-(max + u * (min - max)) / 2); }
double LogSnrLine::time(double sigma) const { return std::clamp((max + 2 * std::log(sigma)) / (max - min), 0.0, 1.0); }

ContinuousFormulation::ContinuousFormulation(Process process, ContinuousOptions options)
    : Formulation(std::move(process)), options_(std::move(options)) {
  require_fixed_variance("continuous", this->process());
  if (!(options_.log_snr.max > options_.log_snr.min)) {
    throw UsageError("config: formulation continuous: log_snr_max is ", options_.log_snr.max, " and log_snr_min ",
                     options_.log_snr.min, "; the first must be larger");
  }
}

// The error of the prediction at x_u = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise.
Var ContinuousFormulation::losses(const NetworkFunction& network, const Var& x0, const Var& noise,
                                  std::span<const double> u) const {
  const MeanKind& mean = kind(options_.mean_type);
  std::vector<double> alpha_bars, times, weights;
  for (const double share : u) {
    alpha_bars.push_back(options_.log_snr.alpha_bar(share));
    times.push_back(network_time_scale * share);
    weights.push_back(options_.weight ? options_.weight(alpha_bars.back()) : 1);
  }
  const auto each = [&](auto f) { return per_sample(alpha_bars, x0.rank(), f); };
  const Var x_u =
      each([](double ab) { return std::sqrt(ab); }) * x0 + each([](double ab) { return std::sqrt(1 - ab); }) * noise;
  const Var target = each([&](double ab) { return mean.target(ab).first; }) * x0 +
                     each([&](double ab) { return mean.target(ab).second; }) * noise;
  return prediction_error(target, network(x_u, times), options_.huber) *
         per_sample(weights, 1, [](double weight) { return weight; });
}

Var ContinuousFormulation::denoise(const NetworkFunction& network, const Var& x, double sigma) const {
  const double alpha_bar = 1 / (1 + sigma * sigma);
  const Var x_u = std::sqrt(alpha_bar) * x;
  const std::vector<double> times(x.extent(0), network_time_scale * options_.log_snr.time(sigma));
  const Factors from = kind(options_.mean_type).x0(alpha_bar);
  return from.first * x_u + from.second * network(x_u, times);
}

}  // namespace reverie::inline REVERIE_PRECISION
