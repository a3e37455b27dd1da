#pragma once
#include <span>
#include <string>

#include "diffusion/process/per_sample.h"
#include "diffusion/process/schedule.h"

namespace reverie::inline REVERIE_PRECISION {

/// The quantity from which the mean of p(x_{t-1} | x_t) is computed: the noise, the data, or the velocity v.
enum class MeanType { eps, x0, v };
/// The variance of p(x_{t-1} | x_t): one of two fixed choices, learned as a logarithm, or learned as an interpolation
/// between the two fixed ones.
enum class VarianceType { fixed_small, fixed_large, learned, learned_range };

/// Two factors of a sum a * first + b * second.
struct Factors {
  double first, second;
};

/// A row of the table of predictions. Every prediction is a linear combination of x_0 and the noise, so together with
/// x_t it determines x_0. Both directions are factors that depend on alphas_cumprod at t only.
struct MeanKind {
  const char* name;
  const char* summary;
  MeanType type;
  Factors (*target)(double alpha_bar);  ///< target = first * x_0 + second * noise
  Factors (*x0)(double alpha_bar);      ///< x_0 = first * x_t + second * prediction
};

struct VarianceTerms {
  Var variance, log_variance;  ///< broadcast to x_t: [N,1,..,1] if fixed, else x_t's shape
};

/// A row of the table of variances.
struct VarianceKind {
  const char* name;
  const char* summary;
  VarianceType type;
  bool learned;  ///< whether the network outputs it, as a second half of the channels
  /// `output`: that half, of x_t's shape (undefined if fixed); `rank`: x_t's number of axes.
  VarianceTerms (*terms)(const NoiseSchedule& schedule, Timesteps t, int rank, const Var& output);
};

std::span<const MeanKind> mean_kinds();
std::span<const VarianceKind> variance_kinds();
const MeanKind& kind(MeanType type);
const VarianceKind& kind(VarianceType type);
/// Look up by name; throw UsageError listing the valid names.
MeanType mean_type(const std::string& name);
VarianceType variance_type(const std::string& name);
inline const char* name(MeanType type) { return kind(type).name; }
inline const char* name(VarianceType type) { return kind(type).name; }

/// The number of channels that a network must output for data of `channels`: twice as many if it learns the variance.
inline Index output_channels(Index channels, VarianceType type) { return kind(type).learned ? 2 * channels : channels; }

/// A network's output, split into its two parts.
struct NetworkOutput {
  Var prediction;  ///< eps, x_0 or v, of x_t's shape
  Var variance;    ///< of x_t's shape; undefined if the variance is fixed
};

/// Splits the channels (the last axis) of a network's output at x_t in half if the variance is learned; the first half
/// is the prediction. Throws ShapeError unless there are `output_channels` of them.
NetworkOutput split_output(const Var& output, const Shape& x_t, VarianceType type);

}  // namespace reverie::inline REVERIE_PRECISION
