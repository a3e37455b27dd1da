#pragma once
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "diffusion/tables/options.h"
#include "tensor/random.h"

namespace reverie::inline REVERIE_PRECISION {

/// Where the samples of a batch are trained: shares u in (0, 1) of the training distribution of noise levels, 0 the
/// least noisy (in a chain of T steps, step u T rounded down), and what their losses count so that the mean is still
/// that over uniform u.
struct Times {
  std::vector<double> u, weights;
};

/// Draws the times of training. What it has learned from losses is its state; draws are otherwise functions of (seed,
/// step).
class TimestepSampler {
 public:
  virtual ~TimestepSampler() = default;
  virtual Times draw(std::uint64_t seed, Index step, Index count) const = 0;
  /// The losses (before weighting) of the samples of a step, in the samples' order.
  virtual void observe(std::span<const double> /*u*/, std::span<const double> /*losses*/) {}
  /// The state as named tensors for a checkpoint; empty where there is none.
  virtual std::map<std::string, Tensor> state() const { return {}; }
  /// Throws Error, naming `origin`, for a state that isn't of this sampler.
  virtual void restore(const std::map<std::string, Tensor>& /*state*/, const std::string& /*origin*/) {}
};

/// A line of the table of timestep samplers.
struct TimestepSamplerKind {
  const char* name;
  const char* summary;
  std::vector<OptionInfo> options;
  /// T: the steps of the chain; `values` has every one of `options`.
  std::unique_ptr<TimestepSampler> (*make)(Index T, const OptionValues& values);
};
std::span<const TimestepSamplerKind> timestep_samplers();
/// The one called `name`. Throws UsageError for an unknown name or option, and for a value that can't be.
std::unique_ptr<TimestepSampler> make_timestep_sampler(const std::string& name, Index T,
                                                       const OptionValues& given = {});

/// Resampling by the second moment of the loss: steps with large losses more often, with importance weights that keep
/// the expected gradient, which makes that of the variational bound less noisy. [Nichol21] sec. 3.3
class LossSecondMoment : public TimestepSampler {
 public:
  /// `history`: losses that are kept for each step; `uniform_prob`: the share of draws that ignore them. Times are
  /// uniform until every step has a full history.
  LossSecondMoment(Index T, Index history, double uniform_prob);
  /// The probability of each step: proportional to the root of its mean squared loss.
  std::vector<double> probabilities() const;

  Times draw(std::uint64_t seed, Index step, Index count) const override;
  void observe(std::span<const double> u, std::span<const double> losses) override;
  std::map<std::string, Tensor> state() const override;
  void restore(const std::map<std::string, Tensor>& state, const std::string& origin) override;

  /// The middle of a step's share of (0, 1).
  double middle(Index t) const { return (static_cast<double>(t) + 0.5) / static_cast<double>(histories_.size()); }

 private:
  std::size_t history_;
  double uniform_prob_;
  std::vector<std::deque<double>> histories_;  // the last losses seen at each step, oldest first
};

}  // namespace reverie::inline REVERIE_PRECISION
