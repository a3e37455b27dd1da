#pragma once
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
  std::vector<OptionInfo> parameters;
  /// `values` has every one of `parameters`. Null in the line "none": each prediction's own error counts as it is.
  double (*of_x0)(double snr, const OptionValues& values);
};

std::span<const LossWeight> loss_weights();

/// The same for a network that predicts `mean_type`, where the signal has the share alpha_bar: the error of x_0 that
/// one of the prediction amounts to, weighted. `given`: as in make_loss_weights.
double loss_weight_at(const std::string& name, double alpha_bar, MeanType mean_type, const OptionValues& given = {});

/// What multiplies the squared error of a network that predicts `mean_type`, for each step of the chain, so that it is
/// the x_0 error under the weight called `name`. Parameters that are not given take the table's values. Throws
/// UsageError for an unknown name or parameter, and where the last step (pure noise in a zero-terminal-SNR chain)
/// would get no weight, or an infinite one.
std::vector<double> make_loss_weights(const std::string& name, const NoiseSchedule& schedule, MeanType mean_type,
                                      const OptionValues& given = {});

}  // namespace reverie::inline REVERIE_PRECISION
