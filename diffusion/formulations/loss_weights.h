#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "diffusion/process/prediction.h"

namespace reverie::inline REVERIE_PRECISION {

/// A row of the table of loss weights: the weight of the squared error at each noise level. Weights are stated for the
/// squared error of x_0, as a function of the signal-to-noise ratio alphas_cumprod / (1 - alphas_cumprod).
struct LossWeight {
  const char* name;
  const char* summary;
  std::vector<OptionInfo> options;
  /// `values` has every one of `options`. Null for "none": the squared error of the prediction is not weighted.
  double (*of_x0)(double snr, const OptionValues& values);
};

std::span<const LossWeight> loss_weights();

/// The weight of a squared error as a function of alpha_bar = SNR / (1 + SNR).
using LossWeightFunction = std::function<double(double alpha_bar)>;
/// Looks up the weight called `name` and converts it from an error of x_0 to one of `mean_type`, which the network
/// predicts. `given`: the weight's options; missing ones take the table's defaults. Throws UsageError for an unknown
/// name or option.
LossWeightFunction loss_weight_function(const std::string& name, MeanType mean_type, const OptionValues& given = {});

/// The same at each of these alpha_bars (a chain's alphas_cumprod). Also throws UsageError for a weight that isn't
/// positive and finite, such as that of min_snr where nothing of the data is left (zero-terminal SNR).
std::vector<double> make_loss_weights(const std::string& name, std::span<const double> alpha_bars, MeanType mean_type,
                                      const OptionValues& given = {});

}  // namespace reverie::inline REVERIE_PRECISION
