#pragma once
#include <functional>
#include <span>
#include <vector>

#include "tensor/real.h"

namespace reverie::inline REVERIE_PRECISION {

/// The mean. Throws UsageError if there are no values.
double mean_of(std::span<const double> values);

struct Interval {
  double low, high;
};

/// Row numbers of a bootstrap resample: n of n rows, drawn with replacement, a function of (seed, replicate, set).
/// `set` distinguishes sets that are resampled together.
std::vector<Index> resample(Index n, std::uint64_t seed, Index replicate, Index set = 0);
/// The same resample as counts: how many times each of the n rows was drawn.
std::vector<double> resample_counts(Index n, std::uint64_t seed, Index replicate, Index set = 0);

/// The interval that holds 95% of a statistic's replicates, shifted so that their mean is the estimate, because
/// replicates of a biased statistic (such as the Frechet distance) carry its bias twice. `statistic(replicate)` is
/// called from several threads.
/// [Efron93] chs. 13, 10
Interval bootstrap_interval(double estimate, Index replicates, const std::function<double(Index)>& statistic);

/// A mean with its interval.
struct Estimate {
  double value;
  Interval interval;
};
Estimate bootstrap_mean(std::span<const double> values, Index replicates, std::uint64_t seed);

}  // namespace reverie::inline REVERIE_PRECISION
