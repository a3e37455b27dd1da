#include "diffusion/metrics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/error.h"
#include "tensor/finite.h"
#include "tensor/parallel.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {
namespace {

// The quantile of sorted values at `share`, with linear interpolation.
double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place), above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - static_cast<double>(below));
}

}  // namespace

double mean_of(std::span<const double> values) {
  if (values.empty()) throw UsageError("mean: no values");
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<Index> resample(Index n, std::uint64_t seed, Index replicate, Index set) {
  const RandomKey key = RandomKey{.seed = seed, .stream = Stream::bootstrap}
                            .with_step(static_cast<std::uint64_t>(replicate))
                            .with_channel(set);
  std::vector<Index> rows(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) rows[i] = uniform_index(key, n, i);
  return rows;
}

std::vector<double> resample_counts(Index n, std::uint64_t seed, Index replicate, Index set) {
  std::vector<double> counts(static_cast<std::size_t>(n));
  for (const Index row : resample(n, seed, replicate, set)) ++counts[row];
  return counts;
}

Interval bootstrap_interval(double estimate, Index replicates, const std::function<double(Index)>& statistic) {
  if (replicates < 1) throw UsageError("bootstrap: ", replicates, " replicates; expects at least 1");
  std::vector<double> values(static_cast<std::size_t>(replicates));
  parallel_tasks(replicates, [&](Index i) { values[i] = statistic(i); });
  values.push_back(estimate);
  if (const std::size_t bad = first_not_finite(std::span<const double>(values)); bad < values.size()) {
    throw Error("bootstrap: ", bad + 1 == values.size() ? "the estimate" : concat("replicate ", bad), " is ",
                values[bad]);
  }
  values.pop_back();
  const double shift = estimate - mean_of(values);
  std::sort(values.begin(), values.end());
  return {quantile(values, 0.025) + shift, quantile(values, 0.975) + shift};
}

Estimate bootstrap_mean(std::span<const double> values, Index replicates, std::uint64_t seed) {
  const double mean = mean_of(values);
  const auto n = static_cast<Index>(values.size());
  return {mean, bootstrap_interval(mean, replicates, [&](Index replicate) {
            double sum = 0;
            for (const Index row : resample(n, seed, replicate)) sum += values[row];
            return sum / static_cast<double>(n);
          })};
}

}  // namespace reverie::inline REVERIE_PRECISION
