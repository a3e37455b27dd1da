#pragma once
#include <span>
#include <string>
#include <vector>

#include "diffusion/tables/options.h"

namespace reverie::inline REVERIE_PRECISION {

/// A chain of T noising steps q(x_t | x_{t-1}) = N(sqrt(1 - beta_t) x_{t-1}, beta_t) and all that follows from the
/// betas, in double; index 0 is the least noisy step. [Ho20]
struct NoiseSchedule {
  /// Betas in (0, 1], the last alone may be 1. Throws Error for others, or for none.
  explicit NoiseSchedule(std::vector<double> betas);

  Index steps() const { return static_cast<Index>(betas.size()); }

  std::vector<double> betas;
  std::vector<double> alphas_cumprod;       ///< prod_{s<=t} (1 - beta_s): the share of the data's variance left at t
  std::vector<double> alphas_cumprod_prev;  ///< the same one step before; 1 at t = 0
  std::vector<double> sqrt_recipm1_alphas_cumprod;  ///< sqrt(1 / alphas_cumprod - 1), the sigma of step t
  std::vector<double> snr;                          ///< alphas_cumprod / (1 - alphas_cumprod)
  // q(x_{t-1} | x_t, x_0) = N(coef1 x_0 + coef2 x_t, posterior_variance)                      [Ho20] eqs. 6, 7
  std::vector<double> posterior_mean_coef1, posterior_mean_coef2;
  std::vector<double> posterior_variance;  ///< 0 at t = 0
  /// Its log, with the value at 1 standing in at 0 (in a chain of a single step: log beta).
  std::vector<double> posterior_log_variance_clipped;

  // Where this chain comes from: `respace` keeps some of the steps of a longer one, whose steps the network still sees.
  std::vector<Index> original_steps;  ///< the network's t for each step of this chain, ascending
  Index original_T;                   ///< steps of the chain that the network was trained on
};

/// A line of the table of schedules.
struct ScheduleKind {
  const char* name;
  const char* summary;
  std::vector<OptionInfo> options;
  /// Betas for T >= 1 steps; `values` has every one of `options`.
  std::vector<double> (*betas)(Index T, const OptionValues& values);
};

/// Every schedule there is.
std::span<const ScheduleKind> schedules();

/// The schedule called `name` with T steps; options that are not given take the table's values. Throws UsageError
/// for an unknown name or option, and for T that the schedule can't have.
NoiseSchedule make_schedule(const std::string& name, Index T, const OptionValues& given = {});

/// The chain rescaled so that nothing of the data is left at its end (the last alphas_cumprod is 0), while the first
/// step stays what it was. A network that starts from pure noise when it samples is then trained on pure noise too; it
/// has to predict x_0 or v, because noise alone says nothing of x_0. [Lin23] Throws UsageError for a single step.
NoiseSchedule with_zero_terminal_snr(const NoiseSchedule& schedule);

/// The steps of a chain of T that `sections` keeps, ascending. "25": 25 steps, equally spaced. "10,15,20": so many from
/// each third. "ddim50": 0, i, 2i, ... with the integer i that gives 50. [Nichol21] sec. 4, [Song21]
/// Throws UsageError for what is none of these or can't be kept.
std::vector<Index> spaced_steps(Index T, const std::string& sections);

/// The shorter chain over the kept steps: the same alphas_cumprod there, hence betas of its own. [Nichol21] sec. 4
NoiseSchedule respace(const NoiseSchedule& schedule, const std::string& sections);
NoiseSchedule respace(const NoiseSchedule& schedule, std::span<const Index> kept);

}  // namespace reverie::inline REVERIE_PRECISION
