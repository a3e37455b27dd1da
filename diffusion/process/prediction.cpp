#include "diffusion/process/prediction.h"

#include <cmath>

#include "diffusion/tables/table.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// With a = sqrt(alpha_bar) and s = sqrt(1 - alpha_bar), x_t = a x_0 + s eps.
// eps [Ho20]: x_0 = (x_t - s eps) / a. v = a eps - s x_0 [Salimans22]: x_0 = a x_t - s v.
constexpr MeanKind means[] = {
    {"eps", "the noise in x_t [Ho20]", MeanType::eps,
     [](double) {
       return Factors{0, 1};
     },
     [](double ab) {
       return Factors{1 / std::sqrt(ab), -std::sqrt(1 / ab - 1)};
     }},
    {"x0", "the clean data", MeanType::x0,
     [](double) {
       return Factors{1, 0};
     },
     [](double) {
       return Factors{0, 1};
     }},
    {"v", "the velocity sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0 [Salimans22]", MeanType::v,
     [](double ab) {
       return Factors{-std::sqrt(1 - ab), std::sqrt(ab)};
     },
     [](double ab) {
       return Factors{std::sqrt(ab), -std::sqrt(1 - ab)};
     }},
};

// The posterior variance, exact for data that is a single point.
// [Ho20] sec. 3.2
VarianceTerms fixed_small(const NoiseSchedule& schedule, Timesteps t, int rank, const Var&) {
  return {extract(schedule.posterior_variance, t, rank), extract(schedule.posterior_log_variance_clipped, t, rank)};
}

// beta, exact for data that is N(0, 1). At t = 0 the posterior variance of time step 1, for a better decoder.
// [Ho20] sec. 3.2
VarianceTerms fixed_large(const NoiseSchedule& schedule, Timesteps t, int rank, const Var&) {
  const auto variance = [&](std::size_t k) {
    return k > 0 || schedule.steps() == 1 ? schedule.betas[k] : schedule.posterior_variance[1];
  };
  return {per_sample(t, rank, variance), per_sample(t, rank, [&](std::size_t k) { return std::log(variance(k)); })};
}

VarianceTerms learned(const NoiseSchedule&, Timesteps, int, const Var& output) { return {exp(output), output}; }

// log variance = f log(beta) + (1 - f) log(posterior variance), f = (output + 1) / 2
// [Nichol21] eq. 15
VarianceTerms learned_range(const NoiseSchedule& schedule, Timesteps t, int rank, const Var& output) {
  const Var large = per_sample(t, rank, [&](std::size_t k) { return std::log(schedule.betas[k]); });
  const Var small = extract(schedule.posterior_log_variance_clipped, t, rank);
  const Var f = (output + 1) / 2;
  const Var log_variance = f * large + (1 - f) * small;
  return {exp(log_variance), log_variance};
}

constexpr VarianceKind variances[] = {
    {"fixed_small", "the posterior variance of q", VarianceType::fixed_small, false, fixed_small},
    {"fixed_large", "beta", VarianceType::fixed_large, false, fixed_large},
    {"learned", "the network's second half is its logarithm", VarianceType::learned, true, learned},
    {"learned_range", "the network's second half, -1 to 1, leads from the small one to the large one [Nichol21]",
     VarianceType::learned_range, true, learned_range},
};

}  // namespace

std::span<const MeanKind> mean_kinds() { return means; }
std::span<const VarianceKind> variance_kinds() { return variances; }
const MeanKind& kind(MeanType type) { return means[static_cast<std::size_t>(type)]; }
const VarianceKind& kind(VarianceType type) { return variances[static_cast<std::size_t>(type)]; }
MeanType mean_type(const std::string& name) { return find_line("mean type", mean_kinds(), name).type; }
VarianceType variance_type(const std::string& name) { return find_line("variance type", variance_kinds(), name).type; }

NetworkOutput split_output(const Var& output, const Shape& x_t, VarianceType type) {
  const Index channels = x_t[-1];
  const Shape wanted = x_t.with(-1, output_channels(channels, type));
  if (output.shape() != wanted) {
    throw ShapeError("model output: ", output.shape(), " at x of ", x_t, ", expects ", wanted, " (variance ",
                     name(type), ")");
  }
  if (!kind(type).learned) return {output, {}};
  return {slice(output, -1, 0, channels), slice(output, -1, channels, 2 * channels)};
}

}  // namespace reverie::inline REVERIE_PRECISION
