#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "diffusion/process/prediction.h"

namespace reverie::inline REVERIE_PRECISION {

/// A line of the table of loss weights: how much the squared error counts at each noise level. Weights are stated for
/// the squared error of x_0, as a function of the signal-to-noise ratio alphas_cumprod / (1 - alphas_cumprod).
struct LossWeight {
  const char* name;
  const char* summary;
  std::vector<OptionInfo> options;
  /// `values` has every one of `options`. Null for "none": each prediction's own error counts as it is.
  double (*of_x0)(double snr, const OptionValues& values);
};

std::span<const LossWeight> loss_weights();

/// The weight of a squared error where the signal's share is alpha_bar = SNR / (1 + SNR).
using LossWeightFunction = std::function<double(double alpha_bar)>;
/// The weight called `name` for a network that predicts `mean_type`: that of the x_0 error which a prediction's error
/// amounts to. `given`: the weight's options; the others take the table's values. Throws UsageError for an unknown name
/// or option.
LossWeightFunction loss_weight_function(const std::string& name, MeanType mean_type, const OptionValues& given = {});

/// The same at each time step of a chain. Throws UsageError too if the last step (pure noise in a zero-terminal-SNR
/// chain) would get no weight, or an infinite one.
std::vector<double> make_loss_weights(const std::string& name, const NoiseSchedule& schedule, MeanType mean_type,
                                      const OptionValues& given = {});

}  // namespace reverie::inline REVERIE_PRECISION
