#include <algorithm>
#include <cmath>

#include "diffusion/formulations/loss_weights.h"
#include "diffusion/formulations/losses.h"
#include "diffusion/formulations/formulation.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// ln(snr) falls on a line from time u = 0 to u = 1; alpha_bar = snr / (1 + snr).                         [Kingma21] eq.
// 3
struct LogSnrLine {
  explicit LogSnrLine(const Config& config)
      : most(formulation_parameters(config).at("log_snr_max")),
        least(formulation_parameters(config).at("log_snr_min")) {
    if (!(most > least)) {
      throw UsageError("config: formulation continuous: log_snr_max is ", most, " and log_snr_min ", least,
                       "; the first must be larger");
    }
  }
  double alpha_bar(double u) const { return 1 / (1 + std::exp(-(most + u * (least - most)))); }
  double sigma(double u) const { return std::exp(-(most + u * (least - most)) / 2); }
  // Beyond the ends, where the network was never trained, it is asked at the end.
  double time(double sigma) const { return std::clamp((most + 2 * std::log(sigma)) / (most - least), 0.0, 1.0); }

  double most, least;
};

// The error of what the network predicts at x_u = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise. With eps and no
// weight it is, but for constants, the variational bound in continuous time.                    [Kingma21] eqs. 17, 18
Objective objective(const Config& config, const Process&) {
  const Config::Diffusion& d = config.diffusion;
  const LogSnrLine line(config);
  const MeanKind& mean = kind(mean_type(d.prediction));
  loss_weight_at(d.loss_weight, 0.5, mean.type, d.loss_weight_parameters);  // refuses what doesn't exist
  return [=, &mean](const NetworkFunction& network, const Var& x0, const Var& noise, std::span<const double> u) {
    std::vector<double> alpha_bars, times, weights;
    for (const double share : u) {
      alpha_bars.push_back(line.alpha_bar(share));
      times.push_back(network_time_scale * share);
      weights.push_back(loss_weight_at(d.loss_weight, alpha_bars.back(), mean.type, d.loss_weight_parameters));
    }
    const auto each = [&](auto f) { return per_sample(alpha_bars, x0.rank(), f); };
    const Var x_u =
        each([](double ab) { return std::sqrt(ab); }) * x0 + each([](double ab) { return std::sqrt(1 - ab); }) * noise;
    const Var target = each([&](double ab) { return mean.target(ab).first; }) * x0 +
                       each([&](double ab) { return mean.target(ab).second; }) * noise;
    return prediction_error(target, network(x_u, times), d.huber) *
           per_sample(weights, 1, [](double weight) { return weight; });
  };
}

DenoiserFunction denoiser(const Config& config, const Process&, NetworkFunction network, bool clip) {
  return [line = LogSnrLine(config), &mean = kind(mean_type(config.diffusion.prediction)), network = std::move(network),
          clip](const Var& x, double sigma) {
    const double alpha_bar = 1 / (1 + sigma * sigma);
    const Var x_u = std::sqrt(alpha_bar) * x;
    const std::vector<double> times(static_cast<std::size_t>(x.extent(0)), network_time_scale * line.time(sigma));
    const Factors from = mean.x0(alpha_bar);
    const Var x0 = from.first * x_u + from.second * network(x_u, times);
    return clip ? clamp(x0, -1, 1) : x0;
  };
}

}  // namespace

Formulation continuous_formulation() {
  return {.name = "continuous",
          .summary = "noise at any time in [0, 1], the logarithm of its signal-to-noise ratio on a line [Kingma21]",
          .parameters = {{"log_snr_max", 13.3, "ln(snr) at time 0"}, {"log_snr_min", -10, "and at time 1"}},
          .process = chain_of_denoiser,
          .objective = objective,
          .denoiser = denoiser,
          .in_chain =
              [](const Config& config, const Process& process, Model model) {
                return chain_model(process, off_tape(denoiser(config, process, off_tape(std::move(model)), false)));
              },
          .sigma_range =
              [](const Config& config, const Process&) {
                const LogSnrLine line(config);
                return SigmaRange{line.sigma(0), line.sigma(1)};
              }};
}

}  // namespace reverie::inline REVERIE_PRECISION
