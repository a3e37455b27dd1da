#include "diffusion/formulations/loss_weights.h"

#include <algorithm>
#include <cmath>

namespace reverie::inline REVERIE_PRECISION {
namespace {

// Low noise levels are easy and many time steps have them, so their weight is capped.
// [Hang23]
double min_snr(double snr, const OptionValues& values) { return std::min(snr, values.at("gamma")); }

// Emphasises the noise levels where content is formed over those of imperceptible details.
// [Choi22]
double p2(double snr, const OptionValues& values) { return snr / std::pow(values.at("k") + snr, values.at("gamma")); }

// Equals the squared error of the noise.
// [Salimans22] sec. 4
double snr(double snr, const OptionValues&) { return snr; }

// The larger of the squared errors of x_0 and of the noise.
// [Salimans22] sec. 4
double truncated_snr(double snr, const OptionValues&) { return std::max(snr, 1.0); }

}  // namespace

std::span<const LossWeight> loss_weights() {
  static const std::vector<LossWeight> table = {
      {"none", "the squared error of what the network predicts, as it is [Ho20]", {}, nullptr},
      {"min_snr", "min(snr, gamma): little noise counts less [Hang23]", {{"gamma", 5, "largest weight"}}, min_snr},
      {"p2",
       "snr / (k + snr)^gamma: details that nobody sees count less [Choi22]",
       {{"gamma", 1, "0 is snr, larger takes more away"}, {"k", 1, "keeps the weight finite"}},
       p2},
      {"snr", "snr: the squared error of the noise [Salimans22]", {}, snr},
      {"truncated_snr",
       "max(snr, 1): that of the noise or of x_0, whichever is larger [Salimans22]",
       {},
       truncated_snr},
  };
  return table;
}

LossWeightFunction loss_weight_function(const std::string& name, MeanType mean_type, const OptionValues& given) {
  const LossWeight& weight = find_line("loss weight", loss_weights(), name);
  return [of_x0 = weight.of_x0, values = complete("loss weight " + name, weight.options, given),
          x0 = kind(mean_type).x0](double alpha_bar) {
    if (of_x0 == nullptr) return 1.0;
    // An error e of the prediction is an error `per_unit` * e of x_0. Squared: 1 / snr for eps, 1 / (snr + 1) for v.
    const double per_unit = x0(alpha_bar).second;
    return of_x0(alpha_bar / (1 - alpha_bar), values) * per_unit * per_unit;
  };
}

std::vector<double> make_loss_weights(const std::string& name, std::span<const double> alpha_bars, MeanType mean_type,
                                      const OptionValues& given) {
  const LossWeightFunction weight = loss_weight_function(name, mean_type, given);
  std::vector<double> weights;
  for (const double alpha_bar : alpha_bars) {
    weights.push_back(weight(alpha_bar));
    if (weights.back() > 0 && std::isfinite(weights.back())) continue;
    throw UsageError("loss weight ", name, ": at the signal-to-noise ratio ", alpha_bar / (1 - alpha_bar),
                     ", the weight of ", reverie::name(mean_type), " is ", weights.back(),
                     "; it must be positive and finite",
                     alpha_bar == 0 ? " (a zero-terminal-SNR schedule requires truncated_snr, or none)" : "");
  }
  return weights;
}

}  // namespace reverie::inline REVERIE_PRECISION
