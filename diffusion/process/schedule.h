#pragma once
#include <span>
#include <string>
#include <vector>

#include "diffusion/tables/options.h"

namespace reverie::inline REVERIE_PRECISION {

/// A chain of T noising steps q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t), and the quantities that follow
/// from the betas, in double. Index 0 is the least noisy time step.
/// [Ho20]
struct NoiseSchedule {
  /// Betas in (0, 1]; only the last may be 1. Throws Error for other values, for betas so small or so large that
  /// alphas_cumprod doesn't fall or reaches 0 before the end, and for an empty list.
  explicit NoiseSchedule(std::vector<double> betas);

  Index steps() const { return static_cast<Index>(betas.size()); }

  std::vector<double> betas;
  std::vector<double> alphas_cumprod;       ///< prod_{s<=t} (1 - beta_s): the fraction of the data's variance left at t
  std::vector<double> alphas_cumprod_prev;  ///< the same at t - 1; 1 at t = 0
  std::vector<double> sqrt_recipm1_alphas_cumprod;  ///< sqrt(1 / alphas_cumprod - 1), the sigma of time step t
  std::vector<double> snr;                          ///< alphas_cumprod / (1 - alphas_cumprod)
  // q(x_{t-1} | x_t, x_0) = N(coef1 x_0 + coef2 x_t, posterior_variance)
  // [Ho20] eqs. 6, 7
  std::vector<double> posterior_mean_coef1, posterior_mean_coef2;
  std::vector<double> posterior_variance;  ///< 0 at t = 0
  /// log posterior_variance, with the value at t = 1 also used at t = 0 (for a single time step: log beta).
  std::vector<double> posterior_log_variance_clipped;

  // The origin of this chain: `respace` selects some time steps of a longer chain; the network is still given the
  // original ones.
  std::vector<Index> original_steps;  ///< the network's t for each time step of this chain, ascending
  Index original_T;                   ///< length of the chain that the network was trained on
};

/// A row of the table of schedules.
struct ScheduleKind {
  const char* name;
  const char* summary;
  std::vector<OptionInfo> options;
  /// Betas for T >= 1 time steps; `values` has every one of `options`.
  std::vector<double> (*betas)(Index T, const OptionValues& values);
};

/// All schedules.
std::span<const ScheduleKind> schedules();

/// Builds the schedule called `name` with T time steps; missing options take the table's defaults. Throws UsageError
/// for an unknown name or option, and for a T that the schedule doesn't allow.
NoiseSchedule make_schedule(const std::string& name, Index T, const OptionValues& given = {});

/// Rescales the chain so that nothing of the data is left at its end (the last alphas_cumprod is 0) and the first time
/// step is unchanged. Sampling starts from pure noise; this way the network is also trained on pure noise. It must
/// predict x_0 or v, because pure noise determines eps but says nothing about x_0. Throws UsageError for a chain of a
/// single time step.
/// [Lin23]
NoiseSchedule with_zero_terminal_snr(const NoiseSchedule& schedule);

/// Selects time steps of a chain of length T, ascending. "25": 25 equally spaced ones. "10,15,20": that many from each
/// third. "ddim50": 0, i, 2i, ... with the integer i that gives 50. A chain of a single time step ("1", "ddim1") keeps
/// the last, the noisiest, because sampling starts from pure noise. Throws UsageError for anything else, and for more
/// time steps than there are.
/// [Nichol21] sec. 4, [Song21]
std::vector<Index> spaced_steps(Index T, const std::string& sections);

/// The shorter chain over the selected time steps: alphas_cumprod is the same there, so the betas differ.
/// [Nichol21] sec. 4
NoiseSchedule respace(const NoiseSchedule& schedule, const std::string& sections);
NoiseSchedule respace(const NoiseSchedule& schedule, std::span<const Index> kept);

}  // namespace reverie::inline REVERIE_PRECISION
