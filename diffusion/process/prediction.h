#pragma once
#include <span>
#include <string>

#include "diffusion/process/schedule.h"
#include "diffusion/process/per_sample.h"

namespace reverie::inline REVERIE_PRECISION {

/// What the network predicts of p(x_{t-1} | x_t): its mean, by way of the noise, the data, or the velocity between ...
enum class MeanType { eps, x0, v };
/// ... and its variance: not at all (two choices that are fixed), as a logarithm, or between the two fixed ones.
enum class VarianceType { fixed_small, fixed_large, learned, learned_range };

/// Two factors of a sum a * first + b * second.
struct Factors {
  double first, second;
};

/// A line of the table of predictions. Every prediction is a line through x_0 and the noise, so with x_t at hand it
/// tells x_0; both directions are factors that depend on alphas_cumprod at t alone.
struct MeanKind {
  const char* name;
  const char* summary;
  MeanType type;
  Factors (*target)(double alpha_bar);  ///< what the network should say = first * x_0 + second * noise
  Factors (*x0)(double alpha_bar);      ///< x_0 = first * x_t + second * what the network says
};

struct VarianceTerms {
  Var variance, log_variance;  ///< broadcast to x_t: [N,1,..,1] where they are fixed, else x_t's shape
};

/// A line of the table of variances.
struct VarianceKind {
  const char* name;
  const char* summary;
  VarianceType type;
  bool learned;  ///< whether the network has a second half of channels for it
  /// `output`: that half, x_t's shape (or none); `rank`: x_t's number of axes.
  VarianceTerms (*terms)(const NoiseSchedule& schedule, Timesteps t, int rank, const Var& output);
};

std::span<const MeanKind> mean_kinds();
std::span<const VarianceKind> variance_kinds();
const MeanKind& kind(MeanType type);
const VarianceKind& kind(VarianceType type);
/// By name. Throws UsageError, listing what there is, for another.
MeanType mean_type(const std::string& name);
VarianceType variance_type(const std::string& name);
inline const char* name(MeanType type) { return kind(type).name; }
inline const char* name(VarianceType type) { return kind(type).name; }

/// Channels that a network must have to predict data of `channels`: twice as many where it learns the variance.
inline Index output_channels(Index channels, VarianceType type) { return kind(type).learned ? 2 * channels : channels; }

/// A network's output in its two parts.
struct NetworkOutput {
  Var prediction;  ///< eps, x_0 or v, of x_t's shape
  Var variance;    ///< of x_t's shape; none where the variance is fixed
};

/// Cuts the channels (the last axis) of a network's output at x_t in half where the variance is learned: the first half
/// is the prediction. Throws ShapeError unless there are `output_channels` of them.
NetworkOutput split_output(const Var& output, const Shape& x_t, VarianceType type);

}  // namespace reverie::inline REVERIE_PRECISION
